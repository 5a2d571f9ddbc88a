"""Site and report are one family: one palette, which neither changes and which holds every colour that they use."""

from __future__ import annotations

import re

import pytest
from viewsweep.leaderboard.site.pages import _asset as site_asset
from viewsweep.reports.assets import asset

NAMED = re.compile(r"(--[\w-]+):")
USED = re.compile(r"var\((--[\w-]+)")
PER_ELEMENT = {"--c", "--frame"}
"""Set by the elements themselves."""


def palettes(text: str) -> list[set[str]]:
    """The custom properties of the `:root` blocks: light, dark, and what printing changes."""
    return [set(NAMED.findall(block)) for block in re.findall(r":root \{(.*?)\}", text, re.DOTALL)]


def test_dark_gives_every_colour_another_value() -> None:
    light, dark, _ = palettes(asset("base.css"))
    assert light - dark == {"--sans", "--mono", "--gutter"}
    assert not dark - light


@pytest.mark.parametrize("sheet", [asset("report.css") + asset("charts.css"), site_asset("site.css")])
def test_sheets_have_no_palette_of_their_own_and_use_only_what_there_is(sheet: str) -> None:
    assert not palettes(sheet)
    own = set(NAMED.findall(sheet))
    assert set(USED.findall(sheet)) - own - PER_ELEMENT <= palettes(asset("base.css"))[0]
