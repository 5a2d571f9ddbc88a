"""An entry holds when its scenes give its numbers, and one number changed by 1 % does not."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from typer.testing import CliRunner
from viewsweep.benchmark.fingerprint import sha256_bytes
from viewsweep.cli import app
from viewsweep.leaderboard.attest import attest
from viewsweep.leaderboard.scene_table import pack
from viewsweep.leaderboard.strict_json import load_entry
from viewsweep.leaderboard.submit import Written
from viewsweep.leaderboard.tolerances import difference, rows_that_may_differ, tolerance
from viewsweep.leaderboard.verify import Verification, protocol_of, verify
from viewsweep.scenes.errors import UserError

ENTRY = Path("entries/pebbles16/bright.json")
Change = Callable[[dict[str, Any]], None]


def changed(board: Path, change: Change) -> Path:
    """The entry on `board` after a change."""
    path = board / ENTRY
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def differing(found: Verification) -> list[tuple[str, str]]:
    return [(comparison.what, comparison.part) for comparison in found.differing]


def test_an_untouched_entry_holds_to_the_last_bit(submitted: Written) -> None:
    found = verify(submitted.entry, scenes=submitted.archive, exact=True)
    assert found.passed
    assert found.largest_difference == 0.0
    compared = {comparison.what for comparison in found.comparisons}
    assert compared >= {"protocol.hash", "archive.sha256", "warp_psnr", "table warp_psnr", "nfs", "geometric_share"}


def test_a_folder_of_scenes_stands_in_for_the_archive(submitted: Written, finished: Path) -> None:
    assert verify(submitted.entry, scenes=finished / "scenes" / "bright").passed
    other = verify(submitted.entry, scenes=finished / "scenes" / "oracle")
    assert ("archive.sha256", "") in differing(other)
    assert ("warp_psnr", "value") in differing(other)


@pytest.mark.parametrize(
    ("metric", "part"),
    [
        ("warp_psnr", "value"),
        ("warp_mse", "value"),
        ("covisible", "ci_low"),
        ("geometric_share", "ci_high"),
        ("nfs", "value"),
        ("plane_residual", "value"),
    ],
)
def test_one_number_changed_by_one_per_cent_is_found(submitted: Written, board: Path, metric: str, part: str) -> None:
    def change(content: dict[str, Any]) -> None:
        assert content["metrics"][metric][part] != 0
        content["metrics"][metric][part] *= 1.01

    found = verify(changed(board, change), scenes=submitted.archive)
    assert differing(found) == [(metric, part)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda entry: entry["metrics"].pop("nfs"), ("nfs", "")),
        (lambda entry: entry["metrics"].update(fake=entry["metrics"]["nfs"]), ("fake", "")),
        (lambda entry: entry["metrics"]["nfs"].update(n=4), ("nfs", "n")),
        (lambda entry: entry["metrics"]["nfs"].update(version=2), ("nfs", "version")),
        (lambda entry: entry["metrics"]["nfs"].update(value=None), ("nfs", "value")),
        (lambda entry: entry["scenes"].update(requested=4), ("scenes.requested", "")),
        (lambda entry: entry["scenes"].update(seeds_sha256="0" * 64), ("scenes.seeds_sha256", "")),
        (lambda entry: entry["protocol"].update(hash="0" * 64), ("protocol.hash", "")),
        (lambda entry: entry["archive"].update(scenes=300), ("archive.scenes", "")),
        (lambda entry: entry["cost"].update(views=11), ("cost.views", "")),
    ],
)
def test_other_claims_are_compared_too(
    submitted: Written, board: Path, change: Change, expected: tuple[str, str]
) -> None:
    assert expected in differing(verify(changed(board, change), scenes=submitted.archive))


def test_a_table_with_one_other_value_is_found(submitted: Written, board: Path) -> None:
    path = board / ENTRY.with_suffix(".parquet")
    table = pyarrow.parquet.read_table(path)
    values = table["value"].to_numpy().copy()
    place = int(np.flatnonzero(table["metric"].to_pandas() == "nfs")[0])
    values[place] *= 1.01
    content = pack(table.set_column(table.schema.get_field_index("value"), "value", pyarrow.array(values)))
    path.write_bytes(content)

    def change(entry: dict[str, Any]) -> None:
        entry["per_scene"] |= {"sha256": sha256_bytes(content), "bytes": len(content)}

    assert differing(verify(changed(board, change), scenes=submitted.archive)) == [("table nfs", "values")]


def test_a_table_with_other_azimuths_is_found(submitted: Written, board: Path) -> None:
    path = board / ENTRY.with_suffix(".parquet")
    table = pyarrow.parquet.read_table(path)
    turned = pyarrow.array(table["yaw_deg"].to_numpy() + 1.0)
    content = pack(table.set_column(table.schema.get_field_index("yaw_deg"), "yaw_deg", turned))
    path.write_bytes(content)

    def change(entry: dict[str, Any]) -> None:
        entry["per_scene"] |= {"sha256": sha256_bytes(content), "bytes": len(content)}

    found = differing(verify(changed(board, change), scenes=submitted.archive))
    assert ("table warp_psnr", "yaw_deg") in found
    assert {part for _, part in found} == {"yaw_deg"}


def test_an_entry_off_every_board_is_of_a_shipped_protocol(submitted: Written) -> None:
    entry = load_entry(submitted.entry)
    with pytest.raises(UserError, match="There is no protocol named 'pebbles16'"):
        protocol_of(entry, Path("/x.json"))
    shipped = entry.protocol.model_copy(update={"name": "tabletop64"})
    assert protocol_of(entry.model_copy(update={"protocol": shipped}), Path("/x.json")).name == "tabletop64"


def test_a_table_that_is_not_the_entrys_is_refused(submitted: Written, board: Path) -> None:
    path = board / ENTRY.with_suffix(".parquet")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"bright\.parquet"):
        verify(board / ENTRY, scenes=submitted.archive)


def test_an_archive_that_is_not_the_entrys_is_refused(submitted: Written, tmp_path: Path) -> None:
    other = tmp_path / "other.tar"
    other.write_bytes(submitted.archive.read_bytes()[:-512])
    with pytest.raises(UserError, match="sha256"):
        verify(submitted.entry, scenes=other)
    with pytest.raises(UserError, match=r"no such archive or folder.* ask its authors"):
        verify(submitted.entry, scenes=tmp_path / "nothing.tar")


def test_scenes_of_a_shipped_method_can_be_drawn_where_there_is_no_archive(submitted: Written, board: Path) -> None:
    path = changed(board, lambda entry: entry["method"].update(name="frozen"))
    with pytest.raises(
        UserError, match=r"viewsweep sample pebbles16 --methods frozen --out again`, it is again/scenes/frozen"
    ):
        verify(path, scenes=board / "nothing.tar")


def test_an_entry_of_an_unknown_protocol_is_refused(submitted: Written, board: Path) -> None:
    path = changed(board, lambda entry: entry["protocol"].update(name="gravel16"))
    with pytest.raises(UserError, match="There is no protocol named 'gravel16'"):
        verify(path, scenes=submitted.archive)


def test_tolerances_lie_far_below_one_per_cent() -> None:
    for metric in ("fid[tabletop]", "kid[tabletop]", "warp_psnr@15", "tsed", "holdout_psnr", "rotation_error_deg"):
        assert 0 < tolerance(metric) <= 0.005
        assert tolerance(metric, exact=True) == 0.0
    assert rows_that_may_differ("nfs", 99) == (tolerance("nfs"), 0)
    assert rows_that_may_differ("tsed", 100, exact=True) == (0.0, 0)
    assert difference(100.0, 101.0) == pytest.approx(1 / 101)
    assert difference(-0.01, 0.01) == 2.0
    assert difference(None, None) == 0.0
    assert difference(None, 0.0) > 1


def test_what_was_checked_raises_the_tier(submitted: Written, board: Path) -> None:
    path = board / ENTRY
    found = verify(path, scenes=submitted.archive)
    day = datetime.date(2025, 6, 1)
    attest(path, "Max Muster", verification=found, date=day)
    again = attest(path, "Max Muster", verification=verify(path, scenes=submitted.archive), date=day)
    assert load_entry(path) == again
    assert again.tier == "verified"
    assert [(made.kind, made.by, made.date) for made in again.attestations] == [("verified", "Max Muster", day)]


def test_what_failed_cannot_be_attested(submitted: Written, board: Path) -> None:
    path = changed(board, lambda entry: entry["metrics"]["nfs"].update(n=4))
    before = path.read_bytes()
    with pytest.raises(UserError, match="only what passed"):
        attest(path, "Max Muster", verification=verify(path, scenes=submitted.archive))
    assert path.read_bytes() == before


def test_the_command_shows_what_differs_and_ends_with_3(submitted: Written, board: Path) -> None:
    def double(entry: dict[str, Any]) -> None:
        entry["metrics"]["nfs"]["value"] *= 2

    runner = CliRunner()
    good = runner.invoke(app, ["verify", str(board / ENTRY), "--scenes", str(submitted.archive), "-q"])
    assert good.exit_code == 0
    assert re.search(r"^✓ warp_psnr\b", good.stdout, re.MULTILINE)
    assert "✗" not in good.stdout
    path = changed(board, double)
    before = path.read_bytes()
    command = ["verify", str(path), "--scenes", str(submitted.archive), "-q", "--attest", "Max Muster"]
    bad = runner.invoke(app, command)
    assert bad.exit_code == 3
    assert re.search(r"^✗ nfs\b.*\n    value: the entry says .*, the scenes give ", bad.stdout, re.MULTILINE)
    assert "does not hold: nfs." in bad.stderr
    assert path.read_bytes() == before
    told = json.loads(runner.invoke(app, [*command, "--json"]).stdout)
    assert not told["passed"]
    assert [item["what"] for item in told["compared"] if not item["agrees"]] == ["nfs"]
