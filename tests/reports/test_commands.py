"""`report`, `compare` and `export` on the command line: several runs, chosen columns, files by their ending."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import pytest
from PIL import Image
from typer.testing import CliRunner, Result
from viewsweep.cli import app
from viewsweep.reports.rundir import read_run
from viewsweep.scenes.scene import load_scene


def call(*arguments: str | Path | int) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_report_of_one_run_is_written_where_one_says(wide: Path, tmp_path: Path) -> None:
    done = call("report", wide, "-o", tmp_path / "page.html", "--scenes", 1)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"Report: {tmp_path / 'page.html'}\n"
    assert "<!doctype html>" in (tmp_path / "page.html").read_text()[:100].lower()


def test_fewer_scenes_with_pictures_make_a_smaller_page(wide: Path, tmp_path: Path) -> None:
    for count in (0, 3):
        assert call("report", wide, "-o", tmp_path / f"{count}.html", "--scenes", count).exit_code == 0
    assert (tmp_path / "0.html").stat().st_size < (tmp_path / "3.html").stat().st_size


def test_compare_prints_what_json_holds(wide: Path) -> None:
    first, second = [method.name for method in read_run(wide).methods][:2]
    chosen = ("--methods", f"{first},{second}", "--metrics", "warp_psnr")
    (pair,) = json.loads(call("compare", wide, *chosen, "--json").stdout)["pairs"]
    assert (pair["metric"], {pair["first"], pair["second"]}) == ("warp_psnr", {first, second})
    printed = call("compare", wide, *chosen)
    assert printed.exit_code == 0, printed.output
    assert f"{pair['first']} less {pair['second']}" in printed.stdout
    assert "is better by" in printed.stdout


def test_compare_writes_the_page_of_these_runs(wide: Path, tmp_path: Path) -> None:
    page = tmp_path / "new/folder/compare.html"
    chosen = ("--methods", "ivid-small,gan-small", "--metrics", "warp_psnr")
    done = call("compare", wide, *chosen, "-o", page)
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith(f"Report: {page}\n")
    text = page.read_text()
    assert 'id="results"' in text  # the report, and in it
    [table] = re.findall(r'<table class="plain differences".*?</table>', text, re.DOTALL)
    assert table.count("<tr>") == 1  # one pair by one metric
    assert 'data-text="warp_psnr"' in table
    assert "is better" in table
    assert '<details class="more" id="differences" open>' in text
    assert call("report", wide, "-o", tmp_path / "report.html").exit_code == 0
    assert '<details class="more" id="differences">' in (tmp_path / "report.html").read_text()


def test_all_compares_by_more_than_the_headlines(wide: Path) -> None:
    headlines, everything = (
        {pair["metric"] for pair in json.loads(call("compare", wide, "--json", *more).stdout)["pairs"]}
        for more in ((), ("--all",))
    )
    assert headlines < everything


@pytest.mark.parametrize(
    ("ending", "mark"), [(".csv", "method,role"), (".tex", r"\begin{tabular}"), (".md", "| :-- |")]
)
def test_the_ending_chooses_the_format(wide: Path, tmp_path: Path, ending: str, mark: str) -> None:
    done = call("export", wide, "--what", "table", "--name", "results-consistency", "--out", tmp_path / f"t{ending}")
    assert done.exit_code == 0, done.output
    assert mark in (tmp_path / f"t{ending}").read_text()


def test_plots_go_into_a_folder(wide: Path, tmp_path: Path) -> None:
    done = call("export", wide, "--what", "plot", "--out", tmp_path / "plots")
    assert done.exit_code == 0, done.output
    written = done.stdout.split()
    assert written
    assert all(Path(path).read_text().startswith("<?xml") for path in written)


@pytest.mark.parametrize("layer", ["rgb", "depth"])
def test_a_turntable_as_webp_has_a_frame_a_view(wide: Path, tmp_path: Path, layer: str) -> None:
    method = read_run(wide).methods[0].name
    done = call(
        "export", wide, "--what", "turntable", "--methods", method, "--layer", layer, "--out", tmp_path / "t.webp"
    )
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "t.webp") as video:
        assert getattr(video, "n_frames", 1) == load_scene(next((wide / "scenes" / method).glob("*.safetensors"))).views


def test_a_turntable_as_mp4_can_be_played(wide: Path, tmp_path: Path) -> None:
    done = call("export", wide, "--what", "turntable", "--format", "mp4", "--fps", 8, "--out", tmp_path / "t")
    assert done.exit_code == 0, done.output
    video = cv2.VideoCapture(str(tmp_path / "t.mp4"))
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(8)
    read, frame = video.read()
    assert read
    assert frame.std() > 5  # not black


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("export", "--what", "film", "--out", "x.webp"), "film"),
        (("export", "--what", "plot", "--format", "png", "--out", "x"), "format of a plot"),
        (("export", "--what", "turntable", "--format", "mp4", "--out", "x.webp"), "its ending says otherwise"),
        (("export", "--what", "turntable", "--layer", "smell", "--out", "x.webp"), "smell"),
        (("export", "--what", "table", "--name", "nothing", "--out", "x.csv"), "nothing"),
        (("compare", "--methods", "nobody"), "nobody"),
        (("compare", "--metrics", "beauty"), "beauty"),
    ],
)
def test_what_is_not_there_is_named(
    wide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call(arguments[0], wide, *arguments[1:])
    assert done.exit_code == 2, done.output
    assert complaint in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "verb", [("report",), ("report", "-o", "x.html"), ("compare",), ("export", "--what", "table", "--out", "x")]
)
def test_a_folder_that_is_not_there_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call(verb[0], "nowhere", *verb[1:])
    assert done.exit_code == 2, done.output
    assert "nowhere: there is no such folder." in done.stderr
    assert "evaluate" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_report_makes_the_folder_it_is_written_to(wide: Path, tmp_path: Path) -> None:
    page = tmp_path / "new/folder/page.html"
    assert call("report", wide, "-o", page, "--scenes", 0).exit_code == 0
    assert page.is_file()


def test_a_larger_turntable_and_folded_columns_can_be_asked_for(wide: Path, tmp_path: Path) -> None:
    done = call(
        "export", wide, "--what", "turntable", "--methods", "oracle", "--scale", 4, "--out", tmp_path / "t.webp"
    )
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "t.webp") as video:
        assert video.size == (32, 32)
    for more in ((), ("--all",)):
        out = tmp_path / "t.md"
        assert call("export", wide, "--what", "table", "--name", "results-pictures", *more, "--out", out).exit_code == 0
        assert ("Vendi" in out.read_text()) == bool(more)
