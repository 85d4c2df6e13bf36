/*
 * check_http.h - HTTP_GET and SSL_GET. A checker has one or more urls; an attempt fetches one of them, in
 * turn, a failed one again first. Once the checker is down, all urls must pass in a row before it is up
 * again.
 */
#ifndef HOLDFAST_CHECKD_CHECK_HTTP_H
#define HOLDFAST_CHECKD_CHECK_HTTP_H

#include "checkd/checker.h"

const struct checker_kind *check_http_kind(void);
const struct checker_kind *check_ssl_kind(void);

#endif
