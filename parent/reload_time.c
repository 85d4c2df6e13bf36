/* reload_time.c - see reload_time.h. */
#include "parent/reload_time.h"

#include <string.h>
#include <time.h>

/* Fixed places: '0' a digit, anything else itself. */
static bool reload_time_shape(const char *buf, size_t len, const char *shape)
{
    if (len != strlen(shape))
        return false;
    for (size_t i = 0; i < len; i++)
        if (shape[i] == '0' ? buf[i] < '0' || buf[i] > '9' : buf[i] != shape[i])
            return false;
    return true;
}

static int reload_time_digits(const char *p, size_t n)
{
    int v = 0;
    for (size_t i = 0; i < n; i++)
        v = 10 * v + (p[i] - '0');
    return v;
}

static int reload_time_month_days(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool reload_time_in_range(const struct reload_time *t)
{
    if (t->hour > 23 || t->minute > 59 || t->second > 59)
        return false;
    if (!t->dated)
        return true;
    return t->year >= 1970 && t->month >= 1 && t->month <= 12 && t->day >= 1 &&
           t->day <= reload_time_month_days(t->year, t->month);
}

bool reload_time_parse(const char *buf, size_t len, struct reload_time *t)
{
    const char *end = memchr(buf, '\n', len);
    size_t n = end != NULL ? (size_t)(end - buf) : len, at = 0;
    *t = (struct reload_time){ .dated = false };
    if (n > 0 && buf[n - 1] == 'Z') {
        t->utc = true;
        n--;
    }
    if (reload_time_shape(buf, n, "0000-00-00 00:00:00"))
        at = 4;
    else if (reload_time_shape(buf, n, "00-00-00 00:00:00"))
        at = 2;
    else if (!reload_time_shape(buf, n, "00:00:00"))
        return false;
    if (at > 0) {
        t->dated = true;
        t->year = reload_time_digits(buf, at) + (at == 2 ? 2000 : 0);
        t->month = reload_time_digits(buf + at + 1, 2);
        t->day = reload_time_digits(buf + at + 4, 2);
        at += 7;
    }
    t->hour = reload_time_digits(buf + at, 2);
    t->minute = reload_time_digits(buf + at + 3, 2);
    t->second = reload_time_digits(buf + at + 6, 2);
    return reload_time_in_range(t);
}

bool reload_time_next(const struct reload_time *t, int64_t now, int64_t *at)
{
    struct tm day, tm;
    time_t today = (time_t)now, then = -1;
    if ((t->utc ? gmtime_r(&today, &day) : localtime_r(&today, &day)) == NULL)
        return false;
    if (t->dated) {
        day.tm_year = t->year - 1900;
        day.tm_mon = t->month - 1;
        day.tm_mday = t->day;
    }
    for (int later = 0; later < 3 && then <= today;
         later++) { /* a day, and one more where clocks are changed */
        tm = (struct tm){ .tm_year = day.tm_year,
                          .tm_mon = day.tm_mon,
                          .tm_mday = day.tm_mday + later,
                          .tm_hour = t->hour,
                          .tm_min = t->minute,
                          .tm_sec = t->second,
                          .tm_isdst = -1 };
        then = t->utc ? timegm(&tm) : mktime(&tm);
        if (t->dated)
            break;
    }
    *at = (int64_t)then;
    return then > today;
}
