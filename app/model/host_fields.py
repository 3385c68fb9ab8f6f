"""The keys of a host; see `app.model.fields`. Those it shares with connections (country, asn, vendor …) are explained there."""

from __future__ import annotations

from typing import Final

from app.model.field import Field
from app.model.field import describe as _f

HOST_FIELDS: Final[tuple[Field, ...]] = (
    _f("address", "text", "Address", "IP address of the host.", ecs="host.ip"),
    _f(
        "name",
        "text",
        "Name",
        "Best name of the host: what it says of itself, or what others asked for. Null where nothing was said.",
        ecs="host.name",
    ),
    _f("name_source", "text", "Name by", "Who said the name: dhcp, mdns, nbns, sni, http, certificate, dns or ptr."),
    _f(
        "kind",
        "text",
        "Kind",
        "own: an address of this machine; local: of the local network; remote; group: multicast and broadcast.",
    ),
    _f("mac", "text", "MAC", "Hardware address of a host on the local network.", ecs="host.mac"),
    _f("mac_source", "text", "MAC by", "arp, ndp or dhcp: the host said so; frame: its frames came from there."),
    _f(
        "mac_is_made_up",
        "boolean",
        "MAC made up",
        "The address was chosen by software: a phone that hides, a virtual machine, a container.",
    ),
    _f("ping_ms", "number", "Ping", "Round trip of a ping; null where none was sent or answered.", unit="ms"),
    _f("active_flows", "integer", "Active flows", "Flows of the host that have not ended.", unit="flows"),
    _f("first_seen", "time", "First seen", "First packet of the host in the flows that are held."),
    _f("applications", "list", "Applications", "Applications of the host's heaviest flows."),
    _f("programs", "list", "Programs", "Programs on this machine that talk with the host, of its heaviest flows."),
    _f("open_ports", "list", "Open ports", "Ports on which the host was seen to answer, among its heaviest flows."),
    _f("hosts", "integer", "Hosts", "Remote addresses in a country.", unit="hosts"),
)
