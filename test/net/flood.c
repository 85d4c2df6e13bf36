/*
 * flood.c - sends frames from a file (16-bit length, bytes, repeated) out of an interface at a steady rate,
 * as fast as sendmmsg allows. Part of the net lane: run.py writes the frames, this only hurries. Trusts its
 * command line.
 *
 *   flood INTERFACE FILE RATE SECONDS      prints the number sent and the rate reached
 */
#include <errno.h>
#include <net/if.h>
#include <linux/if_packet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { FRAMES_MAX = 4096, FRAME_MAX = 1600, BATCH = 64 };

struct flood {
    unsigned char bytes[FRAMES_MAX][FRAME_MAX];
    struct iovec iov[FRAMES_MAX];
    struct mmsghdr msg[BATCH];
    unsigned int count;
    int fd;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int flood_read(struct flood *f, const char *path)
{
    FILE *in = fopen(path, "rb");
    unsigned char head[2];
    if (in == NULL)
        return -1;
    while (f->count < FRAMES_MAX && fread(head, 1, 2, in) == 2) {
        size_t len = (size_t)(head[0] << 8 | head[1]);
        if (len == 0 || len > FRAME_MAX || fread(f->bytes[f->count], 1, len, in) != len)
            break;
        f->iov[f->count].iov_base = f->bytes[f->count];
        f->iov[f->count].iov_len = len;
        f->count++;
    }
    fclose(in);
    return f->count > 0 ? 0 : -1;
}

static int flood_open(struct flood *f, const char *ifname)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET };
    to.sll_ifindex = (int)if_nametoindex(ifname);
    f->fd = socket(AF_PACKET, SOCK_RAW, 0);
    if (f->fd < 0 || to.sll_ifindex == 0)
        return -1;
    return bind(f->fd, (struct sockaddr *)&to, sizeof to);
}

static uint64_t flood_run(struct flood *f, double rate, double seconds)
{
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), sent = 0, t;
    while ((t = now_ns()) < end) {
        uint64_t due = (uint64_t)((double)(t - start) / 1e9 * rate);
        unsigned int n = 0;
        if (due <= sent) {
            struct timespec nap = { 0, 200000 };
            nanosleep(&nap, NULL);
            continue;
        }
        for (; n < BATCH && sent + n < due; n++) {
            memset(&f->msg[n], 0, sizeof f->msg[n]);
            f->msg[n].msg_hdr.msg_iov = &f->iov[(sent + n) % f->count];
            f->msg[n].msg_hdr.msg_iovlen = 1;
        }
        int did = sendmmsg(f->fd, f->msg, n, 0);
        if (did < 0 && errno != ENOBUFS && errno != EAGAIN)
            break;
        sent += did > 0 ? (uint64_t)did : 0;
    }
    return sent;
}

int main(int argc, char **argv)
{
    struct flood *f = calloc(1, sizeof *f);
    if (argc != 5 || f == NULL || flood_read(f, argv[2]) != 0 || flood_open(f, argv[1]) != 0) {
        fprintf(stderr, "usage: flood INTERFACE FILE RATE SECONDS (%s)\n", strerror(errno));
        return 1;
    }
    uint64_t start = now_ns(), sent = flood_run(f, atof(argv[3]), atof(argv[4]));
    printf("%llu %.0f\n", (unsigned long long)sent, (double)sent / ((double)(now_ns() - start) / 1e9));
    free(f);
    return 0;
}
