"""`python -m app reproduce FILE…`: does the file of an alert's packets raise the same alert again?

The file says in its comment which alert it belongs to; it goes through the pipeline of the live sensor. Detectors that compare with a host's past, or need
more packets than were kept, may not speak again: then that is said.
"""

from __future__ import annotations

import json
import struct
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, Final

from app.detect.folding import APART_NS
from app.model.alert import SUBJECT_DIGITS
from app.model.errors import CaptureError
from app.model.timestamps import parse_time
from app.sensor.analyze import analyze

_SECTION: Final = 0x0A0D0D0A
_COMMENT: Final = 1
_MOST: Final = 65_536
SAME: Final = ("rule", "source", "target")  # with the time: what makes it the same alert …
COMPARED: Final = ("id", "severity", "measured", "count", "first_seen")  # … and what may differ


def run(args: Namespace) -> int:
    """0: every file raised its alert; 1: one did not, or could not be read."""
    status = 0
    for name in args.files:
        try:
            found = reproduce(name)
        except CaptureError as error:
            found = {"file": name, "reproduced": False, "error": error.message}
        status |= not found["reproduced"]
        print(json.dumps(found, separators=(",", ":")) if args.json else _sentence(found), flush=True)
    sys.stdout.flush()
    return status


def reproduce(name: str) -> dict[str, Any]:
    """`{file, reproduced, wanted, alert, differences, others}`. Raises CaptureError."""
    wanted = wanted_alert(Path(name))
    alerts = json.loads(analyze(name))["alerts"]
    same = [alert for alert in alerts if _is_repeat(alert, wanted)]
    alert = max(same, key=lambda one: (_about_the_same(one, wanted), one["count"]), default=None)
    if alert is not None and _about_the_same(alert, wanted):
        alert["id"] = wanted["id"]
    return {
        "file": name,
        "reproduced": alert is not None,
        "wanted": wanted,
        "alert": alert,
        "differences": {
            key: [wanted.get(key), alert[key]]
            for key in COMPARED
            if alert is not None and alert[key] != wanted.get(key)
        },
        "others": [one["rule"] for one in alerts if one is not alert],
    }


def _about_the_same(alert: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether both fold by the same key; a file made by another release may call it otherwise."""
    return str(alert["id"])[:SUBJECT_DIGITS] == str(wanted.get("id"))[:SUBJECT_DIGITS]


def _is_repeat(alert: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Same ends, and near enough in time for the live sensor to have folded it into the wanted one, whichever packet passed the limit: packets come
    from a wire in other blocks than from a file, and detectors that count until a block's end see the limit passed some packets earlier or later.
    """
    if any(alert[key] != wanted.get(key) for key in SAME):
        return False
    try:
        begin, end, first, last = (
            parse_time(one[key]) for one in (wanted, alert) for key in ("first_seen", "last_seen")
        )
    except (KeyError, TypeError, ValueError):
        return True  # a file, or packets, that do not say when
    return last >= begin - APART_NS and first <= end + APART_NS


def wanted_alert(path: Path) -> dict[str, Any]:
    """The alert that the file's comment names. Raises CaptureError where there is none."""
    try:
        with path.open("rb") as file:
            head = file.read(_MOST)
    except OSError as error:
        raise CaptureError("bad_file", f"{path}: {error.strerror}") from None
    comment = _comment(head)
    try:
        document = json.loads(comment or "")["netglass_alert"]
    except (ValueError, KeyError, TypeError):
        raise CaptureError(
            "bad_file", f"{path} does not say which alert it belongs to: only files from “packets of this alert” do"
        ) from None
    if not isinstance(document, dict) or not isinstance(document.get("rule"), str):
        raise CaptureError("bad_file", f"{path}: the alert in its comment has no rule")
    return document


def _comment(head: bytes) -> str | None:
    """The first comment of the section header (draft-ietf-opsawg-pcapng, 4.1 and 3.5)."""
    if len(head) < 28:
        return None
    order = "<" if head[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
    kind, length = struct.unpack_from(order + "II", head)
    if kind != _SECTION or length > len(head):
        return None
    place = 24
    while place + 4 <= length - 4:
        code, size = struct.unpack_from(order + "HH", head, place)
        if code == 0:
            return None
        if code == _COMMENT:
            return head[place + 4 : min(place + 4 + size, length - 4)].decode("utf-8", "replace")
        place += 4 + size + (-size % 4)
    return None


def _sentence(found: dict[str, Any]) -> str:
    if "error" in found:
        return f"netglass: {found['error']}"
    wanted = found["wanted"]
    what = f"{found['file']}: {wanted['rule']} by {wanted.get('source') or '?'} against {wanted.get('target') or '?'}"
    if not found["reproduced"]:
        others = f"; raised instead: {', '.join(found['others'])}" if found["others"] else ""
        return f"{what} was not raised again{others}"
    differs = "; ".join(f"{key} {before} → {now}" for key, (before, now) in found["differences"].items())
    return f"{what} raised again" + (f" ({differs})" if differs else ", identical")
