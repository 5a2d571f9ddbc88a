"""Protocols with a `completion:` part: what they accept, what they ask for, and the truth behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from viewsweep.benchmark import true_scenes
from viewsweep.benchmark.completion import HIDDEN, given_part, sample_seed
from viewsweep.benchmark.protocol import Protocol, load_protocol
from viewsweep.benchmark.true_scenes import CompletionRequests, frozen_generator, outlines
from viewsweep.scenes import Scene, tabletop
from viewsweep.scenes.errors import UserError
from viewsweep.scenes.tabletop import TEST_SEEDS, clips

FROZEN = {"method": "painter", "sha256": "a" * 64}
VIEW = {"sweep": {"kind": "training_view"}}


def of_task(tiny: Protocol, task: str, completion: dict[str, Any] | None = None, **keys: Any) -> Protocol:
    part = {"task": task, "samples": 2, **(completion or {})}
    return Protocol.model_validate({**tiny.content, **(VIEW if task == "motion" else {}), "completion": part, **keys})


def requests_of(protocol: Protocol) -> CompletionRequests:
    requests = protocol.requests()
    assert isinstance(requests, CompletionRequests)
    return requests


class Latent:
    """A frozen generator that draws flat grey and knows its latent."""

    def __init__(self, painter: Any, sha256: str | None = FROZEN["sha256"]) -> None:
        self.painter, self.sha256, self.calls = painter(), sha256, 0

    def info(self) -> Any:
        return replace(self.painter.info(), weights_sha256=self.sha256)

    def generate(self, requests: Any) -> Any:
        for request in requests:
            self.calls += 1
            (scene,) = self.painter.generate([request])
            yield replace(scene, latent=torch.full((4,), float(request.seed % 1000)))


def test_samples_of_a_scene_share_their_context_and_differ_in_seed(tiny: Protocol) -> None:
    protocol = of_task(tiny, "scene")
    requests = list(protocol.requests())
    assert [(request.index, request.sample) for request in requests] == [(i, i % 2) for i in range(6)]
    assert len({request.seed for request in requests}) == 6
    assert [request.label for request in requests] == [0, 0, 1, 1, 2, 2]
    assert requests[2].seed == sample_seed(TEST_SEEDS[1], 0)
    first, second = requests[2].context, requests[3].context
    assert first is second
    assert first is not None
    assert (first.seed, first.label, first.depth, first.mask) == (TEST_SEEDS[1], None, None, None)


def test_sample_seeds_are_documented_numbers_away_from_those_of_worlds() -> None:
    assert sample_seed(2_000_000, 0) == 8610050713258577  # another number would be another protocol
    seeds = [sample_seed(seed, sample) for seed in range(2_000_000, 2_000_050) for sample in range(10)]
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) >= 1 << 52
    assert max(seeds) < 1 << 53  # whole numbers of a float64


def test_context_of_a_scene_is_its_true_view(tiny: Protocol) -> None:
    requests = requests_of(of_task(tiny, "scene", {"context": [2, 0]}))
    world = tabletop.sample(TEST_SEEDS[1], 1).render(tiny.cameras(), 16)
    truth, context = requests.truths.truth(1), requests.truths.context(1)
    assert torch.equal(truth.rgb, world.rgb)
    assert torch.equal(context.rgb, world.rgb[[2, 0]])
    assert context.cameras == tiny.cameras()[[2, 0]]
    assert truth.context is context
    assert truth.depth is not None
    assert truth.label == 1


def test_motion_is_that_of_the_clip_with_all_its_modes(tiny: Protocol) -> None:
    requests = requests_of(of_task(tiny, "motion"))
    clip = clips.sample(TEST_SEEDS[2], 2)
    truth, request = requests.truths.truth(2), requests[4]
    assert torch.equal(truth.rgb, clip.truth(16).rgb)
    assert truth.flow is not None
    assert request.cameras == truth.cameras == clip.camera
    assert request.context is not None
    assert torch.equal(request.context.rgb, clip.context(16).rgb)
    assert request.context.flow is None
    modes = requests.truths.modes(2)
    assert [weight for weight, _ in modes] == [mode.weight for mode in clip.modes(16)]
    assert any(torch.equal(scene.rgb, truth.rgb) for _, scene in modes)
    assert requests_of(of_task(tiny, "scene")).truths.modes(2) == []


def test_truth_of_an_inversion_is_the_frozen_generators_sweep(
    tiny: Protocol, painter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = Latent(painter)
    monkeypatch.setattr(true_scenes, "load_method", lambda name: frozen)
    requests = requests_of(of_task(tiny, "inversion", {"frozen": FROZEN, "shown": "half"}))
    truth, context = requests.truths.truth(1), requests[2].context
    assert truth.latent is not None
    assert truth.latent.tolist() == [float(TEST_SEEDS[1] % 1000)] * 4
    assert context is not None
    assert context.mask is not None
    assert int(context.mask.sum()) == 16 * 16 // 2
    assert torch.equal(context.rgb[context.mask], truth.rgb[:1][context.mask])
    assert bool((context.rgb[~context.mask] == HIDDEN).all())
    assert context.latent is None
    list(requests)
    assert frozen.calls == 3  # one a scene, however often it is asked for


@pytest.mark.parametrize("found", ["b" * 64, None])
def test_frozen_generator_with_other_weights_is_refused(
    tiny: Protocol, painter: Any, monkeypatch: pytest.MonkeyPatch, found: str | None
) -> None:
    monkeypatch.setattr(true_scenes, "load_method", lambda name: Latent(painter, found))
    requests = requests_of(of_task(tiny, "inversion", {"frozen": FROZEN}))
    assert len(requests) == 6  # counting them loads nothing
    with pytest.raises(UserError, match="weights aaaaaaaaaaaa; installed is"):
        requests[0]


def test_halves_follow_from_the_seed_and_all_four_occur() -> None:
    masks = [given_part("half", seed, 2, 8) for seed in range(40)]
    assert all(torch.equal(mask[0], mask[1]) for mask in masks)
    assert {int(mask.sum()) for mask in masks} == {64}
    sides = {(bool(mask[0, 0, 0]), bool(mask[0, 0, 7]), bool(mask[0, 7, 0])) for mask in masks}
    assert len(sides) == 4
    assert bool(given_part("all", 0, 1, 8).all())


def test_contexts_are_made_only_when_looked_at(tiny: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = true_scenes._object
    monkeypatch.setattr(true_scenes, "_object", lambda world: made.append(world.seed) or real(world))
    requests = of_task(tiny, "scene").requests()
    assert len(outlines(requests)) == 6
    assert made == []
    requests[3:5]
    list(requests)
    assert made == [TEST_SEEDS[1], TEST_SEEDS[2], TEST_SEEDS[0]]


def test_truths_are_kept_within_a_bound(tiny: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(true_scenes, "KEPT_BYTES", 1)
    truths = requests_of(of_task(tiny, "scene")).truths
    first = truths.truth(0)
    assert truths.truth(0) is first
    truths.truth(1)
    again = truths.truth(0)
    assert again is not first
    assert torch.equal(again.rgb, first.rgb)


def test_with_scenes_counts_true_scenes(tiny: Protocol) -> None:
    protocol = of_task(tiny, "scene")
    more = protocol.with_scenes(5)
    assert (more.scenes, more.samples, len(more.requests())) == (5, 2, 10)
    assert more.hash != protocol.hash
    assert (protocol.called(3), tiny.called(3)) == ("scene 1, sample 1", "scene 3")


def test_protocols_without_completion_keep_their_content(tiny: Protocol) -> None:
    assert "completion" not in tiny.content
    assert (tiny.task, tiny.samples) == ("sweep", 1)
    assert of_task(tiny, "scene").hash != of_task(tiny, "scene", {"samples": 3}).hash != tiny.hash


@pytest.mark.parametrize(
    ("task", "completion", "keys", "words"),
    [
        ("scene", {"context": [4]}, {}, "the sweep has 4 views"),
        ("scene", {"context": [-1]}, {}, "counted from 0"),
        ("scene", {"context": [1, 1]}, {}, "different views"),
        ("scene", {"context": []}, {}, "at least 1 item"),
        ("scene", {"samples": 0}, {}, "greater than or equal to 1"),
        ("scene", {"frozen": FROZEN}, {}, "of no other task"),
        ("inversion", {}, {}, "names the generator"),
        ("inversion", {"frozen": {**FROZEN, "sha256": "x"}}, {}, "pattern"),
        ("motion", {"context": [1]}, {}, "the one picture before"),
        ("motion", {}, {"sweep": {"kind": "sweep360", "views": 4}}, "kind: training_view"),
        ("scene", {}, {"truth": "world"}, "its own true scenes"),
        ("scene", {}, {"dataset": "images", "classes": 3}, "only tabletop"),
        ("sweep", {}, {}, "task"),
        ("scene", {"wholly": True}, {}, "wholly"),
    ],
)
def test_faulty_parts_are_named(
    tiny: Protocol, task: str, completion: dict[str, Any], keys: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        of_task(tiny, task, completion, **keys)


def test_contexts_cannot_be_told_from_what_is_hidden(tiny: Protocol) -> None:
    """Two scenes that differ only behind the mask would give one context."""
    truths = requests_of(of_task(tiny, "scene", {"shown": "half"})).truths
    world = truths.worlds[0]
    shown = truths.truth(0).select([0])
    mask = given_part("half", world.seed, 1, 16)
    other = Scene(torch.where(mask[..., None], shown.rgb, 255 - shown.rgb), shown.cameras)
    assert torch.equal(truths._given(0, shown).rgb, truths._given(0, other).rgb)


def test_shipped_protocols_ask_for_what_their_names_say() -> None:
    asked = {name: load_protocol(name) for name in ("tabletop64-completion", "tabletop-motion", "tabletop-inversion")}
    assert [protocol.task for protocol in asked.values()] == ["scene", "motion", "inversion"]
    assert [(protocol.scenes, protocol.samples) for protocol in asked.values()] == [(64, 10), (128, 10), (32, 10)]
    assert asked["tabletop64-completion"].cameras() == load_protocol("tabletop64").cameras()


def test_shipped_frozen_generator_is_the_installed_one() -> None:
    completion = load_protocol("tabletop-inversion").completion
    assert completion is not None
    assert completion.frozen is not None
    assert frozen_generator(completion.frozen, "tabletop-inversion").info().name == completion.frozen.method
