/*
 * locale.h - the words of diagnostics in another language. Message ids are the English formats of the source;
 * the catalog is a gettext .mo file (etc/po), read by our own reader: glibc's wants a locale that a minimal
 * system has not installed (and takes C.UTF-8 for English since 2.39), opens files on first use, which the
 * jail forbids, and keeps global state. Called by program.c before the jail, by diag*.c afterwards.
 */
#ifndef HOLDFAST_CONF_LOCALE_H
#define HOLDFAST_CONF_LOCALE_H

#include <stdbool.h>
#include <stddef.h>

struct locale;

/* Environment -> language of a catalog that we have ("zh_CN"), NULL: English. LC_ALL, LC_MESSAGES, LANG, then
 * the list in LANGUAGE, as gettext does it; a codeset other than UTF-8 means English, for we write UTF-8. */
const char *locale_choose(const char *const *env);

/* The catalog of that language, from beside our own binary. NULL: English, or no usable catalog. */
struct locale *locale_open(const char *language);
/* The same from memory (copied); NULL: not a catalog. Pure: for tests and fuzzing. */
struct locale *locale_from_memory(const void *buf, size_t len);
void locale_free(struct locale *l);

/* The translation of id, or id: never NULL. l may be NULL. */
const char *locale_text(const struct locale *l, const char *id);
/* The same for a printf format: a translation whose conversions are not those of id is not used. */
const char *locale_format(const struct locale *l, const char *id) __attribute__((format_arg(2)));
/* Would str do as a format wherever id does? */
bool locale_same_format(const char *id, const char *str);

#endif
