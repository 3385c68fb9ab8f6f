"""Rival: nfstream meters the flows of a file. `python read_nfstream.py N_DISSECTIONS FILE`."""

import sys

from nfstream import NFStreamer  # type: ignore[import-not-found]  # a rival, not a dependency


def main() -> None:
    dissections, path = sys.argv[1:]
    streamer = NFStreamer(source=path, n_dissections=int(dissections), statistical_analysis=False)
    packets = flows = 0
    for flow in streamer:
        flows += 1
        packets += flow.bidirectional_packets
    print(f"{packets} packets {flows} flows")


if __name__ == "__main__":
    main()
