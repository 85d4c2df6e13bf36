/*
 * main.c - genhash: prints the MD5 of a page, for "digest" in HTTP_GET and SSL_GET. Run by a person or a
 * script. Exit status: 0 the hash was printed, 1 bad usage, 2 the page could not be had (the incumbent says 0
 * then).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "checkd/genhash/genhash.h"
#include "common/clock.h"

static void print_hash(const uint8_t md5[GENHASH_MD5_LEN])
{
    for (size_t i = 0; i < GENHASH_MD5_LEN; i++)
        printf("%02x", md5[i]);
    putchar('\n');
}

static void print_verbose(const struct genhash_options *o, const uint8_t md5[GENHASH_MD5_LEN],
                          uint64_t took_ns)
{
    printf("-----------------------[    HTML hash resulting    ]-----------------------\n");
    genhash_dump(md5, GENHASH_MD5_LEN);
    printf("-----------------------[ HTML hash final resulting ]-----------------------\n");
    print_hash(md5);
    printf("\nGlobal response time for [%s] = %llu usecs\n", o->url,
           (unsigned long long)(took_ns / NS_PER_US));
}

int main(int argc, char **argv)
{
    struct genhash_options o;
    uint8_t md5[GENHASH_MD5_LEN];
    char why[512], addr[IPADDR_STRLEN];
    uint64_t start;

    if (genhash_options_parse(argc, argv, &o) < 0)
        return 1;
    signal(SIGPIPE, SIG_IGN);
    start = clock_monotonic_ns();
    if (genhash_fetch(&o, md5, why, sizeof why) < 0) {
        fprintf(stderr, "genhash: no hash of %s from %s port %u: %s\n", o.url, ipaddr_str(&o.server, addr),
                o.port, why);
        return 2;
    }
    if (o.verbose)
        print_verbose(&o, md5, clock_monotonic_ns() - start);
    else
        print_hash(md5);
    if (fflush(stdout) != 0) {
        perror("genhash: cannot write the hash");
        return 2;
    }
    return 0;
}
