"""Frames that several clients are sent, with their JSON: it is written once, not once for each of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

_SEPARATORS: Final = (",", ":")


class Written(dict[str, Any]):
    """A frame and its JSON as `text`. Handed to several clients: not to be changed."""

    __slots__ = ("text",)

    def __init__(self, document: Mapping[str, Any], text: str) -> None:
        super().__init__(document)
        self.text = text

    def numbered(self, seq: int) -> Written:
        """The same with the client's own number of it as `seq`, without writing the rest again."""
        before = f"{self.text[:-1]}," if len(self) else "{"
        return Written({**self, "seq": seq}, f'{before}"seq":{seq}}}')


def written(document: Mapping[str, Any]) -> Written:
    """Writes a document. Runs in any thread."""
    return Written(document, json.dumps(document, separators=_SEPARATORS))
