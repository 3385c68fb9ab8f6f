"""HTTP/2 without TLS (RFC 9113): the header blocks of its frames, as requests and responses.

Begins with the client's preface (prior knowledge) or after an upgrade to h2c. Bodies are passed over by frame length. A hole outside a
body loses the state of the header compression, so the inspector ends there. HPACK (RFC 7541) is decoded by the hpack package, with
bounds on its dynamic table and on the size of a header list.
"""

from __future__ import annotations

import logging
from typing import Final

from hpack import Decoder
from hpack.exceptions import HPACKError

from app.dpi.facts import HttpTransaction
from app.dpi.http1_message import Head
from app.dpi.http_facts import HttpTeller
from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.signatures import TCP, begins, exactly

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADERS, _PUSH_PROMISE, _CONTINUATION = 1, 5, 9
_END_HEADERS, _PADDED, _PRIORITY = 0x4, 0x8, 0x20
_BLOCK_LIMIT: Final = 64 << 10
_TABLE_LIMIT: Final = 64 << 10  # each direction
_PENDING: Final = 1024
_FRAME_HEAD: Final = 9


class _Direction:
    """One direction: the frame being read, and the decoder with its dynamic table."""

    def __init__(self) -> None:
        self.decoder = Decoder(max_header_list_size=_BLOCK_LIMIT)
        self.decoder.max_allowed_table_size = _TABLE_LIMIT
        self.buffer = bytearray()
        self.skip = 0  # bytes of a frame that nobody wants
        self.started = False
        self.block = bytearray()  # header block fragments
        self.block_stream = 0  # 0: no block is open


class Http2Inspector:
    """One connection."""

    def __init__(self, flow: FlowContext) -> None:
        logging.getLogger("hpack").setLevel(
            logging.WARNING
        )  # its debug lines would hold header values: passwords, cookies
        self._teller = HttpTeller(flow)
        self._directions = (_Direction(), _Direction())
        self._pending: dict[int, HttpTransaction] = {}
        self._over = False

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        if self._over:
            return DONE
        self._teller.recognized(ts, "2")
        side = self._directions[direction]
        if side.skip:
            used = min(side.skip, len(data))
            side.skip -= used
            data = data[used:]
        side.buffer += data
        if not self._frames(side, ts):
            self.close(ts)
        return not self._over

    def gap(self, direction: int, length: int) -> bool:
        """A hole in a frame that nobody wants is skipped; any other ends the inspection."""
        side = self._directions[direction]
        if not self._over and length <= side.skip:
            side.skip -= length
            return MORE
        self.close(0)
        return DONE

    def close(self, ts: int) -> None:
        """The requests that nobody answered."""
        self._over = True
        for transaction in self._pending.values():
            self._teller.tell(transaction, None)
        self._pending.clear()

    def _frames(self, side: _Direction, ts: int) -> bool:
        """Read the frames in the buffer; False: this is not HTTP/2, or not readable any more."""
        buffer = side.buffer
        if not side.started:
            if len(buffer) < len(PREFACE) and PREFACE.startswith(bytes(buffer)):
                return True
            if buffer.startswith(PREFACE):
                del buffer[: len(PREFACE)]
            side.started = True
        position = 0
        while len(buffer) - position >= _FRAME_HEAD:
            length = int.from_bytes(buffer[position : position + 3], "big")
            kind, flags = buffer[position + 3], buffer[position + 4]
            stream = int.from_bytes(buffer[position + 5 : position + 9], "big") & 0x7FFFFFFF
            end = position + _FRAME_HEAD + length
            if kind not in (_HEADERS, _PUSH_PROMISE, _CONTINUATION):
                if side.block_stream:
                    return False  # RFC 9113 section 6.10: nothing may stand between the parts of a block
                side.skip = max(0, end - len(buffer))
                position = min(end, len(buffer))
                continue
            if length > _BLOCK_LIMIT:
                return False
            if end > len(buffer):
                break
            if not self._fragment(side, kind, flags, stream, bytes(buffer[position + _FRAME_HEAD : end]), ts):
                return False
            position = end
        del buffer[:position]
        return True

    def _fragment(self, side: _Direction, kind: int, flags: int, stream: int, payload: bytes, ts: int) -> bool:
        """One frame with a part of a header block."""
        if (kind == _CONTINUATION) != (side.block_stream != 0) or (
            kind == _CONTINUATION and stream != side.block_stream
        ):
            return False
        start, end = 0, len(payload)
        if kind != _CONTINUATION:
            if flags & _PADDED:
                start, end = 1, end - (payload[0] if payload else 0)
            if kind == _PUSH_PROMISE:
                stream = int.from_bytes(payload[start : start + 4], "big") & 0x7FFFFFFF
                start += 4
            elif flags & _PRIORITY:
                start += 5
        if start > end or not stream:
            return False
        side.block += payload[start:end]
        side.block_stream = stream
        if len(side.block) > _BLOCK_LIMIT:
            return False
        if flags & _END_HEADERS:
            block = bytes(side.block)
            side.block.clear()
            side.block_stream = 0
            return self._block(side, stream, block, ts)
        return True

    def _block(self, side: _Direction, stream: int, block: bytes, ts: int) -> bool:
        """A whole header block: a request, a response, or trailers."""
        fields: dict[bytes, bytes] = {}
        try:
            for name, value in side.decoder.decode(block, raw=True):
                fields.setdefault(bytes(name), bytes(value))
        except HPACKError:
            return False
        method, status = fields.get(b":method"), fields.get(b":status", b"")
        if method is not None:
            if b":authority" in fields:
                fields[b"host"] = fields[b":authority"]
            head = Head("2", method[:32], fields.get(b":path", b""), fields=fields)
            self._pending[stream] = self._teller.request(head, ts)
            if len(self._pending) > _PENDING:
                self._teller.tell(self._pending.pop(next(iter(self._pending))), None)
        elif len(status) == 3 and status.isdigit() and status[:1] != b"1" and stream in self._pending:
            self._teller.tell(self._pending.pop(stream), Head("2", status=int(status), fields=fields), ts)
        return True


@begins(exactly(TCP, b"PRI * HTTP/2.0\r\n"))
def recognize_http2(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """The client's preface, or the first frames after an upgrade to h2c (the server's SETTINGS may come first)."""
    if flow.protocol != 6:
        return None
    if data.startswith(PREFACE[:16]) or (flow.notes.get("upgrade") == "h2c" and data[3:5] == b"\4\0"):
        return Http2Inspector(flow)
    return None
