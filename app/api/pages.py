"""The one page; everything on it comes from the REST side and the live connection."""

from __future__ import annotations

from flask import Blueprint, render_template

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def dashboard() -> str:
    """The dashboard."""
    return render_template("index.html")
