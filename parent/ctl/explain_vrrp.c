/* explain_vrrp.c - why an instance is MASTER, BACKUP or in FAULT, and why not otherwise. See explain.h. */
#include "parent/ctl/explain.h"

#include <stdlib.h>
#include <string.h>

#define IS(p, key, word) (strcmp(doc_str(p, key, ""), word) == 0)

/* ---- trackers */

static const struct doc_part *explain_track(const struct explain *x, const struct doc_part *prev,
                                            const char *name)
{
    return doc_with(x->d, prev, "track", "instance", name);
}

static void explain_script(const struct explain *x, const struct doc_part *t)
{
    char ago[40];
    bool failed = IS(t, "result", "failed");
    long long streak = doc_int(t, "streak", 0), wanted = doc_int(t, failed ? "rise" : "fall", 1);
    if (doc_str(t, "last", NULL) != NULL)
        explain_because(x, "  its last run: %s, %s", doc_str(t, "last", ""),
                        explain_ago(x, t, "last_at", ago, sizeof ago));
    if (streak > 0 && IS(t, "kind", "script"))
        explain_because(x, "  its last %lld results say otherwise; %lld in a row are needed (%s)", streak,
                        wanted, failed ? "rise" : "fall");
}

static void explain_tracks(const struct explain *x, const char *name)
{
    for (const struct doc_part *t = NULL; (t = explain_track(x, t, name)) != NULL;) {
        long long weight = doc_int(t, "weight", 0), adds = doc_int(t, "adds", 0);
        char value[40] = "";
        if (doc_str(t, "value", NULL) != NULL)
            snprintf(value, sizeof value, ", %s %.20s",
                     IS(t, "kind", "file") ? "holds" : "running:", doc_str(t, "value", ""));
        explain_because(x, "tracked %s %s%s is %s%s: weight %+lld%s, %s%+lld", doc_str(t, "kind", ""),
                        t->name, doc_yes(t, "of_group") ? " (of its sync group)" : "",
                        doc_str(t, "result", ""), value, weight, doc_yes(t, "reverse") ? " reverse" : "",
                        doc_yes(t, "fault")   ? "which is a FAULT, adds "
                        : doc_yes(t, "waits") ? "waits for its first result, adds "
                                              : "adds ",
                        adds);
        explain_script(x, t);
    }
}

/* "150 (configured) - 20 (script chk) + 5 (file f) = 135" */
static void explain_sum(const struct explain *x, const char *name)
{
    const struct doc_part *a = doc_named(x->d, "arithmetic", name);
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    if (a == NULL || f == NULL) {
        if (f != NULL)
            fclose(f);
        free(text);
        return;
    }
    long long sum = doc_int(a, "sum", 0), tracked = doc_int(a, "tracked", 0),
              now = doc_int(a, "effective", 0);
    fprintf(f, "%s (configured)", doc_str(a, "base", ""));
    for (const struct doc_part *t = NULL; (t = explain_track(x, t, name)) != NULL;) {
        long long adds = doc_int(t, "adds", 0);
        fprintf(f, " %c %lld (%s %s)", adds < 0 ? '-' : '+', adds < 0 ? -adds : adds, doc_str(t, "kind", ""),
                t->name);
    }
    fprintf(f, " = %lld", sum);
    if (doc_yes(a, "owner"))
        fprintf(f, "; 255 is the address owner's and stays");
    else if (tracked != sum)
        fprintf(f, ", kept between 1 and 254: %lld", tracked);
    if (now != tracked)
        fprintf(f, "; %+lld by order of the operator: %lld", now - tracked, now);
    fclose(f);
    explain_because(x, "effective priority %lld = %s", now, text);
    free(text);
}

/* ---- who is heard */

static void explain_heard(const struct explain *x, const char *name)
{
    bool any = false;
    char ago[40];
    for (const struct doc_part *s = NULL; (s = doc_with(x->d, s, "sender", "instance", name)) != NULL;) {
        any = true;
        if (doc_int(s, "accepted", 0) > 0)
            explain_because(x, "heard from %s: %s adverts used, the last %s with priority %s", s->name,
                            doc_str(s, "accepted", ""), explain_ago(x, s, "accepted_at", ago, sizeof ago),
                            doc_str(s, "priority", ""));
        if (doc_int(s, "rejected", 0) > 0)
            explain_because(x, "rejected from %s: %s adverts, the last %s: %s", s->name,
                            doc_str(s, "rejected", ""), explain_ago(x, s, "rejected_at", ago, sizeof ago),
                            doc_str(s, "reason", ""));
        if (doc_int(s, "rejected", 0) > 0 && doc_int(s, "accepted", 0) == 0)
            explain_advice(x,
                           "%s speaks on this virtual router and is not believed (%s): make the two "
                           "configurations agree, or give one of them another virtual_router_id",
                           s->name, doc_str(s, "reason", ""));
    }
    if (!any)
        explain_because(x, "nobody else has been heard on this virtual router");
}

/* The highest priority others have claimed, 0: none has spoken. */
static long long explain_rival(const struct explain *x, const char *name, const struct doc_part **who)
{
    long long best = 0;
    *who = NULL;
    for (const struct doc_part *s = NULL; (s = doc_with(x->d, s, "sender", "instance", name)) != NULL;)
        if (doc_int(s, "accepted", 0) > 0 && doc_int(s, "priority", 0) > best) {
            best = doc_int(s, "priority", 0);
            *who = s;
        }
    return best;
}

/* ---- states */

/* With reverse a failure raises the priority, if anything. */
static bool explain_weighs(const struct doc_part *t)
{
    return IS(t, "result", "failed") && !doc_yes(t, "reverse") && doc_int(t, "weight", 0) != 0;
}

/* The support thread: the check failed, but the VIP did not move. */
static void explain_not_moved(const struct explain *x, const char *name, const struct doc_part *v)
{
    const struct doc_part *a = doc_named(x->d, "arithmetic", name), *who;
    long long now = doc_int(v, "priority", 0), base = doc_int(a, "base", 0);
    long long rival = explain_rival(x, name, &who);
    const struct doc_part *t = NULL;
    while ((t = explain_track(x, t, name)) != NULL && !explain_weighs(t))
        ;
    if (t == NULL)
        return;
    explain_because(
        x,
        "%s %s fails, and the address stays here: a weight only moves the priority, and with %lld this "
        "machine stays MASTER until a router with a higher one speaks",
        doc_str(t, "kind", ""), t->name, now);
    if (who != NULL && rival <= now)
        explain_because(x, "the highest priority heard from others is %lld (%s): not above %lld", rival,
                        who->name, now);
    else if (who == NULL)
        explain_because(x,
                        "no other router has said its priority: a BACKUP is silent while it hears a MASTER "
                        "of its own priority or above; it speaks when its own is higher than %lld",
                        now);
    if (doc_yes(a, "owner"))
        explain_advice(x, "priority 255 is never lowered by trackers: give this instance one below 255");
    else
        explain_advice(
            x,
            "let the weight be larger than the distance between this machine's configured priority (%lld) "
            "and the "
            "other's (%s), or use weight 0: a failure is a FAULT then and the address goes at once",
            base, who != NULL ? doc_str(who, "priority", "") : "see there");
    explain_advice(
        x, "the other machine must be allowed to take over: no nopreempt, its preempt_delay over, its "
           "own trackers well");
}

static void explain_master(const struct explain *x, const char *name, const struct doc_part *v)
{
    char ago[40];
    const struct doc_part *who;
    long long rival = explain_rival(x, name, &who), now = doc_int(v, "priority", 0);
    explain_because(x,
                    "it is MASTER as nobody of a higher priority than %lld is heard; its last advert left %s",
                    now, explain_ago(x, v, "advert_sent_at", ago, sizeof ago));
    if (who != NULL && rival > now)
        explain_because(x, "%s has spoken with priority %lld, above ours, but not since we became MASTER",
                        who->name, rival);
    if (doc_str(v, "send_error", NULL) != NULL) {
        explain_because(x, "its adverts do not leave: %s", doc_str(v, "send_error", ""));
        explain_advice(
            x, "others cannot know that this machine is MASTER: look at the interface and the firewall");
    }
    explain_not_moved(x, name, v);
}

static void explain_backup(const struct explain *x, const struct doc_part *v)
{
    char ago[40];
    long long theirs = doc_int(v, "master_priority", 0), ours = doc_int(v, "priority", 0);
    if (doc_str(v, "master", NULL) == NULL) {
        explain_because(x, "it has heard no MASTER yet; it takes over after %.3f s of silence, in %.3f s",
                        doc_real(v, "master_down_interval", 0), doc_real(v, "timer_in", 0));
        return;
    }
    explain_because(
        x,
        "MASTER is %s with priority %lld, heard %s; ours is %lld; silence of %.3f s would make us "
        "MASTER",
        doc_str(v, "master", ""), theirs, explain_ago(x, v, "master_heard_at", ago, sizeof ago), ours,
        doc_real(v, "master_down_interval", 0));
    if (theirs > ours)
        explain_because(x, "its priority is above ours (%lld > %lld)", theirs, ours);
    else if (theirs == ours)
        explain_because(x, "its priority is ours: who is MASTER stays it");
    else if (doc_yes(v, "nopreempt"))
        explain_because(x, "its priority is below ours, and nopreempt keeps us from taking over");
    else if (doc_real(v, "preempt_in", 0) > 0)
        explain_because(x, "its priority is below ours: preempt_delay ends in %.1f s",
                        doc_real(v, "preempt_in", 0));
    else if (doc_yes(v, "held_by_group"))
        explain_because(x, "it would take over, but its sync group %s must be able to as a whole",
                        doc_str(v, "group", ""));
    else if (doc_yes(v, "preempting"))
        explain_because(
            x, "its priority is below ours: its adverts are ignored, we take over when the interval ends");
    if (theirs < ours && doc_yes(v, "nopreempt"))
        explain_advice(x, "holdctl takeover %s moves it now; without nopreempt it would move by itself",
                       v->name);
}

static void explain_state(const struct explain *x, const char *name, const struct doc_part *i,
                          const struct doc_part *v)
{
    const char *state = doc_str(v, "state", doc_str(i, "state", ""));
    char when[80];
    if (doc_str(i, "cause", NULL) != NULL)
        explain_because(x, "it became %s at %s: %s", doc_str(i, "state", ""),
                        out_when(x->o, doc_real(i, "since", 0), when, sizeof when), doc_str(i, "cause", ""));
    if (doc_yes(v, "waiting"))
        explain_because(
            x, "it has not begun: facts from the kernel or the first result of a tracker are missing");
    if (doc_str(v, "fault", NULL) != NULL) {
        explain_because(x, "against its running stands: %s", doc_str(v, "fault", ""));
        explain_advice(x, "remove that, and it goes on by itself");
    }
    if (doc_str(v, "order", NULL) != NULL)
        explain_because(x, "the operator has ordered: %s", doc_str(v, "order", ""));
    if (strcmp(state, "MASTER") == 0)
        explain_master(x, name, v);
    else if (strcmp(state, "BACKUP") == 0)
        explain_backup(x, v);
}

void explain_instance(const struct explain *x, const char *name)
{
    const struct doc_part *i = doc_named(x->d, "instance", name), *v = doc_named(x->d, "vrrp_instance", name);
    fprintf(x->f,
            "[explanation %s]\nkind=instance\nstate=%s\nheadline=%s is %s, priority %s (configured %s)\n",
            name, doc_str(i, "state", ""), name, doc_str(i, "state", ""), doc_str(i, "priority", ""),
            doc_str(i, "base_priority", ""));
    if (v == NULL) {
        explain_because(x, "vrrpd does not tell more: it is not running now");
        return;
    }
    explain_state(x, name, i, v);
    explain_sum(x, name);
    explain_tracks(x, name);
    explain_heard(x, name);
}

void explain_group(const struct explain *x, const char *name)
{
    const struct doc_part *g = doc_named(x->d, "group", name), *m = doc_named(x->d, "vrrp_group", name);
    const char *member;
    char when[80];
    fprintf(x->f, "[explanation %s]\nkind=group\nstate=%s\nheadline=group %s is %s\n", name,
            doc_str(g, "state", ""), name, doc_str(g, "state", ""));
    if (doc_str(g, "cause", NULL) != NULL)
        explain_because(x, "it became so at %s, as its members did",
                        out_when(x->o, doc_real(g, "since", 0), when, sizeof when));
    for (size_t i = 0; (member = doc_at(m, "member", i)) != NULL; i++) {
        const struct doc_part *v = doc_named(x->d, "vrrp_instance", member);
        explain_because(x, "%s is %s, priority %s%s%s", member, doc_str(v, "state", "?"),
                        doc_str(v, "priority", "?"), doc_str(v, "fault", NULL) != NULL ? ": " : "",
                        doc_str(v, "fault", ""));
    }
    explain_advice(x, "one member in FAULT puts all there; holdctl explain MEMBER says why");
}
