/*
 * resolve_top.c - what stands at the top of the file and reaches into instances, and the other way round:
 * track_group of static entries, garp_group, polled interfaces, the sync daemon in its old place. Called by
 * resolve.c when instances and addresses are resolved.
 */
#include <string.h>

#include "parent/conf/resolve.h"

/* ---- track_group */

static const struct {
    enum blk blk;
    enum kw group, dev;
} track_lines[] = { { BLK_ADDR, KW_ADDR_TRACK_GROUP, KW_ADDR_DEV },
                    { BLK_ROUTE, KW_ROUTE_TRACK_GROUP, KW_ROUTE_DEV },
                    { BLK_RULE, KW_RULE_TRACK_GROUP, KW_RULE_DEV } };

static void without_effect(struct conf *c, struct conf_obj *o, enum kw kw, const char *why)
{
    CONF_WARN(c, conf_pos_value(conf_get(o, kw)), "HF-NO-EFFECT", "track_group has no effect %s",
              diag_tr(c->diag, why));
    conf_unset(o, kw);
}

static void track_entry(struct conf *c, struct conf_obj *o, bool of_instance)
{
    for (size_t k = 0; k < sizeof track_lines / sizeof *track_lines; k++) {
        if (track_lines[k].blk != o->blk || conf_get(o, track_lines[k].group) == NULL)
            continue;
        if (of_instance)
            without_effect(c, o, track_lines[k].group,
                           DIAG_ID("on an entry of an instance: it is for static ones"));
        else if (conf_get(o, track_lines[k].dev) == NULL)
            without_effect(c, o, track_lines[k].group,
                           DIAG_ID("without dev: there is no interface to track"));
    }
}

static void track_groups(struct conf *c)
{
    for (struct conf_obj *o = c->top->child; o != NULL; o = o->sibling) {
        if (o->drop)
            continue;
        track_entry(c, o, false);
        for (struct conf_obj *in = o->blk == BLK_VI ? o->child : NULL; in != NULL; in = in->sibling)
            track_entry(c, in, true);
    }
}

/* ---- garp_group */

static void garp_interface(struct conf *c, struct conf_obj *g, const struct conf_value *v)
{
    const struct conf_obj *other = conf_once(c, conf_fmt(c, "garp/%s", v->v.s), g);
    if (other == NULL)
        return;
    struct diag_item *it =
        CONF_WARN(c, conf_pos_value(v), "HF-TWICE",
                  other == g ? "%s is listed twice in garp_group"
                             : DIAG_ID("%s is in another garp_group already, the first one counts"),
                  v->v.s);
    diag_related(it, conf_pos_obj(other), "first listed here");
}

static void garp_groups(struct conf *c)
{
    for (struct conf_obj *g = NULL; (g = conf_next(c->top, g, BLK_GARPG)) != NULL;) {
        size_t n = 0;
        for (const struct conf_value *v = g->values; v != NULL; v = v->next)
            if (v->kw == KW_GARPG_INTERFACE || v->kw == KW_GARPG_INTERFACES) {
                garp_interface(c, g, v);
                n++;
            }
        if (n == 0) {
            if (!conf_failed(c, g, KW_GARPG_INTERFACE) && !conf_failed(c, g, KW_GARPG_INTERFACES))
                CONF_WARN(c, conf_pos_obj(g), "HF-EMPTY", "garp_group has no interface");
            g->drop = true;
        } else if (conf_get(g, KW_GARPG_GARP_INTERVAL) == NULL &&
                   conf_get(g, KW_GARPG_GNA_INTERVAL) == NULL && !conf_failed(c, g, KW_GARPG_GARP_INTERVAL) &&
                   !conf_failed(c, g, KW_GARPG_GNA_INTERVAL)) {
            diag_help(
                CONF_WARN(c, conf_pos_obj(g), "HF-NO-EFFECT",
                          "garp_group has no interval of its own: its interfaces share vrrp_garp_interval"),
                "add garp_interval SECONDS, or gna_interval SECONDS");
        }
    }
}

/* ---- lvs_sync_daemon_interface: the daemon of the machine, named in an instance */

static void sync_daemon(struct conf *c, const struct conf_obj *vi)
{
    const struct conf_value *v = conf_get(vi, KW_VI_LVS_SYNC_DAEMON_INTERFACE);
    if (v == NULL)
        return;
    const struct conf_obj *other = conf_next(c->global, NULL, BLK_SYNCD);
    if (other != NULL) {
        diag_related(CONF_WARN(c, conf_pos_value(v), "HF-NO-EFFECT",
                               "lvs_sync_daemon_interface of %s has no effect: there is one sync daemon, and "
                               "another line says where",
                               vi->name),
                     conf_pos_obj(other), "this one");
        return;
    }
    struct conf_obj *s = conf_obj_new(c, c->global, BLK_SYNCD, v->v.s, v->line);
    s->opener = KW_GLOBAL_LVS_SYNC_DAEMON;
    conf_set_str(c, s, KW_SYNCD_INST, vi->name);
}

void resolve_top(struct conf *c)
{
    track_groups(c);
    garp_groups(c);
    for (const struct conf_obj *vi = NULL; (vi = conf_next(c->top, vi, BLK_VI)) != NULL;)
        sync_daemon(c, vi);
}
