"""Documents that can be given away: what says who or where is replaced or taken out, by the name of its key.

A key that this page does not know is replaced when it is text: something new is hidden until somebody decides that it may be shown. What was done to each
key is counted for the manifest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from app.export.pseudonyms import Pseudonyms

# Text that says what is spoken, never who speaks.
KEPT: Final = frozenset(
    {
        "protocol", "detailed_protocol", "service", "direction", "status", "conn_state", "history", "session_status", "end_reason",
        "application", "category", "application_source", "server_name_source", "hostname_source", "tls_version", "alpn", "ja3", "ja4",
        "country", "country_name", "scope", "time_of_detection", "end_time", "last_seen", "first_seen", "timestamp", "stretch_start", "type", "rcode",
        "transport", "kind", "version", "offered_version", "cipher", "quic_version", "not_before", "not_after", "method", "content_type",
        "rule", "severity", "mitre", "unit", "is_anonymous",
    }
)  # fmt: skip
# Gone altogether: what could be traced back in spite of pseudonyms (a hash over the true addresses, a network's owner), or is free text.
REMOVED: Final = frozenset(
    {
        "community_id", "organization", "asn", "city", "uri", "user_agent", "reason", "note", "title", "details", "app_path", "attribution", "pid",
        "not_seen", "ancestry", "command_line", "working_directory", "sha256", "vendor", "processes", "parents",
    }
)  # fmt: skip
ADDRESSES: Final = frozenset(
    {"src_ip", "dst_ip", "client", "server", "source", "target", "local_address", "remote_address"}
)
NAMES: Final = frozenset({"hostname", "server_name", "query", "host", "names"})
HARDWARE: Final = frozenset({"remote_mac", "local_mac", "mac"})
LISTED: Final = frozenset({"answers", "resolved_ips", "alpn"})

_ENDPOINT: Final = re.compile(r"\[?([0-9A-Fa-f:.]+?)\]?(?::([0-9]{1,5}))?\Z")


class Shareable:
    """One export. `changes`: how often each key was replaced or removed."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self.replaced: Counter[str] = Counter()
        self.removed: Counter[str] = Counter()
        self._how: Mapping[str, Callable[[str], str]] = {
            **dict.fromkeys(ADDRESSES, self._endpoint),
            **dict.fromkeys(NAMES, pseudonyms.name),
            **dict.fromkeys(HARDWARE, pseudonyms.hardware),
            "resolved_ips": self._endpoint,
            "answers": self._answer,
        }

    def document(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """A copy without anything that says who."""
        return {key: self._value(key, value) for key, value in document.items()}

    def _value(self, key: str, value: Any) -> Any:
        if value is None or isinstance(value, (bool, float)) or key in KEPT:
            return value
        if key in REMOVED:
            self.removed[key] += 1
            return None
        if isinstance(value, int):
            return value
        if isinstance(value, Mapping):
            return self.document(value)
        if isinstance(value, (list, tuple)):
            return [self._value(key, item) for item in value]
        self.replaced[key] += 1
        return self._how.get(key, self._pseudonyms.text)(str(value))

    def _endpoint(self, text: str) -> str:
        """`192.0.2.1:443`, `[2001:db8::1]:443`, or an address alone; anything else is a name."""
        bare = text.count(":") > 1 and not text.startswith("[")
        found = None if bare else _ENDPOINT.match(text)
        address, port = (text, None) if found is None else (found[1], found[2])
        try:
            made = self._pseudonyms.address(address)
        except ValueError:
            return self._pseudonyms.name(text)
        if port is None:
            return made
        return f"[{made}]:{port}" if ":" in made else f"{made}:{port}"

    def _answer(self, text: str) -> str:
        """`A 192.0.2.1`, `CNAME a.example`: the type stays."""
        kind, _, value = text.partition(" ")
        if not value:
            return self._pseudonyms.text(text)
        return f"{kind} {self._endpoint(value) if kind in ('A', 'AAAA') else self._pseudonyms.name(value)}"

    def manifest(self, rows: int) -> dict[str, Any]:
        """What was done, for whoever gets the file."""
        return {
            "made_by": "Netglass",
            "rows": rows,
            "addresses": "prefix-preserving pseudonyms (Crypto-PAn); the key is not kept",
            "names": "each label replaced by a keyed hash, the same one everywhere in this file",
            "hardware_addresses": "replaced by locally administered ones",
            "times": "unchanged",
            "payload": "none is in this file",
            "replaced": dict(sorted(self.replaced.items())),
            "removed": dict(sorted(self.removed.items())),
        }
