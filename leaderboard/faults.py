"""`Fault`: one thing that is wrong with a file of a board, and how many of them are shown to people and machines.

Everything in a fault may come from a hostile file, so nothing of it reaches a terminal or a log unescaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..scenes.errors import UserError

__all__ = ["Fault", "Severity", "annotate", "as_error", "exit_code", "faults_json", "render", "shown", "verdict"]

Severity = Literal["error", "warning"]

LONGEST = 80
"""Characters of a foreign value that a message repeats."""


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong, where, and how to mend it.

    Args:
        path: of the file, as it was asked for; ``file:line`` where the line is known.
        key: dotted place in the file; empty where the file as a whole is meant.
        severity: an `error` keeps the file off the board, a `warning` asks somebody to look.
        message: what is wrong, without full stop.
        hint: what to do, without full stop.
    """

    path: str
    key: str
    severity: Severity
    message: str
    hint: str

    @classmethod
    def error(cls, path: object, key: str, message: str, hint: str) -> Fault:
        return cls(str(path), key, "error", message, hint)

    @classmethod
    def warning(cls, path: object, key: str, message: str, hint: str) -> Fault:
        return cls(str(path), key, "warning", message, hint)

    def __str__(self) -> str:
        """One line: ``path: key: message; hint.``, with anything unprintable escaped."""
        place = f"{self.path}: {self.key}" if self.key else self.path
        return printable(f"{place}: {self.message}; {self.hint}.")


def printable(text: str) -> str:
    """`text` on one line, with escapes for characters that would move the cursor or turn the line around."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def shown(value: object) -> str:
    """A foreign value for a message: quoted, escaped and cut."""
    text = value if isinstance(value, str) else repr(value) if not isinstance(value, int) else _digits(value)
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return f"'{printable(cut)}'" if isinstance(value, str) else printable(cut)


def _digits(value: int) -> str:
    # Python refuses to print integers of thousands of digits
    return repr(value) if abs(value) < 10**100 else "an integer of over 100 digits"


def exit_code(faults: Iterable[Fault]) -> int:
    """3 where there is an error, else 0."""
    return 3 if any(fault.severity == "error" for fault in faults) else 0


def verdict(faults: Sequence[Fault], checked: str) -> str:
    """The last line of every output, in agreement with `exit_code`; `checked` says what was looked at."""
    errors = sum(fault.severity == "error" for fault in faults)
    warnings = len(faults) - errors
    counts = [
        f"{count} {name}{'' if count == 1 else 's'}" for count, name in ((errors, "error"), (warnings, "warning"))
    ]
    if errors:
        return f"Not valid: {counts[0]}, {counts[1]} in {checked}."
    return f"Valid: no errors, {counts[1]} in {checked}." if warnings else f"Valid: no faults in {checked}."


def render(faults: Sequence[Fault], checked: str) -> str:
    """For people: one line a fault, errors first, then the verdict."""
    lines = [f"{fault.severity}: {fault}" for fault in _in_order(faults)]
    return "\n".join([*lines, printable(verdict(faults, checked))])


def faults_json(faults: Sequence[Fault], checked: str) -> dict[str, Any]:
    """For machines."""
    return {
        "valid": exit_code(faults) == 0,
        "verdict": verdict(faults, checked),
        "faults": [asdict(fault) for fault in _in_order(faults)],
    }


def annotate(faults: Sequence[Fault], checked: str) -> str:
    """Lines that GitHub shows beside the changed files of a pull request, then the verdict."""
    lines = []
    for fault in _in_order(faults):
        file, _, line = fault.path.rpartition(":") if _ends_in_line(fault.path) else (fault.path, "", "")
        properties = {"file": file, "line": line or "1", "title": fault.key or "file"}
        said = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
        lines.append(f"::{fault.severity} {said}::{_data(f'{fault.message}; {fault.hint}.')}")
    return "\n".join([*lines, printable(verdict(faults, checked))])


def as_error(faults: Sequence[Fault]) -> UserError:
    """An error that lists all `faults`, one a line."""
    return UserError("\n".join(str(fault) for fault in _in_order(faults)))


def _in_order(faults: Iterable[Fault]) -> list[Fault]:
    def place(fault: Fault) -> tuple[bool, str, int, Fault]:
        file, _, line = fault.path.rpartition(":") if _ends_in_line(fault.path) else (fault.path, "", "0")
        return fault.severity != "error", file, int(line), fault

    return sorted(faults, key=place)


def _ends_in_line(path: str) -> bool:
    number = path.rpartition(":")[2]
    return ":" in path and number.isascii() and number.isdigit() and len(number) < 10


def _data(text: str) -> str:
    """Escaped as the runner wants it: a line break would begin another command."""
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
