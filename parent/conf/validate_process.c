/*
 * validate_process.c - global_defs about processes and files of the daemon itself: what would be accepted and
 * then do nothing. Called by conf_validate.
 */
#include <string.h>

#include "parent/conf/conf_int.h"

static void absolute(struct conf *c, enum kw kw)
{
    const struct conf_value *v = conf_get(c->global, kw);
    if (v == NULL || v->v.s == NULL || v->v.s[0] == '/' || v->v.s[0] == '\0')
        return;
    CONF_ERR(c, conf_pos_value(v), "HF-PATH", "%s %s is not an absolute path", schema_kw(kw)->name, v->v.s);
}

/* Part of the names of pid files and of the folder of the sockets: one with a "/" passed -t, and no start. */
static void instance_name(struct conf *c)
{
    const struct conf_value *v = conf_get(c->top, KW_TOP_INSTANCE);
    if (v == NULL || v->v.s == NULL)
        return;
    if (strchr(v->v.s, '/') != NULL || strcmp(v->v.s, ".") == 0 || strcmp(v->v.s, "..") == 0)
        diag_help(
            CONF_ERR(c, conf_pos_value(v), "HF-NAME", "instance %s cannot be part of a file's name", v->v.s),
            "pid files and sockets are named after it: write it without \"/\"");
}

/* There is no process of its own for BFD. */
static void bfd_name(struct conf *c)
{
    const struct conf_value *v = conf_get(c->global, KW_GLOBAL_BFD_PROCESS_NAME);
    if (v == NULL || conf_next(c->top, NULL, BLK_VI) == NULL)
        return;
    diag_help(CONF_NOTE(c, conf_pos_value(v), "HF-BFD-PROCESS",
                        "bfd_process_name is not used: BFD runs in the process of VRRP"),
              "vrrp_process_name names that process");
}

/* What they mean is include.c's; it meets them long before anything is parsed, and passes over the rest. */
static void include_words(struct conf *c)
{
    static const char *const words[] = { "read", "readable", "match", "wildcard_match", "brace_match" };
    for (const struct conf_value *v = c->global->values; v != NULL; v = v->next) {
        if (v->kw != KW_GLOBAL_INCLUDE_CHECK || v->v.s == NULL || v->v.s[0] == '\0')
            continue;
        const char *w = v->v.s + (v->v.s[0] == '+' || v->v.s[0] == '-');
        bool known = false;
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            known = known || strcmp(w, words[i]) == 0;
        if (!known)
            diag_help(CONF_ERR(c, conf_pos_value(v), "HF-OPTION", "unknown option %s after %s", v->v.s,
                               schema_kw(v->kw)->name),
                      "write some of read, match, wildcard_match and brace_match, each with + or - to change "
                      "what is in force, or none for all");
    }
}

void conf_validate_process(struct conf *c)
{
    include_words(c);
    static const enum kw paths[] = { KW_GLOBAL_RELOAD_TIME_FILE, KW_GLOBAL_RELOAD_FILE,
                                     KW_GLOBAL_CONFIG_SAVE_DIR };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        absolute(c, paths[i]);
    bfd_name(c);
    instance_name(c);
    if (conf_flag(c->global, KW_GLOBAL_RELOAD_REPEAT) &&
        conf_get(c->global, KW_GLOBAL_RELOAD_TIME_FILE) == NULL)
        CONF_WARN(c, conf_pos_value(conf_get(c->global, KW_GLOBAL_RELOAD_REPEAT)), "HF-NO-EFFECT",
                  "reload_repeat without reload_time_file does nothing");
}
