"""All detectors, in the order in which they are shown things. A new one needs one line here."""

from __future__ import annotations

from typing import Final

from app.detect.arp_sweep import ArpSweep
from app.detect.conversation_registry import CONVERSATION_DETECTORS
from app.detect.detector import Detector
from app.detect.distributed_scan import DistributedScan
from app.detect.host_sweep import HostSweep
from app.detect.port_scan import PortScan

DETECTORS: Final[tuple[type[Detector], ...]] = (
    PortScan,
    HostSweep,
    DistributedScan,
    ArpSweep,
    *CONVERSATION_DETECTORS,
)
