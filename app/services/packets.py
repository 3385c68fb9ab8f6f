"""Packets as they are shown: PACKET_ROW columns → dicts, from the sensor's ring or, without it, from the mirror."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.enrich.services import service_name
from app.model.layers import LAYER_NAMES, REASONS, protocol_name
from app.model.timestamps import rfc3339
from app.services.connections import PORT_PROTOCOLS
from app.services.packet_info import flag_text, packet_info
from app.wire.addresses import format_address

ARP_BIT: Final = 1 << LAYER_NAMES.index("arp")
NO_IP: Final = 255


def packet_dicts(rows: NDArray[np.void], interfaces: Sequence[str]) -> list[dict[str, Any]]:
    """Each row with the keys of `app.model.fields.PACKET_FIELDS`, in the order given."""
    names = rows.dtype.names or ()
    plain = [name for name in names if name not in ("payload", "reserved")]
    payloads = rows["payload"]
    columns = (rows[name].tolist() for name in plain)
    return [
        _packet(dict(zip(plain, values, strict=True)), bytes(payloads[i].tobytes()), interfaces)
        for i, values in enumerate(zip(*columns, strict=True))
    ]


def layer_names(bits: int) -> list[str]:
    """Names of the layers set in a PACKET.layers value."""
    return [name for i, name in enumerate(LAYER_NAMES) if bits >> i & 1]


def _packet(row: dict[str, int], payload: bytes, interfaces: Sequence[str]) -> dict[str, Any]:
    protocol = _protocol(row)
    ported = row["protocol"] in PORT_PROTOCOLS
    return {
        "id": row["packet_id"],
        "timestamp": rfc3339(row["ts"]),
        "interface": (interfaces[row["interface"]] or None) if row["interface"] < len(interfaces) else None,
        "protocol": protocol,
        "src_ip": format_address(row["src_hi"], row["src_lo"], row["ip_version"]),
        "src_port": row["src_port"] if ported else None,
        "dst_ip": format_address(row["dst_hi"], row["dst_lo"], row["ip_version"]),
        "dst_port": row["dst_port"] if ported else None,
        "service": _service(protocol, row) if ported else None,
        "flags": flag_text(row["tcp_flags"]) if row["protocol"] == 6 else None,
        "size": row["wire_len"],
        "info": packet_info(row, protocol),
        "flow_id": row["flow_id"] or None,
        "layers": layer_names(row["layers"]),
        "reason": REASONS[row["reason"]] if 0 < row["reason"] < len(REASONS) else None,
        "card_data_detected": (None, False, True)[min(row["cards"], 2)],
        "payload": payload[: min(row["payload_kept"], len(payload))].hex(),
    }


def _protocol(row: dict[str, int]) -> str:
    """The innermost protocol: IP's, else the last link-layer name that is set."""
    if row["ip_version"] and row["protocol"] != NO_IP:
        return protocol_name(row["protocol"])
    if row["layers"] & ARP_BIT:
        return "arp"
    names = [name for name in layer_names(row["layers"]) if name != "other"]
    return names[-1] if names else "other"


def _service(protocol: str, row: dict[str, int]) -> str | None:
    low, high = sorted((row["src_port"], row["dst_port"]))
    return service_name(protocol, low) or service_name(protocol, high)
