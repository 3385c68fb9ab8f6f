/* Reads a capture file with libpcap and does nothing with the packets: the limit of any program that uses libpcap. */
#include <pcap.h>
#include <stdio.h>

static unsigned long packets, bytes;

static void count(unsigned char *user, const struct pcap_pkthdr *header, const unsigned char *data) {
    (void)user;
    (void)data;
    packets++;
    bytes += header->len;
}

int main(int argc, char **argv) {
    char error[PCAP_ERRBUF_SIZE];
    pcap_t *file = argc == 2 ? pcap_open_offline(argv[1], error) : NULL;
    if (!file || pcap_loop(file, -1, count, NULL) < 0) return 1;
    printf("%lu packets %lu bytes\n", packets, bytes);
    return 0;
}
