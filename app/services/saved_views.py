"""Views that people keep: a page with its query and time under a name, for each user, in a small file of the data directory."""

from __future__ import annotations

import re
import secrets
import threading
from pathlib import Path
from typing import Any, Final

from app.services.kept_file import KeptFile
from app.services.query_errors import BadRequest, NotThere

MAX_VIEWS: Final = 100  # of one user
MAX_USERS: Final = 1_000
MAX_NAME: Final = 80  # characters
MAX_PARAMETERS: Final = 12
MAX_TEXT: Final = 2_000  # of one parameter, as of a query
_PAGE: Final = re.compile(r"[a-z_]{1,24}")


class SavedViews:
    """Thread-safe. A view is `{id, name, page, parameters}`; the newest is last. Writing raises OSError."""

    def __init__(self, directory: Path) -> None:
        self._file = KeptFile(directory / "saved_views.json")
        self._lock = threading.Lock()
        self._views: dict[str, list[dict[str, Any]]] | None = None

    def listed(self, user: str) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(view) for view in self._all().get(user, [])]

    def add(self, user: str, body: dict[str, Any]) -> dict[str, Any]:
        """Keeps a view under a name; one of that name is replaced. `BadRequest` names what cannot be kept."""
        view = {
            "id": secrets.token_hex(6),
            "name": _name(body.get("name")),
            "page": _page(body.get("page")),
            "parameters": _parameters(body.get("parameters", {})),
        }
        if unknown := set(body) - {"name", "page", "parameters"}:
            raise BadRequest(f"a view has no {min(unknown)[:40]!r}", min(unknown)[:40], ["name", "page", "parameters"])
        with self._lock:
            views = self._all()
            if user not in views and len(views) >= MAX_USERS:
                raise BadRequest("too many users keep views", "name", [f"views of {MAX_USERS} users"])
            others = [one for one in views.get(user, []) if one["name"] != view["name"]]
            if len(others) >= MAX_VIEWS:
                raise BadRequest("too many views are kept", "name", [f"{MAX_VIEWS} views"])
            self._write({**views, user: [*others, view]})
        return dict(view)

    def rename(self, user: str, view_id: str, body: dict[str, Any]) -> dict[str, Any]:
        name = _name(body.get("name"))
        with self._lock:
            views = self._all()
            mine = views.get(user, [])
            found = next((one for one in mine if one["id"] == view_id), None)
            if found is None:
                raise NotThere("there is no such view")
            renamed = {**found, "name": name}
            kept = [one for one in mine if one["name"] != name or one is found]
            self._write({**views, user: [renamed if one is found else one for one in kept]})
        return renamed

    def remove(self, user: str, view_id: str) -> None:
        with self._lock:
            views = self._all()
            mine = views.get(user, [])
            kept = [one for one in mine if one["id"] != view_id]
            if len(kept) == len(mine):
                raise NotThere("there is no such view")
            self._write({**views, user: kept})

    def _all(self) -> dict[str, list[dict[str, Any]]]:
        if self._views is None:
            self._views = _checked(self._file.read())
        return self._views

    def _write(self, views: dict[str, list[dict[str, Any]]]) -> None:
        self._file.write(views)
        self._views = views


def _checked(document: Any) -> dict[str, list[dict[str, Any]]]:
    """What a file says, as far as it makes sense."""
    views: dict[str, list[dict[str, Any]]] = {}
    for user, kept in document.items() if isinstance(document, dict) else ():
        for one in kept if isinstance(kept, list) else ():
            try:
                view = {"id": str(one["id"]), "name": _name(one["name"]), "page": _page(one["page"])}
                views.setdefault(user, []).append({**view, "parameters": _parameters(one["parameters"])})
            except (BadRequest, KeyError, TypeError):
                continue  # written by somebody else
    return views


def _name(name: Any) -> str:
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= MAX_NAME:
        raise BadRequest("the view has no name that can be kept", "name", [f"1..{MAX_NAME} characters"])
    return name.strip()


def _page(page: Any) -> str:
    if not isinstance(page, str) or not _PAGE.fullmatch(page):
        raise BadRequest("page is no page", "page", ["the name of a page, such as connections"])
    return page


def _parameters(parameters: Any) -> dict[str, str]:
    if not isinstance(parameters, dict) or len(parameters) > MAX_PARAMETERS:
        raise BadRequest("parameters is no object that can be kept", "parameters", [f"up to {MAX_PARAMETERS} texts"])
    for name, value in parameters.items():
        if not isinstance(value, str) or len(value) > MAX_TEXT or len(name) > MAX_NAME:
            raise BadRequest(
                f"parameters.{name[:40]} cannot be kept", "parameters", [f"text up to {MAX_TEXT} characters"]
            )
    return dict(parameters)
