"""What nDPI said of earlier connections that asked for the same thing, so that it need not be shown all of them.

Whose a connection is follows from what the client asks for by name (SNI, HTTP's Host, a DNS question), from the service's port, and where the
name alone does not tell, from the network of the server's address. All three have to be those of a flow that nDPI named by its content.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Final

from app.dpi.application import BY_CACHE, BY_CONTENT, BY_PART, Application
from app.dpi.inspector import FlowContext, Identity

MOST: Final = 8192  # names, and server addresses; the ones learned first are forgotten for others

Question = tuple[Identity, int, int, str]  # what is asked for, IP protocol, the server's port and address
Key = tuple[Identity, int, int, "str | None"]  # the same with the owner of the address


class KnownApplications:
    """Of one capture."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        # OrderedDict: a dict looks for its oldest key past the places of all that went before it.
        self._owners: OrderedDict[str, str | None] = (
            OrderedDict()
        )  # of server addresses; None = of nobody that nDPI knows
        self._names: OrderedDict[Key, Application] = OrderedDict()
        self._asked: OrderedDict[int, Question] = OrderedDict()  # flows that nDPI is shown, by flow id

    def find(self, flow: FlowContext) -> Application | None:
        """What an earlier flow of the same identity was; None: it is to be shown to nDPI, whose word will be learned."""
        if flow.identity is None:
            return None
        server = flow.dst_ip
        if server in self._owners:
            known = self._names.get((flow.identity, flow.protocol, flow.dst_port, self._owners[server]))
            if known is not None:
                return known
        self._asked[flow.flow_id] = (flow.identity, flow.protocol, flow.dst_port, server)
        if len(self._asked) > self._most:
            self._asked.popitem(last=False)
        return None

    def learn(self, flow_id: int, application: Application) -> None:
        """nDPI's word on a flow."""
        question = self._asked.pop(flow_id, None)
        if question is None or application.confidence not in (BY_CONTENT, BY_PART):
            return
        identity, protocol, port, server = question
        owner = application.address_owner
        self._owners[server] = owner
        self._names[identity, protocol, port, owner] = replace(application, confidence=BY_CACHE, risks=())
        if len(self._owners) > self._most:
            self._owners.popitem(last=False)
        if len(self._names) > self._most:
            self._names.popitem(last=False)
