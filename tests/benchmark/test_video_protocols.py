"""Protocols on videos: what they accept, and a run from a folder of videos to the numbers."""

from __future__ import annotations

import json
import shutil
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from viewsweep.benchmark import harness
from viewsweep.benchmark.progress import Progress
from viewsweep.benchmark.protocol import Protocol, load_protocol
from viewsweep.benchmark.true_scenes import CompletionRequests
from viewsweep.scenes import Cameras, Scene, load_scene, tabletop
from viewsweep.scenes.errors import UserError

from ..dataset_writers import write_co3d, write_re10k

SIZE = 16

METHOD = textwrap.dedent("""
    import torch
    from viewsweep.scenes import GeneratorInfo, Scene
    from viewsweep.scenes.generator import scene_generator

    class Still:
        '''Shows the context everywhere, with a little noise away from it.'''

        def info(self):
            return GeneratorInfo("still", "The context, standing still.", has_depth=False, tasks=("scene",))

        def generate(self, requests):
            for request in requests:
                shown = request.context.rgb[:1].expand(len(request.cameras), -1, -1, -1).clone()
                noise = torch.randint(0, 9, shown[1:].shape, generator=scene_generator(request.seed, "still"))
                shown[1:] = (shown[1:].int() + noise - 4).clamp(0, 255).to(torch.uint8)
                yield Scene(shown, request.cameras, seed=request.seed)
""")


def film(seed: int) -> Scene:
    steps = torch.linspace(0, 1, 5, dtype=torch.float64)
    return tabletop.sample(seed).render(Cameras.orbit(0.2 + 0.9 * steps, 0.3 - 0.2 * steps), SIZE)


@pytest.fixture(scope="module")
def films() -> list[Scene]:
    return [film(seed) for seed in (3, 4)]


@pytest.fixture
def re10k(tmp_path: Path, films: list[Scene]) -> Path:
    for name, scene in zip("ab", films, strict=True):
        write_re10k(tmp_path / "re10k", name, scene)
    return tmp_path / "re10k"


@pytest.fixture
def co3d(tmp_path: Path, films: list[Scene]) -> Path:
    write_co3d(tmp_path / "co3d", "hydrant", dict(zip("ab", films, strict=True)))
    return tmp_path / "co3d"


@pytest.fixture
def content(network: Any) -> dict[str, Any]:
    """A tiny protocol in the form of the shipped ones, on the network without weights."""
    return {
        "schema": "viewsweep.protocol/1",
        "name": "tiny-videos",
        "version": 1,
        "dataset": "re10k",
        "sequences": {"split": "test"},
        "size": SIZE,
        "scenes": 2,
        "sweep": {"kind": "frames", "frames": [0, 1, 2, 4]},
        "labels": "none",
        "scored": "novel",
        "completion": {"task": "scene", "samples": 3, "context": [0]},
        "reference": {"kind": "truth"},
        "features": {"network": "tabletop", "sha256": network.sha256},
        "metrics": {
            "fid": 1,
            "kid": 1,
            "completion_accuracy": 1,
            "completion_diversity": 1,
            "context_fidelity": 1,
        },
    }


@pytest.fixture
def method(tmp_path: Path) -> str:
    path = tmp_path / "still.py"
    path.write_text(METHOD)
    return str(path)


def results_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "results.json").read_text())


def test_from_videos_to_numbers(content, re10k, method, films, tmp_path):
    protocol = Protocol.model_validate(content)
    out = tmp_path / "run"
    harness.run(protocol, [method], out, data=re10k)
    results = results_of(out)
    found = results["methods"]["still"]["metrics"]
    assert results["methods"]["still"]["scenes"]["evaluated"] == 6
    assert found["context_psnr"]["value"] == 100.0  # view 0 is the context itself
    assert found["context_psnr"]["n"] == 2
    assert 5 < found["sample_psnr"]["value"] < found["best_psnr"]["value"] < 60
    assert 0 < found["diversity"]["value"] < 0.05
    assert found["samples"]["value"] == 3
    for name in ("fid[tabletop]", "kid[tabletop]"):
        assert found[name]["status"] == "ok", found[name]
    for name in ("best_psnr_unseen", "sample_ssim_seen", "diversity_unseen", "seen_share"):
        assert found[name]["status"] == "not_run", name
        assert "depth" in found[name]["reason"]
    assert results["protocol"]["hash"] == protocol.hash_with(results["protocol"]["pictures"]["sha256"])
    assert results["protocol"]["videos"] == ["a", "b"]
    scene = load_scene(out / "scenes" / "still" / "00004.safetensors")  # sample 1 of the second video
    assert torch.equal(scene.context.rgb[0], films[1].rgb[0])
    assert scene.cameras.cam_to_world[0].equal(scene.context.cameras.cam_to_world[0])


def test_the_truth_is_a_perfect_completion(content, re10k, films):
    """Fed with the frames themselves, every distance is nought; so frames, cameras and views belong together."""
    from viewsweep.benchmark.measuring import Measurement
    from viewsweep.benchmark.posed_scenes import with_videos

    protocol = with_videos(Protocol.model_validate(content), re10k, Progress())
    requests = protocol.requests()
    assert isinstance(requests, CompletionRequests)
    with Measurement(protocol, Progress(), protocol.data).method(6) as measured:
        for request in requests:
            frames = films[request.index // 3].rgb[[0, 1, 2, 4]]
            measured.add(request.index, Scene(frames, request.cameras, seed=request.seed))
        found = measured.measured({}).results
    assert found["best_psnr"]["value"] == 100.0
    assert found["diversity"]["value"] == 0.0
    assert found["fid[tabletop]"]["value"] == pytest.approx(0.0, abs=0.01)  # each picture three times: N - 1 differs
    assert found["kid[tabletop]"]["value"] == pytest.approx(0.0, abs=1e-9)  # pairs of one scene are left out


def test_evaluating_again_needs_the_data_and_remembers_where_it_is(content, re10k, method, tmp_path, monkeypatch):
    protocol, out = Protocol.model_validate(content), tmp_path / "run"
    harness.run(protocol, [method], out, data=re10k)
    before = (out / "results.json").read_bytes()
    harness.evaluate(out)
    assert (out / "results.json").read_bytes() == before
    moved = re10k.with_name("moved")
    shutil.move(re10k, moved)
    with pytest.raises(UserError, match="there is no such folder"):
        harness.evaluate(out)
    harness.evaluate(out, data=moved)
    assert (out / "results.json").read_bytes() == before


def test_without_a_folder_nothing_is_drawn(content, method, tmp_path):
    protocol = Protocol.model_validate(content)
    with pytest.raises(UserError, match=r"takes its scenes from a folder of yours. Name it with --data"):
        harness.run(protocol, [method], tmp_path / "run")
    with pytest.raises(UserError, match="--data"):
        protocol.requests()
    assert not (tmp_path / "run" / "scenes").exists()


def test_a_damaged_picture_is_found_before_anything_is_drawn(content, re10k, method, tmp_path):
    sorted((re10k / "frames" / "test" / "b").iterdir())[2].write_bytes(b"no picture")
    with pytest.raises(UserError, match="not a readable picture"):
        harness.run(Protocol.model_validate(content), [method], tmp_path / "run", data=re10k)
    assert not (tmp_path / "run" / "scenes").exists()


def test_co3d_runs_alike(content, co3d, method, tmp_path):
    content |= {"dataset": "co3d", "sequences": {"categories": ["hydrant"]}}
    content["sweep"] = {"kind": "frames", "frames": [0, 4], "unit": "median_depth"}
    harness.run(Protocol.model_validate(content), [method], tmp_path / "run", data=co3d)
    found = results_of(tmp_path / "run")["methods"]["still"]["metrics"]
    assert found["context_psnr"]["value"] == 100.0
    assert found["best_psnr_unseen"]["status"] == "not_run"


def test_half_of_the_context_may_be_hidden(content, re10k):
    from viewsweep.benchmark.posed_scenes import with_videos

    content["completion"]["shown"] = "half"
    protocol = with_videos(Protocol.model_validate(content), re10k, Progress())
    context = protocol.requests()[4].context
    assert context.mask.double().mean() == 0.5
    assert bool((context.rgb[~context.mask] == 128).all())


def test_the_shipped_protocols_ask_for_the_papers_frames():
    near, far = load_protocol("co3d-completion"), load_protocol("re10k-completion")
    assert (near.sweep.frames[-1], far.sweep.frames[-1]) == (100, 150)
    for protocol in (near, far):
        assert (protocol.size, protocol.samples, protocol.completion.context) == (64, 10, [0])
        assert protocol.sweep.frames[0] == 0
        assert protocol.features.network == "inception"
    assert near.scenes == len(near.sequences.categories) * near.sequences.each


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"sequences": None}, "sequences: say which videos"),
        ({"sequences": {"categories": ["hydrant"]}}, "sequences: say which videos"),
        ({"dataset": "co3d"}, "sequences: say which videos"),
        ({"sweep": {"kind": "sweep360", "views": 4}}, "write `kind: frames`"),
        ({"completion": None, "scored": "all"}, "from videos scenes are completed"),
        ({"reference": {"images": 10}}, "write `kind: truth`"),
        ({"reference": {"kind": "folder"}}, "write `kind: truth`"),
        ({"labels": "cyclic", "classes": 3}, "asked for without classes"),
        ({"dataset": "tabletop"}, "sequences: this is for videos"),
        ({"dataset": "tabletop", "sequences": None}, "sweep: this is for videos"),
        ({"completion": {"task": "scene", "samples": 2, "context": [1]}}, "context is view 0 alone"),
        ({"completion": {"task": "scene", "samples": 2, "context": [4]}, "scored": "all"}, "the sweep has 4 views"),
        ({"sweep": {"kind": "frames", "frames": [0]}}, "there is none beside the one that is given"),
        ({"truth": "world"}, "its own true scenes"),
        ({"sequences": {"split": "validation"}}, "split"),
    ],
)
def test_protocols_that_make_no_sense_say_what_to_write(content, keys, words):
    with pytest.raises(ValidationError, match=words):
        Protocol.model_validate({**content, **keys})
