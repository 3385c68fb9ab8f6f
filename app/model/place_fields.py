"""Keys of a connection that say where its remote end is and whose network that is; see `app.model.fields`."""

from __future__ import annotations

from typing import Final

from app.model.field import Field
from app.model.field import describe as _f

PLACE_FIELDS: Final[tuple[Field, ...]] = (
    _f(
        "country",
        "text",
        "Country",
        "Country of the remote address, ISO 3166-1 code, by DB-IP or the database of GEOIP_DB. Null where the address is not global (see scope) or "
        "not in it.",
        ecs="destination.geo.country_iso_code",
        live=True,
    ),
    _f(
        "country_name",
        "text",
        "Country name",
        "English name of that country.",
        ecs="destination.geo.country_name",
        live=True,
    ),
    _f(
        "city",
        "text",
        "City",
        "City of the remote address; only where GEOIP_DB is a city database, or ipinfo was asked. Null otherwise.",
        ecs="destination.geo.city_name",
        live=True,
    ),
    _f(
        "asn",
        "integer",
        "AS number",
        "Autonomous system that announces the remote address, by RouteViews and DB-IP. Null where nobody does.",
        ecs="destination.as.number",
        live=True,
    ),
    _f(
        "organization",
        "text",
        "Organisation",
        "Organisation that runs that autonomous system: whose network it is, not who uses the address.",
        ecs="destination.as.organization.name",
        live=True,
    ),
    _f(
        "scope",
        "text",
        "Scope",
        "Kind of the remote address: global, private, shared, loopback, link_local, multicast, broadcast, documentation, benchmarking, reserved, "
        "unspecified. Only global ones have a place.",
        live=True,
    ),
    _f(
        "is_anonymous",
        "boolean",
        "Anonymiser",
        "Whether the remote address is a VPN, proxy, Tor or relay, as ipinfo or GEOIP_DB says. Null where neither was asked or knows.",
        live=True,
    ),
    _f(
        "remote_mac",
        "text",
        "Remote MAC",
        "Hardware address of the remote end where it is on the local network, from ARP, NDP, DHCP or the frames themselves; null otherwise.",
        ecs="destination.mac",
    ),
    _f(
        "vendor",
        "text",
        "Vendor",
        "Maker of that network card, by the IEEE's registry; null for addresses that software made up.",
    ),
)
