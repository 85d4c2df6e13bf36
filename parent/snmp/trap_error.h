/*
 * trap_error.h - adverts that were refused as notifications: vrrpTrapAuthFailure (VRRP-MIB) for a password or
 * a kind of authentication that is not ours, vrrpv3ProtoError (VRRPV3-MIB) for TTL, version and checksum.
 * What vrrpd says of its senders is compared with what it said before. Called by snmp.c.
 */
#ifndef HOLDFAST_SNMP_TRAP_ERROR_H
#define HOLDFAST_SNMP_TRAP_ERROR_H

#include "parent/snmp/fill.h"
#include "parent/snmp/trap.h"

struct trap_error {
    char *instance, *sender;
    long long rejected;
    double told; /* seconds since 1970; 0: never */
};

struct trap_errors {
    struct trap_error *v;
    size_t n;
    bool known; /* what was there before us is learnt, not told */
};

/* In the view: refused since the last look. At most one notification a sender in ten seconds. */
void trap_errors_look(struct trap_errors *t, const struct trap_on *on, const struct fill *f);
void trap_errors_free(struct trap_errors *t);

/* vrrpTrapAuthErrorType, vrrpv3StatisticsProtoErrReason of check_text()'s words (vrrpd/checks.c); 0: none. */
int trap_error_auth(const char *reason);
int trap_error_proto(const char *reason);

#endif
