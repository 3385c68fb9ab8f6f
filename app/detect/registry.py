"""All detectors, in the order in which they are shown things. A new one needs one line here."""

from __future__ import annotations

from typing import Final

from app.detect.arp_spoof import ArpSpoof
from app.detect.arp_sweep import ArpSweep
from app.detect.conversation_registry import CONVERSATION_DETECTORS
from app.detect.detector import Detector
from app.detect.dhcp import Dhcp
from app.detect.distributed_scan import DistributedScan
from app.detect.entropy_drop import EntropyDrop
from app.detect.entropy_mismatch import EntropyMismatch
from app.detect.entropy_spike import EntropySpike
from app.detect.flood import Flood
from app.detect.host_sweep import HostSweep
from app.detect.icmp_flood import IcmpFlood
from app.detect.icmp_tunnel import IcmpTunnel
from app.detect.malformed_ip import MalformedIp
from app.detect.neighbour_discovery import NeighbourDiscovery
from app.detect.odd_probes import OddProbes
from app.detect.port_scan import PortScan
from app.detect.unsolicited import Unsolicited

DETECTORS: Final[tuple[type[Detector], ...]] = (
    PortScan,
    HostSweep,
    DistributedScan,
    OddProbes,
    ArpSweep,
    Flood,
    IcmpFlood,
    Unsolicited,
    ArpSpoof,
    NeighbourDiscovery,
    Dhcp,
    IcmpTunnel,
    MalformedIp,
    *CONVERSATION_DETECTORS,
    EntropySpike,
    EntropyDrop,
    EntropyMismatch,
)
