"""Applications as another process says them."""

from app.dpi.application import Application, from_row, to_row


def _said() -> Application:
    """As it comes out of a message: texts of its own."""
    row = [*to_row(Application("TLS.Google", "Web", "ndpi", "content", "a.example", "Google", ("weak cipher",)))]
    return from_row([text.encode().decode() if isinstance(text, str) else text for text in row])


def test_what_is_said_of_many_flows_is_one_text() -> None:
    one, other = _said(), _said()
    assert one == other
    for name in ("name", "category", "source", "confidence", "address_owner"):
        assert getattr(one, name) is getattr(other, name)
    assert one.risks[0] is other.risks[0]
