"""The keys of a card number that was found; see `app.model.fields`."""

from __future__ import annotations

from typing import Final

from app.model.field import Field
from app.model.field import describe as _f

CARD_FIELDS: Final[tuple[Field, ...]] = (
    _f("id", "integer", "Finding", "Number of the finding in this run."),
    _f("timestamp", "time", "First seen", "Time of the packet in which the number was complete first."),
    _f("last_seen", "time", "Last seen", "Time of the packet in which the same number was seen again last."),
    _f("brand", "text", "Brand", "Whose cards begin like this: Visa, Mastercard and so on (ISO/IEC 7812)."),
    _f("masked", "text", "Number", "First six and last four digits. The rest is kept nowhere."),
    _f("fingerprint", "text", "Fingerprint", "Keyed hash of the number: on this installation the same number always has the same one."),
    _f("where", "text", "Where", "Which part of which protocol, and how it was written."),
    _f("direction", "text", "Direction", "Who sent it: the originator of the connection or the responder."),
    _f("source", "text", "From", "Address and port of the sender."),
    _f("destination", "text", "To", "Address and port it was sent to."),
    _f("encrypted", "boolean", "Encrypted", "Whether it was protected on its way. What can be read was not."),
    _f("confidence", "number", "Confidence", "How sure it is that this is a card number, 0 to 1; the reasons are in the details."),
    _f("reasons", "list", "Reasons", "What speaks for and against a card number."),
    _f("count", "integer", "Times", "How often it was seen in this connection; packets sent again count once."),
    _f("packet", "integer", "Packet", "Number of the packet in which it was complete."),
    _f("flow_id", "integer", "Flow", "Flow it was seen in."),
)  # fmt: skip
