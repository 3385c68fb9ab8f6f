"""How often one caller may ask for what costs much: uploads and exports."""

from __future__ import annotations

from typing import Final

from flask import Flask, current_app

from app.security.caller import caller_name
from app.security.throttle import Throttle
from app.services.query_errors import TooMany

EXTENSION: Final = "netglass.limits"


def install(app: Flask) -> None:
    """Ten at once, then one in two seconds."""
    app.extensions[EXTENSION] = {"upload": Throttle(10, 0.5), "export": Throttle(10, 0.5)}


def limit(kind: str) -> None:
    """Takes one of the caller's tokens. `TooMany` says how long to wait for the next."""
    throttle: Throttle = current_app.extensions[EXTENSION][kind]
    caller = caller_name()
    if not throttle.take(caller):
        raise TooMany(f"Too many {kind}s; try again in a moment.", throttle.wait_seconds(caller))
