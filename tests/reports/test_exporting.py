"""Tables, plots and turntables as files: readable by others, and nothing in them but what the report says."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from viewsweep.reports.captions import captions
from viewsweep.reports.exporting import export_plots, export_tables, export_turntable, formats_of
from viewsweep.reports.plain_tables import plain_tables
from viewsweep.reports.plots import plots
from viewsweep.reports.rundir import read_run
from viewsweep.reports.table_files import PlainTable, to_csv, to_latex, to_markdown
from viewsweep.reports.tables import summarise
from viewsweep.scenes.errors import UnknownName, UserError
from viewsweep.scenes.scene import load_scene, save_scene

HOSTILE = PlainTable(
    "hostile",
    "50 % & more_of {it}",
    ("Method", "Value [95 %]"),
    (("=cmd|' /C calc'!A0", "1 [0, 2]"), ("a|b\nc", None), ("<script>", -1.5)),
    frozenset({(0, 1)}),
)


def test_csv_holds_every_number_in_full(wide: Path, tmp_path: Path) -> None:
    run = read_run(wide)
    [path] = export_tables(run, tmp_path / "a.csv", "csv", ["results-consistency"])
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [row["method"] for row in rows] == [method.name for method in run.methods]
    for row, method in zip(rows, run.methods, strict=True):
        outcome = method.outcome("warp_psnr")
        assert float(row["warp_psnr"]) == outcome.value
        assert float(row["warp_psnr low"]) == outcome.low
        assert row["role"] == method.role
        assert "sed" in row  # hidden columns as well


def test_all_tables_come_as_a_folder(wide: Path, tmp_path: Path) -> None:
    run = read_run(wide)
    for kind, ending in (("csv", ".csv"), ("latex", ".tex"), ("markdown", ".md")):
        written = export_tables(run, tmp_path / kind, kind)
        assert {path.suffix for path in written} == {ending}
        names = {path.stem for path in written}
        assert {"results-pictures", "differences", "standings", "best-and-worst-scenes", "time-and-memory"} <= names
        assert "failures" not in names  # an empty table is none
        before = [path.read_bytes() for path in written]
        assert [path.read_bytes() for path in export_tables(run, tmp_path / kind, kind)] == before


def _read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_best_and_worst_scenes_are_numbers_in_full(wide: Path, tmp_path: Path) -> None:
    run = read_run(wide)
    rows = _read(*export_tables(run, tmp_path / "a.csv", "csv", ["best-and-worst-scenes"]))
    [row] = [row for row in rows if (row["metric"], row["method"]) == ("warp_psnr", "noise")]
    own = run.rows[(run.rows["metric"] == "warp_psnr") & (run.rows["method"] == "noise") & (run.rows["view"] < 0)]
    assert float(row["best"]) == own["value"].max()
    assert float(row["worst"]) == own["value"].min()
    assert int(row["best scene"]) == own["index"][own["value"].idxmax()]
    assert row["unit"] == "dB"
    assert row["best class"].startswith("class ") or row["best class"].isalpha()


def test_what_the_numbers_rest_on_is_a_table_too(wide: Path, tmp_path: Path) -> None:
    run = read_run(wide)
    written = {path.stem: path for path in export_tables(run, tmp_path / "all", "csv")}
    definitions = {row["metric"]: row for row in _read(written["definitions"])}
    assert definitions.keys() == set(run.definitions)
    assert definitions["warp_psnr"]["better"] == "higher"
    assert "texture" not in definitions["warp_psnr"]["reacts to"].split("; ")
    protocol = {row["Field"]: row["Value"] for row in _read(written["protocol"])}
    assert protocol["hash"] == run.protocol["hash"]
    assert protocol["sweep.views"] == "4"
    environment = {row["Field"]: row["Value"] for row in _read(written["environment"])}
    assert environment["packages.torch"] == "2.9.0"
    assert environment["command"].startswith("viewsweep run")
    assert {row["Method"] for row in _read(written["methods"])} == {method.name for method in run.methods}
    for kind, ending in (("latex", "tex"), ("markdown", "md")):
        [path] = export_tables(run, tmp_path / f"a.{ending}", kind, ["protocol"])
        assert "sweep.views" in path.read_text()


@pytest.mark.parametrize(("kind", "ending"), [("latex", "tex"), ("markdown", "md")])
def test_folded_columns_come_when_asked_for(wide: Path, tmp_path: Path, kind: str, ending: str) -> None:
    run = read_run(wide)
    for folded in (False, True):
        [path] = export_tables(run, tmp_path / f"a.{ending}", kind, ["results-pictures"], folded=folded)
        assert ("KID, worst bin" in path.read_text()) == folded


def test_the_sure_winner_is_bold(wide: Path) -> None:
    run = read_run(wide)
    table = next(table for table in plain_tables(run) if table.name == "results-consistency")
    best = {own.definition.id for own, cell in _best_cells(run)}
    assert "warp_zncc" in best
    assert len(table.bold) == sum(own.family == "Consistency" and own.headline for own, _ in _best_cells(run))
    assert f"**{table.rows[min(table.bold)[0]][min(table.bold)[1]]}**".replace("[", r"\[").replace("]", r"\]") in (
        to_markdown(table)
    )
    assert to_latex(table).count(r"\textbf{") == len(table.bold)


def _best_cells(run):  # type: ignore[no-untyped-def]  # pairs of columns and cells
    summary = summarise(run)
    rows = [row for group in summary.groups for row in group.rows]
    return [(own, row.cells[k]) for k, own in enumerate(summary.columns) for row in rows if row.cells[k].best]


def test_texts_stay_texts_in_every_format() -> None:
    rows = list(csv.reader(io.StringIO(to_csv(HOSTILE))))
    assert rows[1] == ["'=cmd|' /C calc'!A0", "1 [0, 2]"]
    assert rows[2] == ["a|b\nc", ""]
    assert rows[3] == ["<script>", "-1.5"]  # a number is none
    latex = to_latex(HOSTILE)
    assert r"50 \% \& more\_of \{it\}" in latex
    assert r"\textless{}script\textgreater{}" in latex
    assert latex.count(r"\\") == 4
    markdown = to_markdown(HOSTILE)
    assert len(markdown.splitlines()) == 5
    assert r"a\|b c" in markdown
    assert r"\<script\>" in markdown
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 3 for line in markdown.splitlines())


def test_every_plot_is_an_svg_of_its_own(wide: Path, tmp_path: Path) -> None:
    run = read_run(wide)
    written = export_plots(run, tmp_path / "plots")
    names = {path.stem for path in written}
    assert {"angles-warp-psnr", "azimuth-warp-psnr", "azimuth-kid-bins-tabletop", "scenes-warp-psnr"} <= names
    assert "tradeoff-quality-consistency" in names
    assert len(names) == len(written)
    for path in written:
        root = ElementTree.fromstring(path.read_text())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert float(root.attrib["width"]) > 100
        assert "http" not in path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert len(plots(run)) == len(written)


def test_an_exported_plot_needs_no_style_sheet(wide: Path, tmp_path: Path) -> None:
    """rsvg and office programs know neither variables nor, some of them, classes: they drew no line at all."""
    colours = set()
    for path in export_plots(read_run(wide), tmp_path / "plots"):
        text = path.read_text()
        assert not [word for word in ("var(", "class=", "<style", "style=") if word in text], path.name
        drawn = list(ElementTree.fromstring(text).iter())
        shapes = [mark for mark in drawn if _tag(mark) in ("path", "circle", "rect") and mark not in _clips(drawn)]
        paints = [{mark.get("stroke", "none"), mark.get("fill", "none")} - {"none"} for mark in shapes]
        assert all(paints), path.name  # nothing is left to a viewer's black default, nothing is invisible
        assert all(re.fullmatch("#[0-9a-f]{6}", colour) for own in paints for colour in own)
        assert all(mark.get("fill") for mark in drawn if _tag(mark) == "path"), path.name
        colours |= {colour for own in paints for colour in own}
    assert {"#17191d", "#1f5fd0", "#e3e3dd"} <= colours  # ink, a method, the grid


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _clips(drawn: list[ElementTree.Element]) -> list[ElementTree.Element]:
    """What only cuts, and is never painted."""
    return [mark for element in drawn if _tag(element) == "clipPath" for mark in element]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("angles-warp-psnr", ["Warp PSNR over angles", "Warp PSNR, dB (higher is better)", "the views, degrees"]),
        ("azimuth-kid-bins-tabletop", ["KID by azimuth", "KID by azimuth (lower is better)", "the camera, degrees"]),
        ("scenes-warp-psnr", ["Warp PSNR by scene", "Warp PSNR, dB (higher is better)", "One dot a scene"]),
        ("tradeoff-quality-cost", ["Quality against cost", "Seconds a scene, s (less is better)", "Pareto front"]),
        ("matrix-faults-of-a-scene", ["Faults of a scene", "level of a graded fault"]),
    ],
)
def test_an_exported_plot_says_what_it_shows(wide: Path, tmp_path: Path, name: str, words: list[str]) -> None:
    run = read_run(wide)
    [path] = export_plots(run, tmp_path / "one.svg", [name])
    root = ElementTree.fromstring(path.read_text())
    texts = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == words[0]
    for expected in words[1:]:
        assert any(expected in text for text in (*texts, " ".join(texts))), expected
    if not name.startswith("matrix"):
        assert run.protocol["hash"][:12] in " ".join(texts)


def test_one_thing_goes_into_a_file_and_several_into_a_folder(wide: Path, tmp_path: Path) -> None:
    run = read_run(wide)
    with pytest.raises(UserError, match="files do not fit into one"):
        export_plots(run, tmp_path / "all.svg")
    with pytest.raises(UserError, match="files do not fit into one"):
        export_tables(run, tmp_path / "two.csv", "csv", ["differences", "standings"])
    with pytest.raises(UnknownName, match=r"no table named 'result-pictures'. Did you mean results-pictures"):
        export_tables(run, tmp_path / "a.csv", "csv", ["result-pictures"])
    with pytest.raises(UnknownName, match="no kind of export"):
        formats_of("report")
    with pytest.raises(UserError, match=r"plot.png: this is written as .svg, not as .png"):
        export_plots(run, tmp_path / "plot.png")
    with pytest.raises(UserError, match=r"a.xlsx: this is written as .csv, not as .xlsx"):
        export_tables(run, tmp_path / "a.xlsx", "csv", ["differences"])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "all.plots").mkdir()
    assert len(export_plots(run, tmp_path / "all.plots", ["scenes-warp-psnr"])) == 1
    assert len(export_tables(run, tmp_path / "run-0.1", "csv", ["standings"])) == 1
    assert export_tables(run, tmp_path / "new/folder/a.csv", "csv", ["standings"])[0].is_file()


@pytest.mark.parametrize("layer", ["rgb", "depth", "normals", "warp"])
def test_a_turntable_shows_the_methods_side_by_side(pristine: Path, tmp_path: Path, layer: str) -> None:
    run = read_run(pristine)
    out = tmp_path / "turn.webp"
    assert export_turntable(run, out, methods=["oracle", "noise"], layer=layer) == ["oracle", "noise"]
    with Image.open(out) as film:
        assert film.width == 48
        assert film.n_frames == 8
        shown = np.asarray(film.convert("RGB"))[-24:, :24].astype(int)
    if layer == "rgb":
        scene = load_scene(pristine / "scenes/oracle/00000.safetensors")
        assert scene.cameras is not None
        first = int(scene.cameras.yaw.argmin())  # round the object, from one end to the other
        assert np.abs(shown - scene.rgb[first].numpy().astype(int)).mean() < 12


def test_a_turntable_of_several_names_them_and_can_be_larger(pristine: Path, tmp_path: Path) -> None:
    run = read_run(pristine)
    alone, both = tmp_path / "new/alone.gif", tmp_path / "both.gif"
    export_turntable(run, alone, methods=["oracle"], scale=3)
    export_turntable(run, both, methods=["oracle", "frozen"], scale=3)
    with Image.open(alone) as one, Image.open(both) as two:
        assert one.size == (72, 72)  # one method needs no name
        picture = np.asarray(one.convert("RGB"))
        assert (picture[::3] == picture[1::3]).all()  # nearest: every pixel is a square
        assert two.width == 144
        heads = np.asarray(two.convert("L"))[: two.height - 72]
    assert heads.max() > 250
    assert all(half.min() < 90 for half in (heads[:, :72], heads[:, 72:]))
    assert (heads[:, :72] != heads[:, 72:]).any()  # two names


def test_names_stay_above_their_own_picture() -> None:
    names = ["ivid-fusion-small", "oracle", "pixelnerfwithaverylongname"]
    strip = captions(names, 64)
    assert strip.shape[1:] == (192, 3)
    assert not (strip[:, [0, 63, 64, 127, 128, 191]] < 255).any()  # nothing touches a neighbour
    inked = (strip < 128).any(axis=(0, 2)).reshape(3, 64).sum(axis=1)
    assert (inked > 8).all()


def test_a_turntable_says_what_is_missing(run_dir: Path, tmp_path: Path) -> None:
    run = read_run(run_dir)
    with pytest.raises(UserError, match="nobody has a file for scene 9"):
        export_turntable(run, tmp_path / "a.webp", scene=9)
    with pytest.raises(UserError, match="ivid-small: no file for scene 2"):
        export_turntable(run, tmp_path / "a.webp", scene=2, methods=["ivid-small"])
    with pytest.raises(UserError, match="choose one by the file's ending"):
        export_turntable(run, tmp_path / "a.avi")
    with pytest.raises(UnknownName, match=r"no layer named 'deph'. Did you mean depth"):
        export_turntable(run, tmp_path / "a.webp", layer="deph")
    path = run_dir / "scenes/oracle/00000.safetensors"
    save_scene(path, replace(load_scene(path), depth=None))
    with pytest.raises(UserError, match="oracle has no depth or no cameras, which normals takes"):
        export_turntable(run, tmp_path / "a.webp", layer="normals")
    assert list(tmp_path.glob("a.*")) == []


def test_hostile_names_of_methods_stay_in_their_cells(run_dir: Path, tmp_path: Path) -> None:
    results = json.loads((run_dir / "results.json").read_text())
    evil = "=1+1|<b>&_\\"
    results["methods"][evil] = results["methods"]["ivid-small"]
    (run_dir / "results.json").write_text(json.dumps(results))
    run = read_run(Path(shutil.copytree(run_dir, tmp_path / "copy")))
    [path] = export_tables(run, tmp_path / "a.csv", "csv", ["results"])
    assert f"'{evil}" in [row[0] for row in csv.reader(io.StringIO(path.read_text()))]
    for plot in plots(run):
        ElementTree.fromstring(plot.chart)
