/*
 * evidence.c - see evidence.h.
 *
 * Layout: u8 version, u8 'E', u16 number of records; records: u64 identity, u64 turned_at, u64 passed_at, u64
 * failed_at (CLOCK_REALTIME ns, 0 never), u64 failures, u8 length, that many printable ASCII letters.
 */
#include "checkd/evidence.h"

#include <stdlib.h>
#include <string.h>

#include "checkd/checker.h"

#define EVIDENCE_VERSION 1
#define EVIDENCE_KIND    'E'
#define EVIDENCE_HEAD    4u
#define EVIDENCE_NUMBERS 5u
#define EVIDENCE_RECORD  (8u * EVIDENCE_NUMBERS + 1u)

static bool evidence_printable(uint8_t c)
{
    return c >= 0x20 && c < 0x7f;
}

static size_t evidence_put(uint8_t *p, const struct checker *k)
{
    const uint64_t v[EVIDENCE_NUMBERS] = { k->identity, k->turned_at, k->passed_at, k->failed_at,
                                           k->failures };
    const char *text = k->evidence != NULL ? k->evidence : "";
    size_t len = strnlen(text, EVIDENCE_TEXT);

    memcpy(p, v, sizeof v);
    p[sizeof v] = (uint8_t)len;
    for (size_t i = 0; i < len; i++)
        p[EVIDENCE_RECORD + i] = evidence_printable((uint8_t)text[i]) ? (uint8_t)text[i] : '?';
    return EVIDENCE_RECORD + len;
}

bool evidence_any(const struct checker *k)
{
    return k->turned_at != 0 || k->evidence != NULL;
}

size_t evidence_encode(const struct service_table *t, size_t chunk, uint8_t *buf, size_t size)
{
    size_t from = chunk * CHUNK_EVIDENCE, len = EVIDENCE_HEAD;
    uint16_t n = 0;

    for (size_t i = from; i < t->ncheckers && i < from + CHUNK_EVIDENCE; i++) {
        const struct checker *k = &t->checkers[i];

        if (!evidence_any(k) || size - len < EVIDENCE_RECORD + EVIDENCE_TEXT)
            continue;
        len += evidence_put(buf + len, k);
        n++;
    }
    buf[0] = EVIDENCE_VERSION;
    buf[1] = EVIDENCE_KIND;
    memcpy(buf + 2, &n, sizeof n);
    return n > 0 ? len : 0;
}

/* ---- decoding
 * --------------------------------------------------------------------------------------------------- */

struct evidence {
    uint64_t v[EVIDENCE_NUMBERS];
    const uint8_t *text;
    size_t len;
};

/* Bytes it takes; 0: it is none. */
static size_t evidence_get(const uint8_t *p, size_t len, struct evidence *e)
{
    if (len < EVIDENCE_RECORD)
        return 0;
    memcpy(e->v, p, sizeof e->v);
    e->len = p[EVIDENCE_RECORD - 1];
    e->text = p + EVIDENCE_RECORD;
    if (e->len > EVIDENCE_TEXT || len - EVIDENCE_RECORD < e->len)
        return 0;
    for (size_t i = 0; i < e->len; i++)
        if (!evidence_printable(e->text[i]))
            return 0;
    return EVIDENCE_RECORD + e->len;
}

static bool evidence_form(const uint8_t *data, size_t len, uint16_t n)
{
    struct evidence e;
    size_t pos = EVIDENCE_HEAD;

    for (; n > 0; n--) {
        size_t used = evidence_get(data + pos, len - pos, &e);

        if (used == 0)
            return false;
        pos += used;
    }
    return pos == len;
}

static void evidence_apply(struct checker *k, const struct evidence *e)
{
    k->turned_at = e->v[1];
    k->passed_at = e->v[2];
    k->failed_at = e->v[3];
    k->failures = e->v[4];
    free(k->evidence);
    k->evidence = NULL;
    if (e->len == 0)
        return;
    k->evidence = xcalloc(1, e->len + 1);
    memcpy(k->evidence, e->text, e->len);
}

int evidence_decode(struct service_table *t, size_t chunk, const uint8_t *data, size_t len)
{
    size_t from = chunk * CHUNK_EVIDENCE, pos = EVIDENCE_HEAD;
    struct evidence e;
    uint16_t n;

    if (len < EVIDENCE_HEAD || data[0] != EVIDENCE_VERSION || data[1] != EVIDENCE_KIND)
        return -1;
    memcpy(&n, data + 2, sizeof n);
    if (n > CHUNK_EVIDENCE || !evidence_form(data, len, n))
        return -1;
    for (; n > 0; n--) {
        pos += evidence_get(data + pos, len - pos, &e);
        for (size_t i = from; i < t->ncheckers && i < from + CHUNK_EVIDENCE; i++)
            if (t->checkers[i].identity == e.v[0])
                evidence_apply(&t->checkers[i], &e);
    }
    if (from < t->ncheckers && chunk < EVIDENCE_CHUNKS)
        t->evidence_chunks[chunk].told = true;
    return 0;
}

void evidence_settle(struct service_table *t, uint64_t now)
{
    for (size_t i = 0; i < t->ncheckers; i++) {
        uint64_t *const at[] = { &t->checkers[i].turned_at, &t->checkers[i].passed_at,
                                 &t->checkers[i].failed_at };

        for (size_t k = 0; k < sizeof at / sizeof *at; k++)
            if (*at[k] > now)
                *at[k] = 0;
    }
}
