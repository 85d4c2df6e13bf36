/* prove.c - see prove.h. The only file of the language that needs OpenSSL and PCRE2, through checkd's code.
 */
#include "parent/conf/prove.h"

#include "checkd/regex.h"
#include "checkd/tls.h"

static bool prove_pattern(const char *pattern, uint64_t options, uint64_t min, uint64_t max, char *why,
                          size_t size)
{
    struct regex *r = regex_new(pattern, options, min, max, why, size);
    bool ok = r != NULL;

    regex_free(r);
    return ok;
}

static bool prove_material(const struct tls_material *m, struct err *e)
{
    struct tls_ctx *ctx = tls_ctx_new(m, e);
    bool ok = ctx != NULL;

    tls_ctx_unref(ctx);
    return ok;
}

const struct conf_prove *conf_prove_all(void)
{
    static const struct conf_prove all = { .pattern = prove_pattern, .material = prove_material };

    return &all;
}
