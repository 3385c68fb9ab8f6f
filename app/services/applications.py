"""Traffic by application over the flows that are held."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np

from app.services.connection_rows import Rows
from app.services.flow_mirror import FlowView

TOP: Final = 20


def application_labels(rows: Rows) -> list[str]:
    """The application of each flow, `unknown` where nothing says it."""
    return [known.application or "unknown" for known in rows.known]


@lru_cache(maxsize=1)  # several clients ask about the same view
def top_applications(view: FlowView) -> list[dict[str, Any]]:
    """`[{name, bytes, packets, flows}]`, most bytes first; flows of which the application is not known are left out. Not to be changed."""
    names = [known.application for known in Rows.all(view).known]
    code_of: dict[str | None, int] = {}
    codes = np.array([code_of.setdefault(name, len(code_of)) for name in names], np.intp)
    flows = view.flows
    sums = [
        np.bincount(codes, (flows[f"src_{name}"] + flows[f"dst_{name}"]).astype(np.float64), len(code_of))
        for name in ("bytes", "packets")
    ]
    counts = np.bincount(codes, minlength=len(code_of))
    found: list[dict[str, Any]] = [
        {"name": name, "bytes": int(sums[0][code]), "packets": int(sums[1][code]), "flows": int(counts[code])}
        for name, code in code_of.items()
        if name is not None
    ]
    return sorted(found, key=lambda entry: (-entry["bytes"], entry["name"]))[:TOP]
