"""Which recognisers are asked about the first bytes of a flow: those of which a signature may fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.dpi.inspector import Recognizer
from app.dpi.signatures import TCP, UDP, signatures_of

Asked = tuple[Recognizer, ...]
_MOST: Final = 1024  # sets of recognisers remembered


class Recognition:
    """The recognisers of one capture, in the order in which they are asked."""

    def __init__(self, tcp: Sequence[Recognizer], udp: Sequence[Recognizer]) -> None:
        self.all: Final = {TCP: tuple(tcp), UDP: tuple(udp)}  # by protocol
        self._fitting: dict[tuple[int, int], Asked] = {}  # by protocol and bits
        self._beginning: dict[tuple[int, int], Asked] = {}  # by protocol and first byte

    def that_fit(self, protocol: int, bits: int) -> Asked:
        """Those of these bits. 0 and less: nobody has compared signatures."""
        if bits <= 0:
            return self.all[protocol]
        known = self._fitting.get((protocol, bits))
        if known is None:
            if len(self._fitting) > _MOST:
                self._fitting.clear()
            known = tuple(one for place, one in enumerate(self.all[protocol]) if bits >> place & 1)
            self._fitting[protocol, bits] = known
        return known

    def beginning(self, protocol: int, data: bytes) -> Asked:
        """Those that may know what begins with the first byte of `data`."""
        if not data:
            return self.all[protocol]
        first = data[0]
        known = self._beginning.get((protocol, first))
        if known is None:
            known = tuple(one for one in self.all[protocol] if _may_begin(one, protocol, first))
            self._beginning[protocol, first] = known
        return known


def _may_begin(recognizer: Recognizer, protocol: int, first: int) -> bool:
    signed = signatures_of(recognizer, protocol)
    return any(not one.mask or (one.value[0] ^ first) & one.mask[0] == 0 for one in signed)
