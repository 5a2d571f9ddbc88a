"""From `train` to a folder to a method: exact resume, refusals, and scenes that answer their requests."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from viewsweep.baselines.dfm import training
from viewsweep.baselines.dfm.method import KINDS, DFMMotion, DFMScene, spread
from viewsweep.baselines.dfm.problems import new_problem
from viewsweep.baselines.dfm.recipe import RECIPES
from viewsweep.baselines.dfm.sampling import Sampling
from viewsweep.baselines.dfm.store import load_problem, save_problem, shipped
from viewsweep.baselines.dfm.train import begin, train
from viewsweep.baselines.gan.base import Views
from viewsweep.scenes import sweep360
from viewsweep.scenes.cameras import Cameras
from viewsweep.scenes.errors import UnknownName, UnreadableFile, UserError
from viewsweep.scenes.generator import Request
from viewsweep.scenes.scene import Scene

HOW = Sampling(steps=3)
TASKS = {"dfm-motion": "motion", "dfm": "scene", "dfm-inversion": "inversion"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where trainings share their pictures, by problem."""
    return {problem: tmp_path_factory.mktemp(problem) for problem in ("motion", "scene", "inversion")}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Path]) -> dict[str, Path]:
    """Folders of tiny problems, a few steps old."""
    torch.set_num_threads(1)
    found = {}
    for what in (*TASKS, "pixelnerf"):
        own = data[RECIPES[what]["tiny"].problem]
        found[what] = train("tiny", tmp_path_factory.mktemp(what), what=what, steps=4, log=lambda _: None, data=own)
    return found


def request(size: int, seed: int = 5, *, views: int = 3, **changes: object) -> Request:
    cameras = sweep360(views, 0.26)
    random = torch.Generator().manual_seed(0)
    rgb = torch.randint(256, (1, size, size, 3), generator=random, dtype=torch.uint8)
    settings: dict[str, object] = {
        "index": 0,
        "seed": seed,
        "cameras": cameras,
        "size": size,
        "context": Scene(rgb, cameras[:1], seed=1),
    }
    return Request(**{**settings, **changes})  # type: ignore[arg-type]


def size_of(what: str) -> int:
    return RECIPES[what]["tiny"].size


@pytest.mark.parametrize("what", ["dfm-motion", "dfm"])
def test_a_training_that_was_interrupted_ends_like_one_left_alone(
    what: str, tmp_path: Path, data: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 4)
    monkeypatch.setattr(training, "LOG_EVERY", 2)
    own_data = data[RECIPES[what]["tiny"].problem]
    whole = train("tiny", tmp_path / "whole", what=what, steps=8, log=lambda _: None, data=own_data)

    def trip(line: str) -> None:
        if "step 6/8" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("tiny", tmp_path / "cut", what=what, steps=8, log=trip, data=own_data)
    said: list[str] = []
    train("tiny", tmp_path / "cut", what=what, steps=8, log=said.append, data=own_data)
    assert any("going on after step 4" in line for line in said)
    own, other = (load_file(tmp_path / name / "problem" / "problem.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(own[name], other[name]) for name in own)
    logs = [(tmp_path / name / "losses.csv").read_text() for name in ("whole", "cut")]
    assert logs[0] == logs[1]
    assert logs[0].splitlines()[0].startswith("step,target")
    assert (whole / "README.md").read_text().count("viewsweep train " + what) == 1


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path, data: dict[str, Path]) -> None:
    train("tiny", tmp_path, what="dfm-motion", steps=2, log=lambda _: None, data=data["motion"])
    with pytest.raises(UnreadableFile, match="another configuration"):
        train("tiny", tmp_path, what="dfm-motion", steps=3, log=lambda _: None, data=data["motion"])


@pytest.mark.parametrize("what", list(TASKS))
def test_a_method_answers_its_requests(trained: dict[str, Path], what: str) -> None:
    size, task = size_of(what), TASKS[what]
    method = KINDS[task](trained[what], name="mine", how=HOW)
    views = 1 if task == "motion" else 3
    asked = [request(size, seed, views=views) for seed in (5, 6, 5)]
    scenes = list(method.generate(asked))
    alone = next(method.generate(asked[1:2]))
    assert torch.equal(scenes[1].rgb, alone.rgb)
    assert torch.equal(scenes[0].rgb, scenes[2].rgb)
    for scene, wanted in zip(scenes, asked, strict=True):
        assert (scene.seed, scene.views, scene.size) == (wanted.seed, views, (size, size))
        assert scene.cameras == wanted.cameras
        assert scene.context is wanted.context
        assert (scene.depth is not None) == method.info().has_depth
    info = method.info()
    assert info.tasks == (task,)
    assert info.weights_sha256 is not None
    if task == "motion":
        assert scenes[0].flow is not None
        assert scenes[0].flow.shape == (1, size, size, 2)
    if task == "inversion":
        assert scenes[0].latent is not None
        assert scenes[0].latent.shape == (128,)


def test_seeds_make_samples_differ_and_the_twin_has_one_answer(trained: dict[str, Path]) -> None:
    size = size_of("dfm")
    for what, same in (("dfm", False), ("pixelnerf", True)):
        method = DFMScene(trained[what], how=HOW)
        a, b = method.generate([request(size, 1), request(size, 2)])
        assert torch.equal(a.rgb, b.rgb) is same
        assert method.info().details["deterministic"] is same


def test_the_twin_answers_each_question_once_and_never_with_another_ones_answer(trained: dict[str, Path]) -> None:
    size = size_of("pixelnerf")
    first = request(size, 1)
    assert first.context is not None
    other = replace(first, context=replace(first.context, rgb=255 - first.context.rgb))
    wider = replace(first, cameras=sweep360(5, 0.2))
    asked = [first, replace(first, seed=9, index=1), other, wider, first]
    method = DFMScene(trained["pixelnerf"], how=HOW)
    drawn = []
    draw = method._scene
    method._scene = lambda *args: drawn.append(1) or draw(*args)  # type: ignore[method-assign, func-returns-value]
    scenes = list(method.generate(asked))
    assert len(drawn) == 4
    assert [scene.seed for scene in scenes] == [1, 9, 1, 1, 1]
    assert torch.equal(scenes[0].rgb, scenes[1].rgb)
    assert torch.equal(scenes[0].rgb, scenes[4].rgb)
    assert not torch.equal(scenes[0].rgb, scenes[2].rgb)
    assert (scenes[2].context, scenes[3].views) == (other.context, 5)


def test_a_motion_is_played_in_equal_parts(trained: dict[str, Path]) -> None:
    size = size_of("dfm-motion")
    method = DFMMotion(trained["dfm-motion"], how=HOW)
    still = Cameras(torch.cat([sweep360(2, 0.2).cam_to_world[:1]] * 4), sweep360(2, 0.2).intrinsics[0])
    flow = next(method.generate([request(size, views=4, cameras=still)])).flow
    assert flow is not None
    for part in range(4):
        assert torch.allclose(flow[part], flow[3] * (part + 1) / 4, atol=1e-5)


def test_what_is_masked_does_not_matter(trained: dict[str, Path]) -> None:
    size = size_of("dfm-inversion")
    method = KINDS["inversion"](trained["dfm-inversion"], how=HOW)
    plain = request(size, views=1)
    assert plain.context is not None
    mask = torch.zeros(1, size, size, dtype=torch.bool)
    mask[:, :, : size // 2] = True
    rgb = plain.context.rgb.clone()
    rgb[:, :, size // 2 :] = 0
    given = [Scene(picture, plain.context.cameras, mask=mask) for picture in (plain.context.rgb, rgb)]
    a, b = (next(method.generate([request(size, views=1, context=context)])) for context in given)
    assert torch.equal(a.rgb, b.rgb)
    c = next(method.generate([plain]))
    assert not torch.equal(a.rgb, c.rgb)


def test_requests_it_cannot_answer_are_refused(trained: dict[str, Path]) -> None:
    method = DFMScene(trained["dfm"], name="mine", how=HOW)
    with pytest.raises(UserError, match="mine, scene 0: it completes what it is given"):
        next(method.generate([request(16, context=None)]))
    with pytest.raises(UserError, match="trained for 16 x 16"):
        next(method.generate([request(32)]))
    blind = Scene(torch.zeros(1, 16, 16, 3, dtype=torch.uint8))
    with pytest.raises(UserError, match="camera"):
        next(method.generate([request(16, context=blind)]))
    with pytest.raises(UserError, match="this problem is motion"):
        DFMScene(trained["dfm-motion"])


def test_damaged_folders_are_refused(trained: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json"):
        load_problem(tmp_path)
    for name in ("config.json", "problem.safetensors"):
        (tmp_path / name).write_bytes((trained["dfm-motion"] / name).read_bytes())
    assert load_problem(tmp_path).name == "motion"
    weights = load_file(tmp_path / "problem.safetensors")
    some = next(iter(weights))
    save_file({k: v for k, v in weights.items() if k != some}, tmp_path / "problem.safetensors")
    with pytest.raises(UnreadableFile, match="missing"):
        load_problem(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "problem": "cooking"}))
    with pytest.raises(UnreadableFile, match="not the configuration"):
        load_problem(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**config, "settings": {"size": "large"}}))
    with pytest.raises(UnreadableFile, match="motion"):
        load_problem(tmp_path)


def test_training_begins_with_the_weights_of_a_smaller_problem(trained: dict[str, Path]) -> None:
    """A twin's go into the problem it is the twin of; what only that has stays as it was drawn."""
    problem, _ = new_problem(RECIPES["dfm"]["tiny"], "cpu")
    fresh = {name: value.clone() for name, value in problem.state_dict().items()}
    begin(problem, trained["pixelnerf"])
    found = load_problem(trained["pixelnerf"]).problem.state_dict()
    for name, value in problem.state_dict().items():
        assert torch.equal(value, found.get(name, fresh[name])), name
    assert {name.split(".")[0] for name in fresh.keys() - found.keys()} == {"hints"}
    twin, _ = new_problem(RECIPES["pixelnerf"]["tiny"], "cpu")
    with pytest.raises(UserError, match=r"hints\..* fits nothing"):
        begin(twin, trained["dfm"])


@pytest.mark.parametrize("what", sorted(RECIPES))
def test_what_recipes_begin_with_is_shipped_and_fits(what: str) -> None:
    for recipe in RECIPES[what].values():
        if recipe.start:
            begin(new_problem(recipe, "cpu")[0], shipped(recipe.start))


def test_training_goes_on_from_a_given_folder(trained: dict[str, Path], tmp_path: Path, data: dict[str, Path]) -> None:
    """Its weights are where the first step begins; the record says what they were, and not where they lay."""
    settings: dict[str, object] = {"what": "dfm", "steps": 1, "log": lambda _: None, "data": data["scene"]}
    start = trained["pixelnerf"]
    found = load_problem(train("tiny", tmp_path / "given", start=start, **settings)).problem.state_dict()  # type: ignore[arg-type]
    for name, value in load_problem(start).problem.state_dict().items():
        assert float((found[name] - value).abs().max()) < 2e-3, name  # one step, warming up
    record = json.loads((tmp_path / "given" / "problem" / "training.json").read_text())
    assert record["recipe"]["start"].startswith("pixelnerf --config tiny, 4 steps (sha256 ")
    assert record["command"].endswith("--start BEFORE/problem")
    assert str(start) not in json.dumps(record)
    with pytest.raises(UserError, match="no folder of a trained problem"):
        train("tiny", tmp_path / "none", start=tmp_path, **settings)  # type: ignore[arg-type]
    (tmp_path / "training.json").write_text('{"what": "dfm"}')
    with pytest.raises(UnreadableFile, match="record of a training"):
        train("tiny", tmp_path / "none", start=tmp_path, **settings)  # type: ignore[arg-type]
    (tmp_path / "training.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"there is no problem\.safetensors"):
        train("tiny", tmp_path / "none", start=tmp_path, **settings)  # type: ignore[arg-type]


def test_a_method_of_two_targets_answers_its_requests(tmp_path: Path) -> None:
    """What it samples stands around what it is given: a third of a turn to either side."""
    recipe = RECIPES["dfm"]["tiny"]
    recipe = replace(recipe, settings={**recipe.settings, "targets": 2})
    problem, _ = new_problem(recipe, "cpu")
    record = {"what": "dfm", "config": "tiny", "recipe": asdict(recipe), "data": "", "command": "", "device": ""}
    record |= {"processes": 1, "minutes_since_last_start": 0, "torch": ""}
    save_problem(tmp_path, problem, "scene", "", record)
    method = DFMScene(tmp_path, how=HOW)
    first, second = method.generate([request(recipe.size), request(recipe.size, 6)])
    assert first.rgb.shape == (3, recipe.size, recipe.size, 3)
    assert not torch.equal(first.rgb, second.rgb)
    own = Views.of(sweep360(3, 0.26))
    around = spread(own[:1], 2)["pose"][0]
    order = around[:, None, :3, 3].sub(own.cam_to_world[None, 1:, :3, 3]).norm(dim=-1).argmin(1)
    assert sorted(order.tolist()) == [0, 1]
    assert torch.allclose(around[:, :3, 3], own.cam_to_world[1:][order][:, :3, 3], atol=1e-5)


def test_unknown_names_and_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName):
        train("small", tmp_path, what="dfm-cooking")
    with pytest.raises(UnknownName):
        train("huge", tmp_path, what="dfm")
    with pytest.raises(UserError, match="--steps 0"):
        train("tiny", tmp_path, what="dfm", steps=0)
    with pytest.raises(UserError, match="--batch 0"):
        train("tiny", tmp_path, what="dfm", batch=0)
    with pytest.raises(UnknownName):
        train("tiny", tmp_path, what="dfm", gamma=1.0)
