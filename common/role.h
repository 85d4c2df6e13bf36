/*
 * role.h - the rooms of the house. A role is a process kind, a sender or receiver of messages, and a row of
 * the jail table.
 */
#ifndef HOLDFAST_ROLE_H
#define HOLDFAST_ROLE_H

enum role { ROLE_PARENT, ROLE_VRRPD, ROLE_CHECKD, ROLE_IPVSD, ROLE_CONF, ROLE_CTL, ROLE_MAX };

#define ROLE_BIT(r) (1u << (r))

const char *role_name(enum role r);   /* "parent", "vrrpd", ... */
const char *role_binary(enum role r); /* "holdfast", "holdfast-vrrpd", ... */
int role_parse(const char *s, enum role *out);

#define ROLE_PARENT_FD 3 /* every child finds its channel to the parent here */
#define ROLE_NETNS_FD                                                                                        \
    4 /* net_namespace_ipvs: checkd and ipvsd find that network namespace here, if there is one */

#endif
