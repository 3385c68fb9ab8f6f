"""Writes the samples of entropy to the log, in the background."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from app.concurrency import run_blocking
from app.export.entropy_log import EntropyLog, LogLimits
from app.model.entropy import alert_text
from app.model.layers import protocol_name
from app.model.timestamps import rfc3339
from app.services.flow_mirror import FlowView
from app.wire.addresses import format_address
from app.wire.row_copies import joined

if TYPE_CHECKING:
    from app.services.mirror import Mirror
    from config import Settings

POLL_SECONDS: Final = 1.0


class EntropyRecorder:
    """`run` in the background. `log` lists and finds files."""

    def __init__(self, settings: Settings, mirror: Mirror) -> None:
        limits = LogLimits(settings.entropy_log_mb << 20, settings.entropy_log_files, settings.entropy_log_days)
        self.log = EntropyLog(settings.data_dir / "logs", limits, mirror.notice)
        self.enabled = settings.entropy_log
        self._mirror = mirror

    def run(self) -> None:
        """For the life of the mirror."""
        while not self._mirror.ended:
            time.sleep(POLL_SECONDS)
            self.step()

    def step(self) -> None:
        """Write what came since the last step."""
        taken = self._mirror.take_unlogged_entropy()
        if not taken or not self.enabled:
            return
        capture = self._mirror.part("capture")
        names = [str(one.get("name") or "") for one in capture.get("interfaces") or [] if isinstance(one, dict)]
        label = capture.get("file") if capture.get("source") == "file" else "+".join(filter(None, names))
        rows, view = joined(taken), self._mirror.flow_view()
        run_blocking(self._write, str(label or "capture"), rows, view, names)

    def _write(self, label: str, rows: NDArray[np.void], view: FlowView, names: list[str]) -> None:
        self.log.write(label, log_rows(rows, view, names))


def log_rows(rows: NDArray[np.void], view: FlowView, names: list[str]) -> list[tuple[str, ...]]:
    """One line per direction with payload: (timestamp, interface, flow, entropy, alert)."""
    ids, places = np.unique(view.flows["flow_id"], return_index=True)
    found = np.searchsorted(ids, rows["flow_id"])
    lines: list[tuple[str, ...]] = []
    for row, at in zip(rows, found.tolist(), strict=True):
        if at >= len(ids) or ids[at] != row["flow_id"]:
            continue  # the mirror no longer holds the flow
        flow = view.flows[places[at]]
        version = int(flow["ip_version"])
        ends = [
            f"{format_address(int(flow[f'{end}_hi']), int(flow[f'{end}_lo']), version)}:{int(flow[f'{end}_port'])}"
            for end in ("src", "dst")
        ]
        kind = protocol_name(int(flow["protocol"])).upper()
        interface = names[int(row["interface"])] if int(row["interface"]) < len(names) else ""
        for end, (a, b) in (("src", ends), ("dst", ends[::-1])):
            if row[f"{end}_bytes"]:
                value = f"{float(row[f'{end}_value']):.4f}"
                lines.append(
                    (
                        rfc3339(int(row["ts"])) or "",
                        interface,
                        f"{kind} {a} > {b}",
                        value,
                        alert_text(int(row["alert"])) or "",
                    )
                )
    return lines
