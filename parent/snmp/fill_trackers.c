/* fill_trackers.c - see fill.h: what instances and groups track, and scripts, files, BFD sessions, processes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/snmp/fill.h"

/* A kind of line: the block in the configuration, the tables of instances and of groups. */
static const struct {
    const char *block, *vi, *group;
} fill_kinds[] = { { "track_script", FILL_VRRP ".5.1", FILL_VRRP ".15.1" },
                   { "track_file", FILL_VRRP ".12.1", FILL_VRRP ".16.1" },
                   { "track_bfd", FILL_VRRP ".17.1", FILL_VRRP ".19.1" },
                   { "track_process", FILL_VRRP ".20.1", FILL_VRRP ".22.1" } };

#define FILL_KINDS (sizeof fill_kinds / sizeof *fill_kinds)

static void fill_line(const struct fill *f, const struct doc_part *p, const char *entry, uint32_t of,
                      uint32_t n, uint32_t column)
{
    struct image_row r = image_row(f->image, entry);
    image_index(&r, of);
    image_index(&r, n);
    image_text(&r, column, p->name);
    image_int(&r, column + 1, fill_option_int(p, "weight", 0));
    image_yes(&r, column + 2, fill_option_yes(p, "reverse"));
}

static void fill_lines(const struct fill *f, const struct doc_part *o, uint32_t of, bool group)
{
    const struct doc *d = &f->view->vrrp;
    for (const struct doc_part *p = NULL; (p = fill_child(d, o, p, "track_interface")) != NULL;)
        if (view_ifindex(f->view, p->name) != 0) /* that is its index: what does not exist has none */
            fill_line(f, p, group ? FILL_VRRP ".14.1" : FILL_VRRP ".4.1", of, view_ifindex(f->view, p->name),
                      1);
    for (size_t i = 0; i < FILL_KINDS; i++) {
        uint32_t n = 0;
        for (const struct doc_part *p = NULL; (p = fill_child(d, o, p, fill_kinds[i].block)) != NULL;)
            fill_line(f, p, group ? fill_kinds[i].group : fill_kinds[i].vi, of, ++n, 2);
    }
}

/* ---- what is tracked */

static const struct doc_part *fill_tracker(const struct fill *f, const struct doc_part *o)
{
    return view_by_id(f->view, "tracker", fill_id(o, "id"));
}

static void fill_vrrp_script(const struct fill *f, const struct doc_part *o, uint32_t n)
{
    const struct doc_part *t = fill_tracker(f, o);
    struct image_row r = image_row(f->image, FILL_VRRP ".9.1");
    char owner[300];
    image_index(&r, n);
    image_text(&r, 2, o->name);
    snprintf(owner, sizeof owner, "vrrp_script %s", o->name);
    fill_script(f, &r, 3, owner, "script");
    image_int(&r, 4, (int64_t)(fill_option_real(o, "interval", 0) + 0.5));
    image_int(&r, 5, fill_option_int(o, "weight", 0));
    if (t != NULL)
        image_int(&r, 6, fill_is(t, "result", "ok") ? 3 : fill_is(t, "result", "failed") ? 2 : 1);
    image_gauge(&r, 7, (uint64_t)fill_option_int(o, "rise", 1));
    image_gauge(&r, 8, (uint64_t)fill_option_int(o, "fall", 1));
    image_yes(&r, 9, fill_option_yes(o, "reverse"));
}

static void fill_vrrp_file(const struct fill *f, const struct doc_part *o, uint32_t n)
{
    const struct doc_part *t = fill_tracker(f, o);
    struct image_row r = image_row(f->image, FILL_VRRP ".13.1");
    image_index(&r, n);
    image_text(&r, 2, o->name);
    image_text(&r, 3, fill_option(o, "file", NULL));
    if (t != NULL && doc_str(t, "value", NULL) != NULL)
        image_int(&r, 4, doc_int(t, "value", 0));
    image_int(&r, 5, fill_option_int(o, "weight", 0));
    image_yes(&r, 6, fill_option_yes(o, "reverse"));
}

static void fill_vrrp_bfd(const struct fill *f, const struct doc_part *o, uint32_t n)
{
    const struct doc_part *t = fill_tracker(f, o);
    struct image_row r = image_row(f->image, FILL_VRRP ".18.1");
    image_index(&r, n);
    image_text(&r, 2, o->name);
    if (t != NULL)
        image_int(&r, 3, fill_is(t, "result", "ok"));
    image_int(&r, 4, fill_option_int(o, "weight", 0));
    image_yes(&r, 5, fill_option_yes(o, "reverse"));
}

static void fill_vrrp_process(const struct fill *f, const struct doc_part *o, uint32_t n)
{
    const struct doc_part *t = fill_tracker(f, o);
    struct image_row r = image_row(f->image, FILL_VRRP ".21.1");
    image_index(&r, n);
    image_text(&r, 2, o->name);
    image_text(&r, 3, doc_str(o, VIEW_OPTION "process", NULL));
    image_int(&r, 6, fill_option_int(o, "weight", 0));
    image_yes(&r, 7, fill_option_yes(o, "reverse"));
    image_gauge(&r, 8, (uint64_t)fill_option_int(o, "quorum", 1));
    image_int(&r, 9, fill_option_int(o, "quorum_max", INT32_MAX));
    image_gauge(&r, 10, (uint64_t)(fill_option_real(o, "fork_delay", 0) + 0.5));
    image_gauge(&r, 11, (uint64_t)(fill_option_real(o, "terminate_delay", 0) + 0.5));
    image_yes(&r, 12, fill_option_yes(o, "full_command"));
    if (t == NULL)
        return;
    if (doc_str(t, "value", NULL) != NULL)
        image_int(&r, 13, doc_int(t, "value", 0));
    image_yes(&r, 14, fill_is(t, "result", "ok"));
}

void fill_trackers(const struct fill *f)
{
    static const struct {
        const char *block;
        void (*fn)(const struct fill *f, const struct doc_part *o, uint32_t n);
    } kinds[] = { { "vrrp_script", fill_vrrp_script },
                  { "track_file", fill_vrrp_file },
                  { "bfd_instance", fill_vrrp_bfd },
                  { "vrrp_track_process", fill_vrrp_process } };
    const struct doc *d = &f->view->vrrp;
    uint32_t n = 0;
    for (const struct doc_part *o = NULL; (o = fill_next(d, o, "vrrp_instance")) != NULL;)
        fill_lines(f, o, ++n, false);
    n = 0;
    for (const struct doc_part *o = NULL; (o = fill_next(d, o, "vrrp_sync_group")) != NULL;)
        fill_lines(f, o, ++n, true);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        n = 0;
        for (const struct doc_part *o = NULL; (o = fill_next(d, o, kinds[i].block)) != NULL;)
            if (fill_id(o, "parent") == 0) /* a line of an instance may be called as what it names */
                kinds[i].fn(f, o, ++n);
    }
}
