"""The whole file: complete, self-contained, safe, and honest about what is missing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from viewsweep.reports import turntables, write_report
from viewsweep.reports.rundir import read_run
from viewsweep.reports.turntables import pick_scenes
from viewsweep.scenes.errors import UnreadableFile
from viewsweep.scenes.scene import load_scene, save_scene
from viewsweep.scenes.sweeps import grid_3x9

from .fake_run import draw, make_run

VOID = {"meta", "link", "img", "input", "br"}


class Outline(HTMLParser):
    """Tags, addresses and text of a page; complains about tags that do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.identifiers: list[str] = []
        self.tags: list[str] = []
        self.inline: dict[str, list[str]] = {"script": [], "style": []}
        self.data_blocks: list[str] = []
        self.words: list[str] = []
        self.attributes: set[str] = set()
        self._executable = False
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        own = dict(attrs)
        self.attributes |= set(own)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]
        self.identifiers += [own["id"] or ""] if "id" in own else []
        self._executable = tag == "style" or own.get("type") is None
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        where = self.open[-1] if self.open else ""
        if where in self.inline:
            (self.inline[where] if self._executable else self.data_blocks).append(data)
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def read(run_dir: Path, scenes_shown: int = 6) -> tuple[str, Outline]:
    page = write_report(run_dir, scenes_shown=scenes_shown).read_text(encoding="utf-8")
    return page, Outline(page)


@pytest.fixture(scope="module")
def report(pristine: Path) -> tuple[str, Outline]:
    return read(pristine)


def test_everything_is_inside_the_file(report: tuple[str, Outline]) -> None:
    page, outline = report
    assert all(address.startswith(("data:", "#")) for address in outline.addresses)
    assert not re.search(r"url\((?!#)|@import|@font-face", page)
    assert "style" not in outline.attributes  # no inline styles: the policy would drop them
    assert not any(name.startswith("on") for name in outline.attributes)


def test_the_policy_allows_exactly_what_is_inline(report: tuple[str, Outline]) -> None:
    page, outline = report
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    allowed = policy[1].replace("&#39;", "'")
    assert allowed.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in allowed
    for text in (*outline.inline["script"], *outline.inline["style"]):
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in allowed


def test_identifiers_are_unique_and_links_lead_somewhere(report: tuple[str, Outline]) -> None:
    _, outline = report
    assert len(outline.identifiers) == len(set(outline.identifiers))
    inner = {address[1:] for address in outline.addresses if address.startswith("#")}
    assert inner <= set(outline.identifiers)


def test_the_same_run_gives_the_same_bytes(run_dir: Path, report: tuple[str, Outline]) -> None:
    first = write_report(run_dir).read_bytes()
    assert write_report(run_dir).read_bytes() == first
    assert first.decode() == report[0]  # wherever the directory lies


def test_it_says_what_was_run_and_how_to_run_it_again(report: tuple[str, Outline]) -> None:
    text = report[1].text
    for part in (
        "ellipsoids64-demo",
        "4 methods drew the same 3 scenes, 8 views each.",
        "3 \N{MULTIPLICATION SIGN} 8",
        "4 March 2031, 10:19 UTC",
        "3f7ac0d9" * 8,
        "viewsweep run ellipsoids64-demo --methods frozen,ivid-small,oracle --out runs/demo",
        "0123456789abcdef",
        "2.9.0",
    ):
        assert part in text


def test_it_says_what_is_missing_and_why(report: tuple[str, Outline]) -> None:
    page, outline = report
    assert "Not run: needs at least 257 pictures for features of 256 numbers; there are 72." in outline.text
    assert 'title="not run: needs at least 257 pictures' in page
    assert "1 scene could not be drawn, read or measured" in outline.text
    assert "depth of view 3 holds infinite numbers." in outline.text
    assert "2 of 3 scenes" in outline.text


def test_reference_rows_are_marked(report: tuple[str, Outline]) -> None:
    text = report[1].text
    assert "oracle draws the world itself: the ceiling, not a competitor." in text
    assert "frozen and noise cheat on purpose, to show which metric notices." in text


def test_a_wide_report_is_whole(wide: Path) -> None:
    page, outline = read(wide, scenes_shown=1)
    assert len(outline.identifiers) == len(set(outline.identifiers))
    assert {address[1:] for address in outline.addresses if address.startswith("#")} <= set(outline.identifiers)
    assert "style" not in outline.attributes
    assert "Consistency over the angle between views" in outline.text
    assert "KID by azimuth" in outline.text
    assert "rank 1 n" in outline.text
    assert "4 of 9" in outline.text  # columns of the first table
    assert "@15<" not in page
    assert page == write_report(wide, scenes_shown=1).read_text(encoding="utf-8")


def test_pictures_that_cannot_be_made_small_do_not_break_the_report(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers of a noisy scene may need more than the whole budget of a pane."""
    monkeypatch.setattr(turntables, "PICTURE_BYTES", 500)
    page, _ = read(run_dir)
    assert page.count("data:image/webp") > 4


def test_text_from_files_cannot_become_markup(run_dir: Path) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    results = json.loads((run_dir / "results.json").read_text())
    results["methods"]["ivid-small"]["scenes"]["failed"][0]["reason"] = evil
    results["methods"][evil] = results["methods"]["oracle"]
    for definition in results["metrics"].values():
        definition |= {"title": evil, "description": evil, "unit": evil}
    results["protocol"]["name"] = evil
    (run_dir / "results.json").write_text(json.dumps(results))
    run = json.loads((run_dir / "run.json").read_text())
    run["command"] = run["environment"]["commit"] = evil
    run["environment"][evil] = evil
    (run_dir / "run.json").write_text(json.dumps(run))
    rows = pd.read_parquet(run_dir / "per_scene.parquet")
    rows = pd.concat([rows, rows[rows["method"] == "oracle"].assign(method=evil)])
    rows.to_parquet(run_dir / "per_scene.parquet")
    page, outline = read(run_dir)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert outline.tags.count("script") == 5
    assert evil in outline.text


def test_scenes_shown_are_spread_over_classes(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path, methods=("oracle",), scenes=9, views=2, size=8))
    labels = run.rows.drop_duplicates("index").set_index("index")["label"]
    assert sorted(labels[pick_scenes(run, 3)]) == [0, 1, 2]
    assert sorted(labels[pick_scenes(run, 6)]) == [0, 0, 1, 1, 2, 2]
    assert len(pick_scenes(run, 2)) == 2
    assert pick_scenes(run, 100) == list(range(9))
    assert pick_scenes(run, 0) == []
    _, outline = read(tmp_path, scenes_shown=4)
    assert "4 of 9 scenes, spread over the classes and not chosen by score." in outline.text


def test_an_unreadable_scene_is_shown_and_counted(run_dir: Path) -> None:
    (run_dir / "scenes/oracle/00001.safetensors").write_bytes(b"not a scene")
    _, outline = read(run_dir)
    assert "2 scenes could not be drawn, read or measured" in outline.text
    assert "scenes/oracle/00001.safetensors: not a readable scene file" in outline.text
    assert str(run_dir) not in outline.text


def test_pictures_without_cameras_become_a_gallery(run_dir: Path) -> None:
    for path in (run_dir / "scenes/ivid-small").iterdir():
        save_scene(path, replace(load_scene(path), cameras=None, depth=None))
    page, outline = read(run_dir)
    assert page.count('class="gallery"') == 2
    assert "8 pictures without cameras: nothing to turn." in outline.text


def test_views_without_depth_say_so(run_dir: Path) -> None:
    for path in (run_dir / "scenes/ivid-small").iterdir():
        save_scene(path, replace(load_scene(path), depth=None))
    page, _ = read(run_dir)
    assert page.count('class="view nodepth depth"') == 2


def test_any_cameras_can_be_shown(run_dir: Path) -> None:
    save_scene(run_dir / "scenes/oracle/00000.safetensors", draw(1000, grid_3x9(), 24))
    page, outline = read(run_dir)
    assert 'data-pitches="[0.0, 8.59, -8.59' in page
    assert "8 to 27 views each" in outline.text


def test_a_bare_results_file_is_enough(tmp_path: Path) -> None:
    make_run(tmp_path / "run", methods=("ivid-small",), scenes=1, views=2, size=8, failed=False)
    bare = tmp_path / "bare"
    bare.mkdir()
    (tmp_path / "run/results.json").rename(bare / "results.json")
    _, outline = read(bare)
    for part in (
        "One method drew the same 1 scene.",
        "The command was not recorded in this directory.",
        "The resolved protocol was not recorded in this directory.",
        "Every scene was drawn and measured.",
    ):
        assert part in outline.text
    assert "turntables" not in outline.identifiers
    assert "azimuth" not in outline.identifiers


def test_an_unfinished_run_says_so(run_dir: Path) -> None:
    run = json.loads((run_dir / "run.json").read_text()) | {"status": "started"}
    (run_dir / "run.json").write_text(json.dumps(run))
    assert "This run is not complete" in read(run_dir)[1].text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("results.json", None, "results.json: missing."),
        ("results.json", b"{", "results.json: not readable as JSON"),
        ("results.json", b'{"schema": "viewsweep.results/9"}', "its schema is 'viewsweep.results/9'"),
        ("results.json", b'{"schema": "viewsweep.results/1"}', "not laid out as viewsweep.results/1"),
        ("run.json", b"[]", "its schema is None"),
        ("per_scene.parquet", b"junk", "per_scene.parquet: not a readable table"),
    ],
    ids=["missing", "truncated", "too new", "wrong layout", "foreign", "broken table"],
)
def test_broken_files_are_named_and_the_old_report_stays(
    run_dir: Path, name: str, content: bytes | None, message: str
) -> None:
    (run_dir / "report.html").write_text("old")
    if content is None:
        (run_dir / name).unlink()
    else:
        (run_dir / name).write_bytes(content)
    with pytest.raises(UnreadableFile, match=re.escape(message)):
        write_report(run_dir)
    assert (run_dir / "report.html").read_text() == "old"


def test_a_method_cannot_point_outside_the_run(run_dir: Path) -> None:
    results = json.loads((run_dir / "results.json").read_text())
    results["methods"]["../../elsewhere"] = results["methods"]["oracle"]
    (run_dir / "results.json").write_text(json.dumps(results))
    with pytest.raises(UnreadableFile, match="must lie inside"):
        write_report(run_dir)


def test_a_methods_scenes_may_be_a_link(run_dir: Path, tmp_path: Path) -> None:
    (run_dir / "scenes" / "oracle").rename(tmp_path / "large disk")
    (run_dir / "scenes" / "oracle").symlink_to(tmp_path / "large disk")
    assert write_report(run_dir).is_file()


def test_another_number_of_scenes_than_the_protocols_is_told(run_dir: Path) -> None:
    run = json.loads((run_dir / "run.json").read_text())
    run["protocol"]["overrides"] = {"scenes": {"declared": 8, "used": 3}}
    (run_dir / "run.json").write_text(json.dumps(run))
    assert "drew the same 3 scenes instead of the protocol's 8, 8 views each." in write_report(
        run_dir
    ).read_text().replace("&#39;", "'")


def test_five_methods_stay_under_six_megabytes(tmp_path: Path) -> None:
    methods = ("oracle", "ivid-small", "gan-small", "frozen", "noise")
    make_run(tmp_path, methods=methods, scenes=6, views=24, size=64)
    assert write_report(tmp_path).stat().st_size < 6_000_000


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_largest_board_stays_under_fifteen_megabytes(tmp_path: Path) -> None:
    """Ten methods by 24 scenes of 24 views, all with pictures, and every kind of metric id."""
    drawn = ("ivid", "ivid-fusion", "pigan", "eg3d", "epigraf", "dfm", "pixelnerf")
    methods = ("oracle", *(f"{name}-small" for name in drawn), "frozen", "noise")
    make_run(tmp_path, methods=methods, scenes=24, views=24, size=64, wide=True)
    assert len(methods) == 10
    assert write_report(tmp_path, scenes_shown=24).stat().st_size <= 15_000_000
