/*
 * resolve.h - inside of conf_resolve. Shared by resolve*.c only.
 */
#ifndef HOLDFAST_CONF_RESOLVE_H
#define HOLDFAST_CONF_RESOLVE_H

#include "parent/conf/conf_int.h"

void resolve_instance(struct conf *c, struct conf_obj *vi); /* resolve_vrrp.c */
void resolve_strict(struct conf *c, struct conf_obj *vi);   /* resolve_strict.c */
void resolve_auth(struct conf *c, struct conf_obj *vi);     /* resolve_strict.c */
void resolve_rfc(struct conf *c, struct conf_obj *vi);      /* resolve_rfc.c: rfc_defaults */
void resolve_vmacs(struct conf *c); /* resolve_vmac.c: VMAC objects, before addresses */
uint8_t resolve_ipvlan_family(struct conf *c, const struct conf_obj *vi); /* of its own address; 0: none */
void resolve_sockets(struct conf *c); /* resolve_sock.c: SOCKET and IFACE objects */
void resolve_rx_buffer(struct conf *c, const struct conf_obj *vi,
                       struct conf_obj *sock);  /* resolve_rxbuf.c */
void resolve_trackers(struct conf *c);          /* resolve_sock.c: defaults of scripts, files, BFD */
void resolve_top(struct conf *c);               /* resolve_top.c: groups, the old sync daemon */
void resolve_lvs(struct conf *c);               /* resolve_lvs.c */
void resolve_nft(struct conf *c);               /* resolve_nft.c: no_accept and its tables */
void resolve_mail(struct conf *c);              /* resolve_mail.c */
bool resolve_mail_needed(const struct conf *c); /* an instance or group wants its alerts mailed */
void resolve_processes(struct conf *c);         /* resolve_process.c: PROCESS objects, at the end */
bool conf_close_words(const char *a, const char *b);

#endif
