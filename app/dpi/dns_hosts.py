"""What hosts say of themselves in multicast DNS and NetBIOS messages: their own name for their own address.

Only what the sender claims for itself counts: another's record in a message (a proxy, a cache) names nobody.
"""

from __future__ import annotations

from app.dpi import netbios_names
from app.dpi.dns_message import Message

_NODE_STATUS = "NBSTAT"


def own_names(kind: str, message: Message, sender: str) -> list[tuple[str, str, str | None]]:
    """(address, name, MAC address or None) that `sender` claims in a message of `kind` mdns or nbns."""
    if kind == "mdns" and message.response:
        return _of_multicast(message, sender)
    if kind == "nbns":
        return _of_netbios(message, sender)
    return []


def _of_multicast(message: Message, sender: str) -> list[tuple[str, str, str | None]]:
    """Address records; a name that has the sender's address names its other addresses as well."""
    addresses: dict[str, list[str]] = {}
    for record in (*message.answers, *message.additional):
        if record.type in ("A", "AAAA") and record.ttl and record.value not in addresses.setdefault(record.name, []):
            addresses[record.name].append(record.value)
    return [(value, name, None) for name, values in addresses.items() if sender in values for value in values]


def _of_netbios(message: Message, sender: str) -> list[tuple[str, str, str | None]]:
    """A registration's own record, and the answer to a node status request."""
    if message.response:
        for record in message.answers:
            if record.type == _NODE_STATUS and not record.value.endswith(netbios_names.GROUP):
                name = netbios_names.host_of(record.value)
                if name:
                    return [(sender, name, message.unit.hex(":") if message.unit else None)]
        return []
    for record in message.additional:  # registration and refresh requests carry it there (RFC 1002 § 4.2.2)
        name = netbios_names.host_of(record.name)
        if record.type == "NB" and record.ttl and name and record.value == sender:
            return [(sender, name, None)]
    return []
