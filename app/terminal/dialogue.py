"""The set-up asked for on a terminal where no option says what to watch. Standard library only: it runs before rights are given up."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from app.capture.opening import ANY, check_filter, interface_names
from app.terminal.plan import MODES, PRESET_WORDS, PRESETS, Plan

Ask = Callable[[str], str]
Say = Callable[[str], None]


def ask_plan(plan: Plan, default: str | None, ask: Ask = input, say: Say = print) -> Plan:
    """Interface, filter and display mode; each question again until the answer is one. Raises EOFError where the input ends."""
    interfaces = _ask_interfaces(default, ask, say)
    bpf_filter = _ask_filter(interfaces, ask, say)
    return replace(plan, interfaces=interfaces, bpf_filter=bpf_filter, mode=_ask_mode(ask, say))


def _ask_interfaces(default: str | None, ask: Ask, say: Say) -> tuple[str, ...]:
    known = [name for _, name in socket.if_nameindex()]
    say("Interfaces")
    for number, name in enumerate(known, 1):
        say(f"  {number}  {name}" + ("  (default route)" if name == default else ""))
    while True:
        answer = ask("Interface [number or name, several with commas, blank = all]: ").strip()
        if not answer:
            return (ANY,)
        parts = [known[int(part) - 1] if _is_number(part, len(known)) else part.strip() for part in answer.split(",")]
        names = interface_names(",".join(parts))
        unknown = [name for name in names or () if name not in known and name != ANY]
        if names is not None and not unknown:
            return names
        say(
            f"  {', '.join(unknown) or answer} is not among them: a number 1..{len(known)}, {', '.join(known)}, or nothing for all."
        )


def _is_number(text: str, most: int) -> bool:
    text = text.strip()
    return text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= most


def _ask_filter(interfaces: Sequence[str], ask: Ask, say: Say) -> str:
    names = list(PRESETS)
    say("Filter")
    for number, name in enumerate(names, 1):
        say(f"  {number}  {PRESET_WORDS[name]}")
    own = len(names) + 1
    say(f"  {own}  Your own, in libpcap's language (tcp port 22 and host 192.0.2.1)")
    while True:
        answer = ask(f"Filter [1-{own}, blank = 1]: ").strip() or "1"
        if _is_number(answer, len(names)):
            return PRESETS[names[int(answer) - 1]]
        if answer == str(own):
            return _ask_own_filter(interfaces, ask, say)
        say(f"  {answer} is not a number 1..{own}.")


def _ask_own_filter(interfaces: Sequence[str], ask: Ask, say: Say) -> str:
    while True:
        text = ask("Capture filter: ").strip()
        if not text:
            return ""
        problem = check_filter(interfaces, text) if sys.platform == "linux" else None
        if problem is None:
            return text
        say(f"  libpcap refuses it: {problem}")


def _ask_mode(ask: Ask, say: Say) -> str:
    say("Display")
    for number, (name, what) in enumerate(
        zip(
            MODES,
            ("one line a packet", "everything of a packet", "time, protocol, source and destination"),
            strict=True,
        ),
        1,
    ):
        say(f"  {number}  {name}: {what}")
    while True:
        answer = ask("Display [1-3, blank = 1]: ").strip() or "1"
        if _is_number(answer, len(MODES)):
            return MODES[int(answer) - 1]
        if answer in MODES:
            return answer
        say(f"  {answer} is not a number 1..3.")
