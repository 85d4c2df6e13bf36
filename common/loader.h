/*
 * loader.h - what the dynamic loader has read once and nobody reads again: tables of symbols and relocations.
 * They are most of what a library costs whose work is seldom needed. Called by child.c and the parent when
 * the start is over.
 */
#ifndef HOLDFAST_LOADER_H
#define HOLDFAST_LOADER_H

/* Gives those pages back; they are the file's own, so whoever does look again gets them again. No code and no
 * data is touched: nothing that is in a hurry waits for a page. */
void loader_rest(void);

#endif
