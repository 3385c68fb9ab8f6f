"""What is told of an HTTP request and its response, whatever the version: values as text, card numbers masked, logins noted."""

from __future__ import annotations

from typing import Final

from app.dpi.facts import CleartextLogin, HttpTransaction, Recognized
from app.dpi.http1_message import Head, basic_user, content_length
from app.dpi.inspector import FlowContext
from app.dpi.printable import printable, without_cards, without_password

_TARGET: Final = 8192
_VALUE: Final = 1024
_NUMBER: Final = 128  # looked at behind the cut, so that no number is cut before it is known as one
_MOST_SHOWN: Final = 2048
_LOGINS: Final = 256  # outcomes remembered per flow


class HttpTeller:
    """Makes the facts of one flow."""

    __slots__ = ("_flow", "_logins", "_recognized")

    def __init__(self, flow: FlowContext) -> None:
        self._flow = flow
        self._logins: set[tuple[str, bool | None]] | None = None
        self._recognized = False

    def recognized(self, ts: int, version: str) -> None:
        """The flow's first message."""
        if not self._recognized:
            self._recognized = True
            self._flow.sink(Recognized(self._flow.flow_id, ts, "http", {"version": version}))

    def request(self, head: Head, ts: int) -> HttpTransaction:
        """A transaction without its response, not told yet."""
        fields = head.fields
        user = basic_user(head)
        method, host, user_agent = (
            printable(head.method or b""),
            _text(fields.get(b"host")),
            _text(fields.get(b"user-agent")),
        )
        if host and self._flow.identity is None:
            self._flow.identity = ("http", host.lower(), method, user_agent)
        return HttpTransaction(
            self._flow.flow_id,
            ts,
            method,
            host,
            printable(without_cards(without_password(head.target[: _TARGET + _NUMBER])), _TARGET),
            head.version,
            user_agent=user_agent,
            referrer=_text(fields.get(b"referer")),
            username=None if user is None else printable(user),
        )

    def tell(self, transaction: HttpTransaction, response: Head | None, response_ts: int = 0) -> None:
        """Tell a transaction, with what its response's head says where there is one."""
        if response is not None:
            transaction.status = response.status
            transaction.content_type = _text(response.fields.get(b"content-type"))
            transaction.server = _text(response.fields.get(b"server"))
            transaction.response_length = content_length(response)
            transaction.latency_ns = max(0, response_ts - transaction.ts)
        self._flow.sink(transaction)
        if transaction.username is not None:
            self._login(transaction, transaction.username)

    def _login(self, transaction: HttpTransaction, username: str) -> None:
        """Every refused attempt, but success only once: browsers repeat the header with each request."""
        status = transaction.status
        succeeded = None if status is None else False if status in (401, 407) else True if status < 400 else None
        if succeeded is not False:
            if self._logins is None:
                self._logins = set()
            if (username, succeeded) in self._logins:
                return
            if len(self._logins) < _LOGINS:
                self._logins.add((username, succeeded))
        self._flow.sink(CleartextLogin(self._flow.flow_id, transaction.ts, "http", username, succeeded))


_shown: dict[bytes, str] = {}  # values that are shown as they are: programs and servers repeat theirs


def _text(value: bytes | None) -> str | None:
    if value is None:
        return None
    text = _shown.get(value)
    if text is None:
        text = printable(without_cards(without_password(value[: _VALUE + _NUMBER])), _VALUE)
        if len(text) == len(value) and text.encode() == value:  # so nothing secret is kept
            if len(_shown) >= _MOST_SHOWN:
                _shown.clear()
            _shown[value] = text
    return text
