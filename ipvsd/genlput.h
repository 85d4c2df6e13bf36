/*
 * genlput.h - requests to a family of generic netlink, attribute by attribute. The room is chosen for the
 * longest request of the caller, so one that does not fit is a mistake of ours: fatal. Called by ipvs_codec.c
 * and syncd_codec.c.
 */
#ifndef HOLDFAST_IPVSD_GENLPUT_H
#define HOLDFAST_IPVSD_GENLPUT_H

#include <stddef.h>
#include <stdint.h>

struct nl_msg;
struct nlattr;

struct nl_msg *genlput_new(uint16_t family, uint8_t cmd, uint8_t version, size_t size);
void genlput(struct nl_msg *m, int type, const void *data, size_t len);
void genlput_u16(struct nl_msg *m, int type, uint16_t v);
void genlput_u32(struct nl_msg *m, int type, uint32_t v);
struct nlattr *genlput_nest(struct nl_msg *m, int type); /* ended by nla_nest_end */

#endif
