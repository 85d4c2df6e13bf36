/*
 * fuzz_order.c - the file of orders, the lines holdctl reads about IPVS and about connections: what comes out
 * is within its bounds, and what was decoded is encoded to the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "parent/ctl/conns.h"
#include "parent/ctl/table.h"
#include "parent/order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void lines(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1);
    struct table_row row;
    struct conns_row conn;
    if (text == NULL)
        return;
    memcpy(text, data, len);
    text[len] = '\0';
    if (table_parse(text, &row) == 0 && row.port > 65535)
        abort();
    if (conns_parse(text, &conn) == 0 && strchr(conn.end[0], ':') == NULL)
        abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct orders o = { 0 };
    size_t n;
    lines(data, len);
    if (orders_decode(&o, data, len) < 0) {
        if (o.n != 0)
            abort();
        return 0;
    }
    void *again = orders_encode(&o, &n);
    if (n != len || memcmp(again, data, n) != 0)
        abort();
    free(again);
    orders_free(&o);
    return 0;
}
