/*
 * fuzz_ipvs.c - what the kernel (or something that pretends) answers about its IPVS table. Every service and
 * server that comes out must be a value within its bounds whatever the bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipvsd/ipvs_codec.h"

static void on_answer(const struct ipvs_answer *a, void *arg)
{
    char text[IPVS_TEXT_LEN];
    const struct ipvs_key *k = &a->svc.key;
    size_t *n = arg;
    (*n)++;
    switch (a->kind) {
    case IPVS_ANSWER_SVC:
        if ((k->family != 4 && k->family != 6) || memchr(a->svc.sched, '\0', IPVS_NAME_LEN) == NULL ||
            memchr(a->svc.pe, '\0', IPVS_NAME_LEN) == NULL ||
            (k->fwmark != 0 && (k->port | k->protocol) != 0))
            abort();
        if (strlen(ipvs_key_text(k, text)) >= sizeof text)
            abort();
        break;
    case IPVS_ANSWER_DEST:
        if ((a->dest.key.family != 0 && a->dest.key.family != 4 && a->dest.key.family != 6) ||
            a->dest.method > 7)
            abort();
        if (strlen(ipvs_dkey_text(&a->dest.key, text)) >= sizeof text)
            abort();
        break;
    case IPVS_ANSWER_TIMEOUTS:
    case IPVS_ANSWER_INFO: break;
    case IPVS_ANSWER_FAMILY:
        if (a->family < 16)
            abort();
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n = 0;
    struct ipvs_walk w = { .seq = 7, .fn = on_answer, .arg = &n };
    void *copy = malloc(size + 1); /* aligned, and its end is watched */
    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    ipvs_codec_walk(copy, size, &w);
    if (w.error < 0 || w.error > 4095)
        abort();
    free(copy);
    return 0;
}
