"""DNS out of sight is called by its name, everything else is not."""

from __future__ import annotations

import pytest

from app.dpi.hidden_names import hidden_names


@pytest.mark.parametrize(
    ("server_name", "alpn", "port", "udp", "said"),
    [
        ("dns.google", ["h2"], 443, False, "doh"),
        ("DNS.Quad9.net.", [], 443, False, "doh"),
        ("abc123.dns.nextdns.io", ["h3"], 443, True, "doh"),
        ("anything.example", [], 853, False, "dot"),
        (None, ["dot"], 443, False, "dot"),
        (None, ["doq"], 8853, True, "doq"),
        (None, ["doq-i02"], 784, True, "doq"),
        (None, [], 853, True, "doq"),
        ("www.google.com", ["h2", "http/1.1"], 443, False, None),
        ("notdns.google.example", ["h2"], 443, False, None),
        (None, [], 443, False, None),
    ],
)
def test_hidden_names(server_name, alpn, port, udp, said):
    assert hidden_names(server_name, alpn, port, udp) == said
