"""Protocols that compare with a folder of real pictures, from the folder to the numbers."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result
from viewsweep.benchmark import harness, image_reference
from viewsweep.benchmark.image_reference import centred_square, folder_reference
from viewsweep.benchmark.picture_folder import open_pictures
from viewsweep.benchmark.progress import Progress
from viewsweep.benchmark.protocol import Protocol, load_protocol
from viewsweep.cli import app
from viewsweep.metrics.inception import InceptionNetwork
from viewsweep.scenes.errors import UserError
from viewsweep.scenes.scene import load_scene

from ..metrics.inception_like import save_inception_like, small_layers

WIDTH, CLASSES = 4, 12

METHOD = textwrap.dedent("""
    import torch
    from viewsweep.scenes import GeneratorInfo, Scene
    from viewsweep.scenes.generator import scene_generator

    class Dots:
        def info(self):
            return GeneratorInfo("dots", "Coarse noise from the seed.", has_depth=False)

        def generate(self, requests):
            for request in requests:
                shape = (len(request.cameras), request.size // 8, request.size // 8, 3)
                noise = torch.randint(0, 256, shape, generator=scene_generator(request.seed, "dots"), dtype=torch.uint8)
                rgb = noise.repeat_interleave(8, 1).repeat_interleave(8, 2)
                yield Scene(rgb, request.cameras, label=request.label, seed=request.seed)
""")


class Ear(Progress):
    """Hears what is said, and how many steps each stage has."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.stages: dict[str, int] = {}

    def say(self, message: str) -> None:
        self.heard.append(message)

    def stage(self, name: str, total: int) -> None:
        self.stages[name] = total


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "like.pt"
    return save_inception_like(path, small_layers(WIDTH), WIDTH, CLASSES)


@pytest.fixture
def network(weights: Path, monkeypatch: pytest.MonkeyPatch) -> InceptionNetwork:
    """Random weights in the place, and under the hash, of those the protocols name."""
    found = InceptionNetwork(weights, "inception-legacy", mode="legacy_tensorflow")
    features = load_protocol("ivid-imagenet128").features
    assert features is not None
    found.sha256 = features.sha256
    monkeypatch.setattr("viewsweep.metrics.network.load_network", lambda name: found)
    return found


def save(path: Path, seed: int, size: tuple[int, int] = (40, 56), mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten pictures of several sizes, kinds and suffixes in three class folders."""
    root = tmp_path / "reals"
    for index in range(10):
        suffix = (".png", ".JPEG", ".webp")[index % 3]
        mode = "L" if index == 4 else "RGB"
        save(root / ("cat", "dog", "ant")[index % 3] / f"{index}{suffix}", index, (40 + 9 * index, 56), mode)
    (root / "cat" / "notes.txt").write_text("no picture")
    return root


@pytest.fixture
def small(network: InceptionNetwork) -> Protocol:
    """The paper's protocol at 16 pixels and five scenes."""
    return Protocol.model_validate({**load_protocol("ivid-imagenet128").content, "size": 16, "scenes": 5})


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.usefixtures("network")
def test_whole_way_of_the_papers_protocol(folder: Path, tmp_path: Path) -> None:
    method, out = tmp_path / "dots.py", tmp_path / "run"
    method.write_text(METHOD)
    arguments = ("run", "ivid-imagenet128", "--scenes", "8", "--methods", method, "--out", out, "-q")
    first = call(*arguments, "--data", folder, "--json")
    assert first.exit_code == 0, first.output
    results = json.loads(first.stdout)
    assert results["protocol"]["pictures"]["count"] == 10
    numbers = results["methods"]["dots"]["metrics"]
    assert set(numbers) == {f"{name}[inception-legacy]" for name in ("fid", "kid", "kid_subsets", "is")}
    assert {(name, result["status"], result["n"]) for name, result in numbers.items()} == {
        (name, "ok", 8) for name in numbers
    }
    assert "10,000 ImageNet scenes" in (out / "report.html").read_text()
    scene = load_scene(out / "scenes" / "dots" / "00003.safetensors")
    assert (scene.label, scene.views, scene.size) == (3, 2, (128, 128))
    again = call(*arguments)  # the folder is that of the record
    assert again.exit_code == 0, again.output
    assert "Nothing was left to do" in again.stderr


def test_only_the_second_view_is_scored(small: Protocol, folder: Path, tmp_path: Path) -> None:
    """A method whose first view is another picture gets the same numbers."""
    found = []
    for name, first in (("one", 0), ("two", 200)):
        text = METHOD.replace("yield", f"rgb[0] = {first}\n            yield").replace('"dots", "C', f'"{name}", "C')
        (tmp_path / f"{name}.py").write_text(text)
        outcome = harness.run(small, [str(tmp_path / f"{name}.py")], tmp_path / name, data=folder)
        assert outcome.results is not None
        found.append(outcome.results["methods"][name]["metrics"])
    assert found[0] == found[1]


def test_folder_is_read_once_and_its_content_has_one_hash(small: Protocol, folder: Path, network: Any) -> None:
    ear = Ear()
    first = folder_reference(small, open_pictures(folder, ear), network, ear)
    assert ear.stages == {"read the real pictures": 10, "features of real pictures": 10}
    ear = Ear()
    second = folder_reference(small, open_pictures(folder, ear), network, ear)
    assert (ear.stages, ear.heard) == ({}, [])
    assert torch.equal(first.features.embedding, second.features.embedding)
    assert np.array_equal(first.moments[1], second.moments[1])


def test_hash_is_that_of_the_contents(folder: Path, tmp_path: Path) -> None:
    before = open_pictures(folder, Progress())
    assert before.classes == ("ant", "cat", "dog")
    moved = tmp_path / "elsewhere"
    (folder / "dog").rename(folder / "wolf")
    folder.rename(moved)
    after = open_pictures(moved, Progress())
    assert (after.sha256, after.classes) == (before.sha256, ("ant", "cat", "wolf"))
    save(moved / "ant" / "more.png", 99)
    assert open_pictures(moved, Progress()).sha256 != before.sha256
    (moved / "ant" / "more.png").unlink()
    assert open_pictures(moved, Progress()).sha256 == before.sha256
    save(moved / "cat" / "0.png", 98)
    assert open_pictures(moved, Progress()).sha256 != before.sha256


def test_another_picture_makes_other_results_under_another_hash(small: Protocol, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "dots.py").write_text(METHOD)
    first = harness.run(small, [str(tmp_path / "dots.py")], tmp_path / "run", data=folder).results
    save(folder / "ant" / "more.png", 99)
    second = harness.evaluate(tmp_path / "run").results
    assert first is not None
    assert second is not None
    assert first["protocol"]["hash"] != second["protocol"]["hash"]
    assert second["protocol"]["pictures"]["count"] == 11
    name = "fid[inception-legacy]"
    assert first["methods"]["dots"]["metrics"][name] != second["methods"]["dots"]["metrics"][name]


def test_unreadable_pictures_are_all_named_and_nothing_is_measured(
    small: Protocol, folder: Path, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_reference, "CHUNK", 4)
    whole = (folder / "cat" / "0.png").read_bytes()
    (folder / "cat" / "half.png").write_bytes(whole[: len(whole) // 2])
    (folder / "dog" / "empty.jpg").touch()
    with pytest.raises(UserError) as caught:
        folder_reference(small, open_pictures(folder, Progress()), network, Progress())
    lines = str(caught.value).splitlines()
    assert lines[0] == (f"{folder}: 2 of 12 pictures cannot be read; replace them, or take them out of the folder:")
    assert sorted(line.split(": ")[0].strip() for line in lines[1:]) == [
        str(folder / "cat" / "half.png"),
        str(folder / "dog" / "empty.jpg"),
    ]


class Killed(Exception):
    pass


def test_work_cut_short_goes_on_to_the_same_bits(
    small: Protocol, folder: Path, network: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(image_reference, "CHUNK", 4)
    pictures = open_pictures(folder, Progress())
    chunk, done = image_reference._Work._chunk, []

    def killed(self: Any, first: int) -> Any:
        if first == 8:
            raise Killed
        done.append(first)
        return chunk(self, first)

    with monkeypatch.context() as cut:
        cut.setattr(image_reference._Work, "_chunk", killed)
        with pytest.raises(Killed):
            folder_reference(small, pictures, network, Progress())
    assert done == [0, 4]
    ear = Ear()
    resumed = folder_reference(small, pictures, network, ear)
    assert ear.stages == {"features of real pictures": 2}
    monkeypatch.setenv("VIEWSWEEP_CACHE", str(tmp_path / "another cache"))
    whole = folder_reference(small, pictures, network, Progress())
    assert torch.equal(resumed.features.embedding, whole.features.embedding)
    assert all(np.array_equal(one, other) for one, other in zip(resumed.moments, whole.moments, strict=True))


def test_of_a_large_folder_all_pictures_make_the_moments_and_a_sample_the_rest(
    small: Protocol, folder: Path, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = open_pictures(folder, Progress())
    whole = folder_reference(small, pictures, network, Progress())
    rows = whole.features.embedding.numpy().astype(np.float64)
    assert np.allclose(whole.moments[0], rows.mean(0))
    assert np.allclose(whole.moments[1], np.cov(rows.T))  # divided by N - 1
    monkeypatch.setattr(image_reference, "KEPT", 6)
    monkeypatch.setattr(image_reference, "CHUNK", 4)
    sample = folder_reference(small, pictures, network, Progress())
    assert (len(sample.features), sample.count) == (6, 10)
    assert torch.allclose(sample.features.embedding, whole.features.embedding[:6], rtol=1e-5, atol=1e-6)
    assert all(np.allclose(one, other) for one, other in zip(sample.moments, whole.moments, strict=True))


def test_pictures_are_cut_first_and_resized_then() -> None:
    picture = np.zeros((10, 21, 3), np.uint8)
    picture[:, :5] = picture[:, 15:] = 255  # all that a square of ten in the middle leaves out
    assert centred_square(picture, 4).max() == 0
    assert centred_square(picture.transpose(1, 0, 2), 4).max() == 0
    square = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert np.array_equal(centred_square(square, 16), square)
    expected = np.asarray(Image.fromarray(square).resize((8, 8), Image.Resampling.LANCZOS))
    assert np.array_equal(centred_square(square, 8), expected)


def test_without_pictures_what_needs_none_is_measured(
    small: Protocol, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIEWSWEEP_DATA", raising=False)
    (tmp_path / "dots.py").write_text(METHOD)
    outcome = harness.run(small, [str(tmp_path / "dots.py")], tmp_path / "run")
    assert outcome.results is not None
    assert outcome.results["protocol"]["hash"] == small.hash
    numbers = outcome.results["methods"]["dots"]["metrics"]
    assert numbers["is[inception-legacy]"]["status"] == "ok"
    assert numbers["fid[inception-legacy]"]["reason"] == (
        "no real pictures were given; name their folder with --data or VIEWSWEEP_DATA."
    )


def test_environment_names_the_folder(
    small: Protocol, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIEWSWEEP_DATA", str(folder))
    (tmp_path / "dots.py").write_text(METHOD)
    outcome = harness.run(small, [str(tmp_path / "dots.py")], tmp_path / "run")
    assert outcome.results is not None
    assert outcome.results["methods"]["dots"]["metrics"]["kid[inception-legacy]"]["status"] == "ok"


@pytest.mark.usefixtures("network")
def test_a_wrong_folder_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "dots.py").write_text(METHOD)
    result = call(
        *("run", "ivid-imagenet128", "--scenes", "2", "--methods", tmp_path / "dots.py"),
        *("--out", tmp_path / "run", "--data", tmp_path / "nowhere"),
    )
    assert result.exit_code == 2
    assert f"{tmp_path / 'nowhere'}: there is no such folder of pictures. The folder comes from --data" in result.stderr
    assert not (tmp_path / "run" / "scenes").exists()


def test_few_pictures_give_reasons_instead_of_numbers(small: Protocol, tmp_path: Path, network: Any) -> None:
    folder = tmp_path / "few"
    save(folder / "a.png", 0)
    with pytest.raises(UserError, match="one picture is no reference set"):
        folder_reference(small, open_pictures(folder, Progress()), network, Progress())
    for index in range(3):
        save(folder / f"{index}.png", index + 1)
    (tmp_path / "dots.py").write_text(METHOD)
    outcome = harness.run(small.with_scenes(1), [str(tmp_path / "dots.py")], tmp_path / "run", data=folder)
    assert outcome.results is not None
    numbers = outcome.results["methods"]["dots"]["metrics"]
    assert "FID needs more than 4 generated pictures" in numbers["fid[inception-legacy]"]["reason"]
    assert "KID compares pairs of scenes" in numbers["kid[inception-legacy]"]["reason"]


def test_missing_weights_say_how_to_get_them(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from viewsweep.metrics import weight_files

    def nothing(*arguments: Any) -> Iterator[bytes]:
        raise OSError("no route")

    monkeypatch.setattr(weight_files, "_stream_rest", nothing)
    monkeypatch.setattr(weight_files, "PAUSE", 0.0)
    (tmp_path / "dots.py").write_text(METHOD)
    protocol = load_protocol("ivid-imagenet128", scenes=2)
    outcome = harness.run(protocol, [str(tmp_path / "dots.py")], tmp_path / "run", data=folder)
    assert outcome.results is not None
    for result in outcome.results["methods"]["dots"]["metrics"].values():
        assert result["status"] == "not_run"
        assert "Run `viewsweep fetch inception` with a network" in result["reason"]


@pytest.mark.usefixtures("network")
def test_view_range_of_a_folder(folder: Path, tmp_path: Path) -> None:
    protocol = Protocol.model_validate({**load_protocol("ivid-imagenet128-range").content, "size": 16, "scenes": 6})
    (tmp_path / "dots.py").write_text(METHOD)
    outcome = harness.run(protocol, [str(tmp_path / "dots.py")], tmp_path / "run", data=folder)
    assert outcome.results is not None
    numbers = outcome.results["methods"]["dots"]["metrics"]
    assert len(numbers) == 15
    assert {(result["status"], result["n"]) for result in numbers.values()} == {("ok", 6)}


def test_data_for_a_protocol_without_a_folder_is_said_to_be_unused(
    tiny: Protocol, painter: Any, folder: Path, tmp_path: Path
) -> None:
    ear = Ear()
    (tmp_path / "dots.py").write_text(METHOD)
    harness.run(tiny, [str(tmp_path / "dots.py")], tmp_path / "run", data=folder, progress=ear)
    assert f"--data {folder} is not used: tiny compares with no folder of pictures." in ear.heard
