/*
 * save_dir.h - config_save_dir: every configuration read as keepalived.conf.PID.N, and what the rooms say of
 * themselves before and after each reload as keepalived_{vrrp,check,ipvs}.PID.N.{pre,post}. Root alone may
 * look: secrets are in it. Nothing is ever written over. Called by timed.c.
 */
#ifndef HOLDFAST_PARENT_SAVE_DIR_H
#define HOLDFAST_PARENT_SAVE_DIR_H

struct config;
struct parent;
struct save_dir;

struct save_dir *save_dir_new(struct parent *p);
void save_dir_free(struct save_dir *s);
void save_dir_text(struct save_dir *s, const struct config *c, int fd); /* takes fd; c NULL: not usable */
void save_dir_before(struct save_dir *s);                               /* a reload begins */
void save_dir_after(struct save_dir *s);                                /* and is complete */

#endif
