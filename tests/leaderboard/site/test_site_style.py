"""Site and report are one family: the same colours and fonts, named alike."""

from __future__ import annotations

import re
from importlib import resources

NAMED = re.compile(r"(--[\w-]+):\s*([^;]+);")


def roots(package: str, name: str) -> list[dict[str, str]]:
    """The custom properties of the first two `:root` blocks: light, then dark."""
    text = (resources.files(package) / "templates" / name).read_text(encoding="utf-8")
    return [dict(NAMED.findall(block)) for block in re.findall(r":root \{(.*?)\n\s*\}", text, re.DOTALL)[:2]]


def test_the_site_wears_the_colours_of_the_report() -> None:
    for own, theirs in zip(
        roots("viewsweep.leaderboard.site", "site.css"), roots("viewsweep.reports", "report.css"), strict=True
    ):
        shared = own.keys() & theirs.keys()
        assert len(shared) > 12
        assert {name: own[name] for name in shared} == {name: theirs[name] for name in shared}
