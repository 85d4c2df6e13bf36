/*
 * options.c - genhash's command line, as the incumbent's. Called once by main.c. Everything that goes into
 * the request is checked here: no blank and no control character, so an argument cannot become a header.
 */
#include "checkd/genhash/genhash.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"

#define TIMEOUT_DEFAULT_S 5 /* as connect_timeout of the checks */

static void usage(void)
{
    fprintf(stderr,
            "Usage: genhash [-S] -s ADDRESS -p PORT -u URL [OPTIONS]\n"
            "Prints the MD5 of the page, for \"digest\" in HTTP_GET and SSL_GET.\n\n"
            "  -s, --server ADDRESS         IPv4 or IPv6 address of the server\n"
            "  -p, --port PORT              its port\n"
            "  -u, --url PATH               what to ask for\n"
            "  -S, --use-ssl                TLS (certificates are not verified)\n"
            "  -I, --use-sni                name the virtual host in the TLS handshake (needs -V)\n"
            "  -V, --use-virtualhost NAME   Host header (default ADDRESS:PORT)\n"
            "  -P, --protocol 1.0|1.0c|1.1  HTTP version of the request; 1.0c adds Connection: close\n"
            "  -m, --fwmark N               firewall mark of the packets (needs CAP_NET_ADMIN)\n"
            "  -t, --timeout SECS           for everything together (default %d)\n"
            "  -v, --verbose                dump headers, body and hash\n"
            "  -h, --help                   this text\n\n"
            "Exit status: 0 hash printed, 1 bad usage, 2 the page could not be had.\n",
            TIMEOUT_DEFAULT_S);
}

static int complain(const char *option, const char *value, const char *wanted)
{
    fprintf(stderr, "genhash: %s \"%s\": %s\n\n", option, value, wanted);
    usage();
    return -1;
}

/* Goes into the request as it is. */
static bool token_ok(const char *s)
{
    if (*s == '\0')
        return false;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f)
            return false;
    return true;
}

static bool parse_number(const char *s, int base, unsigned long max, unsigned long *out)
{
    char *end;

    if (*s < '0' || *s > '9')
        return false;
    errno = 0;
    *out = strtoul(s, &end, base);
    return errno == 0 && *end == '\0' && *out <= max;
}

static int take_server(struct genhash_options *o, const char *arg)
{
    char buf[IPADDR_STRLEN];
    char *zone;

    if (strlen(arg) >= sizeof buf)
        return -1;
    strcpy(buf, arg);
    zone = strchr(buf, '%');
    if (zone != NULL)
        *zone++ = '\0';
    if (ipaddr_parse(buf, &o->server) < 0)
        return -1;
    o->scope = zone != NULL ? if_nametoindex(zone) : 0;
    return zone != NULL && o->scope == 0 ? -1 : 0;
}

static int take_protocol(struct genhash_options *o, const char *arg)
{
    if (strcmp(arg, "1.0") == 0)
        o->protocol = GENHASH_PROTOCOL_10;
    else if (strcasecmp(arg, "1.0c") == 0)
        o->protocol = GENHASH_PROTOCOL_10C;
    else if (strcmp(arg, "1.1") == 0)
        o->protocol = GENHASH_PROTOCOL_11;
    else
        return -1;
    return 0;
}

static int take_timeout(struct genhash_options *o, const char *arg)
{
    char *end;
    double s = strtod(arg, &end);

    if (end == arg || *end != '\0' || !isfinite(s) || s < 0.001 || s > 86400)
        return -1;
    o->timeout_ns = (uint64_t)(s * (double)NS_PER_SEC);
    return 0;
}

static int take(struct genhash_options *o, int opt, const char *arg)
{
    unsigned long n;

    switch (opt) {
    case 's':
        return take_server(o, arg) < 0 ? complain("--server", arg, "must be an IPv4 or IPv6 address, no name")
                                       : 0;
    case 'p':
        if (!parse_number(arg, 10, 65535, &n) || n == 0)
            return complain("--port", arg, "must be a number from 1 to 65535");
        o->port = (uint16_t)n;
        return 0;
    case 'u':
        o->url = arg;
        return token_ok(arg) ? 0 : complain("--url", arg, "no blanks or control characters (write %20)");
    case 'V':
        o->vhost = arg;
        return token_ok(arg) ? 0 : complain("--use-virtualhost", arg, "must be a host name");
    case 'P': return take_protocol(o, arg) < 0 ? complain("--protocol", arg, "must be 1.0, 1.0c or 1.1") : 0;
    case 'm':
        if (!parse_number(arg, 0, UINT32_MAX, &n))
            return complain("--fwmark", arg, "must be a number of 32 bits");
        o->mark = (uint32_t)n;
        o->has_mark = true;
        return 0;
    case 't':
        return take_timeout(o, arg) < 0
                   ? complain("--timeout", arg, "must be seconds, above 0 and at most 86400")
                   : 0;
    case 'S': o->ssl = true; return 0;
    case 'I': o->sni = true; return 0;
    case 'v': o->verbose = true; return 0;
    }
    usage(); /* -h, or getopt has said what is wrong */
    return -1;
}

int genhash_options_parse(int argc, char **argv, struct genhash_options *o)
{
    static const struct option longs[] = {
        { "server", required_argument, NULL, 's' },   { "port", required_argument, NULL, 'p' },
        { "url", required_argument, NULL, 'u' },      { "use-ssl", no_argument, NULL, 'S' },
        { "use-sni", no_argument, NULL, 'I' },        { "use-virtualhost", required_argument, NULL, 'V' },
        { "protocol", required_argument, NULL, 'P' }, { "fwmark", required_argument, NULL, 'm' },
        { "timeout", required_argument, NULL, 't' },  { "verbose", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },           { NULL, 0, NULL, 0 },
    };
    int opt;

    *o = (struct genhash_options){ .timeout_ns = TIMEOUT_DEFAULT_S * NS_PER_SEC };
    while ((opt = getopt_long(argc, argv, "s:p:u:SIV:P:m:t:vh", longs, NULL)) != -1)
        if (take(o, opt, optarg) < 0)
            return -1;
    if (optind < argc)
        return complain("argument", argv[optind], "not understood");
    if (o->server.family == 0 || o->port == 0 || o->url == NULL) {
        fprintf(stderr, "genhash: --server, --port and --url are all needed\n\n");
        usage();
        return -1;
    }
    if (o->sni && (!o->ssl || o->vhost == NULL))
        return complain("--use-sni", "", "needs --use-ssl, and --use-virtualhost for the name");
    return 0;
}
