"""Detectors that the web process runs, over connections with their programs and places. A new one needs one line here."""

from __future__ import annotations

from typing import Final

from app.detect.anonymous_destination import AnonymousDestination
from app.detect.connection_anomalies import ConnectionAnomalies
from app.detect.connection_detector import ConnectionDetector
from app.detect.program_past import ProgramPast

CONNECTION_DETECTORS: Final[tuple[type[ConnectionDetector], ...]] = (
    ConnectionAnomalies,
    ProgramPast,
    AnonymousDestination,
)
