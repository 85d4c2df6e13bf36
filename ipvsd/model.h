/*
 * model.h - the configuration as instances and addresses, and the identity of each across generations. Called
 * by main.c (start, prepare, commit) and by those who look ids up.
 */
#ifndef HOLDFAST_IPVSD_MODEL_H
#define HOLDFAST_IPVSD_MODEL_H

#include "ipvsd/ipvsd.h"

struct model *model_build(const struct slice *s, struct err *e); /* pure: nothing anybody can see */
void model_free(struct model *m);
/* inst.former of all of m: which of old it goes on as; NULL: none. */
void model_pair(struct model *old, struct model *m);
void model_adopt(struct ipvsd *d, struct model *m); /* takes the place of d->model, with all that lives on */

struct inst *model_inst(const struct model *m, uint32_t id); /* NULL: none */
/* Next configured address equal to a on interface i; prev NULL begins. */
struct vip *model_vip(const struct model *m, const struct vip *prev, const struct iface *i,
                      const struct ipaddr *a);
bool model_same_spec(const struct addr_spec *a,
                     const struct addr_spec *b);   /* would the kernel hold the same? */
bool model_wanted(const struct vip *v);            /* its instance is MASTER, or it is static */
void model_touch(struct ipvsd *d, struct inst *i); /* look at its addresses at the end of this turn */
const char *model_inst_name(const struct inst *i);

#endif
