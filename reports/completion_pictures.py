"""Completions to look at: what was given, what was there, what each method made of it, and how much it varies.

For every scene shown: the context with the part that is given, the true views, and which of their pixels the
context shows; then for each method its samples at the same views and the spread between them. Of motion, the
flow as colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray

from ..benchmark.protocol import protocol_from_record
from ..benchmark.true_scenes import CompletionRequests
from ..metrics.visibility import given_pixels, seen_by_context
from ..scenes.errors import ViewsweepError
from ..scenes.scene import Scene
from .layers import HEAT_MAP, coloured
from .rundir import RunFiles
from .sprites import Pictures, Sheet, nearest, picture_sheet, shrink

__all__ = ["SPREAD_LIMIT", "Completed", "MethodStrips", "Strip", "completions", "flow_colours", "spread"]

MOST_VIEWS = 6
MOST_SAMPLES = 8
TOTAL_BYTES = 1_500_000
STRIP_BYTES = 16_000
SPREAD_LIMIT = 0.3
"""Standard deviation of colours in [0, 1] at the upper end of the scale."""

HIDDEN = (128, 128, 134, 90)
UNSEEN_LIGHT = 0.2  # how much of a picture is left to be made out where it is not seen

Floats = NDArray[np.float32]
Truth = Callable[[int], Scene]


@dataclass(frozen=True)
class Strip:
    """Pictures in a row, under a name."""

    title: str
    sheet: Sheet


@dataclass(frozen=True)
class MethodStrips:
    """What one method made of a scene; `reason` says why there is nothing, or less than was asked for."""

    method: str
    strips: tuple[Strip, ...]
    reason: str


@dataclass(frozen=True)
class Completed:
    """One scene: what was given and what was there, then each method; `views` names the pictures of a row."""

    title: str
    strips: tuple[Strip, ...]
    methods: tuple[MethodStrips, ...]
    views: str
    reason: str


def completions(run: RunFiles, indices: Sequence[int]) -> list[Completed]:
    """The scenes behind `indices` (their first samples); empty for runs that complete nothing."""
    if run.samples == 1 and not run.resolved.get("completion"):
        return []
    truth, reason = _truth_of(run)
    samples = min(run.samples, MOST_SAMPLES)
    limit = min(STRIP_BYTES, TOTAL_BYTES // max(1, len(indices) * (3 + len(run.methods) * (samples + 1))))
    return [_completed(run, index, truth, reason, limit) for index in indices]


def spread(samples: Sequence[Pictures]) -> Floats:
    """Standard deviation over samples [V, H, W, 3], all channels together, of colours in [0, 1]: [V, H, W]."""
    held = np.stack(samples).astype(np.float32) / 255
    return np.asarray(np.sqrt(held.var(0).mean(-1)), np.float32)


def flow_colours(flow: Floats, limit: float) -> Pictures:
    """Flow [V, H, W, 2] in pixels as colours: hue is its direction, saturation its length up to `limit`.

    Where nothing is known it is transparent; where nothing moves, white.
    """
    known = np.asarray(np.isfinite(flow).all(-1))
    x, y = (np.where(known, flow[..., axis], 0.0) for axis in (0, 1))
    hue = (np.arctan2(y, x) / (2 * math.pi)) % 1.0
    strength = np.clip(np.hypot(x, y) / limit, 0.0, 1.0)
    rgb = matplotlib.colors.hsv_to_rgb(np.stack([hue, strength, np.ones_like(hue)], -1))
    colours = np.round(np.concatenate([rgb, known[..., None]], -1) * 255)
    return (colours * known[..., None]).astype(np.uint8)


def _truth_of(run: RunFiles) -> tuple[Truth | None, str]:
    """Where true scenes come from: their protocol, else the reference that hands them in; or why nowhere."""
    where = run.folder / "run.json"
    try:
        requests = protocol_from_record(dict(run.resolved), where).requests()
        if isinstance(requests, CompletionRequests):
            requests.truths.truth(0)
            return requests.truths.truth, ""
        reason = "the protocol of this run asks for no completions."
    except ViewsweepError as error:
        reason = str(error).replace(f"{run.folder}/", "")
    if any(method.name == "truth" for method in run.methods):

        def handed_in(place: int) -> Scene:
            scene = run.scene("truth", place * run.samples)
            if scene is None:
                raise ViewsweepError("The reference `truth` has no file for this scene.")
            return scene

        return handed_in, ""
    return None, reason


def _completed(run: RunFiles, index: int, truth_of: Truth | None, reason: str, limit: int) -> Completed:
    place = index // run.samples
    truth, context = None, None
    if truth_of is not None:
        try:
            truth = truth_of(place)
        except ViewsweepError as error:
            reason = str(error)
    samples = {method.name: _samples(run, method.name, index) for method in run.methods}
    if truth is not None:
        context = truth.context
    if context is None:
        found = (scene for own, _ in samples.values() for scene in own)
        context = next((scene.context for scene in found if scene.context is not None), None)
    views = max((scene.views for own, _ in samples.values() for scene in own), default=0)
    views = truth.views if truth is not None else views
    kept = [step * views // min(views, MOST_VIEWS) for step in range(min(views, MOST_VIEWS))]
    strips = []
    if context is not None:
        strips.append(
            _strip(f"Given ({context.views} view{'' if context.views == 1 else 's'})", _given(context), limit)
        )
    longest = _longest_flow(truth, [scene for own, _ in samples.values() for scene in own])
    if truth is not None:
        strips.append(_strip("Truth", truth.rgb[kept].numpy(), limit))
        seen = seen_by_context(truth)
        if seen is not None:
            strips.append(_strip("Seen by the context", _seen(truth, seen)[kept], limit))
        if truth.flow is not None and longest:
            strips.append(_strip("True flow", flow_colours(truth.flow[kept].numpy(), longest), limit))
    methods = []
    for method in run.methods:
        own, why = samples[method.name]
        methods.append(MethodStrips(method.name, tuple(_method_strips(own, kept, longest, limit)), why))
    label = next((scene.label for own, _ in samples.values() for scene in own if scene.label is not None), None)
    name = run.label_name(label)
    title = f"Scene {place}" + (f", {name}" if name else "")
    return Completed(title, tuple(strips), tuple(methods), _views_in_words(kept, views), reason)


def _samples(run: RunFiles, method: str, index: int) -> tuple[list[Scene], str]:
    """The samples of a scene that can be read, and why some are missing."""
    found, missing, reason = [], 0, ""
    for sample in range(run.samples):
        try:
            scene = run.scene(method, index + sample)
        except ViewsweepError:
            scene = None
        if scene is None:
            missing += 1
        else:
            found.append(scene)
    if missing:
        reason = f"{missing} of {run.samples} samples were not drawn or cannot be read."
    return found, reason


def _method_strips(samples: Sequence[Scene], kept: Sequence[int], longest: float, limit: int) -> list[Strip]:
    if not samples or any(scene.views <= max(kept) for scene in samples):
        return []
    pictures = [scene.rgb[list(kept)].numpy() for scene in samples]
    shown = pictures[:MOST_SAMPLES]
    if len(kept) == 1:  # samples side by side: a row each would be a column of single pictures
        strips = [_strip(f"{len(shown)} samples", np.concatenate(shown), limit * len(shown))]
    else:
        strips = [_strip(f"Sample {place}", tiles, limit) for place, tiles in enumerate(shown)]
    if len(pictures) > 1 and len({tiles.shape for tiles in pictures}) == 1:
        strips.append(_strip("Spread", coloured(spread(pictures) / SPREAD_LIMIT, HEAT_MAP), limit))
    flows = [scene.flow[list(kept)].numpy() for scene in samples[:MOST_SAMPLES] if scene.flow is not None]
    if flows and longest:
        strips.append(_strip("Their flow", np.concatenate([flow_colours(flow, longest) for flow in flows]), limit * 2))
    return strips


def _given(context: Scene) -> Pictures:
    """The context's views; what is hidden of them is a faint grey."""
    given = given_pixels(context).numpy()
    opaque = np.concatenate([context.rgb.numpy(), np.full((*given.shape, 1), 255, np.uint8)], -1)
    return np.where(given[..., None], opaque, np.array(HIDDEN, np.uint8)).astype(np.uint8)


def _seen(truth: Scene, seen: torch.Tensor) -> Pictures:
    """The true views: in colour where the context shows them, dark and flat where it does not."""
    rgb = truth.rgb.numpy().astype(np.float32)
    grey = rgb.mean(-1, keepdims=True) * UNSEEN_LIGHT
    dim = np.concatenate([grey + 70, grey + 8, grey + 60], -1)
    return np.where(seen.numpy()[..., None], rgb, dim).clip(0, 255).astype(np.uint8)


def _longest_flow(truth: Scene | None, samples: Sequence[Scene]) -> float:
    """The length of flow that is shown in full colour; 0 without any."""
    flows = [truth.flow] if truth is not None and truth.flow is not None else []
    flows = flows or [scene.flow for scene in samples if scene.flow is not None]
    lengths = [flow.norm(dim=-1).flatten() for flow in flows]
    known = [length[torch.isfinite(length)] for length in lengths]
    held = torch.cat(known) if known else torch.zeros(0)
    return max(float(held.max()), 1e-3) if len(held) else 0.0


def _strip(title: str, tiles: Pictures, limit: int) -> Strip:
    small = shrink(tiles) if tiles.shape[-1] == 3 else _small(tiles)
    return Strip(title, picture_sheet(small, limit, strip=True))


def _small(tiles: Pictures) -> Pictures:
    like = shrink(tiles[..., :3])
    found: Pictures = nearest(tiles, *like.shape[1:3])
    return found


def _views_in_words(kept: Sequence[int], views: int) -> str:
    if len(kept) == views:
        return "all views" if views > 1 else "the view asked for"
    return f"views {', '.join(map(str, kept))} of {views}"
