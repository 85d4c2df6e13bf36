/*
 * jail_table.h - the shape of a row of the jail table; for jail*.c and the jail lane only.
 * A row says everything a role is given; whatever it does not name, the role does not have.
 */
#ifndef HOLDFAST_JAIL_TABLE_H
#define HOLDFAST_JAIL_TABLE_H

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/role.h"

/* One seccomp rule: allow syscall nr when every comparison holds. Rules on the same syscall are ORed by
 * libseccomp, so what must hold together stands in one row. */
struct jail_rule {
    int nr;
    int error;         /* 0: allow; else the call fails with this errno instead of killing */
    unsigned int ncmp; /* comparisons used */
    struct scmp_arg_cmp cmp[2];
};

struct jail_rules {
    const struct jail_rule *rule;
    size_t n;
};

enum jail_landlock {
    JAIL_LANDLOCK_NOTHING,    /* no path at all */
    JAIL_LANDLOCK_READ_ALL,   /* read files and directories anywhere, write none */
    JAIL_LANDLOCK_SYSCTL_NET, /* read and write files below /proc/sys/net, nothing else */
};

struct jail_row {
    const char *user; /* system user; its group has the same name */
    uint64_t caps;    /* effective, permitted and bounding; inheritable and ambient are always empty */
    bool own_netns;   /* a fresh network namespace with nothing in it */
    bool empty_root;  /* chroot into JAIL_EMPTY_DIR */
    enum jail_landlock landlock;
    bool outbound_tcp; /* Landlock leaves TCP alone; socket() and connect() are then for seccomp to allow */
    int nice;          /* adverts and announcements do not queue behind a busy machine's work */
    uint32_t nofile;   /* limits, lowered further by what the administrator's hard limit is */
    uint64_t fsize;
    struct jail_rules rules; /* besides the common ones */
};

const struct jail_row *jail_row(enum role r); /* NULL: the role has no jail (the parent, holdctl) */
struct jail_rules jail_rules_common(void);

/* The steps that have a file of their own. Each returns 0, or -1 with errno; jail.c ends the process. */
int jail_seccomp_load(const struct jail_row *row);
int jail_landlock_abi(void); /* 0: the kernel has none */
int jail_landlock_apply(const struct jail_row *row, int abi);

/* What must be read back while paths and prctl are still there, and afterwards. */
struct msg_ready;
struct jail_report {
    int proc; /* /proc/self and its status, opened before the chroot */
    int status;
    uint64_t netns; /* inode of the namespace the process came from */
};
int jail_report_open(struct jail_report *rep);
int jail_report_before(struct jail_report *rep, struct msg_ready *out, int abi);
int jail_report_after(struct jail_report *rep, struct msg_ready *out);

bool jail_dir_is_empty(const char *path);

#define JAIL_BIT(cap) (UINT64_C(1) << (cap))

#endif
