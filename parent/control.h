/*
 * control.h - the control socket: holdctl asks, the parent answers. Root only (SO_PEERCRED), requests are
 * small, enumerated and decoded like every other message; answers never block.
 */
#ifndef HOLDFAST_PARENT_CONTROL_H
#define HOLDFAST_PARENT_CONTROL_H

struct control;
struct parent;

#define CONTROL_SOCKET "control"

/* NULL with errno: the daemon runs without. */
struct control *control_new(struct parent *p, const char *dir);
void control_free(struct control *c);
void control_on_reload_done(struct control *c);

#endif
