"""All detectors, in the order in which they are shown things. A new one needs one line here."""

from __future__ import annotations

from typing import Final

from app.detect.arp_sweep import ArpSweep
from app.detect.detector import Detector

DETECTORS: Final[tuple[type[Detector], ...]] = (ArpSweep,)
