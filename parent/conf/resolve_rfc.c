/*
 * resolve_rfc.c - rfc_defaults: what an instance leaves open is as RFC 9568 has it, where the incumbent's
 * defaults differ. A keyword in the instance (accept, use_vmac, v3_checksum_as_v2 off) still decides. Called
 * by resolve_vrrp.c when version, family and priority are known.
 */
#include "parent/conf/resolve.h"

#define PRIORITY_OWNER 255

/* Accept_Mode is false, for all but the owner (section 6.1). */
static void accept_nothing(struct conf *c, struct conf_obj *vi)
{
    if (conf_get(vi, KW_VI_ACCEPT) == NULL && conf_get(vi, KW_VI_NO_ACCEPT) == NULL &&
        conf_uint(vi, KW_VI_PRIORITY, 100) != PRIORITY_OWNER)
        conf_set_uint(c, vi, KW_VI_NO_ACCEPT, 1);
}

/* No pseudo-header under the checksum of IPv4 (section 5.2.8); RFC 5798 could be read either way. */
static void plain_checksum(struct conf *c, struct conf_obj *vi)
{
    if (conf_get(vi, KW_VI_V3_CHECKSUM_AS_V2) == NULL && conf_uint(vi, KW_VI_VERSION, 2) == 3 &&
        conf_uint(vi, KW_VI_X_FAMILY, 4) == 4)
        conf_set_uint(c, vi, KW_VI_V3_CHECKSUM_AS_V2, 1);
}

/* Adverts come from the virtual router MAC (section 7.2). Unicast is not the RFC's: its adverts leave by the
 * interface below, and a MAC that wanders helps nobody where multicast is not let through. */
static void virtual_mac(struct conf *c, struct conf_obj *vi)
{
    if (conf_get(vi, KW_VI_USE_VMAC) == NULL && conf_get(vi, KW_VI_USE_IPVLAN) == NULL &&
        conf_next(vi, NULL, BLK_VI_PEER) == NULL)
        conf_set_str(c, vi, KW_VI_USE_VMAC, "");
}

void resolve_rfc(struct conf *c, struct conf_obj *vi)
{
    if (!conf_flag(vi, KW_VI_RFC_DEFAULTS))
        return;
    accept_nothing(c, vi);
    plain_checksum(c, vi);
    virtual_mac(c, vi);
}
