"""Signs of shells and of machines that report about themselves; a line's end at the beginning ends no search."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dpi.dialogue import recognize_dialogue, signs
from app.dpi.facts import Action
from tests import pace
from tests.dpi.flows import C, Play, S


@pytest.mark.parametrize(
    ("data", "sign"),
    [
        (b"Microsoft Windows [Version 6.1.7601]\r\nCopyright", ("shell", "Windows command prompt")),
        (b"\nroot@web-01:/var/www# ", ("shell", "shell prompt")),
        (b"uid=33(www-data) gid=33(www-data) groups=33(www-data)\n", ("shell", "output of id")),
        (b"/bin/sh: 0: can't access tty; job control turned off\n$ ", ("shell", "shell without terminal")),
        (b"ANABILGI|192.168.126.143|US|rat1|NO|Administrator / SCANDELL|Windows XP|1", ("report", "system report")),
        (b"A" * 300 + b"\x01\xeb\x10", ("shellcode", "padding before machine code")),
        (b"\x90" * 64 + b"\xeb\x10", ("shellcode", "padding before machine code")),
    ],
)
def test_signs(data: bytes, sign: tuple[str, str]) -> None:
    assert sign in signs(data, True)
    flow = Play(recognize_dialogue)
    flow.say(C, data)
    assert any(isinstance(fact, Action) and (fact.name, fact.subject) == sign for fact in flow.facts)


@pytest.mark.parametrize(
    "data", [b"\n@#", b"\n\n\nsh # x", b"\n", b"hello @ all # of you", b"GET / HTTP/1.1\r\n", b"a|b|c|d|e|f|g"]
)
def test_no_signs(data: bytes) -> None:
    assert signs(data, True) == []
    assert Play(recognize_dialogue).say(S, data).facts == []


@pytest.mark.parametrize(
    "piece", [b"A", b"\x90", b"\n", b"root@", b"a_", b"|x", b"/bin/sh", b"Windows ", b"MZ", b"ll|'|'|", b"C:\\", b"0"]
)
def test_no_bytes_take_long(piece: bytes) -> None:
    assert pace.within(500, lambda: signs((piece * 8192)[:8192], True))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_hostile_bytes_are_only_bytes(data: bytes, first: bool) -> None:
    signs(data, first)
    signs(b"\n@sh#$" + data, first)
