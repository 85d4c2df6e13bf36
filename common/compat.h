/*
 * compat.h - the only file with #if: constants that Debian 12's headers may lack.
 * Kernel features are never decided here; they are probed at run time and reported.
 * Included by whoever needs one of these constants; trusts nobody, called by nobody.
 */
#ifndef HOLDFAST_COMPAT_H
#define HOLDFAST_COMPAT_H

#include <sys/syscall.h>

/* linux/if_addr.h, since Linux 5.18: origin of an address, shown by "ip -d addr" as proto */
#define COMPAT_IFA_PROTO 11

/* routing protocol / address protocol number registered for this kind of daemon (rt_protos) */
#define COMPAT_PROTO_VRRP 18

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

/* close_range marks instead of closing, since Linux 5.11 */
#define COMPAT_CLOSE_RANGE_CLOEXEC 4u

#endif
