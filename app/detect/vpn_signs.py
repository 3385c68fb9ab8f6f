"""VPNs by what they say: WireGuard's and OpenVPN's first messages to an address outside. Information, as most are wanted; Tor's certificates are told by `app.detect.tls_trust`."""

from __future__ import annotations

from typing import Final

from app.detect.conversation import ConversationDetector, is_local
from app.detect.rule import Rule
from app.dpi.facts import Fact, Recognized

NAMES: Final = {"wireguard": "WireGuard", "openvpn": "OpenVPN"}


class VpnSigns(ConversationDetector):
    name = "vpn_signs"
    rules = (
        Rule(
            "vpn",
            "VPN to an address outside",
            "low",
            "A host opened a VPN (WireGuard, OpenVPN) to an address outside: what goes through it cannot be seen here.",
            "Work from home, and people who want privacy.",
            "Ask whether it is wanted. On a server that nobody set it up on it is a way in.",
            "T1572",
        ),
    )
    facts = (Recognized,)

    def on_fact(self, fact: Fact) -> None:
        assert isinstance(fact, Recognized)
        if fact.protocol not in NAMES:
            return
        client, server, port = self.ends()
        if not client or is_local(server):
            return
        key = (client, server, fact.protocol)
        count = self.repeats(key)
        if not count:
            return
        self.alert(
            "vpn",
            f"{client} opened {count} {NAMES[fact.protocol]} connection{'s' if count > 1 else ''} to {server}:{port}; none is the limit.",
            fact.ts,
            client,
            server,
            confidence=0.8,
            fold=key,
            measured=count,
            threshold=0,
            unit="connections",
            protocol=fact.protocol,
            flow_ids=(fact.flow_id,),
        )
