/*
 * fuzz_conf.c - a configuration of hostile bytes through everything holdfast-conf does with text: expansion,
 * table parser, resolution, validation, rendering as text and JSON, and the slices when it is accepted. No
 * file is opened (include is off), and the limits of the text side keep time and memory small.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "parent/conf/conf.h"
#include "parent/conf/prove.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void render(struct diag *d)
{
    char *buf = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&buf, &n);

    if (!f)
        abort();
    diag_print_text(d, f);
    diag_print_json(d, f, 0);
    fclose(f);
    free(buf);
}

static void emit(struct conf *c)
{
    static const enum role roles[] = { ROLE_PARENT, ROLE_VRRPD, ROLE_CHECKD, ROLE_IPVSD };

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        int fd = conf_emit(c, roles[i], 1);

        if (fd >= 0)
            close(fd);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static char *const env[] = { (char *)"HOME=/root", NULL };
    struct conf_text_opts o = {
        .config_id = "me", .env = env, .no_files = true, .max_lines = 2000, .max_bytes = 4u << 20
    };
    struct conf_env machine = { .known = false };
    struct conf_text t;
    struct diag *d = diag_new();
    struct conf *c;

    diag_set_lenient(d, len && (data[0] & 1));
    conf_text_load_buf(&t, "fuzz.conf", (const char *)data, len, &o, d);
    c = conf_new(&t, d, &machine);
    conf_parse(c);
    conf_resolve(c);
    conf_validate(c, conf_prove_all());
    if (diag_total(d) < 64) /* rendering thousands of complaints finds nothing new */
        render(d);
    if (!diag_count(d, DIAG_ERROR))
        emit(c);
    conf_free(c);
    conf_text_free(&t);
    diag_free(d);
    return 0;
}
