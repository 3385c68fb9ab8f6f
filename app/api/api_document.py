"""OpenAPI 3.1 from the application's routes: paths, methods and texts come from Flask, parameters and shapes from `api_shapes`.

A route that `api_shapes` does not know is in the document all the same, with what Flask tells of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from werkzeug.routing import Map, Rule

from app.api import api_shapes, api_shapes_findings
from app.api.api_shapes import PARAMETERS, PROBLEM, Operation
from app.api.context import SESSION

_TITLE: Final = "Netglass"
_PLACE: Final = re.compile(r"<(?:(\w+):)?(\w+)>")
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_UNKNOWN: Final = Operation(content=())
_OPERATIONS: Final = {**api_shapes.OPERATIONS, **api_shapes_findings.OPERATIONS}


def api_document(routes: Map, texts: Mapping[str, str]) -> dict[str, Any]:
    """The document; `texts`: docstrings by endpoint."""
    paths: dict[str, dict[str, Any]] = {}
    for rule in sorted(routes.iter_rules(), key=lambda rule: rule.rule):
        if rule.endpoint == "static":
            continue
        path = _PLACE.sub(r"{\2}", rule.rule)
        for method in _METHODS:
            if method in (rule.methods or ()):
                known = _OPERATIONS.get((method, path), _UNKNOWN)
                paths.setdefault(path, {})[method.lower()] = _operation(
                    method, path, rule, texts.get(rule.endpoint, ""), known
                )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": _TITLE,
            "version": "1",
            "description": "What the web process answers. Times are RFC 3339 in UTC; what is not known is null. See docs/api.md.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {}],
        "paths": paths,
        "components": {
            "schemas": {**api_shapes.SCHEMAS, **api_shapes_findings.SCHEMAS},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "Not needed by the user who started it, on this machine."}},
            "responses": {"Problem": PROBLEM},
        },
    }  # fmt: skip


def _operation(method: str, path: str, rule: Rule, text: str, known: Operation) -> dict[str, Any]:
    lines = " ".join(text.split())
    found: dict[str, Any] = {
        "operationId": f"{method.lower()}_{re.sub(r'[^a-zA-Z0-9]+', '_', path).strip('_') or 'root'}",
        "summary": lines.partition(". ")[0].rstrip("."),
        "description": lines,
        "tags": [_tag(path)],
        "responses": _responses(known),
    }
    parameters = [_path_parameter(kind, name) for kind, name in _PLACE.findall(rule.rule)]
    of_sessions = (SESSION,) if path.startswith("/api/") and path != "/api/reference" else ()
    parameters += [_query_parameter(name, known) for name in (*known.parameters, *of_sessions)]
    if parameters:
        found["parameters"] = parameters
    if known.body is not None:
        found["requestBody"] = {"required": known.body_required, "content": {known.body_type: {"schema": known.body}}}
    return found


def _tag(path: str) -> str:
    parts = [part for part in path.split("/") if part and not part.startswith("{")]
    return parts[1] if len(parts) > 1 and parts[0] == "api" else "program"


def _responses(known: Operation) -> dict[str, Any]:
    content = {kind: {"schema": known.response if "json" in kind else {"type": "string"}} for kind in known.content}
    good: dict[str, Any] = {"description": "The answer."}
    if content:
        good["content"] = content
    return {str(status): good for status in known.statuses} | {"default": {"$ref": "#/components/responses/Problem"}}


def _path_parameter(kind: str, name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer", "minimum": 0} if kind == "int" else {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameter(name: str, known: Operation) -> dict[str, Any]:
    schema, text = PARAMETERS[name]
    return {"name": name, "in": "query", "description": text, "schema": {**schema, **known.narrowed.get(name, {})}}
