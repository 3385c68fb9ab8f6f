"""The Socket.IO side: who may connect, and what they subscribe to. What is sent is decided in `app.services.subscriptions`."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_socketio import ConnectionRefusedError, Namespace

from app.security.caller import ENVIRON_KEY, Caller, CallerIdentity
from app.services.house import House
from app.services.live_topics import TOPICS, Options
from app.services.query_errors import BadRequest, NotThere
from app.services.sessions import LIVE
from app.services.subscriptions import Subscriptions

PROTOCOL = 1


class Live(Namespace):
    """The default namespace. Every call is acknowledged with `{"ok": …}`."""

    def __init__(self, house: House, identity: CallerIdentity, subscriptions: Subscriptions) -> None:
        super().__init__("/")
        self._house = house
        self._identity = identity
        self._subscriptions = subscriptions

    def on_connect(self, auth: Any = None) -> None:
        caller = request.environ.get(ENVIRON_KEY)
        if not isinstance(caller, Caller):
            caller = self._identity.identify(request.environ)
        token = auth.get("token") if isinstance(auth, dict) else None
        if not caller.may_enter and not self._identity.admits(token, request.environ):
            raise ConnectionRefusedError("unauthorised")
        if not self._subscriptions.add(request.sid):  # type: ignore[attr-defined]
            raise ConnectionRefusedError("too many clients")

    def on_disconnect(self, reason: Any = None) -> None:
        self._subscriptions.remove(request.sid)  # type: ignore[attr-defined]

    def on_subscribe(self, wanted: Any = None) -> dict[str, Any]:
        """`{topics, q, limit, sort, session}`: adds topics or begins them anew; all of it holds for the topics of this call."""
        try:
            names = _topic_names(wanted)
            house = self._house_of(wanted)
            options = Options(house, wanted)
            topics = self._subscriptions.subscribe(
                request.sid,  # type: ignore[attr-defined]
                [(name, TOPICS[name](options)) for name in names],
                wanted.get("session") or LIVE,
            )
        except BadRequest as error:
            return _refusal(error)
        self._house.mirror.nudge()
        return {"ok": True, "topics": topics, "protocol": PROTOCOL, "boot": house.mirror.sensor.boot}

    def _house_of(self, wanted: dict[str, Any]) -> House:
        session = wanted.get("session") or LIVE
        if session == LIVE or self._house.sessions is None:
            return self._house
        try:
            return self._house.sessions.house(str(session))
        except NotThere as error:
            raise BadRequest(str(error), "session", [LIVE, "the id of a session"]) from None

    def on_unsubscribe(self, wanted: Any = None) -> dict[str, Any]:
        """`{topics}`: ends them."""
        try:
            names = _topic_names(wanted)
        except BadRequest as error:
            return _refusal(error)
        return {"ok": True, "topics": self._subscriptions.unsubscribe(request.sid, names)}  # type: ignore[attr-defined]


def _topic_names(wanted: Any) -> list[str]:
    if not isinstance(wanted, dict):
        raise BadRequest("subscribe takes an object", "topics", TOPICS)
    names = wanted.get("topics")
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, list) or not names:
        raise BadRequest("topics is not a list of topics", "topics", TOPICS)
    for name in names:
        if not isinstance(name, str) or name not in TOPICS:
            raise BadRequest(f"there is no topic {str(name)[:60]!r}", "topics", TOPICS)
    return list(dict.fromkeys(names))


def _refusal(error: BadRequest) -> dict[str, Any]:
    return {
        "ok": False,
        "error": {
            "detail": error.message,
            "parameter": error.parameter,
            "allowed": list(error.allowed),
            "position": error.position,
        },
    }
