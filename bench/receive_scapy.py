"""Receiver: scapy's AsyncSniffer with an empty callback. `python receive_scapy.py INTERFACE`; speaks like bench/receive_ours.py."""

import json
import struct
import sys
import time

from scapy.all import AsyncSniffer, conf

SOL_PACKET, PACKET_STATISTICS = 263, 6


def main() -> None:
    seen = 0

    def count(_packet: object) -> None:
        nonlocal seen
        seen += 1

    listening = conf.L2listen(iface=sys.argv[1])
    sniffer = AsyncSniffer(opened_socket=listening, store=False, prn=count)
    listening.ins.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)  # reading sets it back to 0
    sniffer.start()
    print("ready", flush=True)
    sys.stdin.readline()
    before = -1
    while before != seen:  # what the socket still holds
        before = seen
        time.sleep(0.5)
    _, dropped = struct.unpack("II", listening.ins.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    print(json.dumps({"captured": seen, "dropped": dropped}), flush=True)
    sniffer.stop(join=False)


if __name__ == "__main__":
    main()
