/*
 * fuzz_track.c - what names, command lines, the kernel's process events and stored results may look like.
 * First byte: which parser. Oracles: a name fits its buffer and is terminated; what decodes encodes to the
 * same bytes; a longer pattern never matches where a shorter one of it does not.
 */
#include <stdlib.h>
#include <string.h>

#include "ipvsd/proc_match.h"
#include "vrrpd/track_life.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void stat_line(const char *data, size_t len)
{
    char comm[PROC_COMM_MAX + 1];
    bool alive;
    memset(comm, 'x', sizeof comm);
    if (proc_stat_parse(data, len, comm, &alive) && memchr(comm, '\0', sizeof comm) == NULL)
        abort();
}

static void command(const char *data, size_t len)
{
    static const char *const words[] = { "/bin/x", "-a", "b" };
    static const enum proc_how hows[] = { PROC_EXACT, PROC_INITIAL, PROC_PARTIAL };
    for (size_t h = 0; h < 3; h++) {
        struct proc_want all = { .how = hows[h], .word = words, .nwords = 3 }, less = all;
        less.nwords = 2;
        less.how = PROC_PARTIAL;
        if (proc_cmdline_matches(&all, data, len, false) && !proc_cmdline_matches(&less, data, len, false))
            abort();
    }
}

static void saved(const uint8_t *data, size_t len)
{
    struct track_saved s;
    uint8_t again[TRACK_SAVED_MAX];
    if (track_saved_decode(data, len, &s) < 0)
        return;
    if (track_saved_encode(&s, again) != len || memcmp(again, data, len) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint32_t pid;
    if (len < 1)
        return 0;
    switch (data[0] % 4) {
    case 0: stat_line((const char *)data + 1, len - 1); break;
    case 1: command((const char *)data + 1, len - 1); break;
    case 2: proc_event_parse(data + 1, len - 1, &pid); break;
    case 3: saved(data + 1, len - 1); break;
    default: break;
    }
    return 0;
}
