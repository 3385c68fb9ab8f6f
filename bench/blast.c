/* Sends the packets of a capture file again and again, straight to the driver, as fast as it can or at a given rate.

   blast INTERFACE FILE SECONDS PACKETS_PER_SECOND (0: no limit)
   Prints "<packets> sent <seconds> s". A packet counts as sent when the kernel took it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BATCH 128
#define FILE_HEADER 24
#define RECORD_HEADER 16

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void sleep_until(double when) {
    struct timespec t = {(time_t)when, (long)((when - (double)(time_t)when) * 1e9)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static unsigned char *load(const char *path, size_t *size) {
    struct stat facts;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &facts)) return NULL;
    *size = (size_t)facts.st_size;
    unsigned char *data = malloc(*size);
    if (!data || fread(data, 1, *size, file) != *size) return NULL;
    fclose(file);
    return data;
}

static size_t list(unsigned char *data, size_t size, struct iovec **packets) {
    size_t count = 0, room = 1 << 16;
    *packets = malloc(room * sizeof **packets);
    for (size_t at = FILE_HEADER; at + RECORD_HEADER <= size;) {
        uint32_t length;
        memcpy(&length, data + at + 8, 4);
        if (at + RECORD_HEADER + length > size) break;
        if (count == room) *packets = realloc(*packets, (room *= 2) * sizeof **packets);
        (*packets)[count++] = (struct iovec){data + at + RECORD_HEADER, length};
        at += RECORD_HEADER + length;
    }
    return count;
}

static int open_socket(const char *interface) {
    int on = 1, buffer = 8 << 20;
    struct sockaddr_ll where = {.sll_family = AF_PACKET, .sll_protocol = 0};
    int out = socket(AF_PACKET, SOCK_RAW, 0);
    where.sll_ifindex = (int)if_nametoindex(interface);
    if (out < 0 || !where.sll_ifindex || bind(out, (struct sockaddr *)&where, sizeof where)) return -1;
    setsockopt(out, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
    setsockopt(out, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
    return out;
}

int main(int argc, char **argv) {
    size_t size, count, next = 0;
    struct iovec *packets;
    struct mmsghdr messages[BATCH] = {0};
    unsigned long sent = 0;
    if (argc != 5) return 2;
    unsigned char *data = load(argv[2], &size);
    int out = open_socket(argv[1]);
    if (!data || out < 0) return perror(data ? argv[1] : argv[2]), 1;
    if (!(count = list(data, size, &packets))) return 1;
    double seconds = atof(argv[3]), rate = atof(argv[4]), begin = now(), end = begin + seconds, at = begin;
    unsigned batch = rate > 0 && rate < 1000.0 * BATCH ? (unsigned)(rate / 1000) + 1 : BATCH;
    for (; at < end; at = now()) {
        for (unsigned i = 0; i < batch; i++)
            messages[i].msg_hdr = (struct msghdr){.msg_iov = &packets[(next + i) % count], .msg_iovlen = 1};
        int taken = sendmmsg(out, messages, batch, 0);
        if (taken < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) return perror("sendmmsg"), 1;
        if (taken > 0) sent += (unsigned long)taken, next = (next + (size_t)taken) % count;
        if (rate > 0) sleep_until(begin + (double)sent / rate);
    }
    printf("%lu sent %.6f s\n", sent, at - begin);
    return 0;
}
