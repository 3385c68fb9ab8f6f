"""The words of the query language: text in, tokens with their columns out.

A token is a parenthesis, an operator (AND, OR, NOT) or a term. A term is `field:item,item…` or a bare word; an item may carry
a comparison (`>=`, `<=`, `>`, `<`, `=`) and may be quoted, which takes every special meaning from its characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*):")
_OPERATOR = re.compile(r">=|<=|>|<|=")
_WORD_END: Final = frozenset('()"')
_KEYWORDS: Final[dict[str, Literal["and", "or", "not"]]] = {"and": "and", "or": "or", "not": "not"}

TokenKind = Literal["open", "close", "and", "or", "not", "term"]


class QueryError(ValueError):
    """A query that cannot be understood: what is wrong, at which column (from 0), and what is allowed there."""

    def __init__(self, message: str, position: int, allowed: tuple[str, ...] = ()) -> None:
        self.message = message
        self.position = position
        self.allowed = allowed
        hint = f"; allowed: {', '.join(allowed)}" if allowed else ""
        super().__init__(f"{message} (column {position + 1}){hint}")


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a term as written. Its place in the text is no part of its identity."""

    text: str
    operator: str = ""
    quoted: bool = False
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        if not self.quoted:
            return self.operator + self.text
        escaped = self.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.operator}"{escaped}"'


@dataclass(frozen=True, slots=True)
class Token:
    kind: TokenKind
    position: int
    name: str | None = None  # of the field; None for a bare word
    items: tuple[Item, ...] = ()


def tokens(text: str, is_word: Callable[[str, str], bool]) -> list[Token]:
    """All tokens of `text`. `is_word(name, word)` says that `name:…` is no field but part of a word (an IPv6 address)."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        character = text[at]
        if character.isspace():
            at += 1
        elif character in "()":
            found.append(Token("open" if character == "(" else "close", at))
            at += 1
        elif character == "-":
            if at + 1 == len(text) or text[at + 1].isspace() or text[at + 1] == ")":
                raise QueryError("“-” excludes the term after it, and there is none", at)
            found.append(Token("not", at))
            at += 1
        else:
            token, at = _term(text, at, is_word)
            found.append(token)
    return found


def _term(text: str, at: int, is_word: Callable[[str, str], bool]) -> tuple[Token, int]:
    start = at
    if text[at] == '"':
        item, at = _quoted(text, at, "")
        return Token("term", start, None, (item,)), at
    end = _run_end(text, at, stop_at_comma=False)
    word = text[at:end]
    named = _NAME.match(word)
    if named is None or is_word(named[1], word):
        keyword = _KEYWORDS.get(word.lower())
        if keyword is not None:
            return Token(keyword, start), end
        return Token("term", start, None, (Item(word, position=start),)), end
    at += named.end()
    items: list[Item] = []
    while True:
        item, at = _item(text, at, named[1])
        items.append(item)
        if at == len(text) or text[at] != ",":
            return Token("term", start, named[1], tuple(items)), at
        at += 1


def _item(text: str, at: int, name: str) -> tuple[Item, int]:
    operator = _OPERATOR.match(text, at)
    written = operator[0] if operator else ""
    begin = at + len(written)
    if begin < len(text) and text[begin] == '"':
        return _quoted(text, begin, written)
    end = _run_end(text, begin, stop_at_comma=True)
    if end == begin:
        raise QueryError(f"“{name}:” needs a value right after it", begin)
    return Item(text[begin:end], written, position=begin), end


def _run_end(text: str, at: int, stop_at_comma: bool) -> int:
    while at < len(text) and not text[at].isspace() and text[at] not in _WORD_END:
        if stop_at_comma and text[at] == ",":
            break
        at += 1
    return at


def _quoted(text: str, at: int, operator: str) -> tuple[Item, int]:
    start = at
    characters: list[str] = []
    at += 1
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
        characters.append(text[at])
        at += 1
    if at == len(text):
        raise QueryError("the quote that opens here is never closed", start)
    return Item("".join(characters), operator, quoted=True, position=start), at + 1
