"""Rival: scapy reads a file and dissects every packet. `python read_scapy.py reader|sniff FILE`."""

import sys

from scapy.all import PcapReader, sniff


def main() -> None:
    mode, path = sys.argv[1:]
    count = 0
    if mode == "reader":
        with PcapReader(path) as packets:
            for _ in packets:
                count += 1
    else:

        def seen(_packet: object) -> None:
            nonlocal count
            count += 1

        sniff(offline=path, prn=seen, store=False)
    print(f"{count} packets")


if __name__ == "__main__":
    main()
