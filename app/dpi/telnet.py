"""Telnet (RFC 854): option negotiation, and who logs in, from prompts and what is typed after them. Passwords are not looked at.

The login is read off the dialogue as a reader of the screen would do it, so it is a best effort: prompts in other words are missed.
"""

from __future__ import annotations

import re
from typing import Final

from app.dpi.inspector import DONE, MORE, RESPONDER, FlowContext, Inspector
from app.dpi.login_inspector import LOGIN, LoginInspector
from app.dpi.protocol_inspector import on_port
from app.dpi.signatures import TCP, begins, on_ports, pattern

_IAC, _SB, _SE = 255, 250, 240
_COMMAND: Final = rb"(?:\xff[\xfb-\xfe][\x00-\x31\x8a-\x8c\xff])"
_NEGOTIATION: Final = re.compile(_COMMAND + rb"{2}")
_BEGUN: Final = re.compile(_COMMAND)
_PROMPT: Final = re.compile(rb"(?:login|username|user name|user|account)\s*:\s*\Z", re.IGNORECASE)
_PASSWORD: Final = re.compile(rb"(?:password|passwd|passcode|pin)\s*:\s*\Z", re.IGNORECASE)
_REFUSED: Final = re.compile(rb"incorrect|invalid|failed|denied|bad password|fail", re.IGNORECASE)
_WELCOME: Final = re.compile(rb"last login|welcome|[\w~\])][#$>%]\s*\Z", re.IGNORECASE)
_SCREEN: Final = 512  # bytes of the server's last words
_BUDGET: Final = 64 << 10


class TelnetInspector(LoginInspector):
    """One session up to its login."""

    protocol = "telnet"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._option = [0, 0]  # place in a command: 0 none, 1 IAC, 2 verb, 3 subnegotiation, 4 IAC in it
        self._screen = bytearray()
        self._typed = bytearray()
        self._state = ""  # what the client types: "user", "password"
        self._left = _BUDGET

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        self._first_ts = self._first_ts or ts
        self.tell(ts)
        self._left -= len(data)
        text = self._text(direction, data)
        if direction == RESPONDER:
            self._screen += text
            del self._screen[:-_SCREEN]
            done = self._read(ts)
        else:
            for byte in text:
                self._key(byte)
            done = False
        return DONE if done or self._left < 0 else MORE

    def gap(self, direction: int, length: int) -> bool:
        """Text goes on behind a hole."""
        self._option[direction] = 0
        return MORE

    def _read(self, ts: int) -> bool:
        """What the server's last words mean; True: the login is over."""
        screen = bytes(self._screen)
        if self._asked:
            refused = _REFUSED.search(screen) or _PROMPT.search(screen)
            if refused or _WELCOME.search(screen):
                self.outcome(ts, not refused)
                if not refused:
                    return True
        if _PASSWORD.search(screen):
            self._begin("password")
        elif _PROMPT.search(screen) and self._state != "user":
            self._begin("user")
        return False

    def _begin(self, state: str) -> None:
        self._state, self._asked = state, ""
        self._typed.clear()
        self._screen.clear()

    def _key(self, byte: int) -> None:
        """One byte typed. A password's bytes are not kept."""
        if byte in (8, 127):
            del self._typed[-1:]
        elif byte in (10, 13):
            if self._state == "user" and self._typed:
                self._user = bytes(self._typed)
                self._state = "typed"
            elif self._state == "password" and byte == 13:
                self._state, self._asked = "", LOGIN
                self._screen.clear()
            self._typed.clear()
        elif byte >= 32 and self._state == "user" and len(self._typed) < 256:
            self._typed.append(byte)

    def _text(self, direction: int, data: bytes) -> bytes:
        """`data` without Telnet's commands."""
        state = self._option[direction]
        if not state and _IAC not in data:
            return data
        text = bytearray()
        for byte in data:
            if state == 0:
                if byte == _IAC:
                    state = 1
                else:
                    text.append(byte)
            elif state == 1:
                state = 3 if byte == _SB else 2 if 251 <= byte <= 254 else 0
            elif state == 2:
                state = 0
            elif state == 3:
                state = 4 if byte == _IAC else 3
            else:
                state = 0 if byte == _SE else 3
        self._option[direction] = state
        return bytes(text)


@begins(pattern(TCP, "ff f?"), on_ports(TCP, 23, 2323))
def recognize_telnet(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """Two commands of option negotiation at the beginning; on Telnet's port one, or a prompt."""
    if flow.protocol != 6:
        return None
    usual = on_port(flow, 23, 2323)
    if _NEGOTIATION.match(data) or (usual and _BEGUN.match(data)):
        return TelnetInspector(flow)
    prompted = direction == RESPONDER and usual and data.isascii() and _PROMPT.search(data)
    return TelnetInspector(flow) if prompted else None
