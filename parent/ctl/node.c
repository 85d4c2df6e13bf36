/* node.c - see node.h. */
#include "parent/ctl/node.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "parent/ctl/tool.h"

#define NODE_OWNER 255

static const struct {
    const char *line, *target; /* kinds of model objects; NULL: names nothing */
} node_kinds[TRACK_KINDS] = {
    [TRACK_IF] = { "trk_if", NULL },        [TRACK_SCRIPT] = { "trk_script", "script" },
    [TRACK_FILE] = { "trk_file", "tfile" }, [TRACK_PROC] = { "trk_proc", "proc" },
    [TRACK_BFD] = { "trk_bfd", "bfd" },
};

static struct node_track *node_track(struct node_vi *v)
{
    v->tracks = xrealloc(v->tracks, (v->ntracks + 1) * sizeof *v->tracks);
    struct node_track *t = &v->tracks[v->ntracks++];
    *t = (struct node_track){ 0 };
    return t;
}

/* The tracker that stands for a line of the group (vrrpd/track_bind.c, bind_stands()); NULL: it needs its
 * own. */
static struct node_track *node_stands(struct node_vi *v, enum track_kind kind, const char *name)
{
    for (size_t n = 0; n < v->ntracks; n++)
        if (v->tracks[n].kind == kind && strcmp(v->tracks[n].name, name) == 0)
            return &v->tracks[n];
    return NULL;
}

/* Of an instance, or of its group. neutral: weights of members are not wanted there. */
static void node_lines(struct node_vi *v, const json_t *top, const json_t *o, bool of_group, bool neutral)
{
    for (int k = 0; k < TRACK_KINDS; k++) {
        json_t *line;
        for (size_t i = 0; (line = model_next(o, node_kinds[k].line, &i)) != NULL;) {
            const json_t *from = line, *target = NULL;
            if (node_kinds[k].target != NULL)
                target = model_named(top, node_kinds[k].target, model_name(line));
            if (!model_has(line, "weight") && node_kinds[k].target != NULL)
                from = target;
            struct node_track *t = of_group ? node_stands(v, (enum track_kind)k, model_name(line)) : NULL;
            if (t != NULL && t->given == 0)
                continue;
            t = t != NULL ? t : node_track(v);
            t->kind = (enum track_kind)k;
            t->name = model_name(line);
            t->line = model_line(line);
            t->of_group = of_group;
            t->weight = (int)model_int(from, "weight", k == TRACK_FILE ? 1 : 0);
            t->reverse = model_bool(line, "x_reverse", model_bool(target, "x_reverse", false));
            t->given = t->weight;
            t->idle = neutral && !track_neutralise(t->kind, v->priority == NODE_OWNER, &t->weight);
        }
    }
}

static void node_own(struct node_vi *v)
{
    struct node_track *t = node_track(v);
    t->kind = TRACK_IF;
    t->name = v->iface;
    t->own = true;
    t->line = v->line;
}

static void node_tracks(struct node_vi *v, const json_t *top, const json_t *o)
{
    const json_t *g = v->sync != NULL ? model_named(top, "sync", v->sync) : NULL;
    bool owner = v->priority == NODE_OWNER;
    bool allowed =
        model_bool(g, "sync_group_tracking_weight", false) || model_bool(g, "global_tracking", false);
    node_lines(v, top, o, false, owner || (g != NULL && !allowed));
    if (v->iface[0] != '\0' && !model_bool(o, "dont_track_primary", false))
        node_own(v);
    if (g != NULL)
        node_lines(v, top, g, true, false);
}

static int node_by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void node_push(const char ***list, size_t *n, const char *s)
{
    *list = xrealloc(*list, (*n + 1) * sizeof **list);
    (*list)[(*n)++] = s;
}

static void node_addresses(struct node_vi *v, const json_t *o)
{
    json_t *a;
    for (size_t i = 0; (a = model_next(o, "addr", &i)) != NULL;) {
        const char *text = model_str(a, "address", NULL);
        if (text != NULL && model_bool(a, "x_excluded", false))
            node_push(&v->excluded, &v->nexcluded, text);
        else if (text != NULL)
            node_push(&v->vips, &v->nvips, text);
    }
    for (size_t i = 0; (a = model_next(o, "vi_peer", &i)) != NULL;)
        node_push(&v->peers, &v->npeers, model_str(a, "ip", model_name(a)));
    if (v->nvips > 0)
        qsort(v->vips, v->nvips, sizeof *v->vips, node_by_text);
    if (v->nexcluded > 0)
        qsort(v->excluded, v->nexcluded, sizeof *v->excluded, node_by_text);
    if (v->npeers > 0)
        qsort(v->peers, v->npeers, sizeof *v->peers, node_by_text);
}

static void node_auth(struct node_vi *v, const json_t *o)
{
    const json_t *auth = model_first(o, "vi_auth"), *hmac = model_first(o, "vi_hmac");
    v->auth = "none";
    v->secret = "";
    if (auth != NULL && v->version == 2 && !v->strict) {
        v->auth = model_str(auth, "auth_type", "none");
        v->secret = model_str(auth, "auth_pass", "");
    }
    if (hmac != NULL) {
        v->auth = "HMAC";
        v->secret = "";
        json_t *keys = model_list(hmac, "key");
        if (json_array_size(keys) > 0) /* several are for changing them: one in common is enough, see lint */
            v->secret = json_string_value(json_array_get(keys, 0));
    }
}

static void node_vi_read(struct node_vi *v, const json_t *top, const json_t *o)
{
    *v = (struct node_vi){ .name = model_name(o), .line = model_line(o) };
    v->iface = model_str(o, "interface", "");
    v->sync = model_str(o, "x_sync", NULL);
    v->vrid = (uint8_t)model_int(o, "virtual_router_id", 0);
    v->family = (uint8_t)model_int(o, "x_family", 4);
    v->version = (uint8_t)model_int(o, "version", 2);
    v->priority = (uint8_t)model_int(o, "priority", 100);
    v->interval_us = (uint64_t)model_int(o, "advert_int", 1000000);
    v->master = strcmp(model_str(o, "state", ""), "MASTER") == 0;
    v->nopreempt = model_bool(o, "nopreempt", false) && !v->master;
    v->strict = model_bool(o, "strict_mode", false);
    v->skip_addrs = model_bool(o, "skip_check_adv_addr", false);
    v->vmac = model_has(o, "x_vmac");
    v->plain_sum = v->version == 3 && v->family == 4 && model_bool(o, "v3_checksum_as_v2", false);
    const char *src = model_str(o, "x_src", NULL);
    if (src == NULL || ipaddr_parse(src, &v->src) < 0)
        v->src = (struct ipaddr){ 0 };
    node_addresses(v, o);
    node_auth(v, o);
    v->group = v->npeers == 0 ? model_str(o, "mcast_dst_ip", NULL) : NULL;
    node_tracks(v, top, o);
}

void node_read(struct node *n, const char *label, const char *file, const json_t *top)
{
    const json_t *global = model_first(top, "global");
    json_t *o;
    *n = (struct node){ .label = label, .file = file, .top = top };
    n->router_id = global != NULL ? model_str(global, "router_id", NULL) : NULL;
    for (size_t i = 0; (o = model_next(top, "vi", &i)) != NULL;) {
        n->vi = xrealloc(n->vi, (n->nvi + 1) * sizeof *n->vi);
        node_vi_read(&n->vi[n->nvi++], top, o);
    }
}

void node_free(struct node *n)
{
    for (size_t i = 0; i < n->nvi; i++) {
        free(n->vi[i].vips);
        free(n->vi[i].excluded);
        free(n->vi[i].peers);
        free(n->vi[i].tracks);
    }
    free(n->vi);
    *n = (struct node){ 0 };
}

/* 192.0.2.1 and 192.0.2.1/24 are one address. */
bool node_same_address(const char *a, const char *b)
{
    struct ipaddr x, y;
    return ipaddr_parse_prefix(a, &x) == 0 && ipaddr_parse_prefix(b, &y) == 0 && ipaddr_same(&x, &y);
}

bool node_share_vip(const struct node_vi *a, const struct node_vi *b)
{
    for (size_t i = 0; i < a->nvips; i++)
        for (size_t k = 0; k < b->nvips; k++)
            if (node_same_address(a->vips[i], b->vips[k]))
                return true;
    return false;
}

const struct node_vi *node_partner(const struct node_vi *a, const struct node *b)
{
    const struct node_vi *best = NULL;
    int points = -1;
    for (size_t i = 0; i < b->nvi; i++) {
        const struct node_vi *v = &b->vi[i];
        if (v->vrid != a->vrid || v->family != a->family)
            continue;
        int p = (strcmp(v->name, a->name) == 0 ? 2 : 0) + (node_share_vip(a, v) ? 4 : 0) +
                (strcmp(v->iface, a->iface) == 0 ? 1 : 0);
        if (p > points) {
            best = v;
            points = p;
        }
    }
    return best;
}
