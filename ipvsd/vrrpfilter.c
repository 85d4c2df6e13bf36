/*
 * vrrpfilter.c - see vrrpfilter.h. A small assembler with forward labels; all programs share one skeleton:
 * destination, length, VRID, TTL, version and type, and differ in what the four endings return. A kernel raw
 * socket shows an IPv4 packet from its IP header on (ihl in the first byte), an IPv6 packet from the VRRP
 * header on; the IPv6 header is reached through SKF_NET_OFF.
 */
#include "ipvsd/vrrpfilter.h"

#include <string.h>

#include "common/err.h"

#define FILTER_PASS     0x40000u
#define FILTER_AH_LEN   24 /* fixed part 12, digest 12 */
#define FILTER_AH_WORDS 4  /* length field: 32-bit words minus 2 */
#define FILTER_VRRP     112
#define FILTER_HEADER   8
#define FILTER_TYPE     1 /* advertisement */
#define FILTER_NET(off) ((uint32_t)(SKF_NET_OFF + (off)))
#define FILTER_V4_TTL   8
#define FILTER_V4_DST   16
#define FILTER_V6_HOPS  7
#define FILTER_V6_DST   24

enum label { L_NEXT, L_FOREIGN, L_UNKNOWN, L_BAD, L_GOOD, L_MEMBER, L_WORD, L_MAX = L_WORD + 8 };

struct asm_prog {
    struct sock_filter *out;
    uint8_t jt[VRRPFILTER_MAX], jf[VRRPFILTER_MAX]; /* labels */
    uint8_t at[L_MAX];
    size_t n;
};

static void asm_jump(struct asm_prog *p, unsigned int code, uint32_t k, unsigned int jt, unsigned int jf)
{
    if (p->n >= VRRPFILTER_MAX)
        fatal("VRRP socket filter is too long");
    p->out[p->n] = (struct sock_filter){ .code = (uint16_t)code, .k = k };
    p->jt[p->n] = (uint8_t)jt;
    p->jf[p->n] = (uint8_t)jf;
    p->n++;
}

static void asm_op(struct asm_prog *p, unsigned int code, uint32_t k)
{
    asm_jump(p, code, k, L_NEXT, L_NEXT);
}

static void asm_label(struct asm_prog *p, unsigned int label)
{
    p->at[label] = (uint8_t)p->n;
}

/* A one-way jump: both branches lead to the label. */
static void asm_goto(struct asm_prog *p, unsigned int label)
{
    asm_jump(p, BPF_JMP | BPF_JEQ | BPF_K, 0, label, label);
}

static void asm_link(struct asm_prog *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->jt[i] != L_NEXT)
            p->out[i].jt = (uint8_t)(p->at[p->jt[i]] - i - 1);
        if (p->jf[i] != L_NEXT)
            p->out[i].jf = (uint8_t)(p->at[p->jf[i]] - i - 1);
    }
}

static uint32_t filter_word(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Not for us at all: no socket of this pair wants to know. */
static void filter_destination(struct asm_prog *p, const struct vrrpfilter_spec *s)
{
    bool v4 = s->family == 4;
    uint32_t off = v4 ? FILTER_V4_DST : FILTER_NET(FILTER_V6_DST);
    if (s->dst.family != 0) {
        for (uint32_t i = 0; i < ipaddr_len(&s->dst); i += 4) {
            asm_op(p, BPF_LD | BPF_W | BPF_ABS, off + i);
            asm_jump(p, BPF_JMP | BPF_JEQ | BPF_K, filter_word(s->dst.b + i), L_NEXT, L_FOREIGN);
        }
    } else if (v4) {
        asm_op(p, BPF_LD | BPF_B | BPF_ABS, off);
        asm_op(p, BPF_ALU | BPF_AND | BPF_K, 0xf0);
        asm_jump(p, BPF_JMP | BPF_JEQ | BPF_K, 0xe0, L_FOREIGN, L_NEXT);
    } else {
        asm_op(p, BPF_LD | BPF_B | BPF_ABS, off);
        asm_jump(p, BPF_JMP | BPF_JEQ | BPF_K, 0xff, L_FOREIGN, L_NEXT);
    }
}

/* X = where the payload of the IP packet begins. */
static void filter_load_x(struct asm_prog *p, const struct vrrpfilter_spec *s)
{
    if (s->family == 4)
        asm_op(p, BPF_LDX | BPF_B | BPF_MSH, 0);
    else
        asm_op(p, BPF_LDX | BPF_W | BPF_IMM, 0);
}

/* VRID in A: a member of the bit map or unknown. Clobbers X. */
static void filter_vrid(struct asm_prog *p, const struct vrrpfilter_spec *s)
{
    asm_op(p, BPF_ST, 0);
    asm_op(p, BPF_ALU | BPF_AND | BPF_K, 31);
    asm_op(p, BPF_MISC | BPF_TAX, 0);
    asm_op(p, BPF_LD | BPF_W | BPF_IMM, 1);
    asm_op(p, BPF_ALU | BPF_LSH | BPF_X, 0);
    asm_op(p, BPF_ST, 1);
    asm_op(p, BPF_LD | BPF_W | BPF_MEM, 0);
    asm_op(p, BPF_ALU | BPF_RSH | BPF_K, 5);
    for (unsigned int w = 0; w < 8; w++)
        if (s->vrids[w] != 0)
            asm_jump(p, BPF_JMP | BPF_JEQ | BPF_K, w, L_WORD + w, L_NEXT);
    asm_goto(p, L_UNKNOWN);
    for (unsigned int w = 0; w < 8; w++) {
        if (s->vrids[w] == 0)
            continue;
        asm_label(p, L_WORD + w);
        asm_op(p, BPF_LD | BPF_W | BPF_MEM, 1);
        asm_jump(p, BPF_JMP | BPF_JSET | BPF_K, s->vrids[w], L_MEMBER, L_UNKNOWN);
    }
}

static void filter_length(struct asm_prog *p, const struct vrrpfilter_spec *s, uint32_t before)
{
    asm_op(p, BPF_LD | BPF_W | BPF_LEN, 0);
    asm_op(p, BPF_ALU | BPF_SUB | BPF_X, 0);
    asm_jump(p, BPF_JMP | BPF_JGE | BPF_K, FILTER_HEADER + before, L_NEXT, L_BAD);
    if (!s->ah)
        return;
    asm_op(p, BPF_LD | BPF_B | BPF_IND, 0);
    asm_jump(p, BPF_JMP | BPF_JEQ | BPF_K, FILTER_VRRP, L_NEXT, L_FOREIGN);
    asm_op(p, BPF_LD | BPF_B | BPF_IND, 1);
    asm_jump(p, BPF_JMP | BPF_JEQ | BPF_K, FILTER_AH_WORDS, L_NEXT, L_BAD);
}

static size_t filter_build(const struct vrrpfilter_spec *s, struct sock_filter *out, bool good, bool bad,
                           bool unknown)
{
    struct asm_prog p = { .out = out };
    uint32_t before = s->ah ? FILTER_AH_LEN : 0;
    filter_destination(&p, s);
    filter_load_x(&p, s);
    filter_length(&p, s, before);
    asm_op(&p, BPF_LD | BPF_B | BPF_IND, before + 1);
    filter_vrid(&p, s);
    asm_label(&p, L_MEMBER);
    if (s->multicast) {
        asm_op(&p, BPF_LD | BPF_B | BPF_ABS, s->family == 4 ? FILTER_V4_TTL : FILTER_NET(FILTER_V6_HOPS));
        asm_jump(&p, BPF_JMP | BPF_JEQ | BPF_K, 255, L_NEXT, L_BAD);
    }
    filter_load_x(&p, s);
    asm_op(&p, BPF_LD | BPF_B | BPF_IND, before);
    for (uint32_t v = 0; v < 8; v++)
        if (s->versions & (1u << v))
            asm_jump(&p, BPF_JMP | BPF_JEQ | BPF_K, v << 4 | FILTER_TYPE, L_GOOD, L_NEXT);
    asm_label(&p, L_BAD);
    asm_op(&p, BPF_RET | BPF_K, bad ? FILTER_PASS : 0);
    asm_label(&p, L_GOOD);
    asm_op(&p, BPF_RET | BPF_K, good ? FILTER_PASS : 0);
    asm_label(&p, L_UNKNOWN);
    asm_op(&p, BPF_RET | BPF_K, unknown ? FILTER_PASS : 0);
    asm_label(&p, L_FOREIGN);
    asm_op(&p, BPF_RET | BPF_K, 0);
    asm_link(&p);
    return p.n;
}

void vrrpfilter_add_vrid(struct vrrpfilter_spec *s, uint8_t vrid)
{
    s->vrids[vrid >> 5] |= UINT32_C(1) << (vrid & 31);
}

size_t vrrpfilter_accept(const struct vrrpfilter_spec *s, struct sock_filter out[VRRPFILTER_MAX])
{
    return filter_build(s, out, true, false, false);
}

size_t vrrpfilter_reject(const struct vrrpfilter_spec *s, struct sock_filter out[VRRPFILTER_MAX])
{
    return filter_build(s, out, false, true, s->unknown);
}
