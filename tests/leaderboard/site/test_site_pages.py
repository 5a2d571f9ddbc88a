"""The pages: all there, well formed, linked to one another, and safe whatever a card says."""

from __future__ import annotations

import random
import re
from pathlib import Path
from urllib.parse import urldefrag

import pytest
from viewsweep.leaderboard.board import Board
from viewsweep.leaderboard.entry import Entry
from viewsweep.leaderboard.site import build_site
from viewsweep.leaderboard.site.build import TITLE

from .made_board import board, card, check, entry, metrics, reported, result, sample_board
from .reading_html import Page

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7 * 7 }}</style></textarea>"


def contents(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def built(own: Board, out: Path) -> dict[str, bytes]:
    build_site(own, out)
    return contents(out)


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def test_same_board_same_bytes_in_whatever_order_it_is_read(tmp_path: Path) -> None:
    own = sample_board()
    first = built(own, tmp_path / "a")
    draw = random.Random(5)

    def shuffled(items: object) -> dict[object, object]:
        listed = list(dict(items).items())  # type: ignore[call-overload]
        draw.shuffle(listed)
        return dict(listed)

    def stirred(one: Entry) -> Entry:
        data = one.model_dump(mode="json")
        return Entry.model_validate(shuffled(data | {"metrics": shuffled(data["metrics"])}))

    entries = {key: stirred(one) for key, one in shuffled(own.entries).items()}  # type: ignore[arg-type]
    again = Board(entries, shuffled(own.cards), shuffled(own.reported))  # type: ignore[arg-type]
    assert built(again, tmp_path / "b") == first


def test_there_is_a_page_for_every_protocol_method_and_metric(site: Path) -> None:
    own = sample_board()
    names = {path.relative_to(site).as_posix() for path in pages(site)}
    assert {f"protocols/{name}.html" for name in own.protocols} <= names
    assert {f"methods/{name}.html" for name in {*own.cards, *(method for _, method in own.entries)}} <= names
    assert {"metrics/fid-tabletop.html", "metrics/warp_psnr.html"} <= names
    assert not [name for name in names if "@" in name]
    top = {"index.html", "methods.html", "metrics.html", "reported.html", "submit.html", "changes.html"}
    assert {name for name in names if "/" not in name} == top


def test_every_entry_has_its_row(site: Path) -> None:
    page = Page(site / "protocols/tabletop64.html")
    rows = [found["data-name"] for tag, found in page.tags if tag == "tr" and "data-name" in found]
    expected = [method for protocol, method in sample_board().entries if protocol == "tabletop64"]
    assert sorted(map(str, rows)) == sorted(expected)


def test_pages_are_well_formed(site: Path) -> None:
    faults = {path.name: found for path in pages(site) if (found := Page(path).faults)}
    assert faults == {}


def test_all_links_lead_somewhere(site: Path) -> None:
    ids = {path.resolve(): set(Page(path).ids) for path in pages(site)}
    broken = []
    for path in pages(site):
        for address in Page(path).links:
            if address.startswith("https://"):
                continue
            target, fragment = urldefrag(address)
            there = (path.parent / target).resolve() if target else path.resolve()
            if not there.is_file() or (fragment and "=" not in fragment and fragment not in ids[there]):
                broken.append(f"{path.name}: {address}")
    assert broken == []


def test_pages_forbid_everything_but_their_own_style_and_script(site: Path) -> None:
    for path in pages(site):
        tags = Page(path).tags
        (policy,) = [
            str(found["content"]) for tag, found in tags if found.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert not [tag for tag, found in tags if "style" in found or any(key.startswith("on") for key in found)]
        assert not [found for tag, found in tags if tag in ("script", "img", "iframe", "link") and "src" in found]


def test_no_page_names_the_day_it_was_built(site: Path) -> None:
    for path in pages(site):
        text = Page(path).text
        assert not re.search(r"20[012]\d-\d\d-\d\d", text)  # the sample board lives in 2030 and 2031


def test_what_others_write_is_text(tmp_path: Path) -> None:
    bad = card(
        "evil-gan",
        title=HOSTILE,
        description=HOSTILE,
        authors=[HOSTILE],
        limits=[HOSTILE],
        citation="@misc{x, title={" + HOSTILE + "}}",
        licences={"code": HOSTILE, "weights": HOSTILE, "training_data": HOSTILE},
        conditions=HOSTILE,
    )
    numbers = metrics("evil-gan") | {
        "nfs": result(None, reason=HOSTILE),
        HOSTILE: result(1.0),
        "../../etc/passwd": result(2.0),
        "a" * 500: result(3.0),
    }
    own = entry(
        "evil-gan",
        metrics=numbers,
        command=HOSTILE,
        environment={HOSTILE: {HOSTILE: [HOSTILE]}},
        attestations=[check(by=HOSTILE, viewsweep=HOSTILE)],
        lifecycle={"status": "withdrawn", "date": "2031-01-01", "reason": HOSTILE},
        scenes=entry("x").scenes.model_dump() | {"split": HOSTILE, "failed": [{"index": 1, "reason": HOSTILE}]},
    )
    paper = reported("evil-gan", title=HOSTILE, source=HOSTILE)
    out = tmp_path / "out"
    written = build_site(board([own, entry("frozen")], [bad, card("frozen")], [paper]), out, title=HOSTILE)
    assert all(out in path.resolve().parents for path in written)
    for path in pages(out):
        page = Page(path)
        assert page.faults == []
        assert not [tag for tag, found in page.tags if "onerror" in found or tag == "img"]
        assert sum(tag == "script" for tag, _ in page.tags) <= 2
    assert HOSTILE in Page(out / "methods/evil-gan.html").text


@pytest.mark.parametrize("own", [Board(), Board(cards={"alone": card("alone")})], ids=["empty", "card only"])
def test_a_board_without_entries_has_a_site(own: Board, tmp_path: Path) -> None:
    build_site(own, tmp_path / "out")
    page = Page(tmp_path / "out/index.html")
    assert page.faults == []
    assert "No entries yet." in page.text
    assert TITLE in page.text


def test_a_method_page_says_all_that_is_known(site: Path) -> None:
    text = Page(site / "methods/ivid-small.html").text
    said = ("spot-checked", "verified", "8 seeds drawn again", "CC-BY-4.0", "@article{ivid-small", "Backs are blurred.")
    assert [part for part in said if part not in text] == []
    assert "by the authors; of the method as its paper has it" in text


def test_numbers_in_print_stand_with_the_methods_whose_cards_name_them(site: Path) -> None:
    assert "second-hand; of the method as its paper has it" in Page(site / "methods/unmeasured.html").text
    assert "unmeasured on this board" in Page(site / "reported.html").text
    assert "In print" not in Page(site / "methods/pigan-small.html").text


def test_an_archive_without_an_address_can_be_drawn_again_or_asked_for(tmp_path: Path) -> None:
    hidden = {"archive": entry("x").archive.model_dump() | {"url": None}}
    build_site(board([entry("oracle", **hidden), entry("mine", **hidden)]), tmp_path)
    own, theirs = (" ".join(Page(tmp_path / f"methods/{name}.html").text.split()) for name in ("oracle", "mine"))
    assert "verify leaderboard/entries/tabletop64/oracle.json --scenes again/scenes/oracle" in own
    assert "Ask its authors for it." in theirs


def test_the_page_on_submitting_says_what_submit_does(site: Path) -> None:
    text = " ".join(Page(site / "submit.html").text.split())
    assert "three files" in text
    assert ".parquet" in text
    assert "A run with another number of scenes makes no entry" in text
    assert "table of their own" not in text


def test_failures_and_ends_are_told(site: Path) -> None:
    lost = Page(site / "methods/dfm-small.html").text
    assert "the generator ran out of memory." in lost
    assert "not ranked: lost 1 of 256 scenes" in lost
    old = Page(site / "methods/ivid-first.html").text
    assert "Superseded on 2031-01-20 in favour of ivid-small" in " ".join(old.split())


def test_a_metric_page_defines_and_warns(site: Path) -> None:
    text = Page(site / "metrics/warp_psnr.html").text
    assert "Colour agreement of neighbouring views" in text
    assert "When it misleads." in text
    assert "higher is better" in text
    assert "Must see" in text
    assert "`" not in text
    definition = (site / "metrics/warp_psnr.html").read_text(encoding="utf-8").partition('id="definition"')[2]
    assert "<code>warping</code>" in definition
    assert "<em>covisible</em>" in definition


def test_numbers_from_papers_stand_apart(site: Path) -> None:
    text = Page(site / "reported.html").text
    assert "12.3" in text
    assert "second-hand" in text
    assert "12.3" not in Page(site / "protocols/tabletop64.html").text


def test_changes_come_with_the_latest_first(site: Path) -> None:
    page = Page(site / "changes.html")
    days = [str(found["datetime"]) for tag, found in page.tags if tag == "time"]
    assert days == sorted(days, reverse=True)
    assert "withdrawn: The weights had seen the test split." in page.text
