"""Contacts with addresses and domains of the user's block lists."""

from __future__ import annotations

import numpy as np

from app.detect.batch import Batch
from app.detect.block_list import BLOCK
from app.detect.conversation import ConversationDetector
from app.detect.networks import text
from app.detect.rule import Rule
from app.dpi.facts import DnsTransaction, Fact, HttpTransaction, TlsClientHello

_OF = {"tor": "list of Tor's relays", "vpn": "list of VPNs", "proxy": "list of proxies"}


class BlockedDestination(ConversationDetector):
    """Compares names in facts and the addresses of each flow's first packet."""

    name = "blocked_destination"
    rules = (
        Rule(
            "blocked_address",
            "Contact with a block-listed address",
            "high",
            "A connection was opened to or from an address that is on one of your block lists.",
            "Lists age: an address may have another owner now.",
            "Look at what the connection carried and which program held it; ask the list why the address is on it.",
            "T1071",
        ),
        Rule(
            "blocked_domain",
            "Contact with a block-listed domain",
            "high",
            "A name that is on one of your block lists was asked for, or a connection was opened to it.",
            "Lists against advertising name thousands of harmless hosts.",
            "Find the program that asked for the name.",
            "T1071",
        ),
        Rule(
            "anonymous_network",
            "Contact with Tor, a VPN or a proxy, as your list says",
            "low",
            "A connection to or from an address, or a question for a name, that one of your lists names as belonging to an anonymising network.",
            "VPNs and the Tor Browser that somebody uses on purpose. Relays change their addresses: lists of last week are wrong.",
            "Ask whether it is wanted. From outside, look at what was asked of your host.",
            "T1090.003",
        ),
    )
    selections = ("first",)
    facts = (DnsTransaction, TlsClientHello, HttpTransaction)

    def on_packets(self, batch: Batch) -> None:
        lists = self.context.block_list
        if lists is None or not len(lists):
            return
        chosen = batch.select("first")
        mask = np.zeros(len(chosen), np.bool_)
        for end in ("src", "dst"):
            hi, lo = batch.column(f"{end}_hi", chosen), batch.column(f"{end}_lo", chosen)
            v4 = (hi == 0) & (lo >> np.uint64(32) == np.uint64(0xFFFF))
            mask |= v4 & lists.v4_rows(lo & np.uint64(0xFFFFFFFF))
            if lists.has_v6:
                mask |= ~v4
        for index in chosen[mask].tolist()[:256]:
            row = batch.row(index)
            source, target = text(int(row["src_hi"]), int(row["src_lo"])), text(int(row["dst_hi"]), int(row["dst_lo"]))
            for address, other, out in ((target, source, True), (source, target, False)):
                found = lists.address(address)
                if found is not None:
                    self._address(batch, index, int(row["ts"]), address, other, out, *found)

    def _address(
        self, batch: Batch, index: int, ts: int, address: str, other: str, out: bool, name: str, category: str
    ) -> None:
        count = self.repeats((address, other))
        if not count:
            return
        how = f"{other} opened a connection to {address}" if out else f"{address} sent to {other}"
        blocked = category == BLOCK
        self.alert(
            "blocked_address" if blocked else "anonymous_network",
            f"{how}, which is on the {'block list' if blocked else _OF[category]} {name}.",
            ts,
            other if out else address,
            address if out else other,
            confidence=0.8,
            severity=("high" if out else "medium") if blocked else "low",
            fold=(address, other),
            measured=count,
            threshold=0,
            unit="connections",
            flow_ids=(batch.flow_id(index),),
            evidence=batch.evidence(index),
            details={"list": name, "category": category},
        )

    def on_fact(self, fact: Fact) -> None:
        lists = self.context.block_list
        if lists is None or not lists.domains:
            return
        client, server, _ = self.ends()
        if isinstance(fact, DnsTransaction):
            name, what, client, server = fact.query, "asked for", fact.client, fact.server
        elif isinstance(fact, TlsClientHello):
            name, what = fact.server_name or "", "opened a TLS connection to"
        else:
            assert isinstance(fact, HttpTransaction)
            name, what = (fact.host or "").partition(":")[0], "sent a web request to"
        found = lists.domain(name) if name else None
        if found is None:
            return
        count = self.repeats((found[0], client))
        if not count:
            return
        blocked = found[2] == BLOCK
        self.alert(
            "blocked_domain" if blocked else "anonymous_network",
            f"{client} {what} {name[:100]}, which is on the {'block list' if blocked else _OF[found[2]]} {found[1]} ({found[0]}).",
            fact.ts,
            client,
            found[0],
            confidence=0.8,
            fold=(client, found[0]),
            measured=count,
            threshold=0,
            unit="contacts",
            flow_ids=(fact.flow_id,),
            details={"list": found[1], "category": found[2], "server": server},
        )
