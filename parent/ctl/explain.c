/* explain.c - a line of an explanation; see explain.h. */
#include "parent/ctl/explain.h"

#include <stdarg.h>

#include "common/report.h"

static void explain_line(const struct explain *x, const char *key, const char *fmt, va_list ap)
{
    char line[REPORT_LINE_MAX];
    vsnprintf(line, sizeof line, fmt, ap);
    report_line(x->f, key, "%s", line);
}

void explain_because(const struct explain *x, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    explain_line(x, "because", fmt, ap);
    va_end(ap);
}

void explain_advice(const struct explain *x, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    explain_line(x, "advice", fmt, ap);
    va_end(ap);
}

const char *explain_ago(const struct explain *x, const struct doc_part *p, const char *key, char *buf,
                        size_t size)
{
    double at = doc_real(p, key, 0);
    if (at <= 0) {
        snprintf(buf, size, "never");
        return buf;
    }
    char ago[24];
    snprintf(buf, size, "%s ago", out_ago(x->o->now - at, ago, sizeof ago));
    return buf;
}
