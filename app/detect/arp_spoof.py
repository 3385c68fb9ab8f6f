"""ARP spoofing: somebody answers for an address that is not his; and two hosts with the same address.

Three signs. (1) An address goes to and fro between two hardware addresses. (2) After a claim by ARP the traffic of a host to the outside leaves by the
claimant, not by the router that it used before. (3) One hardware address sends answers nobody asked for, for several addresses, again and again.
A single change of hardware address alone is a new network card or a new lease, and is not told.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from app.detect import networks
from app.detect.batch import Batch, mac_text
from app.detect.detector import Detector
from app.detect.rule import Knob, Rule
from app.model.alert import Evidence
from app.stats.bounded import Last

SECOND: Final = 1_000_000_000
MAX_ADDRESSES: Final = 4096
MOST_A_SECOND: Final = 1000  # ARP packets that are read
SAMPLE_NS: Final = 50_000_000  # between two looks at hardware addresses
SAMPLED: Final = 16  # packets of one second's batch whose hardware addresses are read
REQUEST, REPLY = 1, 2
PACKETS_ASTRAY: Final = 3  # looked at, that go the new way
_GROUP: Final = 1  # lowest bit of a hardware address' first octet


class Holder:
    """Who says that an address is his."""

    __slots__ = ("changes", "evidence", "macs", "told")

    def __init__(self) -> None:
        self.macs: dict[bytes, int] = {}  # hardware address → when last
        self.changes: Last[int] = Last(32)  # times at which it went from one to the other
        self.evidence: Last[Evidence] = Last(20)
        self.told = 0


class Claimant:
    """What a hardware address says by ARP."""

    __slots__ = ("addresses", "evidence", "insisted", "insisted_told", "told", "unasked")

    def __init__(self) -> None:
        self.addresses: dict[int, int] = {}  # address → when last
        self.unasked: Last[tuple[int, int, bytes]] = Last(64)  # (time, address, to whom)
        self.insisted: Last[tuple[int, int]] = Last(64)  # (time, address)
        self.insisted_told = 0
        self.evidence: Last[Evidence] = Last(20)
        self.told = 0


class WayOut:
    """By whom a host reaches the outside."""

    __slots__ = ("last", "others", "router")

    def __init__(self) -> None:
        self.router = b""
        self.last = 0
        self.others = 0  # packets by another since


class ArpSpoof(Detector):
    name = "arp_spoof"
    rules = (
        Rule(
            "arp_spoof",
            "ARP spoofing: somebody answers for an address that is not his",
            "high",
            "A host claims the address of another by ARP, so that traffic goes to it: it can read and change it (man in the middle).",
            "Two routers that take over from each other (VRRP, HSRP), virtual machines that move, and mobile devices that change between cable and radio do it once, not again and again.",
            "Find the machine by its hardware address at the switch and take it off the network; treat what was sent in clear meanwhile as read.",
            "T1557.002",
        ),
        Rule(
            "duplicate_address",
            "Duplicate address: two hosts use the same IP address",
            "medium",
            "Two hardware addresses take turns in saying that the same IP address is theirs: a conflict, or spoofing.",
            "A device with a fixed address inside the range of the DHCP server; a laptop on cable and radio at once.",
            "Find both devices by their hardware addresses; give one of them another address.",
            "T1557.002",
        ),
    )
    knobs = (
        Knob("flips", 3, "changes", "A take-over changes once and maybe back; three changes within the window are two that claim the same."),
        Knob("window_s", 300, "s", "Spoofing tools repeat themselves every one to ten seconds, as caches forget."),
        Knob("insisted", 12, "claims", "Said unasked of an address that another had: a take-over says it five to ten times, tools every other second."),
        Knob("unasked", 4, "replies", "A host announces itself once or twice when it comes up; tools go on."),
    )  # fmt: skip
    selections = ("arp", "all")

    def begin(self) -> None:
        self._window = int(self.knob("window_s")) * SECOND
        self._sampled = 0
        self._holders = self.bounded(MAX_ADDRESSES, Holder, lambda holder: len(holder.macs) > 1)
        self._claimants = self.bounded(MAX_ADDRESSES, Claimant, lambda one: len(one.addresses) > 1)
        self._asked = self.bounded(MAX_ADDRESSES, lambda: [0])
        self._ways = self.bounded(MAX_ADDRESSES, WayOut)  # by the host's hardware address

    def on_packets(self, batch: Batch) -> None:
        for index in self.ration("arp", batch, batch.select("arp"), MOST_A_SECOND).tolist():
            self._arp(batch, index)
        if batch.now_ns - self._sampled >= SAMPLE_NS or batch.now_ns < self._sampled:
            self._sampled = batch.now_ns
            self._sample(batch)

    def _arp(self, batch: Batch, index: int) -> None:
        packet, macs = batch.arp(index), batch.macs(index)
        if len(packet) < 28 or packet[4] != 6 or packet[5] != 4:
            return
        operation, mac = packet[7], packet[8:14]
        sender, target = int.from_bytes(packet[14:18], "big"), int.from_bytes(packet[24:28], "big")
        ts = int(batch.row(index)["ts"])
        if operation == REQUEST and sender != target:
            self._asked[(sender, target)][0] = ts
        # said to all without being asked, or asked of one host alone by somebody who has another's address
        insists = sender == target or (operation == REQUEST and macs is not None and not macs[1][0] & _GROUP)
        if not sender or mac[0] & _GROUP or not any(mac):
            return
        evidence = batch.evidence(index)[0]
        self._hold(sender, mac, ts, evidence)
        claimant = self._claimants[mac]
        claimant.addresses[sender] = ts
        if len(claimant.addresses) > 64:
            claimant.addresses.pop(next(iter(claimant.addresses)))
        claimant.evidence.append(evidence)
        if insists:
            claimant.insisted.append((ts, sender))
            self._judge_insisting(mac, claimant, sender, ts)
        asked = self._asked.get((target, sender))
        unasked = operation == REPLY and (asked is None or ts - asked[0] > 5 * SECOND)
        if unasked and sender != target and macs is not None and not macs[1][0] & _GROUP:
            claimant.unasked.append((ts, sender, packet[18:24]))
            self._judge_claimant(mac, claimant, ts)

    def _hold(self, address: int, mac: bytes, ts: int, evidence: Evidence) -> None:
        holder = self._holders[address]
        last = max(holder.macs, key=holder.macs.__getitem__) if holder.macs else mac
        if mac not in holder.macs and len(holder.macs) >= 8:
            holder.macs.pop(min(holder.macs, key=holder.macs.__getitem__))
        holder.macs[mac] = ts
        holder.evidence.append(evidence)
        if last != mac:
            holder.changes.append(ts)
            self._judge_holder(address, holder, ts)

    def _judge_holder(self, address: int, holder: Holder, ts: int) -> None:
        recent = [change for change in holder.changes if ts - change <= self._window]
        limit = int(self.knob("flips"))
        macs = sorted((mac for mac, seen in holder.macs.items() if ts - seen <= self._window))
        if len(recent) < limit or len(recent) < 2 * holder.told or len(macs) < 2:
            return
        holder.told = len(recent)
        spoofers = [mac for mac in macs if self._others(mac, address, ts)]
        ip, names = networks.text(*networks.v4(address)), " and ".join(map(mac_text, macs[:4]))
        source = mac_text(spoofers[0]) if spoofers else None
        self.alert(
            "arp_spoof" if spoofers else "duplicate_address",
            f"{ip} went to and fro between {names} {len(recent)} times within {self._window // SECOND} s; the limit is {limit}.",
            ts,
            source,
            ip,
            confidence=0.85 if spoofers else 0.7,
            fold=(address,),
            measured=len(recent),
            threshold=limit,
            unit="changes",
            protocol="arp",
            evidence=list(holder.evidence),
            details={"hardware_addresses": [mac_text(mac) for mac in macs], "also_claims": self._names(spoofers, ts)},
        )

    def _others(self, mac: bytes, address: int, ts: int) -> list[int]:
        """Further addresses that a hardware address says are its own."""
        claimant = self._claimants.get(mac)
        if claimant is None:
            return []
        return [one for one, seen in claimant.addresses.items() if one != address and ts - seen <= self._window]

    def _names(self, macs: list[bytes], ts: int) -> list[str]:
        found = {networks.text(*networks.v4(one)) for mac in macs for one in self._others(mac, 0, ts)}
        return sorted(found)[:20]

    def _judge_insisting(self, mac: bytes, claimant: Claimant, address: int, ts: int) -> None:
        """The address was another's a moment ago, and this one says again and again that it is his."""
        holder = self._holders.get(address)
        others = (
            [one for one, seen in holder.macs.items() if one != mac and ts - seen <= self._window] if holder else []
        )
        count = sum(claimed == address and ts - when <= self._window for when, claimed in claimant.insisted)
        limit = int(self.knob("insisted"))
        if not others or count < max(limit, 2 * claimant.insisted_told):
            return
        claimant.insisted_told = count
        ip = networks.text(*networks.v4(address))
        self.alert(
            "arp_spoof",
            f"{mac_text(mac)} said {count} times unasked that {ip} is his, which {mac_text(others[0])} had; the limit is {limit} within {self._window // SECOND} s.",
            ts,
            mac_text(mac),
            ip,
            confidence=0.8,
            fold=("insists", mac, address),
            measured=count,
            threshold=limit,
            unit="claims",
            protocol="arp",
            evidence=list(claimant.evidence),
            details={"before": [mac_text(one) for one in others]},
        )

    def _judge_claimant(self, mac: bytes, claimant: Claimant, ts: int) -> None:
        recent = [one for one in claimant.unasked if ts - one[0] <= self._window]
        claimed = {address for _, address, _ in recent}
        limit = int(self.knob("unasked"))
        both_ends = len({address for _, address, _ in recent}) >= 2
        contested = [a for a in claimed if (h := self._holders.get(a)) is not None and len(h.macs) > 1]
        if len(recent) < limit or not (both_ends or contested) or len(recent) < 2 * claimant.told:
            return
        claimant.told = len(recent)
        names = ", ".join(networks.text(*networks.v4(one)) for one in sorted(claimed)[:5])
        victims = sorted({mac_text(to) for _, _, to in recent})
        self.alert(
            "arp_spoof",
            f"{mac_text(mac)} sent {len(recent)} ARP answers that nobody had asked for, claiming {names}; the limit is {limit} within {self._window // SECOND} s.",
            ts,
            mac_text(mac),
            names,
            confidence=0.9 if contested else 0.75,
            fold=("unasked", mac),
            measured=len(recent),
            threshold=limit,
            unit="replies",
            protocol="arp",
            evidence=list(claimant.evidence),
            details={
                "victims": victims[:20],
                "contested": [networks.text(*networks.v4(one)) for one in contested[:20]],
            },
        )

    # -- the way out --------------------------------------------------------------------------------------------------

    def _sample(self, batch: Batch) -> None:
        """By which hardware address hosts reach public addresses, of a few packets."""
        step = max(len(batch) // SAMPLED, 1)
        indices = np.arange(batch.begin, batch.end, step)
        if not (batch.column("link_type", indices) == 1).any():
            return
        v4 = (batch.column("ip_version", indices) == 4) & (batch.column("depth", indices) == 0)
        hi, lo = batch.column("dst_hi", indices), batch.column("dst_lo", indices)
        outside = v4 & ~networks.private_rows(hi, lo) & ~networks.group_rows(hi, lo)
        own = networks.private_rows(batch.column("src_hi", indices), batch.column("src_lo", indices))
        for index in indices[outside & own].tolist():
            macs = batch.macs(index)
            if macs is not None and not macs[1][0] & _GROUP:
                self._way_out(batch, index, macs)

    def _way_out(self, batch: Batch, index: int, macs: tuple[bytes, bytes]) -> None:
        """Note it; tell when the way changes to somebody who claimed an address by ARP lately."""
        host, router = macs
        row = batch.row(index)
        ts = int(row["ts"])
        way = self._ways[host]
        if not way.router or way.router == router:
            way.router, way.last, way.others = router, ts, 0
            return
        claimant = self._claimants.get(router)
        claims = [a for a, seen in claimant.addresses.items() if ts - seen <= self._window] if claimant else []
        if claimant is None or not claims or ts - way.last > self._window:
            way.router, way.last, way.others = router, ts, 0
            return
        way.others += 1
        if way.others < PACKETS_ASTRAY:
            return
        before, way.router, way.last, way.others = way.router, router, ts, 0
        victim = networks.text(int(row["src_hi"]), int(row["src_lo"]))
        names = ", ".join(networks.text(*networks.v4(one)) for one in sorted(claims)[:5])
        self.alert(
            "arp_spoof",
            f"{mac_text(router)} claimed {names} by ARP, and since then the traffic of {victim} to the outside goes to it, not to {mac_text(before)} as before; the limit is one change.",
            ts,
            mac_text(router),
            victim,
            confidence=0.85,
            fold=("way out", router),
            measured=1,
            threshold=1,
            unit="changes",
            protocol="arp",
            flow_ids=[flow for flow in (batch.flow_id(index),) if flow],
            evidence=[*claimant.evidence, *batch.evidence(index)],
            details={"router_before": mac_text(before), "claims": names},
        )
