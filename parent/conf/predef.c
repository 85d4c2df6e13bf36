/*
 * predef.c - the names every configuration finds defined: _PWD, _INSTANCE, _RANDOM, _ENV, _HASH, _BANG.
 * Called by define.c with hostile names and arguments.
 */
#include "parent/conf/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void predef_seed(struct conf_ctx *c, const char *value, size_t len)
{
    uint64_t v = 0;

    for (size_t i = 0; i < len; i++)
        v = v * 131 + (unsigned char)value[i];
    c->random = v * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

/* xorshift: for spreading intervals in test set-ups, never for secrets. */
static uint64_t predef_random(struct conf_ctx *c)
{
    uint64_t v = c->random;

    v ^= v << 13;
    v ^= v >> 7;
    v ^= v << 17;
    c->random = v;
    return v >> 11;
}

static size_t predef_word(const char **s, size_t *len)
{
    size_t n = 0;

    while (*len && text_blank(**s)) {
        (*s)++;
        (*len)--;
    }
    while (n < *len && !text_blank((*s)[n]))
        n++;
    return n;
}

static bool predef_number(const char **s, size_t *len, unsigned long *out)
{
    char buf[24], *end;
    size_t n = predef_word(s, len);

    if (!n || n >= sizeof(buf))
        return false;
    memcpy(buf, *s, n);
    buf[n] = '\0';
    *s += n;
    *len -= n;
    *out = strtoul(buf, &end, 10);
    return !*end && *out <= UINT32_MAX;
}

static int predef_put_random(struct conf_ctx *c, const char *args, size_t len, char *out, size_t size)
{
    unsigned long lo = 0, hi = 32767;

    if (predef_number(&args, &len, &lo))
        predef_number(&args, &len, &hi);
    if (hi < lo)
        hi = lo;
    return snprintf(out, size, "%lu", lo + (unsigned long)(predef_random(c) % (hi - lo + 1)));
}

static int predef_put_env(struct conf_ctx *c, const char *args, size_t len, char *out, size_t size)
{
    size_t n = predef_word(&args, &len);

    for (char *const *e = c->o->env; n && e && *e; e++) {
        if (strncmp(*e, args, n) || (*e)[n] != '=')
            continue;
        return snprintf(out, size, "%s", *e + n + 1);
    }
    return 0;
}

static int predef_put_pwd(struct conf_ctx *c, char *out, size_t size)
{
    const char *dir = c->frame && c->frame->file->dir[0] ? c->frame->file->dir : ".";
    char *real = c->o->no_files ? NULL : realpath(dir, NULL);
    int n = snprintf(out, size, "%s", real ? real : dir);

    free(real);
    return n;
}

static bool predef_is(const char *name, size_t nlen, const char *what)
{
    return strlen(what) == nlen && !memcmp(name, what, nlen);
}

int predef_value(struct conf_ctx *c, const char *name, size_t nlen, char *out, size_t size)
{
    size_t id = def_name_len(name, nlen);
    int n;

    if (name[0] != '_')
        return -1;
    if (predef_is(name, id, "_PWD"))
        n = predef_put_pwd(c, out, size);
    else if (predef_is(name, id, "_INSTANCE"))
        n = snprintf(out, size, "%s", c->t->config_id);
    else if (predef_is(name, id, "_RANDOM"))
        n = predef_put_random(c, name + id, nlen - id, out, size);
    else if (predef_is(name, id, "_ENV"))
        n = predef_put_env(c, name + id, nlen - id, out, size);
    else if (predef_is(name, id, "_HASH"))
        n = snprintf(out, size, "#");
    else if (predef_is(name, id, "_BANG"))
        n = snprintf(out, size, "!");
    else
        return -1;
    return n < 0 ? 0 : n >= (int)size ? (int)size - 1 : n;
}
