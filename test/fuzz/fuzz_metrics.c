/*
 * fuzz_metrics.c - a scraper's request, and what a process says of itself: the text made of it has only lines
 * that are samples or comments, and ends as it should.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "parent/ctl/metrics.h"
#include "parent/metrics/serve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len;
    if (size < 1)
        return 0;
    if (data[0] & 4) {
        serve_request(data + 1, size - 1);
        return 0;
    }
    struct metrics *m = metrics_new();
    char *text = xmalloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    metrics_add(m, (enum metrics_source)(data[0] & 3), text);
    free(text);
    char *out = metrics_end(m, &len), *save = NULL;
    if (len < 6 || strcmp(out + len - 6, "# EOF\n") != 0)
        abort();
    for (const char *line = strtok_r(out, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
        if (strncmp(line, "holdfast", 8) != 0 && strncmp(line, "# ", 2) != 0)
            abort();
    free(out);
    return 0;
}
