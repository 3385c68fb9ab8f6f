"""Connections in no protocol of their own: a command shell's prompt and answers, or a controlled machine's first report about itself.

Asked last, when nobody else took the flow. The words are those that shells print by themselves, so a person's chat does not match.
"""

from __future__ import annotations

import re
from typing import Final

from app.dpi.facts import Action
from app.dpi.inspector import DONE, MORE, FlowContext, Inspector
from app.dpi.protocol_inspector import ProtocolInspector

_PROMPT: Final = "shell prompt"
_SHELL: Final[dict[str, re.Pattern[bytes]]] = {
    "Windows command prompt": re.compile(rb"Microsoft Windows \[[^\]\r\n]{5,40}\]\r?\n|\(C\) Copyright 1985-20[0-9]{2} Microsoft Corp|(?:^|\n)[A-Za-z]:\\[^\r\n<>|]{0,120}>\s?\Z"),
    "PowerShell prompt": re.compile(rb"(?:^|\n)PS [A-Z]:\\[^\r\n]{0,120}> ?"),
    _PROMPT: re.compile(rb"(?:\x1b\][^\x07]{0,100}\x07)?(?:\x1b\[[0-9;?]{0,8}[a-zA-Z])*\[?[a-z_][a-z0-9_.-]{0,31}@[A-Za-z0-9_.-]{1,63}[: ][^\r\n]{0,100}[\]]?[#$] ?|(?:ba|da|z|k)?sh(?:-[0-9.]{1,5}[a-z]?)?[#$] ?\Z"),
    "shell without terminal": re.compile(rb"can't access tty; job control turned off|no job control in this shell|cannot set terminal process group|Inappropriate ioctl for device"),
    "output of id": re.compile(rb"uid=[0-9]{1,10}\([^)\s]{1,32}\) gid=[0-9]{1,10}\("),
    "output of whoami": re.compile(rb"(?:^|\n)nt authority\\(?:system|network service|local service)", re.IGNORECASE),
    "output of uname": re.compile(rb"(?:^|\n)Linux [!-~]{1,64} [2-6]\.[0-9]{1,2}\.[!-~]{1,60} #"),
    "output of ipconfig": re.compile(rb"Windows IP Configuration\r\n"),
    "content of passwd": re.compile(rb"root:[x*!]?:0:0:[^:\r\n]{0,64}:[^:\r\n]{1,64}:[^\r\n]{1,64}\r?\n"),
}  # fmt: skip
# Bytes that a sign cannot do without: all of one line. Long and rare ones first, which are found to be missing soonest
_HINTS: Final[tuple[tuple[bytes, tuple[bytes, ...], str], ...]] = (
    (b"Microsoft ", (), "Windows command prompt"),
    (b"PS ", (b":\\", b">"), "PowerShell prompt"),
    (b"@", (b"#",), _PROMPT),
    (b"@", (b"$",), _PROMPT),
    (b"job control", (), "shell without terminal"),
    (b"terminal process group", (), "shell without terminal"),
    (b"Inappropriate ioctl", (), "shell without terminal"),
    (b") gid=", (b"uid=",), "output of id"),
    (b"uthority\\", (), "output of whoami"),
    (b"UTHORITY\\", (), "output of whoami"),
    (b"Linux ", (), "output of uname"),
    (b"Windows IP Configuration", (), "output of ipconfig"),
    (b":0:0:", (b"root:",), "content of passwd"),
)
# … or one of these among the last two: a prompt that waits
_WAITING: Final = ((b">", "Windows command prompt"), (b"#", _PROMPT), (b"$", _PROMPT))
_SLED: Final = b"\x90" * 16
_PADDING: Final = b"A" * 64
# What the first message of a remote-control program looks like; names as the field uses them
_REPORTS: Final[tuple[tuple[str, re.Pattern[bytes]], ...]] = (
    ("Gh0st", re.compile(rb"[A-Za-z0-9:<>^]{5,8}.{4}.{4}\x78[\x01\x5e\x9c\xda]", re.DOTALL)),
    ("njRAT", re.compile(rb"(?:[0-9]{1,6}\0)?(?:ll|lv|inf|act)(?:\|'\|'\||\|[a-zA-Z0-9'/\\!@#$%^&*]{1,12}\|)[A-Za-z0-9+/=]{4,}")),
    ("DarkComet", re.compile(rb"(?:BF7CAB464EFB|KEEPALIVE[0-9A-F]{4,}|[0-9A-F]{12}\Z)")),
    ("XtremeRAT", re.compile(rb"myversion\|3\.[0-9]")),
    ("Meterpreter", re.compile(rb".{4}(?:MZ\xe8|MZAR|MZ\x90)|.{0,64}core_(?:channel_open|machine_id|negotiate_tlv|patch_url)", re.DOTALL)),
    ("Adwind", re.compile(rb"\xac\xed\x00\x05(?:w|sr)")),
    ("LodaRAT", re.compile(rb"[A-Za-z0-9]{1,20}\|(?:x86|x64|X86|X64)\|")),
    ("Ammyy", re.compile(rb"=\x1b\x00\x00\x00")),
)  # fmt: skip
_ANY_REPORT: Final = re.compile(b"|".join(b"(?:" + pattern.pattern + b")" for _, pattern in _REPORTS), re.DOTALL)
_SYSTEM: Final = re.compile(
    rb"\bWin(?:dows)?[ _-]?(?:2000|XP|Vista|7|8(?:\.1)?|10|11|NT|20(?:03|08|12|16|19|22))\b|\bAdministrator\b|\bSCANDELL|\bLinux [2-6]\.[0-9]|\bMozilla Firefox\b.{0,80}\b(?:Program Manager|Explorer)", re.IGNORECASE | re.DOTALL
)  # fmt: skip
_SEPARATED: Final = re.compile(rb"[ -~\r\n\t]{8,}")
_LONG_SLED: Final = b"\x90" * 32
_RUN: Final = re.compile(rb"A{64,}")
_JUMP: Final = re.compile(rb"\xeb.|\xcc", re.DOTALL)
_CALLED: Final = re.compile(rb"(?:/bin/sh|\xcd\x80|\x0f\x05).{0,200}\x90{16}", re.DOTALL)
_BUDGET: Final = 32 << 10
_EXECUTABLE: Final = re.compile(
    rb"MZ.{58,2048}This program (?:cannot be run in DOS mode|must be run under Win32)|\x7fELF[\x01\x02][\x01\x02]\x01",
    re.DOTALL,
)


class DialogueInspector(ProtocolInspector):
    """What was recognised is told; the next bytes are looked at for more of it."""

    protocol = "plain"

    def __init__(self, flow: FlowContext) -> None:
        super().__init__(flow)
        self._left = _BUDGET
        self._tail = [b"", b""]
        self._seen: set[str] = set()

    def data(self, direction: int, data: bytes, ts: int) -> bool:
        """See `Inspector`."""
        self._left -= len(data)
        text = self._tail[direction] + data[:8192]
        for name, subject in signs(text, first=not self._seen):
            if subject not in self._seen and len(self._seen) < 16:
                self._seen.add(subject)
                self.flow.sink(Action(self.flow.flow_id, ts, "plain", name, subject, direction))
        self._tail[direction] = text[-1024:]
        return MORE if self._left > 0 else DONE

    def tell(self, ts: int) -> None:
        """A shell is no protocol: the flow gets no name by it."""


def signs(data: bytes, first: bool) -> list[tuple[str, str]]:
    """(what, which) for everything that these bytes show. `first`: they begin a direction."""
    found = [("shell", name) for name in _hinted(data) if _shows(name, data)]
    if first:
        if _ANY_REPORT.match(data):
            found += [("report", name) for name, pattern in _REPORTS if pattern.match(data)]
        if _report_about_itself(data):
            found.append(("report", "system report"))
    if (_SLED in data or _PADDING in data) and _overflows(data):
        found.append(("shellcode", "padding before machine code"))
    if (b"This program " in data or b"\x7fELF" in data) and _EXECUTABLE.search(data):
        found.append(("executable", "program file"))
    return found


def _overflows(data: bytes) -> bool:
    """Padding as attacks on a buffer need it: a long slide, or a run of A with a jump right behind it. One pass: runs are found whole."""
    if _LONG_SLED in data or _CALLED.search(data):
        return True
    return any(_JUMP.search(data, run.end(), run.end() + 66) for run in _RUN.finditer(data))


def _hinted(data: bytes) -> list[str]:
    """The signs that a hint is there of: looking for those costs a hundredth of the patterns."""
    end = data[-2:]
    hinted = [name for sign, name in _WAITING if sign in end]
    for first, others, name in _HINTS:
        if first in data:
            for other in others:
                if other not in data:
                    break
            else:
                hinted.append(name)
    return [name for name in _SHELL if name in hinted] if hinted else hinted


def _shows(name: str, data: bytes) -> bool:
    """A prompt stands at the beginning of a line; a search for that would try every byte."""
    pattern = _SHELL[name]
    if name != _PROMPT:
        return pattern.search(data) is not None
    start = 0
    while not pattern.match(data, start):
        start = data.find(b"\n", start) + 1
        if not start:
            return False
    return True


def _report_about_itself(data: bytes) -> bool:
    """Fields parted by | or a like sign, among them the system's or the administrator's name."""
    head = data[:1024]
    text = _SEPARATED.match(head)
    if text is None or not _SYSTEM.search(text[0]):
        return False
    return any(text[0].count(sign) >= 5 for sign in (b"|", b"#", b"~", b"<|>", b"*", b";;", b"@@", b"||"))


def recognize_dialogue(flow: FlowContext, direction: int, data: bytes) -> Inspector | None:
    """Any of the signs."""
    return DialogueInspector(flow) if flow.protocol == 6 and data and signs(data, True) else None
