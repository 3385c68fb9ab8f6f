"""Views that people keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.services.query_errors import BadRequest, NotThere
from app.services.saved_views import MAX_VIEWS, SavedViews


def view(name: str = "web", **changes: Any) -> dict[str, Any]:
    return {"name": name, "page": "connections", "parameters": {"q": "port:443"}, **changes}


def test_a_view_is_kept_renamed_and_forgotten(tmp_path: Path) -> None:
    views = SavedViews(tmp_path)
    made = views.add("ann", view())
    assert SavedViews(tmp_path).listed("ann") == [made]
    assert views.listed("bob") == []
    assert views.rename("ann", made["id"], {"name": " the web "})["name"] == "the web"
    assert [one["name"] for one in SavedViews(tmp_path).listed("ann")] == ["the web"]
    with pytest.raises(NotThere):
        views.remove("bob", made["id"])
    views.remove("ann", made["id"])
    assert SavedViews(tmp_path).listed("ann") == []


def test_the_same_name_is_one_view(tmp_path: Path) -> None:
    views = SavedViews(tmp_path)
    views.add("ann", view())
    views.add("ann", view(parameters={"q": "port:80"}))
    assert [one["parameters"] for one in views.listed("ann")] == [{"q": "port:80"}]
    other = views.add("ann", view("other"))
    views.rename("ann", other["id"], {"name": "web"})
    assert [one["id"] for one in views.listed("ann")] == [other["id"]]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (view(""), "name"),
        (view("x" * 81), "name"),
        (view(page="../etc"), "page"),
        (view(parameters={"q": 5}), "parameters"),
        (view(parameters={"q": "x" * 2001}), "parameters"),
        (view(colour="red"), "colour"),
    ],
)
def test_what_cannot_be_kept_is_named(tmp_path: Path, body: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRequest) as refused:
        SavedViews(tmp_path).add("ann", body)
    assert refused.value.parameter == named


def test_they_are_bounded_and_a_foreign_file_does_no_harm(tmp_path: Path) -> None:
    views = SavedViews(tmp_path)
    for number in range(MAX_VIEWS):
        views.add("ann", view(str(number)))
    with pytest.raises(BadRequest):
        views.add("ann", view("one more"))
    (tmp_path / "saved_views.json").write_text(json.dumps({"ann": [{"id": 1}, None], "bob": 7}))
    assert SavedViews(tmp_path).listed("ann") == []
