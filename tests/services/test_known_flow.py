"""What the sensor says of a flow, as the pages show it."""

import pytest

from app.services.flow_facts import known_flow


def known(app, protocol=None, name=None, source=None):
    return known_flow([app, None, "ndpi", name, source, None, None, None, None, protocol])


@pytest.mark.parametrize(
    ("said", "application"),
    [("TLS.Google", "Google"), ("DNS.DisneyPlus", "DNS"), ("DNS", "DNS"), ("MDNS.Apple", "MDNS"), (None, None)],
)
def test_whose_a_connection_is(said, application):
    """Who asks for a name does not use the service yet; what nDPI said stays readable."""
    assert known(said).application == application
    assert known(said).detailed_protocol == said


def test_a_name_that_is_looked_up_is_not_the_servers():
    assert known("DNS.Google", name="www.example", source="ndpi").server_name is None
    assert known("TLS.Google", name="www.example", source="ndpi").server_name == "www.example"


def test_what_is_said_of_many_flows_is_kept_once():
    assert known("TLS.Google", name="one.example", source="tls") is known(
        "TLS.Google", name="one.example", source="tls"
    )
    assert known("TLS.Google", name="one.example") != known("TLS.Google", name="other.example")


def test_a_row_of_something_else_is_refused():
    for row in ([None] * 9, [None] * 9 + [1], [None] * 9 + [["http"]]):
        with pytest.raises(ValueError, match="list of texts"):
            known_flow(row)
