/*
 * proto.h - messages between processes: structs and codec generated from proto.def.
 * A datagram on a SEQPACKET channel is: struct msg_header, then TLVs (u16 tag, u16 length, data, padded to
 * 4). proto_decode is a pure function on hostile bytes: it demands a known type, an allowed sender and
 * receiver, exact scalar sizes, ranges, every field once, terminated strings, and that the message is
 * consumed to the end.
 */
#ifndef HOLDFAST_PROTO_H
#define HOLDFAST_PROTO_H

#include <stddef.h>
#include <stdint.h>

#include "common/role.h"

#define PROTO_MAGIC    0x48464d31u /* "HFM1" */
#define PROTO_VERSION  1
#define PROTO_MAX_SIZE 8192
#define PROTO_MAX_FDS  5

enum vrrp_state { VRRP_STATE_INIT, VRRP_STATE_BACKUP, VRRP_STATE_MASTER, VRRP_STATE_FAULT, VRRP_STATE_STOP };
enum stop_why { STOP_WHY_SHUTDOWN, STOP_WHY_RESTART, STOP_WHY_RELOAD_REMOVED, STOP_WHY_PARENT_GONE };
enum dump_what { DUMP_WHAT_DATA, DUMP_WHAT_STATS, DUMP_WHAT_STATS_CLEAR, DUMP_WHAT_JSON, DUMP_WHAT_BFD };
enum garp_why { GARP_WHY_MASTER, GARP_WHY_LOWER_PRIO, GARP_WHY_OPERATOR, GARP_WHY_SOURCE };
enum report_what { REPORT_WHAT_STATE, REPORT_WHAT_CONFIG, REPORT_WHAT_METRICS, REPORT_WHAT_IPVS };
enum ctl_verb {
    CTL_VERB_STATUS,
    CTL_VERB_RELOAD,
    CTL_VERB_RESTART,
    CTL_VERB_STOP,
    CTL_VERB_REPORT,  /* what a child knows */
    CTL_VERB_EVENTS,  /* the last thousand, and those to come */
    CTL_VERB_SCRIPTS, /* registered commands */
    CTL_VERB_SERVER,  /* a real server's weight: enum ctl_action */
    CTL_VERB_SWITCH,  /* an instance's mastership: enum inst_order_what in action */
    CTL_VERB_PLAN,    /* what a reload would do */
    CTL_VERB_CONFIRM, /* the reload that waits for it stays */
};
enum ctl_action { CTL_ACTION_DRAIN, CTL_ACTION_ENABLE, CTL_ACTION_WEIGHT };
enum inst_order_what { INST_ORDER_NONE, INST_ORDER_YIELD, INST_ORDER_TAKEOVER };
/* What the read-only socket answers; everything else is an order. */
#define CTL_VERBS_READING                                                                                    \
    (1u << CTL_VERB_STATUS | 1u << CTL_VERB_REPORT | 1u << CTL_VERB_EVENTS | 1u << CTL_VERB_SCRIPTS)
#define CTL_STATUS_AGAIN 75 /* of a ctl_reply: a reload or a restart came between; ask again */
enum event_tell { EVENT_TELL_FIFO = 1, EVENT_TELL_SCRIPT = 2 };
enum inst_event_kind { INST_EVENT_STATE, INST_EVENT_PRIORITY, INST_EVENT_RX_LOWER };
enum run_end {
    RUN_END_EXIT,
    RUN_END_SIGNAL,
    RUN_END_TIMEOUT,
    RUN_END_NOT_RUN
}; /* the last: could not be started */
enum msg_policy { MSG_POLICY_MUST, MSG_POLICY_COALESCE, MSG_POLICY_DROP };

const char *vrrp_state_name(enum vrrp_state s); /* "INIT", "BACKUP", "MASTER", "FAULT", "STOP" */

struct msg_header {
    uint32_t magic;
    uint8_t version;
    uint8_t nfds;
    uint16_t type;
    uint32_t seq;
    uint32_t generation; /* of the sender's configuration; 0 before the first */
    uint32_t length;     /* of the whole message; small ones share a datagram */
};

/* one struct msg_NAME a message */
#define MSG(name, from, to, policy, fds) struct msg_##name {
#define U8(f, lo, hi)                    uint8_t f;
#define U16(f, lo, hi)                   uint16_t f;
#define U32(f, lo, hi)                   uint32_t f;
#define U64(f, lo, hi)                   uint64_t f;
#define STR(f, size)                     char f[size];
#define BLOB(f, size)                                                                                        \
    uint16_t f##_len;                                                                                        \
    uint8_t f[size];
#define END(name)                                                                                            \
    }                                                                                                        \
    ;
#include "common/proto.def"

enum msg_type {
    MSG_TYPE_NONE,
#define MSG(name, from, to, policy, fds) MSG_##name,
#define U8(f, lo, hi)
#define U16(f, lo, hi)
#define U32(f, lo, hi)
#define U64(f, lo, hi)
#define STR(f, size)
#define BLOB(f, size)
#define END(name)
#include "common/proto.def"
    MSG_TYPE_MAX
};

union msg_any {
#define MSG(name, from, to, policy, fds) struct msg_##name name;
#define U8(f, lo, hi)
#define U16(f, lo, hi)
#define U32(f, lo, hi)
#define U64(f, lo, hi)
#define STR(f, size)
#define BLOB(f, size)
#define END(name)
#include "common/proto.def"
};

const char *proto_name(enum msg_type t);
enum msg_policy proto_policy(enum msg_type t);
unsigned int proto_senders(enum msg_type t);   /* ROLE_BITs */
unsigned int proto_receivers(enum msg_type t); /* ROLE_BITs */
unsigned int proto_max_fds(enum msg_type t);
uint32_t proto_key(enum msg_type t, const void *body); /* first field, for COALESCE */

/* body is a struct msg_TYPE. Returns the datagram's length, or -1 EMSGSIZE / EINVAL (a field out of its
 * range). */
int proto_encode(enum msg_type t, const void *body, uint32_t seq, uint32_t gen, unsigned int nfds, void *buf,
                 size_t size);

/* Why a datagram was refused. */
enum proto_error {
    PROTO_OK,
    PROTO_SHORT,
    PROTO_MAGIC_BAD,
    PROTO_VERSION_BAD,
    PROTO_LENGTH,
    PROTO_TYPE,
    PROTO_SENDER,
    PROTO_RECEIVER,
    PROTO_FDS,
    PROTO_TAG,
    PROTO_TWICE,
    PROTO_SIZE,
    PROTO_RANGE,
    PROTO_STRING,
    PROTO_MISSING,
    PROTO_TRAILING,
};
const char *proto_error_name(enum proto_error e);

/* Decodes buf[0..len) said by role from to role to. nfds: descriptors that came along. out: which member by
 * header->type. */
enum proto_error proto_decode(const void *buf, size_t len, enum role from, enum role to, unsigned int nfds,
                              struct msg_header *header, union msg_any *out);

#endif
