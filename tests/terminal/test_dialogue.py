"""The questions: every path, and what is said to a wrong answer."""

import socket

import pytest

from app.terminal.dialogue import ask_plan
from app.terminal.plan import PRESETS, Plan

LO = next(str(number) for number, (_, name) in enumerate(socket.if_nameindex(), 1) if name == "lo")


def talk(*answers):
    waiting = list(answers)
    said = []

    def ask(question):
        said.append(question)
        if not waiting:
            raise EOFError
        return waiting.pop(0)

    plan = ask_plan(Plan(), "lo", ask, said.append)
    assert not waiting
    return plan, "\n".join(said)


@pytest.mark.parametrize("number", range(1, 7))
def test_every_preset(number):
    plan, _ = talk(LO, str(number), "1")
    assert (plan.interfaces, plan.bpf_filter, plan.mode) == (("lo",), list(PRESETS.values())[number - 1], "compact")


@pytest.mark.parametrize(
    ("answer", "mode"), [("", "compact"), ("2", "detailed"), ("3", "minimal"), ("minimal", "minimal")]
)
def test_every_mode(answer, mode):
    assert talk("", "", answer)[0].mode == mode


def test_blank_is_all():
    plan, said = talk("", "", "")
    assert plan.interfaces == ("any",)
    assert plan.bpf_filter == ""
    assert "lo  (default route)" in said


def test_names_and_numbers():
    assert talk("lo", "1", "1")[0].interfaces == ("lo",)
    assert talk(f"lo, {LO}", "1", "1")[0].interfaces == ("lo",)


def test_wrong_answers_are_asked_again():
    plan, said = talk("nosuch", "99", "lo", "8", "x", "2", "4", "3")
    assert (plan.bpf_filter, plan.mode) == ("tcp", "minimal")
    assert "nosuch is not among them" in said
    assert "8 is not a number 1..7" in said
    assert "4 is not a number 1..3" in said


def test_an_own_filter_is_checked_at_once():
    plan, said = talk("lo", "7", "tcp porx 80", "tcp port 80", "1")
    assert plan.bpf_filter == "tcp port 80"
    assert "syntax error (at column 5: porx 80)" in said


def test_an_empty_own_filter_is_none():
    assert talk("lo", "7", "", "1")[0].bpf_filter == ""


def test_the_end_of_the_input():
    with pytest.raises(EOFError):
        talk("lo")
