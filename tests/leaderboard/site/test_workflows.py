"""The workflows: what they may do, and that nobody can change what they run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from viewsweep.leaderboard.validate import FOLDERS

FOLDER = Path(__file__).parents[3] / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def loaded(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def test_there_is_one_for_the_site_and_one_for_submissions() -> None:
    assert {"site.yml", "submission.yml"} <= {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    lines = [
        line.strip().removeprefix("- ") for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line
    ]
    assert lines
    assert [line for line in lines if not PINNED.search(line)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_they_read_only_hold_no_secret_and_end(path: Path) -> None:
    flow = loaded(path)
    assert flow["permissions"] == {"contents": "read"}
    assert "secrets." not in path.read_text(encoding="utf-8")
    assert all("timeout-minutes" in job for job in flow["jobs"].values())


def test_a_request_is_judged_by_the_code_it_goes_to_and_may_write_nothing() -> None:
    flow = loaded(FOLDER / "submission.yml")
    triggers = flow[True]  # YAML reads `on` as yes
    assert set(triggers) == {"pull_request"}
    (job,) = flow["jobs"].values()
    assert "permissions" not in job
    checkouts = [step["with"] for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert checkouts[0]["ref"] == "${{ github.event.pull_request.base.sha }}"
    assert "path" not in checkouts[0]
    assert checkouts[1]["path"] == "submission"
    assert all(not step["persist-credentials"] for step in checkouts)


def test_a_request_is_checked_whatever_of_the_board_it_changes_and_by_nobody_in_charge() -> None:
    flow = loaded(FOLDER / "submission.yml")
    assert set(flow[True]["pull_request"]["paths"]) == {f"leaderboard/{name}/**" for name in FOLDERS}
    (line,) = [step["run"] for step in flow["jobs"]["validate"]["steps"] if " validate " in step.get("run", "")]
    assert "--previous" in line
    assert "--maintainer" not in line


def test_nothing_of_a_request_is_put_into_a_shell() -> None:
    for path in FILES:
        for job in loaded(path)["jobs"].values():
            assert all("${{" not in step.get("run", "") for step in job["steps"])
