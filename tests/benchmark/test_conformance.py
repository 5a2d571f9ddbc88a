"""`check-method`: every rule that can be broken is broken by a tiny method, and its cross is the only one."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner
from viewsweep.benchmark.conformance import Check, check_conformance
from viewsweep.cli import app
from viewsweep.scenes.errors import UnknownName, UserError

METHODS = Path(__file__).with_name("conformance_methods.py")
NAMES = [
    "info",
    "interface",
    "order",
    "finite",
    "colours",
    "repeats",
    "batches",
    "random state",
    "seeds",
    "labels",
    "cameras",
    "depth convention",
    "camera convention",
]


MORE_CROSSES = {"GlobalRandom": 3, "Counting": 2, "MirroredYawAndRayDepth": 2, "OtherAxes": 4, "UnitPictures": 4}
"""Where one fault breaks several rules: pictures of nothing depend on nothing."""


def checked(method: str, **options: object) -> dict[str, Check]:
    found = check_conformance(f"{METHODS}:{method}", size=40, **{"quick": True} | options)  # type: ignore[arg-type]
    assert [check.name for check in found] == NAMES
    return {check.name: check for check in found}


def faults(found: dict[str, Check]) -> list[str]:
    return [name for name, check in found.items() if check.verdict == "fault"]


@pytest.mark.parametrize("quick", [False, True])
def test_method_that_keeps_all_rules_gets_ticks_only(quick):
    found = checked("Honest", quick=quick)
    assert {name: check.message for name, check in found.items() if check.verdict != "ok"} == {}


def test_what_a_method_does_not_promise_is_not_checked():
    found = checked("Classless")
    assert faults(found) == []
    assert found["labels"].verdict == "skipped"
    found = checked("Flatlander")
    assert faults(found) == []
    assert [name for name, check in found.items() if check.verdict == "skipped"] == [
        "finite",
        "depth convention",
        "camera convention",
    ]


@pytest.mark.parametrize(
    ("method", "crosses", "reason"),
    [
        ("Degrees", "info", "yaw_limit is 180.0; it must be radians"),
        ("Raising", "interface", r"raised ValueError: no such class \(conformance_methods.py:\d+\)"),
        ("FloatPictures", "interface", "rgb is torch.float32"),
        ("Short", "interface", "1 scenes for 3 requests"),
        ("Endless", "interface", "more scenes for 3 requests"),
        ("OtherCameras", "interface", "its cameras are not those of the request"),
        ("Backwards", "order", "Yield them in that order"),
        ("Holes", "finite", "within surfaces are NaN"),
        ("OtherAxes", "finite", "no view shows a surface. Is the camera turned away?"),
        ("UnitPictures", "colours", r"pictures in \[0, 1\] cast to uint8"),
        ("SignedPictures", "colours", r"pictures in \[-1, 1\] were cast"),
        ("Counting", "repeats", "Take all randomness from the request's seed"),
        ("GlobalRandom", "repeats", "Take all randomness from the request's seed"),
        ("GlobalRandom", "random state", "changes the global random state of torch"),
        ("Reseeder", "random state", "changes the global random state of torch"),
        ("Leaky", "batches", "no statistics over it"),
        ("SeedIgnored", "seeds", "the seed is ignored"),
        ("LabelIgnored", "labels", "the label is ignored"),
        ("Frozen", "cameras", "the camera is ignored"),
        ("RayDepth", "depth convention", "distance along the ray: convert with .*ray_to_z"),
        (
            "Disparity",
            "depth convention",
            r"looks like disparity \(one over depth\), (0\.9[89]|1|1\.0[12]) over it",
        ),
        ("Inverted", "depth convention", r"looks inverted, z-depth being 2\.(8|9)"),
        ("OtherUnit", "depth convention", r"in another unit, 0\.(58|59|6)\d* times"),
        ("NoiseDepth", "depth convention", "whatever depth is taken for"),
        ("MirroredYaw", "camera convention", "yaw is mirrored"),
        ("MirroredPictures", "camera convention", "yaw is mirrored"),
        ("MirroredPitch", "camera convention", "pitch is mirrored"),
        ("DiagonalView", "camera convention", "diagonal"),
        ("Disobedient", "camera convention", "not taken from where they were asked for"),
        ("MirroredYawAndRayDepth", "camera convention", "yaw is mirrored"),
        ("MirroredYawAndRayDepth", "depth convention", "distance along the ray"),
    ],
)
def test_each_fault_gets_its_cross_and_its_reason(method, crosses, reason):
    found = checked(method)
    assert found[crosses].verdict == "fault"
    assert re.search(reason, found[crosses].message), found[crosses].message
    assert len(faults(found)) == MORE_CROSSES.get(method, 1), faults(found)


def test_pictures_of_one_colour_are_told():
    found = checked("GreyPictures")
    assert "colours" in faults(found)
    assert "of one colour" in found["colours"].message


def test_global_random_state_is_as_before():
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    checked("GlobalRandom")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]


def test_command_prints_a_tick_or_a_cross_each_and_ends_with_0_or_3():
    runner = CliRunner()
    done = runner.invoke(app, ["check-method", f"{METHODS}:Honest", "--size", "40", "--quick", "-q"])
    assert done.exit_code == 0, done.output
    assert [line[0] for line in done.stdout.splitlines()] == ["✓"] * len(NAMES)
    done = runner.invoke(app, ["check-method", f"{METHODS}:SeedIgnored", "--size", "40", "--quick", "--json"])
    assert done.exit_code == 3
    assert {check["name"]: check["verdict"] for check in json.loads(done.stdout)}["seeds"] == "fault"
    assert done.stderr.endswith("SeedIgnored does not keep all rules; see seeds.\n")


def test_method_nobody_registered_is_refused_as_everywhere():
    with pytest.raises(UnknownName, match=r"There is no method named 'orcle'\. Did you mean oracle"):
        check_conformance("orcle")
    with pytest.raises(UserError, match="--size 4: at least 16 pixels"):
        check_conformance("oracle", size=4)


def crosses_of(name: str) -> list[str]:
    return [check.name for check in check_conformance(name, size=32, quick=True) if check.verdict == "fault"]


def test_oracle_passes():
    assert crosses_of("oracle") == []


@pytest.mark.slow
def test_cheats_fail_where_they_cheat():
    assert crosses_of("frozen") == ["cameras"]
    assert crosses_of("noise") == ["labels", "depth convention"]
    assert crosses_of("jitter") == ["camera convention"]


@pytest.mark.slow
def test_shipped_diffusion_model_passes():
    found = check_conformance("ivid-small")
    assert {check.name: check.message for check in found if check.verdict != "ok"} == {}


@pytest.mark.parametrize("task", ["scene", "motion"])
def test_methods_that_complete_are_given_something_to_complete(task, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(f'''
import torch
from viewsweep.scenes import GeneratorInfo, Scene

class Mine:
    def info(self):
        return GeneratorInfo("mine", "Shifts the context.", has_depth=False, tasks=("{task}",))

    def generate(self, requests):
        for request in requests:
            views = [request.context.rgb[0].roll(5 * view, 1) for view in range(len(request.cameras))]
            yield Scene(torch.stack(views), request.cameras, label=request.label, seed=request.seed)
''')
    found = {check.name: check for check in check_conformance(str(path), size=24, quick=True)}
    assert faults(found) == []
    assert found["seeds"].message.startswith("two contexts differ")
    assert found["cameras"].verdict == ("ok" if task == "scene" else "skipped")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["truth", "completion-copy"])
def test_reference_methods_of_completion_can_be_checked(name):
    found = {check.name: check for check in check_conformance(name, size=32, quick=True)}
    assert faults(found) == ([] if name == "truth" else ["cameras"])
