"""What can be taken away: complete, readable by other programs, harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import viewsweep
from viewsweep.leaderboard.board import Board, BoardFolder
from viewsweep.leaderboard.cards import load_card
from viewsweep.leaderboard.site import build_site
from viewsweep.leaderboard.site.downloads import bibtex

from .made_board import board, card, entry, metrics, result, sample_board

OWN = BoardFolder(Path(viewsweep.__file__).parent / "leaderboard")


def test_csv_holds_every_number(site: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((site / "data/tabletop64.csv").read_text(encoding="utf-8"))))
    own = {key: one for key, one in sample_board().entries.items() if key[0] == "tabletop64"}
    assert len(rows) == sum(len(one.metrics) for one in own.values())
    for row in rows:
        held = own["tabletop64", row["method"]].metrics[row["metric"]]
        assert row["value"] == ("" if held.value is None else repr(held.value))
        assert (held.value is None) == bool(row["reason"])


def test_json_holds_entries_cards_and_meanings(site: Path) -> None:
    data = json.loads((site / "data.json").read_text(encoding="utf-8"))
    own = sample_board()
    assert len(data["entries"]) == len(own.entries)
    assert set(data["cards"]) == set(own.cards)
    assert set(data["reported"]) == set(own.reported)
    assert data["metrics"]["fid[tabletop]"]["higher_is_better"] is False
    one = next(e for e in data["entries"] if e["method"]["name"] == "oracle")
    assert (one["tier"], one["role"], one["ranks"]) == ("verified", "ceiling", {})


def test_a_spreadsheet_runs_nothing(tmp_path: Path) -> None:
    numbers = metrics("a") | {"=cmd|' /C calc'!A0": result(-1.5), "nfs": result(None, reason="+1+1")}
    build_site(board([entry("a", metrics=numbers)]), tmp_path / "out")
    rows = list(csv.reader(io.StringIO((tmp_path / "out/data/tabletop64.csv").read_text(encoding="utf-8"))))
    texts = [text for row in rows for text in row if text.startswith(("=", "+", "@", "-"))]
    assert [text for text in texts if float(text) >= 0] == []
    assert "'+1+1" in {text for row in rows for text in row}


def test_latex_is_escaped_and_balanced(site: Path, tmp_path: Path) -> None:
    text = (site / "data/tabletop64.tex").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and not line.startswith(r"\multicolumn")]
    assert len({line.count("&") for line in rows}) == 1
    assert text.count("{") == text.count("}")
    build_site(board([entry("a_b", metrics={"warp_psnr": result(1.0), r"\input{x}%": result(2.0)})]), tmp_path / "out")
    hostile = (tmp_path / "out/data/tabletop64.tex").read_text(encoding="utf-8")
    assert r"a\_b" in hostile
    assert r"\input" not in hostile


def test_bibtex_holds_each_citation_once_and_no_command(tmp_path: Path) -> None:
    cards = [card("a"), card("b", citation=None), card("c", citation=card("a").citation)]
    cards.append(card("d", citation='@preamble{"\\write18{x}"}'))
    build_site(board([], cards), tmp_path / "out")
    text = (tmp_path / "out/methods.bib").read_text(encoding="utf-8")
    assert text.count("@article{a,") == 1
    assert "@preamble" not in text


def test_bibtex_gives_no_key_twice(tmp_path: Path) -> None:
    twice = "@misc{Same, title={One}}\n\n@misc{further, title={Two}}"
    cards = [card("a", citation=twice), card("b", citation="@misc{same, title={ONE}}")]
    build_site(board([], cards), tmp_path / "out")
    text = (tmp_path / "out/methods.bib").read_text(encoding="utf-8")
    assert re.findall(r"@misc\{(\w+),", text) == ["Same", "further"]
    own = bibtex(Board({}, {path.stem: load_card(path) for path in OWN.cards()}))
    keys = [key.lower() for key in re.findall(r"^@\w+\{([^,]+),", own, re.MULTILINE)]
    assert len(keys) == len(set(keys)) > 3


def test_cards_that_cite_one_work_cite_it_alike() -> None:
    found: dict[str, set[str]] = {}
    for path in OWN.cards():
        if (citation := load_card(path).citation) is not None:
            found.setdefault(citation.partition(",")[0], set()).add(citation.strip())
    assert [key for key, texts in found.items() if len(texts) > 1] == []
