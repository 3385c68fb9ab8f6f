"""Programs that turn to addresses of Tor, of VPNs and of open proxies, as ipinfo's privacy data or the user's own database names them."""

from __future__ import annotations

from collections.abc import Sequence

from app.detect.anomalies import Connection, ends
from app.detect.connection_detector import ConnectionDetector, program_of
from app.detect.rule import Rule


class AnonymousDestination(ConnectionDetector):
    name = "anonymous_destination"
    rules = (
        Rule(
            "anonymous_destination",
            "Contact with Tor, a VPN or an open proxy",
            "low",
            "A program has a connection with an address that belongs to an anonymising service: who is behind it cannot be told, and filters on the way see nothing.",
            "VPNs and the Tor Browser that somebody uses on purpose; providers that sell both servers and VPNs from the same addresses.",
            "Ask whether it is wanted. On a server it rarely is; from outside, look at what was asked of it.",
            "T1090.003",
        ),
    )

    def begin(self) -> None:
        self._said = self.bounded(8192, int)

    def on_connections(self, connections: Sequence[Connection], now_ns: int) -> None:
        for connection in connections:
            if connection.get("is_anonymous") is not True:
                continue
            local, remote = ends(connection)
            flow_id, key = int(connection["flow_id"]), (program_of(connection), remote)
            if self._said[key] == flow_id:
                continue
            self._said[key] = flow_id
            inward = connection.get("direction") == "inbound"
            verb = "was called from" if inward else "has a connection with"
            owner = f" ({connection['organization']})" if connection.get("organization") else ""
            self.alert(
                "anonymous_destination",
                f"{connection.get('app_name') or 'A program'} {verb} {remote}{owner}, which is named as an address of Tor, a VPN or a proxy; none is the limit.",
                now_ns,
                remote if inward else local,
                local if inward else remote,
                confidence=0.7,
                fold=key,
                measured=1,
                threshold=0,
                unit="connections",
                protocol=connection.get("protocol"),
                flow_ids=(flow_id,),
            )
