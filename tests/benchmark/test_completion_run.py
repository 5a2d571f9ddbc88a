"""Drawing and measuring K samples a scene: what is kept, what is refused, and what intervals count."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from viewsweep.benchmark import harness
from viewsweep.benchmark.method_record import MethodRecord
from viewsweep.benchmark.progress import Progress
from viewsweep.benchmark.protocol import Protocol
from viewsweep.benchmark.registry import Method
from viewsweep.benchmark.run_directory import RunDirectory
from viewsweep.benchmark.sampling import Sampled, sample_method
from viewsweep.metrics import KID, CompletionMetric, InceptionScore, WarpError, extract
from viewsweep.metrics.feeding import feed, make, takes_samples
from viewsweep.scenes import GeneratorInfo, Request, Scene, load_scene, save_scene, sweep360
from viewsweep.scenes.errors import UserError
from viewsweep.scenes.generator import scene_generator
from viewsweep.scenes.tabletop import TEST_SEEDS

SAMPLES = 3
FILE = """
from viewsweep.baselines.reference import {base}
from viewsweep.scenes import GeneratorInfo

class Mine({base}):
    def info(self):
        return GeneratorInfo("mine", "A test.", tasks={tasks})
"""


class Completer:
    """Repeats the context, with noise from the seed, and remembers what it was asked."""

    def __init__(self, name: str = "completer", tasks: tuple[str, ...] = ("scene",)) -> None:
        self.name, self.tasks = name, tasks
        self.asked: list[tuple[int, int]] = []
        self.fails: set[int] = set()

    def info(self) -> GeneratorInfo:
        return GeneratorInfo(self.name, "Repeats the context, with noise.", has_depth=False, tasks=self.tasks)

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        for request in requests:
            assert request.context is not None
            self.asked.append((request.index, request.sample))
            if request.index in self.fails:
                raise RuntimeError("out of ideas")
            shown = request.context.rgb[[0] * len(request.cameras)].int()
            noise = torch.randint(-20, 20, shown.shape, generator=scene_generator(request.seed, "noise"))
            rgb = (shown + noise).clamp(0, 255).to(torch.uint8)
            yield Scene(rgb, request.cameras, label=request.label, seed=request.seed)

    def as_method(self) -> Method:
        return Method(self.name, "a test", lambda device, batch_size: self, lambda: None)


def painted(request: Request) -> Scene:
    """A ball painted at random, in place of the tabletop object that takes longer to render."""
    generator = scene_generator(request.seed, "painted")
    shape = (len(request.cameras), request.size, request.size)
    rgb = torch.randint(0, 256, (1, *shape[1:], 3), generator=generator, dtype=torch.uint8).repeat(shape[0], 1, 1, 1)
    return Scene(rgb, request.cameras, torch.full(shape, 1.3), label=request.label, seed=request.seed)


@pytest.fixture(autouse=True)
def _painted_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viewsweep.benchmark.true_scenes._object", painted)


@pytest.fixture
def protocol(tiny: Protocol) -> Protocol:
    metrics = {"completion_accuracy": 1, "completion_diversity": 1, "context_fidelity": 1, "paired": 1}
    return Protocol.model_validate(
        {**tiny.content, "completion": {"task": "scene", "samples": SAMPLES}, "metrics": metrics}
    )


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "run")
    run.probe()
    return run


def draw(run: RunDirectory, protocol: Protocol, generator: Any, batch_size: int = 4) -> Sampled:
    return sample_method(
        run,
        protocol,
        protocol.requests(),
        generator.as_method(),
        device="cpu",
        batch_size=batch_size,
        progress=Progress(),
        begin=lambda: None,
    )


def files(run: RunDirectory) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(run.method_folder("completer").glob("*.safetensors"))}


def evaluated(run: RunDirectory, protocol: Protocol) -> dict[str, Any]:
    """Results of scenes that were drawn by `draw`."""
    record = {
        "schema": "viewsweep.run/1",
        "status": "sampled",
        "protocol": protocol.record,
        "methods": {},
        "command": "a test",
        "environment": {},
        "started": "then",
        "finished": None,
        "timings": {},
    }
    run.write_run(record)
    harness.evaluate(run.path)
    found: dict[str, Any] = json.loads(run.results_json.read_text())
    return found


# -- drawing ---------------------------------------------------------------------------------------


def test_each_sample_has_its_file_with_the_context_it_was_drawn_from(run: RunDirectory, protocol: Protocol) -> None:
    completer = Completer()
    assert draw(run, protocol, completer).drawn == 9
    assert completer.asked == [(i, i % SAMPLES) for i in range(9)]
    scenes = [load_scene(run.scene_file("completer", index)) for index in range(9)]
    assert [scene.seed for scene in scenes] == [request.seed for request in protocol.requests()]
    assert not torch.equal(scenes[3].rgb, scenes[4].rgb)
    assert scenes[3].context is not None
    given = protocol.requests()[3].context
    assert given is not None
    assert torch.equal(scenes[3].context.rgb, given.rgb)
    assert scenes[3].context.seed == given.seed == TEST_SEEDS[1]


def test_batch_size_and_interruption_change_nothing(tmp_path: Path, protocol: Protocol) -> None:
    found = []
    for size in (1, 4, 9):
        run = RunDirectory(tmp_path / str(size))
        run.probe()
        draw(run, protocol, Completer(), size)
        if size == 4:
            for index in (2, 5):
                run.scene_file("completer", index).unlink()
            again = Completer()
            assert draw(run, protocol, again, size).drawn == 2
            assert [index for index, _ in again.asked] == list(range(8))  # both batches, whole
        found.append(files(run))
    assert found[0] == found[1] == found[2]


def test_a_run_that_is_done_makes_no_context(
    run: RunDirectory, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(run, protocol, Completer())
    monkeypatch.setattr("viewsweep.benchmark.true_scenes.TrueScenes.context", None)
    again = Completer()
    assert draw(run, protocol, again).drawn == 0
    assert again.asked == []


def test_one_failing_sample_fails_alone_and_is_named_as_such(run: RunDirectory, protocol: Protocol) -> None:
    completer, said = Completer(), []
    completer.fails = {4}

    class Listening(Progress):
        def say(self, message: str) -> None:
            said.append(message)

    sampled = sample_method(
        run,
        protocol,
        protocol.requests(),
        completer.as_method(),
        device="cpu",
        batch_size=4,
        progress=Listening(),
        begin=lambda: None,
    )
    assert sampled.failed == {4: "RuntimeError: out of ideas"}
    assert sampled.drawn == 8
    assert said == ["completer: scene 1, sample 1 failed: RuntimeError: out of ideas"]


def own_method(folder: Path, base: str, tasks: tuple[str, ...]) -> str:
    path = folder / "mine.py"
    path.write_text(FILE.format(base=base, tasks=tasks))
    return str(path)


@pytest.mark.parametrize(
    ("of_completion", "tasks", "words"),
    [
        (True, ("sweep",), r"mine draws scenes from nothing but a seed \(task sweep\); tiny needs .*\(task scene\)"),
        (True, ("motion", "inversion"), r"predicts the motion .* and finds .*; tiny needs"),
        (False, ("scene",), r"mine completes a scene .*; tiny needs a method that draws scenes from nothing"),
    ],
)
def test_method_of_another_task_is_refused_before_anything_is_drawn(
    tmp_path: Path, tiny: Protocol, protocol: Protocol, of_completion: bool, tasks: tuple[str, ...], words: str
) -> None:
    own = own_method(tmp_path, "Noise", tasks)
    asked, right = (protocol, "completer") if of_completion else (tiny, "noise")
    methods = [own] if of_completion else [right, own]  # also when it is not the first
    with pytest.raises(UserError, match=words):
        harness.run(asked, methods, tmp_path / "run")
    assert not list((tmp_path / "run").rglob("*.safetensors"))


def test_method_of_another_task_that_is_loaded_late_fails_with_the_reason(run: RunDirectory, tiny: Protocol) -> None:
    sampled = draw(run, tiny, Completer())
    assert len(sampled.failed) == len(sampled.refused) == 3
    assert "completes a scene from some of its views" in sampled.failed[0]


# -- measuring -------------------------------------------------------------------------------------


def test_samples_of_a_scene_are_measured_together_and_alone(run: RunDirectory, protocol: Protocol) -> None:
    draw(run, protocol, Completer())
    found = evaluated(run, protocol)
    assert (found["protocol"]["task"], found["protocol"]["samples"]) == ("scene", SAMPLES)
    method = found["methods"]["completer"]
    assert method["scenes"] == {"requested": 9, "evaluated": 9, "failed": []}
    results = method["metrics"]
    assert results["best_psnr"]["n"] == results["psnr"]["n"] == 3  # true scenes, both
    assert results["sample_psnr"]["value"] == pytest.approx(results["psnr"]["value"])
    assert results["best_psnr"]["value"] > results["sample_psnr"]["value"]
    assert 20 < results["context_psnr"]["value"] < 40
    rows = pd.read_parquet(run.per_scene)
    whole = rows[rows.view == -1]
    assert list(whole[whole.metric == "psnr"]["index"]) == list(range(9))
    together = whole[whole.metric == "best_psnr"]
    assert list(together["index"]) == [0, 3, 6]
    assert list(together.label) == [0, 1, 2]
    by_index = rows.groupby("index").seed.nunique()
    assert set(by_index) == {1}


def test_status_counts_samples(run: RunDirectory, protocol: Protocol) -> None:
    completer = Completer()
    completer.fails = {4}
    draw(run, protocol, completer)
    evaluated(run, protocol)
    method = harness.status(run.path)["methods"]["completer"]
    assert (method["scenes"], method["requested"]) == (8, 9)


def test_missing_samples_are_said_and_missing_scenes_are_missing(run: RunDirectory, protocol: Protocol) -> None:
    completer = Completer()
    completer.fails = {4}
    draw(run, protocol, completer)
    results = evaluated(run, protocol)["methods"]["completer"]["metrics"]
    reason = "1 of 3 scenes lack some of their samples (scene 1: 2 of 3 samples could be drawn and read)."
    for name in ("best_psnr", "sample_psnr", "diversity", "context_psnr"):
        assert (results[name]["status"], results[name]["reason"]) == ("failed", reason)
    assert (results["psnr"]["status"], results["psnr"]["n"]) == ("ok", 3)
    for index in (3, 5):
        run.scene_file("completer", index).unlink()
    found = evaluated(run, protocol)["methods"]["completer"]
    assert found["scenes"]["evaluated"] == 6
    assert (found["metrics"]["best_psnr"]["status"], found["metrics"]["best_psnr"]["n"]) == ("ok", 2)


def test_limits_of_metrics_count_true_scenes(run: RunDirectory, protocol: Protocol) -> None:
    metrics = {"completion_accuracy": {"version": 1, "scenes": 2}, "paired": {"version": 1, "scenes": 2}}
    limited = Protocol.model_validate({**protocol.content, "metrics": metrics})
    completer = Completer()
    completer.fails = {7}
    draw(run, limited, completer)
    results = evaluated(run, limited)["methods"]["completer"]["metrics"]
    assert (results["best_psnr"]["n"], results["psnr"]["n"]) == (2, 2)
    rows = pd.read_parquet(run.per_scene)
    assert rows[rows.metric == "psnr"]["index"].max() == 5


def test_metrics_of_samples_need_a_completion(tmp_path: Path, tiny: Protocol) -> None:
    asked = Protocol.model_validate({**tiny.content, "metrics": {"completion_accuracy": 1, "warp_error": 1}})
    outcome = harness.run(asked, ["noise"], tmp_path / "run")
    assert outcome.results is not None
    result = outcome.results["methods"]["noise"]["metrics"]["best_psnr"]
    assert result["status"] == "not_run"
    assert "a protocol with `completion` asks for samples" in result["reason"]


def test_unreadable_sample_is_named(run: RunDirectory, protocol: Protocol) -> None:
    draw(run, protocol, Completer())
    save_scene(run.scene_file("completer", 5), load_scene(run.scene_file("completer", 4)))
    found = evaluated(run, protocol)["methods"]["completer"]
    assert [lost["index"] for lost in found["scenes"]["failed"]] == [5]
    assert found["metrics"]["best_psnr"]["status"] == "failed"


# -- intervals -------------------------------------------------------------------------------------

Feeding = Callable[[type[Any], int, int], Any]


def random_scene(seed: int) -> Scene:
    """A ball whose four views were painted at random, brighter by scene."""
    generator = scene_generator(seed, "random scene")
    rgb = torch.randint(0, 40 + 5 * seed, (4, 16, 16, 3), generator=generator, dtype=torch.uint8)
    return Scene(rgb, sweep360(4, 0.2), 1.1 + 0.2 * torch.rand(4, 16, 16, generator=generator))


@pytest.fixture
def fed(network: Any) -> Feeding:
    """A metric after scenes of four views, each given `copies` times as samples."""
    scenes = [random_scene(seed) for seed in range(24)]
    features = [extract(network, scene.rgb) for scene in scenes]
    reference = extract(network, torch.cat([scene.rgb for scene in scenes[:6]]).flip(2))

    def feeding(kind: type[Any], copies: int, samples: int) -> Any:
        metric = make(kind, "tabletop", reference, samples=samples)
        for index, (scene, own) in enumerate(zip(scenes, features, strict=True)):
            for copy in range(copies):
                feed(metric, scene, index * copies + copy, own, None)
        return metric

    return feeding


@pytest.mark.parametrize("kind", [WarpError, InceptionScore, KID])
def test_interval_of_a_set_given_k_times_is_that_of_the_set_given_once(fed: Feeding, kind: type[Any]) -> None:
    once, often = fed(kind, 1, 1).results(), fed(kind, 4, 4).results()
    blind = fed(kind, 4, 1).results()
    for name, single in once.items():
        if single.status == "ok" and single.ci_low is not None:
            numbers = (often[name].value, often[name].ci_low, often[name].ci_high)
            assert numbers == pytest.approx((single.value, single.ci_low, single.ci_high), rel=1e-9, abs=1e-12)
            width = single.ci_high - single.ci_low
            if kind is not KID and width:  # whose pairs of copies would feign another value
                assert blind[name].ci_high - blind[name].ci_low < 0.7 * width


def test_single_samples_are_measured_to_the_bit_as_before(fed: Feeding) -> None:
    plain = WarpError()
    for index in range(24):
        plain.update(random_scene(index), index)
    assert fed(WarpError, 1, 1).results() == plain.results()


def test_unequal_numbers_of_samples_leave_each_scene_one_vote() -> None:
    metric = make(WarpError, "tabletop", None, samples=3)
    scenes = [random_scene(seed) for seed in range(2)]
    for index, scene in ((0, scenes[0]), (1, scenes[0]), (2, scenes[0]), (3, scenes[1])):
        metric.update(scene, index)  # type: ignore[call-arg]  # a scene metric
    alone = WarpError()
    for index, scene in enumerate(scenes):
        alone.update(scene, index)
    assert metric.results()["warp_psnr"] == alone.results()["warp_psnr"]


def test_metrics_of_samples_are_those_that_take_them() -> None:
    from viewsweep.metrics import metric_classes

    for metric in metric_classes().values():
        assert takes_samples(metric) == issubclass(metric, CompletionMetric)


def test_record_says_what_tasks_a_method_serves(run: RunDirectory, protocol: Protocol) -> None:
    draw(run, protocol, Completer())
    record = MethodRecord.read(run.method_folder("completer") / "method.json")
    assert record is not None
    assert record.info is not None
    assert record.info["tasks"] == ["scene"]
    old = replace(record, info={key: value for key, value in record.info.items() if key != "tasks"})
    old.accept(record.info)  # scenes from before there were tasks stay those of this method
