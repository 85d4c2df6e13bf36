/*
 * dump_json.c - the JSON dump: names, nesting, types and order of reference/cli.md section 6, compact. What
 * exporters read is not ours to tidy. Commands of scripts are left to the parent (common/dumpgap.h). Called
 * by dump.c.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/dumpgap.h"
#include "vrrpd/dump_int.h"

static void json_uint(FILE *f, const char *key, uint64_t v)
{
    fprintf(f, ",\"%s\":%" PRIu64, key, v);
}

static void json_bool(FILE *f, const char *key, bool v)
{
    fprintf(f, ",\"%s\":%s", key, v ? "true" : "false");
}

static void json_text(FILE *f, const char *key, const char *v)
{
    fprintf(f, ",\"%s\":", key);
    dumpgap_json(f, v);
}

static void json_secs(FILE *f, const char *key, uint64_t ns)
{
    fprintf(f, ",\"%s\":%.10g", key, (double)ns / (double)NS_PER_SEC);
}

static void json_whole(FILE *f, const char *key, uint64_t ns)
{
    json_uint(f, key, ns / NS_PER_SEC);
}

/* ---- lists: nothing at all when they are empty */

static void json_list_next(FILE *f, const char *key, size_t n)
{
    if (n == 0)
        fprintf(f, ",\"%s\":[", key);
    else
        fputc(',', f);
}

static void json_lines(FILE *f, const char *key, const struct inst *i, const struct slice *s, enum blk blk,
                       bool excluded)
{
    size_t n = 0;
    for (const struct slice_obj *o = slice_next(s, NULL, blk, i->b->id); o != NULL;
         o = slice_next(s, o, blk, i->b->id)) {
        if (blk == BLK_ADDR && slice_bool(o, KW_ADDR_X_EXCLUDED, false) != excluded)
            continue;
        char *line = dump_line(s, o, dump_set(i));
        json_list_next(f, key, n++);
        dumpgap_json(f, line);
        free(line);
    }
    if (n > 0)
        fputc(']', f);
}

static void json_tracks(FILE *f, const char *key, const struct inst *i, const struct slice *s,
                        enum track_kind kind)
{
    size_t n = 0;
    for (size_t k = 0; k < i->b->nlines; k++) {
        const struct track_line *l = &i->b->lines[k];
        if (l->kind != kind || l->of_group)
            continue;
        json_list_next(f, key, n++);
        const struct slice_obj *script = kind == TRACK_SCRIPT ? slice_find(s, BLK_SCRIPT, l->name) : NULL;
        if (script != NULL)
            dumpgap_put(f, DUMPGAP_JSON_COMMAND, script->id);
        else
            dumpgap_json(f, l->name);
    }
    if (n > 0)
        fputc(']', f);
}

/* ---- an instance */

static void json_timing(FILE *f, const struct inst *i)
{
    const struct bind_vi *b = i->b;
    json_uint(f, "master_priority", i->e.master_priority);
    fprintf(f, ",\"last_transition\":%" PRIu64 ".%06" PRIu64, i->changed_at / NS_PER_SEC,
            i->changed_at % NS_PER_SEC / 1000);
    json_whole(f, "garp_delay", b->garp_delay);
    json_whole(f, "garp_refresh", b->garp_refresh);
    json_uint(f, "garp_rep", b->garp_repeat);
    json_uint(f, "garp_refresh_rep", b->garp_refresh_repeat);
    json_whole(f, "garp_lower_prio_delay", b->garp_lower_delay);
    json_uint(f, "garp_lower_prio_rep", b->garp_lower_repeat);
}

static void json_state(FILE *f, const struct inst *i, const struct slice_obj *o)
{
    const struct bind_vi *b = i->b;
    enum vrrp_state state = i->e.state == VRRP_STATE_STOP ? VRRP_STATE_FAULT : i->e.state;
    json_uint(f, "lower_prio_no_advert", b->engine.lower_prio_no_advert);
    json_uint(f, "higher_prio_send_advert", b->engine.higher_prio_send_advert);
    json_uint(f, "vrid", b->vrid);
    json_uint(f, "base_priority", b->engine.priority);
    json_uint(f, "effective_priority", i->e.cfg.priority);
    json_bool(f, "vipset", dump_set(i));
    json_bool(f, "promote_secondaries", b->promote_secondaries);
    json_secs(f, "adver_int", b->engine.interval);
    json_secs(f, "master_adver_int", i->e.master_interval);
    json_uint(f, "accept", b->accept);
    json_bool(f, "nopreempt", b->engine.nopreempt);
    json_secs(f, "preempt_delay", b->engine.preempt_delay);
    json_uint(f, "state", state);
    json_uint(f, "wantstate", dump_wants(i));
    json_uint(f, "version", b->engine.version);
    json_bool(f, "smtp_alert", b->smtp_alert);
    json_bool(f, "notify_deleted", o != NULL && slice_has(o, KW_VI_NOTIFY_DELETED));
}

static void json_data(FILE *f, const struct inst *i, const struct slice *s)
{
    const struct bind_vi *b = i->b;
    const struct slice_obj *o = slice_by_id(s, b->id);
    fputs("{\"iname\":", f);
    dumpgap_json(f, b->name);
    json_uint(f, "dont_track_primary", b->dont_track_primary);
    json_uint(f, "skip_check_adv_addr", b->check.skip_addrs);
    json_uint(f, "strict_mode", b->strict);
    json_text(f, "vmac_ifname", b->vmac);
    json_text(f, "ifp_ifname", b->vmac[0] != '\0' ? b->vmac : b->iface);
    json_timing(f, i);
    json_state(f, i, o);
    dumpgap_put(f, DUMPGAP_JSON_SCRIPTS, b->id);
    json_lines(f, "vips", i, s, BLK_ADDR, false);
    json_lines(f, "evips", i, s, BLK_ADDR, true);
    json_lines(f, "vroutes", i, s, BLK_ROUTE, false);
    json_lines(f, "vrules", i, s, BLK_RULE, false);
    json_tracks(f, "track_ifp", i, s, TRACK_IF);
    json_tracks(f, "track_script", i, s, TRACK_SCRIPT);
    json_tracks(f, "track_process", i, s, TRACK_PROC);
    json_uint(f, "auth_type", b->check.auth_type);
    if (b->check.auth_type != PACKET_AUTH_NONE)
        json_text(f, "auth_data", "********");
    fputc('}', f);
}

static void json_stats(FILE *f, const struct inst *i)
{
    const struct check_stats bad = check_stats(&i->chk), *c = &bad;
    const struct engine_stats *e = &i->e.stats;
    fprintf(f, "{\"advert_rcvd\":%" PRIu64, c->received);
    json_uint(f, "advert_sent", e->adverts_sent);
    json_uint(f, "become_master", e->became_master);
    json_uint(f, "release_master", e->released_master);
    json_uint(f, "packet_len_err", c->length);
    json_uint(f, "advert_interval_err", c->interval);
    json_uint(f, "ip_ttl_err", c->ttl);
    json_uint(f, "invalid_type_rcvd", c->type);
    json_uint(f, "addr_list_err", c->addr_list);
    json_uint(f, "invalid_authtype", c->auth_unknown);
    json_uint(f, "authtype_mismatch", c->auth_mismatch);
    json_uint(f, "auth_failure", c->auth_failure);
    json_uint(f, "auth_ext_missing", c->ext_missing);
    json_uint(f, "auth_ext_malformed", c->ext_malformed);
    json_uint(f, "auth_ext_unknown_key", c->ext_key);
    json_uint(f, "auth_ext_invalid_hmac", c->ext_hmac);
    json_uint(f, "auth_ext_stale", c->ext_stale);
    json_uint(f, "auth_ext_replay", c->ext_replay);
    json_uint(f, "pri_zero_rcvd", e->prio_zero_rcvd);
    json_uint(f, "pri_zero_sent", e->prio_zero_sent);
    fputc('}', f);
}

/* ---- tracked processes, version 2 */

static const char *json_match(const struct slice_obj *o, bool words)
{
    const char *w = slice_has(o, KW_PROC_PARAM_MATCH)
                        ? schema_word(ENUM_MATCH, (int64_t)slice_uint(o, KW_PROC_PARAM_MATCH, 0))
                        : NULL;
    return w != NULL ? w : words ? "exact" : "none";
}

static void json_process(FILE *f, const struct slice_obj *o, const struct track_view *t)
{
    const char *name = dump_word(o, KW_PROC_PROCESS, 0), *arg;
    char *params = NULL;
    size_t len = 0;
    FILE *p = open_memstream(&params, &len);
    for (size_t n = 1; p != NULL && (arg = dump_word(o, KW_PROC_PROCESS, n)) != NULL; n++)
        fprintf(p, "%s'%s'", n > 1 ? " " : "", arg);
    if (p != NULL)
        fclose(p);
    fputs("{\"process\":", f);
    dumpgap_json(f, name != NULL ? name : "");
    json_text(f, "parameters", params != NULL ? params : "");
    json_text(f, "param_match", json_match(o, len > 0));
    json_uint(f, "min_processes", slice_uint(o, KW_PROC_QUORUM, 1));
    json_uint(f, "max_processes", slice_uint(o, KW_PROC_QUORUM_MAX, UINT32_MAX));
    json_uint(f, "current_processes", (uint64_t)(t->value > 0 ? t->value : 0));
    json_bool(f, "have_quorum", t->result == TRACK_OK);
    fprintf(f, ",\"weight\":%" PRId64, slice_int(o, KW_PROC_WEIGHT, 0));
    json_secs(f, "terminate_delay", slice_ns(o, KW_PROC_TERMINATE_DELAY, 0));
    json_secs(f, "fork_delay", slice_ns(o, KW_PROC_FORK_DELAY, 0));
    json_bool(f, "fork_delay_timer_running", t->delayed && t->coming == TRACK_OK);
    json_bool(f, "terminate_delay_timer_running", t->delayed && t->coming == TRACK_FAIL);
    json_bool(f, "full_command", len > 0 || slice_bool(o, KW_PROC_FULL_COMMAND, false));
    fputc('}', f);
    free(params);
}

static void json_processes(FILE *f, const struct vrrpd *v, const struct slice *s)
{
    struct track_view t;
    size_t n = 0;
    for (const struct tracked *k = NULL; (k = track_next(v, k, &t)) != NULL;) {
        const struct slice_obj *o = t.kind == TRACK_PROC ? slice_find(s, BLK_PROC, t.name) : NULL;
        if (o == NULL)
            continue;
        json_list_next(f, "track_process", n++);
        json_process(f, o, &t);
    }
    if (n > 0)
        fputc(']', f);
}

void dump_put_json(struct vrrpd *v, FILE *f)
{
    const struct slice *s = child_slice(v->child);
    const struct slice_obj *g = slice_next(s, NULL, BLK_GLOBAL, SLICE_ANY_PARENT);
    bool second = g != NULL && slice_uint(g, KW_GLOBAL_JSON_VERSION, 1) == 2;
    if (v->ninst == 0)
        return;
    fputs(second ? "{\"vrrp\":[" : "[", f);
    for (size_t n = 0; n < v->ninst; n++) {
        fputs(n > 0 ? ",{\"data\":" : "{\"data\":", f);
        json_data(f, v->inst[n], s);
        fputs(",\"stats\":", f);
        json_stats(f, v->inst[n]);
        fputc('}', f);
    }
    fputc(']', f);
    if (second) {
        json_processes(f, v, s);
        fputc('}', f);
    }
}
