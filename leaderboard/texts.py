"""Texts from others: only what looks like what it is.

A reader must be able to trust that a name or a sentence reads as it is stored: no characters that are
invisible, turn the direction of writing around or pile up, and no mark-up that a page could run.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from .faults import Fault, shown

__all__ = ["LONGEST_TEXT", "text_faults", "value_faults"]

LONGEST_TEXT = 10_000
"""Characters; the fields of the models allow less."""

MOST_MARKS = 4
"""Combining marks on one letter; no written language piles up more."""

MOST_FAULTS = 50

REPRESENTATIONS = "class |function |module |object |bound |lambda>|built-in |frozen |method |locals>|string>|stdin>"
"""What Python prints between angle brackets, and messages of failed scenes repeat."""

MARKUP = re.compile(rf"<(?:[/!?]|(?!{REPRESENTATIONS})[a-zA-Z])|\bjavascript:", re.IGNORECASE)

KINDS = {
    "Cc": "a control character",
    "Cf": "an invisible character that may hide or reorder text",
    "Cs": "half of a surrogate pair",
    "Co": "a character without a public meaning",
    "Cn": "a character that Unicode does not know",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}


def value_faults(path: object, value: Any) -> list[Fault]:
    """Faults of all texts and keys inside plain lists and mappings, the first `MOST_FAULTS` of them."""
    found: list[Fault] = []
    for place, text in _texts(value, ""):
        found += text_faults(path, place, text)
        if len(found) >= MOST_FAULTS:
            break
    return found


def text_faults(path: object, key: str, text: str) -> Iterator[Fault]:
    """What is wrong with one text."""
    if len(text) > LONGEST_TEXT:
        hint = f"shorten it to at most {LONGEST_TEXT} characters"
        yield Fault.error(path, key, f"a text of {len(text)} characters", hint)
        return
    if found := MARKUP.search(text):
        near = shown(text[found.start() : found.start() + 30])
        hint = "write plain text; put blanks around a `<` that means less"
        yield Fault.error(path, key, f"holds mark-up ({near})", hint)
    if text.isascii() and text.isprintable():
        return
    for letter in text:
        kind = unicodedata.category(letter)
        if kind in KINDS and letter not in "\n\t":
            name = unicodedata.name(letter, "no name")
            message = f"holds U+{ord(letter):04X} ({name.lower()}), {KINDS[kind]}"
            yield Fault.error(path, key, message, "delete it, and type the text by hand")
            break
    if _piled(text):
        yield Fault.error(path, key, f"more than {MOST_MARKS} combining marks on one letter", "delete them")
    for word in re.findall(r"[^\W\d_]+", text):
        scripts = _scripts(word)
        if len(scripts) > 1:
            message = f"the word {shown(word)} mixes {' and '.join(sorted(scripts))} letters, which look alike"
            yield Fault.warning(path, key, message, "type it anew in one alphabet")
            break


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(key, str):
                yield f"{place}.<key>" if place else "<key>", key
            yield from _texts(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _texts(inner, f"{place}.{position}" if place else str(position))


def _piled(text: str) -> bool:
    run = 0
    for letter in text:
        run = run + 1 if unicodedata.category(letter) in ("Mn", "Me") else 0
        if run > MOST_MARKS:
            return True
    return False


def _scripts(word: str) -> set[str]:
    """Which of the alphabets with look-alike letters a word uses."""
    if word.isascii():
        return set()
    names = {unicodedata.name(letter, "").partition(" ")[0].capitalize() for letter in word}
    return names & {"Latin", "Greek", "Cyrillic", "Armenian", "Cherokee", "Fullwidth"}
