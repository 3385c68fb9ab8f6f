"""All detectors, in the order in which they are shown things. A new one needs one line here."""

from __future__ import annotations

from typing import Final

from app.detect.amplifier import Amplifier
from app.detect.arp_spoof import ArpSpoof
from app.detect.arp_sweep import ArpSweep
from app.detect.beacon import Beacon
from app.detect.cardholder_data import CardholderData
from app.detect.conversation_registry import CONVERSATION_DETECTORS
from app.detect.detector import Detector
from app.detect.dhcp import Dhcp
from app.detect.distributed_scan import DistributedScan
from app.detect.entropy_mismatch import EntropyMismatch
from app.detect.entropy_turn import EntropyTurn
from app.detect.flood import Flood
from app.detect.fragment_flood import FragmentFlood
from app.detect.host_sweep import HostSweep
from app.detect.icmp_flood import IcmpFlood
from app.detect.icmp_tunnel import IcmpTunnel
from app.detect.long_connection import LongConnection
from app.detect.malformed_ip import MalformedIp
from app.detect.neighbour_discovery import NeighbourDiscovery
from app.detect.newcomers import Newcomers
from app.detect.odd_probes import OddProbes
from app.detect.one_sided_flood import OneSidedFlood
from app.detect.port_scan import PortScan
from app.detect.reconnects import Reconnects
from app.detect.slow_http import SlowHttp
from app.detect.stray_probes import StrayProbes
from app.detect.traffic_volume import TrafficVolume
from app.detect.unsolicited import Unsolicited

DETECTORS: Final[tuple[type[Detector], ...]] = (
    PortScan,
    HostSweep,
    DistributedScan,
    OddProbes,
    StrayProbes,
    ArpSweep,
    Flood,
    IcmpFlood,
    OneSidedFlood,
    FragmentFlood,
    SlowHttp,
    Unsolicited,
    Amplifier,
    ArpSpoof,
    NeighbourDiscovery,
    Dhcp,
    IcmpTunnel,
    MalformedIp,
    Beacon,
    LongConnection,
    TrafficVolume,
    Reconnects,
    Newcomers,
    CardholderData,
    *CONVERSATION_DETECTORS,
    EntropyTurn,
    EntropyMismatch,
)
