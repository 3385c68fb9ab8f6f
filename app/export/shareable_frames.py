"""Frames that can be given away: addresses replaced by pseudonyms, everything behind the transport's header cut off, checksums made right again.

What is left is who (by pseudonym) sent how much to whom, when, and with which flags. A checksum of TCP, UDP or ICMP is that of the same packet with zeros as payload: it is
right for whoever fills the cut bytes with zeros, and tells nothing of what was there. A frame whose layers are not known to the last byte is left out and counted.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from app.export.pcap import Frame
from app.export.pseudonyms import Pseudonyms

_ETHERNET, _NULL, _RAW, _LOOP, _SLL, _IPV4, _IPV6, _SLL2 = 1, 0, 101, 108, 113, 228, 229, 276
_VLAN_TAGS: Final = frozenset({0x8100, 0x88A8, 0x9100})
_ARP, _IP, _IP6 = 0x0806, 0x0800, 0x86DD
_ICMP, _TCP, _UDP, _ICMP6 = 1, 6, 17, 58
_ICMP_HEAD: Final = 8
_KEPT_TCP_OPTIONS: Final = frozenset(
    {2, 3, 4}
)  # segment size, window scale, SACK permitted; a timestamp tells one machine from another
_MULTICAST: Final = 1


class _Pseudonymous(Protocol):
    def packed(self, address: bytes) -> bytes: ...
    def hardware(self, text: str) -> str: ...


@dataclass(frozen=True, slots=True)
class SharedFrame:
    """A `Frame` without anything that says who."""

    ts: int
    frame: bytes
    wire_len: int
    link_type: int
    interface: int
    flow_id: int = 0
    hidden: tuple[int, ...] = ()


class ShareableFrames:
    """One export. `manifest` is complete when the frames have been read."""

    def __init__(self, pseudonyms: _Pseudonymous | None = None) -> None:
        self._pseudonyms = pseudonyms or Pseudonyms()
        self._addresses: dict[bytes, bytes] = {}
        self._hardware: dict[bytes, bytes] = {}
        self.counts: Counter[str] = Counter()

    def frames(self, frames: Iterable[Frame]) -> Iterator[SharedFrame]:
        """Those that can be shared, in their order."""
        for frame in frames:
            try:
                data = self._link(frame.frame, frame.link_type)
            except (IndexError, struct.error):
                data = None  # cut within a header
            if data is None:
                self.counts["frames_left_out"] += 1
                continue
            self.counts["frames"] += 1
            self.counts["bytes_cut"] += max(len(frame.frame) - len(data), 0)
            yield SharedFrame(
                frame.ts, data, frame.wire_len, frame.link_type, frame.interface, getattr(frame, "flow_id", 0)
            )

    def manifest(self) -> dict[str, Any]:
        """What was done, for whoever gets the file."""
        return {
            "made_by": "Netglass",
            "addresses": "prefix-preserving pseudonyms (Crypto-PAn) in IP and ARP; the key is not kept",
            "hardware_addresses": "replaced by locally administered ones",
            "payload": "cut behind the headers of TCP, UDP and ICMP; tunnels and other protocols behind that of IP",
            "options": "of IP replaced by no-operation; of TCP only segment size, window scale and SACK permitted are kept",
            "checksums": "right for the addresses in this file and zeros in place of what was cut",
            "times": "unchanged",
            "interfaces": "numbered",
            "comments": "none",
            **{name: self.counts[name] for name in ("frames", "frames_left_out", "bytes_cut")},
        }

    # -- links ---------------------------------------------------------------------------------------------------------

    def _link(self, data: bytes, link_type: int) -> bytes | None:
        if link_type == _ETHERNET:
            return self._ethernet(data)
        if link_type in (_RAW, _IPV4, _IPV6):
            return self._by_version(data)
        if link_type in (_NULL, _LOOP):
            return self._headed(data[:4], self._by_version(data[4:]))
        if link_type == _SLL:
            head = data[:4] + b"\0\6" + self._mac(data[6:12]) + b"\0\0" + data[14:16]
            return self._headed(head, self._network(data[16:], struct.unpack_from(">H", data, 14)[0]))
        if link_type == _SLL2:
            head = data[:11] + b"\6" + self._mac(data[12:18]) + b"\0\0"
            return self._headed(head, self._network(data[20:], struct.unpack_from(">H", data, 0)[0]))
        return None

    @staticmethod
    def _headed(head: bytes, rest: bytes | None) -> bytes | None:
        return None if rest is None else head + rest

    def _ethernet(self, data: bytes) -> bytes | None:
        kind, at = struct.unpack_from(">H", data, 12)[0], 14
        while kind in _VLAN_TAGS:
            kind, at = struct.unpack_from(">H", data, at + 2)[0], at + 4
        head = self._mac(data[:6]) + self._mac(data[6:12]) + data[12:at]
        return self._headed(head, self._network(data[at:], kind))

    def _mac(self, address: bytes) -> bytes:
        """Groups stay groups, so that broadcasts are still seen as such."""
        if len(address) < 6:
            raise IndexError(address)
        if address == b"\xff" * 6 or address == bytes(6):
            return address
        found = self._hardware.get(address)
        if found is None:
            made = bytes.fromhex(self._pseudonyms.hardware(address.hex(":")).replace(":", ""))
            found = self._hardware[address] = bytes([made[0] | (address[0] & _MULTICAST)]) + made[1:]
        return found

    def _address(self, address: bytes) -> bytes:
        found = self._addresses.get(address)
        if found is None:
            found = self._addresses[address] = self._pseudonyms.packed(address)
        return found

    # -- network -------------------------------------------------------------------------------------------------------

    def _network(self, data: bytes, kind: int) -> bytes | None:
        if kind == _IP:
            return self._ipv4(data)
        if kind == _IP6:
            return self._ipv6(data)
        return self._arp(data) if kind == _ARP else None

    def _by_version(self, data: bytes) -> bytes | None:
        version = data[0] >> 4
        return self._ipv4(data) if version == 4 else self._ipv6(data) if version == 6 else None

    def _arp(self, data: bytes) -> bytes | None:
        if data[:6] != b"\0\1\x08\0\6\4" or len(data) < 28:
            return None
        ends = (self._mac(data[8:14]), self._address(data[14:18]), self._mac(data[18:24]), self._address(data[24:28]))
        return data[:8] + b"".join(ends)

    def _ipv4(self, data: bytes) -> bytes | None:
        length = (data[0] & 15) * 4
        if data[0] >> 4 != 4 or length < 20 or len(data) < length:
            return None
        ends = self._address(data[12:16]) + self._address(data[16:20])
        total, fragment = struct.unpack_from(">H", data, 2)[0], struct.unpack_from(">H", data, 6)[0] & 0x3FFF
        head = bytearray(data[:10] + b"\0\0" + ends + b"\1" * (length - 20))
        struct.pack_into(">H", head, 10, checksum(head))
        size = max(total - length, 0) if total else None
        if fragment:
            return bytes(head)  # of a datagram in parts nothing but the header: its checksum is over all of them
        return bytes(head) + self._transport(data[length : total or None], data[9], ends, size)

    def _ipv6(self, data: bytes) -> bytes | None:
        if len(data) < 40 or data[0] >> 4 != 6:
            return None
        size = struct.unpack_from(">H", data, 4)[0]
        ends = self._address(data[8:24]) + self._address(data[24:40])
        # the traffic class stays, the flow label goes: it is made of addresses and ports
        head = data[:1] + bytes([data[1] & 0xF0, 0, 0]) + data[4:8] + ends
        return head + self._transport(data[40 : 40 + size if size else None], data[6], ends, size or None)

    # -- transport -----------------------------------------------------------------------------------------------------

    def _transport(self, data: bytes, protocol: int, ends: bytes, size: int | None) -> bytes:
        """The transport's header with a new checksum; nothing where it is not known or not whole."""
        size = len(data) if size is None else size
        if protocol == _TCP and len(data) >= 20:
            length = (data[12] >> 4) * 4
            if length < 20 or len(data) < length:
                return b""
            head, at = bytearray(data[:20] + _tcp_options(data[20:length])), 16
        elif protocol == _UDP and len(data) >= 8:
            head, at = bytearray(data[:8]), 6
        elif protocol in (_ICMP, _ICMP6) and len(data) >= _ICMP_HEAD:
            head, at = bytearray(data[:2] + bytes(2) + bytes(4)), 2
            if data[0] in (0, 8, 128, 129):  # echoes: identifier and number
                head[4:8] = data[4:8]
        else:
            return b""
        struct.pack_into(">H", head, at, 0)
        pseudo = b"" if protocol == _ICMP else ends + struct.pack(">IHBB", size, 0, 0, protocol)
        struct.pack_into(">H", head, at, checksum(pseudo + bytes(head)) or (0xFFFF if protocol == _UDP else 0))
        return bytes(head)


def _tcp_options(options: bytes) -> bytes:
    """Of the same length; what is not kept becomes no-operations."""
    found, at = bytearray(b"\1" * len(options)), 0
    while at < len(options) and options[at] != 0:
        if options[at] == 1:
            at += 1
            continue
        if at + 1 >= len(options) or options[at + 1] < 2 or at + options[at + 1] > len(options):
            break
        length = options[at + 1]
        if options[at] in _KEPT_TCP_OPTIONS:
            found[at : at + length] = options[at : at + length]
        at += length
    return bytes(found)


def checksum(data: bytes | bytearray) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data[: len(data) // 2 * 2])) + (
        data[-1] << 8 if len(data) % 2 else 0
    )
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
