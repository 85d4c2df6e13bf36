/*
 * kinds.c - the list of the kinds of checks; a kind adds its header and its line. And the part every kind
 * reads the same way: where to connect, from where, and the timers. Called by engine_table.c and
 * the kinds at prepare.
 */
#include <string.h>

#include "checkd/check_bfd.h"
#include "checkd/check_dns.h"
#include "checkd/check_file.h"
#include "checkd/check_http.h"
#include "checkd/check_misc.h"
#include "checkd/check_ping.h"
#include "checkd/check_smtp.h"
#include "checkd/check_tcp.h"
#include "checkd/check_udp.h"
#include "checkd/checkd.h"
#include "checkd/mail.h"

const struct checker_kind *checker_kind_at(size_t i)
{
    static const struct checker_kind *(*const kinds[])(void) = {
        check_tcp_kind, check_http_kind, check_ssl_kind,  check_smtp_kind, check_dns_kind,
        check_udp_kind, check_ping_kind, check_misc_kind, check_file_kind, check_bfd_kind,
    };

    return i < sizeof kinds / sizeof kinds[0] ? kinds[i]() : NULL;
}

/* The row of this name in this block; KW_NONE (which no object holds) when the block has none. */
static enum kw row(const struct slice_obj *o, const char *name)
{
    const struct kw_row *r = schema_find(o->blk, name);

    return r != NULL ? r->kw : KW_NONE;
}

int checker_dest_read(struct checker_dest *d, const struct slice_obj *o, struct err *e)
{
    const char *bind_if = slice_str(o, row(o, "bind_if"), "");

    *d = (struct checker_dest){ .id = o->id };
    if (!slice_ip(o, row(o, "connect_ip"), &d->to) && o->blk != BLK_SMTPHOST)
        return err_set(e, "HF-SLICE", o->name, "line %u: a check without an address: a bug of holdfast-conf",
                       o->line);
    d->port = (uint16_t)slice_uint(o, row(o, "connect_port"), 0);
    slice_ip(o, row(o, "bindto"), &d->bindto);
    d->bind_port = (uint16_t)slice_uint(o, row(o, "bind_port"), 0);
    d->fwmark = (uint32_t)slice_uint(o, row(o, "fwmark"), 0);
    if (strlen(bind_if) >= sizeof d->bind_if)
        return err_set(e, "HF-SLICE", o->name, "line %u: interface name %s is too long", o->line, bind_if);
    memcpy(d->bind_if, bind_if, strlen(bind_if) + 1);
    d->ready_made = d->fwmark != 0 || (d->bindto.family != 0 && d->bind_port != 0 && d->bind_port < 1024);
    return 0;
}

/* All inheritance is resolved by holdfast-conf; alpha of BFD_CHECK and FILE_CHECK is the server's. */
void checker_common_read(struct checker_common *c, const struct slice_obj *o, const struct slice_obj *rs,
                         bool log_all)
{
    c->delay_loop = slice_ns(o, row(o, "delay_loop"), 60 * NS_PER_SEC);
    c->delay_before_retry = slice_ns(o, row(o, "delay_before_retry"), NS_PER_SEC);
    c->warmup = slice_ns(o, row(o, "warmup"), c->delay_loop);
    c->connect_timeout = slice_ns(o, row(o, "connect_timeout"), 5 * NS_PER_SEC);
    c->retry = (uint32_t)slice_uint(o, row(o, "retry"), slice_uint(o, row(o, "nb_get_retry"), 0));
    c->alpha = slice_bool(o, row(o, "alpha"), slice_bool(rs, KW_RS_ALPHA, false));
    c->log_all_failures = slice_bool(o, row(o, "log_all_failures"), log_all);
}

int kinds_message(struct checkd *d, enum msg_type type, const union msg_any *body)
{
    switch (type) {
    case MSG_ran: check_misc_ran(d, &body->ran); return 0;
    case MSG_file_value: check_file_value(d, &body->file_value); return 0;
    case MSG_bfd_state: check_bfd_state(d, &body->bfd_state); return 0;
    case MSG_alert:
        if (d->mail != NULL) /* an id that names no instance or group does no harm */
            (void)mail_vrrp_event(d->mail, body->alert.obj, body->alert.state);
        return 0;
    default: return -1;
    }
}
