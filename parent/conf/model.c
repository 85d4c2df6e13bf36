/*
 * model.c - the resolved configuration as one JSON document, for holdctl (lint, simulation, explanations,
 * doctor): every object with its values under the names of the schema, defaults and inheritance applied, and
 * for each command who runs it and why. A secret never appears: it is a digest under the key of the caller,
 * so two configurations can be compared, or just "set". Called by program.c (--model), in the whole program
 * only. Trusts the tree.
 */
#include <ctype.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "common/err.h"
#include "parent/conf/conf_int.h"
#include "parent/conf/diag_int.h"
#include "parent/conf/model.h"

#define MODEL_FORMAT 1
#define MODEL_DIGEST 16 /* bytes of it that are shown */

static const char *const model_kw[KW_MAX] = {
#define BLOCK(id, name, parent, flags, help)
#define KW(id, name, kind, arg, min, max, dflt, flags, roles, help) [KW_##id] = #id,
#include "common/schema/schema.def"
#undef BLOCK
#undef KW
};

static const char *const model_blk[BLK_MAX] = {
#define BLOCK(id, name, parent, flags, help) [BLK_##id] = #id,
#define KW(id, name, kind, arg, min, max, dflt, flags, roles, help)
#include "common/schema/schema.def"
#undef BLOCK
#undef KW
};

struct model {
    struct conf *c;
    const uint8_t *key; /* NULL: none */
    size_t keylen;
};

static json_t *model_str(const char *s)
{
    size_t n = strlen(s), size = n * 4 + 1;
    char *buf = xmalloc(size);
    diag_clean(s, n, buf, size);
    json_t *j = json_string(buf);
    free(buf);
    return j;
}

static void model_lower(const char *id, char *out, size_t size)
{
    size_t n = 0;
    for (; id[n] != '\0' && n + 1 < size; n++)
        out[n] = (char)tolower((unsigned char)id[n]);
    out[n] = '\0';
}

/* VI_ADVERT_INT of BLK_VI is "advert_int"; a keyword of another block keeps its whole name. */
static void model_name(enum blk blk, enum kw kw, char *out, size_t size)
{
    const char *id = model_kw[kw], *b = model_blk[blk];
    size_t n = strlen(b);
    model_lower(strncmp(id, b, n) == 0 && id[n] == '_' ? id + n + 1 : id, out, size);
}

static json_t *model_secret(const struct model *m, const void *p, size_t len)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    char hex[2 * MODEL_DIGEST + 1] = "set";
    if (m->key != NULL && HMAC(EVP_sha256(), m->key, (int)m->keylen, p, len, digest, &n) != NULL)
        for (unsigned int i = 0; i < MODEL_DIGEST && i < n; i++)
            snprintf(hex + (size_t)i * 2, 3, "%02x", digest[i]);
    return json_string(hex);
}

/* Words with a NUL behind each; NULL: bytes that are no text (numbers, digests). */
static json_t *model_raw(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)p[i] < ' ' && p[i] != '\0')
            return NULL;
    if (len == 0 || p[len - 1] != '\0' || p[0] == '\0')
        return NULL;
    char *text = xmalloc(len + 1);
    memcpy(text, p, len);
    text[len] = '\0';
    for (size_t i = 0; i + 1 < len; i++)
        if (text[i] == '\0')
            text[i] = ' ';
    json_t *j = model_str(text);
    free(text);
    return j;
}

static json_t *model_ip(const struct ipaddr *a)
{
    char text[IPADDR_STRLEN];
    if (a->family == 0)
        return json_string("default");
    bool whole = a->plen == ipaddr_len(a) * 8;
    return json_string(whole ? ipaddr_str(a, text) : ipaddr_prefix_str(a, text));
}

static json_t *model_formless(const struct conf_value *v)
{
    if (v->len > 0)
        return model_raw(v->v.raw, v->len);
    switch ((enum conf_form)v->form) {
    case CONF_FORM_STR: return v->v.s != NULL ? model_str(v->v.s) : json_null();
    case CONF_FORM_IP: return model_ip(v->v.ip);
    case CONF_FORM_KIND:
    case CONF_FORM_UINT: break;
    }
    return json_integer((json_int_t)v->v.u);
}

static json_t *model_plain(const struct kw_row *row, const struct conf_value *v)
{
    const char *word;
    switch (row->kind) {
    case KIND_FLAG:
    case KIND_BOOL: return json_boolean(v->v.u != 0);
    case KIND_UINT:
    case KIND_CNUM:
    case KIND_NAMETAB:
    case KIND_TIME:
    case KIND_MSTIME: return json_integer((json_int_t)v->v.u);
    case KIND_INT:
    case KIND_WEIGHT: return json_integer((json_int_t)v->v.i);
    case KIND_ENUM:
        word = schema_word((enum schema_enum)row->arg, (int64_t)v->v.u);
        return word != NULL ? json_string(word) : json_integer((json_int_t)v->v.u);
    case KIND_WORD:
    case KIND_IFNAME:
    case KIND_REF:
    case KIND_WORDS:
    case KIND_SCRIPT: return v->v.s != NULL ? model_str(v->v.s) : json_null();
    case KIND_IP:
    case KIND_PREFIX: return model_ip(v->v.ip);
    case KIND_USER:
    case KIND_HEX:
    case KIND_SPECIAL:
    case KIND_DERIVED: return model_formless(v);
    case KIND_BLOCK:
    case KIND_LINES:
    case KIND_SYNTAX: break;
    }
    return NULL;
}

static json_t *model_value(const struct model *m, const struct kw_row *row, const struct conf_value *v)
{
    if (!(row->flags & KWF_SECRET))
        return model_plain(row, v);
    if (v->len > 0)
        return model_secret(m, v->v.raw, v->len);
    return v->v.s != NULL ? model_secret(m, v->v.s, strlen(v->v.s)) : json_null();
}

static void model_values(const struct model *m, const struct conf_obj *o, json_t *to)
{
    char name[64];
    for (const struct conf_value *v = o->values; v != NULL; v = v->next) {
        const struct kw_row *row = schema_kw(v->kw);
        if (conf_tacit(row, v))
            continue;
        if (o->blk == BLK_TLS) /* keys and certificates are nobody's to read here */
            continue;
        json_t *j = model_value(m, row, v);
        if (j == NULL)
            continue;
        model_name(o->blk, v->kw, name, sizeof name);
        json_t *old = json_object_get(to, name);
        bool list = (row->flags & KWF_REPEAT) || row->kind == KIND_WORDS || v->kw == KW_CMD_X_ARGV;
        if (!list)
            json_object_set_new(to, name, j);
        else if (old != NULL)
            json_array_append_new(old, j);
        else
            json_object_set_new(to, name, json_pack("[o]", j));
    }
}

static json_t *model_runs(struct conf *c, const struct conf_obj *cmd)
{
    struct conf_runs r;
    conf_script_runs(c, cmd, &r);
    json_t *j = json_object();
    json_object_set_new(j, "user", model_str(r.user));
    if (r.group != NULL)
        json_object_set_new(j, "group", model_str(r.group));
    json_object_set_new(j, "because", json_string(r.because));
    if (r.line != 0)
        json_object_set_new(j, "line", json_integer(r.line));
    json_object_set_new(j, "root", json_boolean(r.root));
    json_object_set_new(j, "user_exists", json_boolean(r.exists));
    json_object_set_new(j, "keyword", json_string(schema_kw(cmd->opener)->name));
    json_object_set_new(j, "of", model_str(conf_label(c, cmd->parent)));
    if (r.path != NULL)
        json_object_set_new(j, "path", model_str(r.path));
    json_object_set_new(j, "file", json_string(r.file));
    if (r.part != NULL)
        json_object_set_new(j, "part", model_str(r.part));
    json_object_set_new(j, "script_security", json_boolean(r.secure));
    return j;
}

static json_t *model_obj(const struct model *m, const struct conf_obj *o)
{
    char name[64];
    json_t *j = json_object(), *values = json_object(), *children = json_array();
    model_lower(model_blk[o->blk], name, sizeof name);
    json_object_set_new(j, "kind", json_string(name));
    if (o->name != NULL)
        json_object_set_new(j, "name", model_str(o->name));
    if (o->line != NULL)
        json_object_set_new(j, "line", json_integer(conf_lineno(o->line)));
    model_values(m, o, values);
    json_object_set_new(j, "values", values);
    if (o->blk == BLK_CMD && o->parent != NULL)
        json_object_set_new(j, "runs", model_runs(m->c, o));
    for (const struct conf_obj *in = o->child; in != NULL; in = in->sibling)
        if (!in->drop)
            json_array_append_new(children, model_obj(m, in));
    json_object_set_new(j, "children", children);
    return j;
}

int conf_model_print(struct conf *c, const uint8_t *key, size_t keylen, FILE *out)
{
    struct model m = { .c = c, .key = key, .keylen = keylen };
    json_t *root = json_object();
    json_object_set_new(root, "format", json_integer(MODEL_FORMAT));
    json_object_set_new(root, "model", model_obj(&m, conf_top(c)));
    int rc = json_dumpf(root, out, JSON_COMPACT);
    json_decref(root);
    return rc || fputc('\n', out) == EOF || fflush(out) ? -1 : 0;
}
