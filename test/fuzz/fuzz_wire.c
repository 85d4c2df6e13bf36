/*
 * fuzz_wire.c - hostile frames through `holdctl vrrp watch`: decoder, accounting, judgement, report. ARP
 * and neighbour discovery answers of doctor as well. Input: a row of { kind, length, bytes }. Oracle: a body
 * the decoder claims lies inside the frame; senders stay bounded; a split brain is always between two senders
 * of one virtual router; free ids are those nobody uses.
 */
#include <stdlib.h>
#include <string.h>

#include "parent/ctl/arp_bytes.h"
#include "parent/ctl/nd_bytes.h"
#include "parent/ctl/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint16_t kinds[] = { 0x0800, 0x86dd, 0x8100, 0x88a8, 0x0806 };

static void inside(const struct wire_advert *a, const uint8_t *p, size_t n)
{
    if (a->rx.payload < p || a->rx.payload + a->rx.len > p + n)
        abort();
    if (a->body && a->view.need > a->rx.len)
        abort();
    if (a->view.addrs != NULL && a->view.addrs + a->view.count > p + n)
        abort();
}

static void judge(struct wire *w)
{
    char *text = NULL;
    size_t size;
    struct findings found = { 0 };
    FILE *out = open_memstream(&text, &size);
    wire_judge(w, "eth0", &found);
    wire_print(w, "eth0", 1, out);
    fclose(out);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < ' ' && text[i] != '\n')
            abort();
    free(text);
    json_t *j = wire_json(w, "eth0", 1, &found);
    if (json_array_size(json_object_get(j, "senders")) != w->n)
        abort();
    json_decref(j);
    findings_free(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct wire w = { 0 };
    struct wire_advert a;
    uint64_t now = 1;
    while (len >= 3) {
        uint16_t kind = kinds[data[0] % 5];
        uint8_t mac[WIRE_MAC] = { 2, 0, 0, 0, 0, data[0] };
        size_t n = data[1] | (size_t)(data[2] & 7) << 8, who;
        data += 3;
        len -= 3;
        n = n < len ? n : len;
        struct ipaddr ip;
        if (arp_answer(data, n, mac, &ip) == 0 && (n < ARP_LEN || ip.family != 4))
            abort();
        if (nd_answer(data, n, mac, &ip) == 0 && (n < ND_LEN || ip.family != 6))
            abort();
        if (wire_decode(kind, data, n, &a) == 0) {
            inside(&a, data, n);
            enum wire_news news = wire_hear(&w, &a, mac, false, now += 1000000, &who);
            if (who >= w.n || w.n > WIRE_SENDERS || (news == WIRE_NEW && who != w.n - 1))
                abort();
        }
        data += n;
        len -= n;
    }
    judge(&w);
    wire_free(&w);
    return 0;
}
