"""What nDPI said of one flow serves the next that asks for the same."""

import pytest

from app.dpi.application import BY_CACHE, BY_CONTENT, BY_PORT, NDPI, Application
from app.dpi.inspector import FlowContext
from app.dpi.known_applications import KnownApplications

GOOGLE = Application("TLS.Google", "Web", NDPI, BY_CONTENT, "a.example", "Google", ("a_risk",))


def flow(number, name="a.example", server="192.0.2.1", port=443):
    return FlowContext(number, 6, "10.0.0.1", 40_000, server, port, lambda fact: None, identity=("tls", name, "h2"))


@pytest.fixture
def known():
    one = KnownApplications()
    assert one.find(flow(1)) is None
    one.learn(1, GOOGLE)
    return one


def test_the_same_question_to_the_same_server(known):
    found = known.find(flow(2))
    assert (found.name, found.category, found.confidence) == ("TLS.Google", "Web", BY_CACHE)
    assert found.risks == ()  # of another flow


@pytest.mark.parametrize("other", [flow(3, name="b.example"), flow(3, server="192.0.2.9"), flow(3, port=993)])
def test_another_question_is_asked(known, other):
    assert known.find(other) is None


def test_servers_of_one_owner_are_alike(known):
    known.find(flow(4, name="b.example", server="192.0.2.9"))
    known.learn(4, Application("TLS", "Web", NDPI, BY_CONTENT, None, "Google"))
    assert known.find(flow(5, server="192.0.2.9")).name == "TLS.Google"


def test_guesses_are_not_learned(known):
    known.find(flow(6, name="c.example"))
    known.learn(6, Application("TLS", "Web", NDPI, BY_PORT))
    assert known.find(flow(7, name="c.example")) is None


def test_nothing_is_known_of_flows_without_a_name(known):
    nameless = flow(8)
    nameless.identity = None
    assert known.find(nameless) is None


def test_it_stays_bounded():
    known = KnownApplications(most=4)
    for number in range(20):
        known.find(flow(number, name=f"{number}.example", server=f"192.0.2.{number}"))
        known.learn(number, GOOGLE)
    assert [known.find(flow(99, name=f"{n}.example", server=f"192.0.2.{n}")) is not None for n in (0, 19)] == [
        False,
        True,
    ]
