/*
 * validate_process.c - global_defs about processes and files of the daemon itself: what would be accepted and
 * then do nothing. Called by conf_validate.
 */
#include "parent/conf/conf_int.h"

static void absolute(struct conf *c, enum kw kw)
{
    const struct conf_value *v = conf_get(c->global, kw);
    if (v == NULL || v->v.s == NULL || v->v.s[0] == '/' || v->v.s[0] == '\0')
        return;
    CONF_ERR(c, conf_pos_value(v), "HF-PATH", "%s %s is not an absolute path", schema_kw(kw)->name, v->v.s);
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

void conf_validate_process(struct conf *c)
{
    static const enum kw paths[] = { KW_GLOBAL_RELOAD_TIME_FILE, KW_GLOBAL_RELOAD_FILE,
                                     KW_GLOBAL_CONFIG_SAVE_DIR };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        absolute(c, paths[i]);
    bfd_name(c);
    if (conf_flag(c->global, KW_GLOBAL_RELOAD_REPEAT) &&
        conf_get(c->global, KW_GLOBAL_RELOAD_TIME_FILE) == NULL)
        CONF_WARN(c, conf_pos_value(conf_get(c->global, KW_GLOBAL_RELOAD_REPEAT)), "HF-NO-EFFECT",
                  "reload_repeat without reload_time_file does nothing");
}
