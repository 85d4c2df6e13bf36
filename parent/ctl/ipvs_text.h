/*
 * ipvs_text.h - rows of the IPVS table in ipvsadm's words and columns. Pure. Used by cmd_ipvs.c; held against
 * the real ipvsadm in the vm lane.
 */
#ifndef HOLDFAST_CTL_IPVS_TEXT_H
#define HOLDFAST_CTL_IPVS_TEXT_H

#include <stdio.h>

#include "parent/ctl/table.h"

#define IPVS_TEXT_LINE 512

enum ipvs_text_form { IPVS_TEXT_TABLE, IPVS_TEXT_STATS, IPVS_TEXT_RATE };

void ipvs_text_title(enum ipvs_text_form form, const struct table_row *info, FILE *f);
void ipvs_text_row(enum ipvs_text_form form, bool exact, const struct table_row *r,
                   char line[IPVS_TEXT_LINE]);

#endif
