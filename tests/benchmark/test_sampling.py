"""Drawing scenes: what is kept, what is drawn again, and what counts as failed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from viewsweep.benchmark.method_record import MethodRecord
from viewsweep.benchmark.progress import Progress
from viewsweep.benchmark.protocol import Protocol
from viewsweep.benchmark.run_directory import RunDirectory
from viewsweep.benchmark.sampling import Sampled, sample_method
from viewsweep.scenes import GeneratorInfo, Scene, load_scene, sweep360
from viewsweep.scenes.errors import UserError, WriteFailed

Relabel = Callable[..., Callable[[Scene], Scene]]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "run")
    run.probe()
    return run


def draw(run: RunDirectory, protocol: Protocol, generator: Any, batch_size: int = 8) -> Sampled:
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


def files(run: RunDirectory, method: str = "painter") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(run.method_folder(method).glob("*.safetensors"))}


def test_every_scene_gets_its_file_and_the_method_its_record(run: RunDirectory, tiny: Protocol, painter: Any) -> None:
    sampled = draw(run, tiny, painter())
    assert (sampled.drawn, sampled.failed) == (3, {})
    assert list(files(run)) == ["00000.safetensors", "00001.safetensors", "00002.safetensors"]
    record = MethodRecord.read(run.method_folder("painter") / "method.json")
    assert record is not None
    assert record.info is not None
    assert record.info["name"] == "painter"
    assert record.protocol == tiny.hash
    assert record.sessions[0]["scenes"] == 3


def test_batch_size_changes_nothing(tmp_path: Path, tiny: Protocol, painter: Any) -> None:
    found = []
    for size in (1, 2, 8):
        run = RunDirectory(tmp_path / str(size))
        run.probe()
        draw(run, tiny, painter(), size)
        found.append(files(run))
    assert found[0] == found[1] == found[2]


def test_second_call_draws_nothing(run: RunDirectory, tiny: Protocol, painter: Any) -> None:
    draw(run, tiny, painter())
    before = files(run)
    again = painter()
    assert draw(run, tiny, again).drawn == 0
    assert again.batches == []
    assert files(run) == before


@pytest.mark.parametrize("damage", ["truncate", "delete", "other seed", "empty"])
def test_damaged_scene_is_drawn_again(run: RunDirectory, tiny: Protocol, painter: Any, damage: str) -> None:
    draw(run, tiny, painter())
    before = files(run)
    path = run.scene_file("painter", 1)
    if damage == "delete":
        path.unlink()
    elif damage == "other seed":
        path.write_bytes(before["00002.safetensors"])
    else:
        os.truncate(path, 0 if damage == "empty" else path.stat().st_size // 2)
    assert draw(run, tiny, painter()).drawn == 1
    assert files(run) == before


def test_batches_are_cut_by_index_whatever_is_missing(run: RunDirectory, tiny: Protocol, painter: Any) -> None:
    protocol = tiny.with_scenes(6)
    draw(run, protocol, painter(), 2)
    kept = run.scene_file("painter", 2).stat().st_mtime_ns
    run.scene_file("painter", 3).unlink()
    again = painter()
    assert draw(run, protocol, again, 2).drawn == 1
    assert again.batches == [[2, 3]]
    assert run.scene_file("painter", 2).stat().st_mtime_ns == kept


def failing(index: int, protocol: Protocol) -> Callable[[Scene], Scene]:
    seed = protocol.requests()[index].seed

    def change(scene: Scene) -> Scene:
        if scene.seed == seed:
            raise RuntimeError("no such shape")
        return scene

    return change


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_scene_that_raises_is_counted_and_the_others_go_on(
    run: RunDirectory, tiny: Protocol, painter: Any, batch_size: int
) -> None:
    sampled = draw(run, tiny, painter(change=failing(1, tiny)), batch_size)
    assert sampled.failed == {1: "RuntimeError: no such shape"}
    assert list(files(run)) == ["00000.safetensors", "00002.safetensors"]


def test_failed_scene_is_tried_again(run: RunDirectory, tiny: Protocol, painter: Any) -> None:
    draw(run, tiny, painter(change=failing(1, tiny)))
    sampled = draw(run, tiny, painter())
    assert (sampled.drawn, sampled.failed) == (1, {})
    assert len(files(run)) == 3


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"seed": 7}, "it is of seed 7; asked for was 2000000"),
        ({"label": 9}, "it is of class 9; asked for was 0"),
        ({"cameras": None}, "it has no cameras; hand back those of the request"),
        ({"cameras": sweep360(4)}, "its cameras are not those of the request"),
        ({"depth": None}, "it has no depth, although info() promises depth"),
        (
            {"rgb": torch.zeros(4, 8, 8, 3, dtype=torch.uint8), "depth": None},
            "it has 4 views of 8x8; asked for were 4 of 16x16",
        ),
    ],
    ids=["seed", "label", "no cameras", "cameras", "depth", "size"],
)
def test_answer_to_another_request_is_refused(
    run: RunDirectory, tiny: Protocol, painter: Any, relabel: Relabel, fields: dict[str, Any], reason: str
) -> None:
    sampled = draw(run, tiny.with_scenes(1), painter(change=relabel(**fields)))
    assert sampled.failed == {0: reason}
    assert files(run) == {}


def test_infinite_depth_is_counted_as_failed(run: RunDirectory, tiny: Protocol, painter: Any, relabel: Relabel) -> None:
    depth = torch.full((4, 16, 16), torch.inf)
    sampled = draw(run, tiny.with_scenes(1), painter(change=relabel(depth=depth)))
    assert sampled.failed[0].startswith("depth of view 0 is infinite or not positive")


def test_something_else_than_a_scene_is_refused(run: RunDirectory, tiny: Protocol, painter: Any) -> None:
    sampled = draw(run, tiny.with_scenes(1), painter(change=lambda scene: scene.rgb))
    assert sampled.failed == {0: "the method gave a Tensor instead of a Scene"}


def test_too_few_scenes_are_counted(run: RunDirectory, tiny: Protocol, painter: Any) -> None:
    class Lazy(painter):  # type: ignore[misc]  # a fixture
        def generate(self, requests: Sequence[Any]) -> Any:
            return iter(())

    sampled = draw(run, tiny.with_scenes(1), Lazy())
    assert sampled.failed == {0: "the method yielded 0 scenes for 1 requests"}


def test_method_that_cannot_be_loaded_fails_all_its_scenes(run: RunDirectory, tiny: Protocol, painter: Any) -> None:
    class Broken(painter):  # type: ignore[misc]  # a fixture
        def info(self) -> Any:
            raise OSError("no weights here")

    sampled = draw(run, tiny, Broken())
    assert sampled.failed == dict.fromkeys(range(3), "the method could not be loaded: OSError: no weights here")


def test_changed_method_is_refused_and_its_scenes_stay(run: RunDirectory, tiny: Protocol, painter: Any) -> None:
    draw(run, tiny, painter())
    run.scene_file("painter", 0).unlink()
    before = files(run)
    with pytest.raises(UserError, match=r"painter: the method has changed .*version was '1', is '2'.*--fresh"):
        draw(run, tiny, painter(version="2"))
    assert files(run) == before


def test_changed_source_is_told_once(run: RunDirectory, tiny: Protocol, painter: Any) -> None:
    class Heard(Progress):
        def say(self, message: str) -> None:
            said.append(message)

    def draw_with(fingerprint: str) -> None:
        method = replace(painter().as_method(), fingerprint=lambda: fingerprint)
        options = {"device": "cpu", "batch_size": 8, "progress": Heard(), "begin": lambda: None}
        sample_method(run, tiny, tiny.requests(), method, **options)

    said: list[str] = []
    draw_with("first")
    draw_with("first")
    assert said == []
    before = files(run)
    for _ in range(2):
        draw_with("second")
    assert files(run) == before
    assert said == [
        "painter: its source has changed since its scenes were drawn, and they are kept. Draw them anew with --fresh."
    ]


def test_scenes_of_another_protocol_are_refused(run: RunDirectory, tiny: Protocol, painter: Any) -> None:
    draw(run, tiny, painter())
    with pytest.raises(UserError, match="drawn for another protocol"):
        draw(run, tiny.with_scenes(4), painter())


def test_scenes_from_elsewhere_are_not_overwritten(run: RunDirectory, tiny: Protocol, painter: Any) -> None:
    draw(run, tiny, painter())
    (run.method_folder("painter") / "method.json").unlink()
    with pytest.raises(UserError, match="not drawn here"):
        draw(run, tiny, painter())


def test_full_disk_keeps_what_is_there(
    run: RunDirectory, tiny: Protocol, painter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.replace

    def full(source: str, target: Any) -> None:
        if Path(target).name == "00001.safetensors":
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(WriteFailed, match=r"00001\.safetensors: the disk is full\. Free some space and run"):
        draw(run, tiny, painter())
    monkeypatch.undo()
    assert load_scene(run.scene_file("painter", 0)).seed == tiny.requests()[0].seed
    assert not list(run.method_folder("painter").glob(".*.tmp"))
    assert draw(run, tiny, painter()).drawn == 2


def test_classes_the_method_lacks_fail_all_scenes_with_the_reason(
    run: RunDirectory, tiny: Protocol, painter: Any
) -> None:
    class Pair(painter):  # type: ignore[misc]
        def info(self) -> GeneratorInfo:
            return replace(super().info(), classes=("one", "two"))

    pair = Pair()
    sampled = draw(run, tiny, pair)
    assert pair.batches == []
    assert sampled.refused == [0, 1, 2]
    assert set(sampled.failed.values()) == {
        "the protocol asks for class 2, and painter has 2 classes, counted from 0. "
        "Use a protocol with its classes, or another method."
    }


def test_method_without_classes_may_be_asked_for_any(run: RunDirectory, tiny: Protocol, painter: Any) -> None:
    class Plain(painter):  # type: ignore[misc]
        def info(self) -> GeneratorInfo:
            return replace(super().info(), classes=())

    assert draw(run, tiny, Plain()).drawn == 3
