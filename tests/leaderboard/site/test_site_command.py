"""`viewsweep site build`: from a folder of files to pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner
from viewsweep import leaderboard
from viewsweep.cli import app

from .test_site_pages import contents

OWN = Path(leaderboard.__file__).parent


def test_the_projects_own_board_has_a_site(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["site", "build", "--out", str(tmp_path / "a"), "--json"])
    assert done.exit_code == 0, done.output
    files = json.loads(done.stdout)["files"]
    assert "index.html" in files
    again = CliRunner().invoke(app, ["site", "build", "--board", str(OWN), "--out", str(tmp_path / "b")])
    assert again.exit_code == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--board", "nowhere", "--out", "site"], "nowhere"),
        (["--out", "{full}"], "no site of viewsweep's"),
        (["--out", "site", "--repository", "ftp://x"], "https://"),
    ],
    ids=["no board", "a folder in use", "no address"],
)
def test_mistakes_end_in_a_sentence(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("x")
    done = CliRunner().invoke(app, ["site", "build", *(one.format(full=tmp_path / "full") for one in arguments)])
    assert done.exit_code == 2
    assert said in done.stderr


def test_the_end_of_serving_is_no_broken_off_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("viewsweep.leaderboard.site.serve", interrupted)
    (tmp_path / "board/methods").mkdir(parents=True)
    done = CliRunner().invoke(
        app, ["site", "serve", "--board", str(tmp_path / "board"), "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 0
    assert done.stderr == f"No longer served; the pages stay in {tmp_path / 'out'}.\n"


def test_a_faulty_board_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "entries/tabletop64").mkdir(parents=True)
    (tmp_path / "entries/tabletop64/mine.json").write_text('{"schema_version": 1, "value": NaN}')
    done = CliRunner().invoke(app, ["site", "build", "--board", str(tmp_path), "--out", str(tmp_path / "out")])
    assert done.exit_code in (2, 3)
    assert "mine.json" in done.stderr
    assert not (tmp_path / "out").exists()
