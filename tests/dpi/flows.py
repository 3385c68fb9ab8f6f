"""A flow for inspector tests: collects the facts, and plays conversations through recogniser and inspector."""

from app.dpi.facts import CleartextLogin, HttpTransaction, Recognized
from app.dpi.inspector import ORIGINATOR, RESPONDER, FlowContext

C, S = ORIGINATOR, RESPONDER
START = 1_700_000_000 * 10**9


class Play:
    """One flow. `say(direction, data)` recognises first, then inspects; each call is a millisecond later."""

    def __init__(self, recognizers, protocol=6, src_port=40000, dst_port=9999):
        self.facts = []
        self.flow = FlowContext(7, protocol, "192.0.2.1", src_port, "192.0.2.2", dst_port, self.facts.append)
        self.recognizers = recognizers if isinstance(recognizers, tuple | list) else (recognizers,)
        self.inspector = None
        self.more = True
        self.ts = START
        self._begin = [b"", b""]
        self._waiting = []

    def say(self, direction, data):
        self.ts += 1_000_000
        if not self.more:
            return self
        if self.inspector:
            self.more = self.inspector.data(direction, data, self.ts)
            return self
        self._begin[direction] = data if self.flow.protocol == 17 else self._begin[direction] + data
        self._waiting.append((direction, data, self.ts))
        for recognize in self.recognizers:
            self.inspector = recognize(self.flow, direction, self._begin[direction][:4096])
            if self.inspector:
                break
        if self.inspector:
            for past_direction, past, ts in self._waiting:
                self.more = self.more and self.inspector.data(past_direction, past, ts)
        return self

    def gap(self, direction, length):
        if self.more and self.inspector:
            self.more = self.inspector.gap(direction, length)
        return self

    def close(self):
        if self.more and self.inspector:
            self.inspector.close(self.ts)
        return self

    def of(self, kind):
        return [fact for fact in self.facts if isinstance(fact, kind)]

    @property
    def http(self):
        return self.of(HttpTransaction)

    @property
    def logins(self):
        return [(fact.protocol, fact.username, fact.succeeded) for fact in self.of(CleartextLogin)]

    @property
    def recognized(self):
        return {fact.protocol: fact.details for fact in self.of(Recognized)}


def play(recognizers, *lines, **options):
    """Whole conversations: (direction, data), …"""
    flow = Play(recognizers, **options)
    for direction, data in lines:
        flow.say(direction, data)
    return flow.close()
