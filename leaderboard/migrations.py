"""Older files brought to the present schema, one version at a time.

Each change of a schema comes with a function `update_to_N`, which turns the content of version N - 1 into
that of version N. Files keep their version on disk until somebody writes them again.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .card import CARD_VERSION
from .entry import ENTRY_VERSION
from .faults import Fault, shown

__all__ = ["CARD_MIGRATIONS", "ENTRY_MIGRATIONS", "Migrated", "Migrations"]

Update = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Migrated:
    """Content in the present schema, and the version it came from."""

    content: dict[str, Any]
    found: int


@dataclass
class Migrations:
    """How files of one kind become current.

    Args:
        kind: what such a file is called.
        current: the present version; the first is 1.
        steps: by the version they lead to.
    """

    kind: str
    current: int
    steps: dict[int, Update] = field(default_factory=dict)

    def update_to(self, version: int) -> Callable[[Update], Update]:
        """Register the decorated function as the step from `version` - 1 to `version`.

        Raises:
            ValueError: there is such a step, or its name is not ``update_to_<version>``.
        """

        def register(step: Update) -> Update:
            if version in self.steps:
                raise ValueError(f"{self.kind}: two steps lead to version {version}.")
            if step.__name__ != f"update_to_{version}":
                raise ValueError(f"{self.kind}: the step to version {version} is named {step.__name__}.")
            self.steps[version] = step
            return step

        return register

    @property
    def missing(self) -> list[int]:
        """The versions no step leads to; a file older than these cannot be read."""
        return [version for version in range(2, self.current + 1) if version not in self.steps]

    def migrate(self, content: Any, path: str) -> Migrated | Fault:
        """`content` in the present schema, or why it cannot be brought there."""
        if not isinstance(content, dict):
            return Fault.error(
                path, "", "it holds no keys and values", f"see the schema of {self.kind} in leaderboard/schema"
            )
        found = content.get("schema_version")
        key = "schema_version"
        if type(found) is not int or found < 1:
            given = "missing" if found is None else f"{shown(found)} is no version"
            return Fault.error(path, key, given, f"write {self.current}")
        if found > self.current:
            message = f"version {shown(found)} is newer than {self.current}, which this viewsweep reads"
            return Fault.error(path, key, message, "update viewsweep, or ask for a file of the older version")
        content = copy.deepcopy(content)
        for version in range(found + 1, self.current + 1):
            step = self.steps.get(version)
            if step is None:
                message = f"version {found}: no step leads to version {version}"
                return Fault.error(path, key, message, "this is a fault of viewsweep; report it with the file")
            content = step(content) | {key: version}
        return Migrated(content, found)


ENTRY_MIGRATIONS = Migrations("entry", ENTRY_VERSION)
CARD_MIGRATIONS = Migrations("card", CARD_VERSION)
