"""Stratum and its relatives: the lines of JSON by which miners of crypto currency get work from a pool. Wallets, workers' names and passwords are not kept."""

from __future__ import annotations

import re
from typing import Final

from app.dpi.facts import Action
from app.dpi.inspector import DONE, MORE, ORIGINATOR, FlowContext, Inspector
from app.dpi.protocol_inspector import ProtocolInspector
from app.dpi.signatures import TCP, begins, exactly

# Bitcoin's (mining.*), Ethereum's over JSON-RPC (eth_*), and the login of Monero's with what only a miner says of itself
_METHOD: Final = re.compile(
    rb'"method"\s?:\s?"(mining\.(?:subscribe|authorize|configure|submit|extranonce\.subscribe)|eth_(?:submitLogin|submitWork|submitHashrate|getWork)|login)"'
)
_MINER: Final = re.compile(rb'"algo"\s?:|"agent"\s?:\s?"[^"]{0,80}(?:[Mm]iner|xmrig|XMRig|cpuminer|stak)|"rigid"\s?:')
_AGENT: Final = re.compile(rb'"agent"\s?:\s?"([!-~ ]{1,60}?)"|"mining\.subscribe"[^\[]{0,60}\[\s?"([!-~ ]{1,60}?)"')
_LOOKED_AT: Final = 2048


class StratumInspector(ProtocolInspector):
    """The first request says it all."""

    protocol = "stratum"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._begun = bytearray()

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        if direction != ORIGINATOR:
            return MORE
        self._begun += data[:_LOOKED_AT]
        found = _METHOD.search(self._begun)
        if found is None or not (b"\n" in self._begun or b"}" in self._begun[-1:]):
            return MORE if len(self._begun) < _LOOKED_AT else DONE
        agent = _AGENT.search(self._begun)
        self.note("method", bytes(found[1]))
        self.note("agent", bytes(agent[1] or agent[2]) if agent else None)
        self.tell(ts)
        self.flow.sink(Action(self.flow.flow_id, ts, self.protocol, "mining", found[1].decode("ascii"), direction))
        return DONE


@begins(exactly(TCP, b"{"))
def recognize_stratum(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """A request of a miner: one of the methods, and for the bare login what only miners say."""
    if flow.protocol != 6 or direction != ORIGINATOR or not data.startswith(b"{"):
        return None
    found = _METHOD.search(data[:_LOOKED_AT])
    if found is None or (found[1] == b"login" and not _MINER.search(data[:_LOOKED_AT])):
        return None
    return StratumInspector(flow)
