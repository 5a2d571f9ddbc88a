"""What each metric id on the board means: from the metrics themselves, never from an entry."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from ...benchmark.metric_catalogue import catalogue
from ...metrics.feeding import definitions_of
from ...metrics.selfcheck import COMPLETION_CHEATS, MATRIX, SET_CORRUPTIONS
from ...reports.rundir import Definition
from ...scenes.corruptions import CORRUPTIONS
from ...scenes.errors import ViewsweepError

__all__ = ["Meaning", "Seen", "meanings"]

NETWORK = re.compile(r"\[([a-z0-9-]+)\]")
KNOWN_NETWORKS = ("tabletop", "inception", "inception-legacy", "dinov2")
UNKNOWN = "This version of viewsweep does not know the metric; its numbers are shown as they were given."


@dataclass(frozen=True)
class Seen:
    """What the self-check holds a metric to: corruptions it must tell, must not mind, and is blind to."""

    fires: tuple[tuple[str, int], ...] = ()
    silent: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.fires or self.silent or self.blind)


@dataclass(frozen=True)
class Meaning:
    """A metric id for people.

    Args:
        definition: title, unit, direction, one sentence.
        metric: the name protocols ask for it by; None for an id nobody knows.
        text: the full definition, formula, worst value and where it misleads.
        seen: as the response matrix declares.
    """

    definition: Definition
    metric: str | None = None
    text: str = ""
    seen: Seen = Seen()

    @property
    def paragraphs(self) -> list[str]:
        return [part for part in re.split(r"\n\s*\n", self.text) if part.strip()]


def meanings(ids: Iterable[str]) -> dict[str, Meaning]:
    """The meaning of each id; one that nobody knows says so, and has no direction, so that it ranks nobody."""
    return {name: _known(_network(name)).get(name) or _unknown(name) for name in sorted(set(ids))}


def _network(name: str) -> str:
    found = NETWORK.search(name)
    return found[1] if found and found[1] in KNOWN_NETWORKS else KNOWN_NETWORKS[0]


def _unknown(name: str) -> Meaning:
    return Meaning(Definition(name, title=name, description=UNKNOWN))


@cache
def _known(network: str) -> dict[str, Meaning]:
    found: dict[str, Meaning] = {}
    for stem, metric in catalogue().items():
        try:
            entries = definitions_of(metric, network)
        except ViewsweepError:  # a metric of another network
            continue
        text = (sys.modules[metric.__module__].__doc__ or "").strip()
        for name, entry in entries.items():
            definition = Definition(
                name, entry.title, entry.unit, str(entry.version), entry.higher_is_better, entry.description
            )
            found[name] = Meaning(definition, stem, text, _seen(name))
    return found


def _seen(name: str) -> Seen:
    cells = sorted(MATRIX.get(name, {}).items())
    return Seen(
        tuple((_title(corruption), cell.level) for corruption, cell in cells if cell.kind == "fires"),
        tuple(_title(corruption) for corruption, cell in cells if cell.kind == "silent"),
        tuple(_title(corruption) for corruption, cell in cells if cell.kind == "blind"),
    )


def _title(corruption: str) -> str:
    for known in (CORRUPTIONS, SET_CORRUPTIONS, COMPLETION_CHEATS):
        if corruption in known:
            return str(known[corruption].title)
    return corruption
