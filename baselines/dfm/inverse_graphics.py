"""Inverse graphics: the signal is a radiance field, the forward model renders it (DFM, section 3.1).

The context's pictures and the noisy one are looked at by one network. The noisy one is looked at together with what
the context alone makes of its view: a coarse deterministic rendering of colour, depth and features. The field that
follows reads the features of all pictures wherever its points project to.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ..gan.arguments import arguments
from ..gan.background import Backdrop
from ..gan.base import Patch, Views
from ..gan.rendering import Marching, Rendered, rays_of, render
from .core import Batch, InverseProblem, Observation, Tensors
from .image_field import FieldNetwork, features_at, in_cameras
from .network import PictureNetwork

__all__ = ["InverseGraphics"]

HINTS = 8
"""Channels of features of the coarse rendering, beside colour and depth."""

AT_ONCE = {"cpu": 2**12, "cuda": 2**18}
"""Evaluations of the field held at once without gradients. Each is of several pictures: in a CPU's caches 2^12 of them
take 0.4 times as long as 2^16. The number for GPUs is not measured."""


class InverseGraphics(InverseProblem):
    """Context: "picture" [N, V, 3, H, W], "pose" [N, V, 4, 4] (camera to world), "lens" [N, V, 3, 3].

    Signal: a field, see `image_field`. Parameters: "pose" [N, 4, 4] and "lens" [N, 3, 3] of a camera; with "scale" [N]
    and "offset" [N, 2] of a square of its picture (`Patch`) of `patch` pixels. An observation may be of several cameras
    at once: then all of these are [N, T, ...], and an observation has the channels of T pictures, one after the other.

    Args:
        size: picture height and width.
        patch: side of the squares the loss looks at, pixels.
        features: channels of the pictures' features.
        samples: along a ray.
        coarse: height and width of the coarse rendering.
        coarse_samples: along its rays.
        near, far: distances along rays between which something is.
        bound: radius of the sphere about the origin outside which nothing is.
        distance: how far cameras stand, about.
        coarse_weight: of the coarse rendering's error.
        deterministic: pixelNeRF: the same network, without a noisy picture.
        network: arguments of `PictureNetwork`.
        field: arguments of `FieldNetwork`.
        mixes: whether colours are mixed with those of the pictures.
        paints: whether the network also says what it takes the noisy picture to be, for the field to mix in. It is
            taught that from whole pictures, of which renderings show squares only.
        targets: how many pictures diffuse together. One beside what is given leaves most of the object unseen by
            either; two, a third of a turn apart, do not.
    """

    def __init__(
        self,
        size: int = 64,
        *,
        patch: int = 16,
        features: int = 24,
        samples: int = 24,
        coarse: int = 32,
        coarse_samples: int = 16,
        near: float = 1.1,
        far: float = 2.1,
        bound: float = 0.5,
        distance: float = 1.6,
        coarse_weight: float = 0.5,
        deterministic: bool = False,
        network: dict[str, Any] | None = None,
        field: dict[str, Any] | None = None,
        mixes: bool = False,
        paints: bool = False,
        targets: int = 1,
    ) -> None:
        settings = arguments(locals())
        super().__init__()
        self.settings = settings
        self.observed, self.targets, self.deterministic = (3 * targets, size, size), targets, deterministic
        self.patch, self.coarse, self.coarse_weight, self.distance = patch, coarse, coarse_weight, distance
        # noisy picture, coarse colour, depth, features, and which of the two kinds of picture it is
        self.network = PictureNetwork(size, 3 + 3 + 1 + HINTS + 1, features, **(network or {}))
        own = {"distance": distance, **(field or {})}
        self.field = FieldNetwork(features, 3, mixes=mixes, **own)
        self.hints = None if deterministic else FieldNetwork(features, 3 + HINTS, **own)
        self.painter = nn.Conv2d(features, 3, 1) if paints and not deterministic else None
        self.backdrop = Backdrop(features, 3)
        places: dict[str, Any] = {"near": near, "far": far, "bound": bound, "placement": "cell", "shift": -1.0}
        self.marching = Marching(coarse=samples, fine=0, **places)
        self.rough = Marching(coarse=coarse_samples, fine=0, **places)

    def denoise(self, context: Tensors, noisy: Tensor, time: Tensor, parameters: Tensors) -> Tensors:
        known = self._look_at_context(context)
        if self.deterministic or self.hints is None:
            return known
        poses, lenses = _each(parameters["pose"], 2), _each(parameters["lens"], 2)
        count, targets = poses.shape[:2]
        hint = self._hint(known, poses, lenses)
        depth = (hint["depth"] - self.distance)[:, None] * 2
        beside = torch.cat([hint["values"][:, :3].tanh(), depth, hint["values"][:, 3:]], 1)
        beside = F.interpolate(beside, size=noisy.shape[2:], mode="bilinear", align_corners=False)
        pictures = noisy.unflatten(1, (targets, 3)).flatten(0, 1)
        seen = torch.cat([pictures, beside, torch.ones_like(pictures[:, :1])], 1)
        features = self.network(seen, time.repeat_interleave(targets)).float()
        shown, painted = known["pictures"], {}
        if self.painter is not None:
            own = self.painter(features).float().tanh().unflatten(0, (count, targets))
            shown, painted = torch.cat([shown, own], 1), {"painted": own.flatten(1, 2)}
        return painted | {
            "features": torch.cat([known["features"], features.unflatten(0, (count, targets))], 1),
            "pictures": shown,
            "world_to_cam": torch.cat([known["world_to_cam"], torch.linalg.inv(poses)], 1),
            "lens": torch.cat([known["lens"], lenses], 1),
            "times": torch.cat([known["times"], time[:, None].expand(-1, targets)], 1),
            "backdrop": known["backdrop"],
            "hint": hint["values"][:, :3].tanh().unflatten(0, (count, targets)).flatten(1, 2),
        }

    def observe(self, signal: Tensors, parameters: Tensors) -> Tensor:
        poses, lenses = _each(parameters["pose"], 2), _each(parameters["lens"], 2)
        patch = None
        if "scale" in parameters:
            patch = Patch(_each(parameters["scale"], 0).flatten(), _each(parameters["offset"], 1).flatten(0, 1))
        size = self.observed[1] if patch is None else self.patch
        views = Views(poses.flatten(0, 1), lenses.flatten(0, 1))
        values = self.rendered(signal, views, size, patch=patch).values
        every = values.transpose(1, 2).unflatten(2, (size, size)).unflatten(0, poses.shape[:2])
        pictures: Tensor = every.flatten(1, 2)
        return pictures

    def rendered(
        self, signal: Tensors, views: Views, size: int, *, patch: Patch | None = None, shared: bool = False
    ) -> Rendered:
        """Colours in [-1, 1], z-depth and alpha of N signals from `views`, [N * T]: those of the first signal first.

        Args:
            shared: there is one signal, for all views.
        """
        rays, count = rays_of(views, size, size, patch), len(signal["features"])
        several = not shared and count < len(views)
        if several:
            rays = rays.in_rows(count)

        def field(points: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
            raw, values = self._at(self.field, signal, points)
            return raw, values if self.field.mixture is not None else values.tanh()

        behind = self.backdrop(signal["backdrop"], rays.directions).tanh()
        memory = AT_ONCE.get(behind.device.type, AT_ONCE["cpu"])
        found = render(field, rays, self.marching, background=behind, memory=memory, shared=shared)
        if not several:
            return found
        values, depth, alpha = (
            part.reshape(len(views), size**2, *part.shape[2:]) for part in (found.values, found.depth, found.alpha)
        )
        return Rendered(values, depth, alpha, found.points)

    def part(self, observation: Observation, random: torch.Generator) -> Observation:
        own = observation.parameters
        several = own["pose"].shape[1:-2]  # (T,) where an observation is of T cameras
        picture = observation.picture.unflatten(1, (-1, 3)).flatten(0, 1)
        count, _, height, width = picture.shape
        top = torch.randint(height - self.patch + 1, (count,), generator=random)
        left = torch.randint(width - self.patch + 1, (count,), generator=random)
        cut = [
            picture[i, :, y : y + self.patch, x : x + self.patch]
            for i, (y, x) in enumerate(zip(top.tolist(), left.tolist(), strict=True))
        ]
        offset = torch.stack([left / width, top / height], 1).to(picture.device)
        scale = torch.full((count,), self.patch / height, device=picture.device)
        square = {"scale": scale.reshape(-1, *several), "offset": offset.reshape(-1, *several, 2)}
        seen = torch.stack(cut).unflatten(0, (len(own["pose"]), -1)).flatten(1, 2)
        return Observation({**own, **square}, seen)

    def without(self, context: Tensors) -> Tensors:
        return context | {"picture": torch.zeros_like(context["picture"])}

    def prior(self, signal: Tensors, batch: Batch) -> dict[str, Tensor]:
        if "hint" not in signal:
            return {}
        whole = batch.target.picture
        small = F.interpolate(whole, size=signal["hint"].shape[2:], mode="area")
        terms = {"coarse": (signal["hint"] - small).square().mean() * self.coarse_weight}
        if "painted" in signal:
            terms["painted"] = (signal["painted"] - whole).square().mean()
        return terms

    def _look_at_context(self, context: Tensors) -> Tensors:
        """The field that follows from the context alone."""
        pictures = context["picture"]
        count, views = pictures.shape[:2]
        flat = pictures.flatten(0, 1)
        seen = F.pad(flat, (0, 0, 0, 0, 0, 3 + 1 + HINTS + 1))
        clean = torch.zeros(len(flat), device=flat.device)
        features = self.network(seen, clean).float().unflatten(0, (count, views))
        return {
            "features": features,
            "pictures": pictures,
            "world_to_cam": torch.linalg.inv(context["pose"]),
            "lens": context["lens"],
            "times": torch.zeros(count, views, device=flat.device),
            "backdrop": features.mean((1, 3, 4)),
        }

    def _hint(self, known: Tensors, poses: Tensor, lenses: Tensor) -> Tensors:
        """Coarse renderings of the context's fields from the noisy pictures' cameras [N, T], in a row."""
        assert self.hints is not None
        network, size = self.hints, self.coarse
        rays = rays_of(Views(poses.flatten(0, 1), lenses.flatten(0, 1)), size, size)
        if poses.shape[1] > 1:
            rays = rays.in_rows(len(poses))
        behind = F.pad(self.backdrop(known["backdrop"], rays.directions), (0, HINTS))
        found = render(lambda points, _: self._at(network, known, points), rays, self.rough, background=behind)
        values = found.values.reshape(-1, size**2, 3 + HINTS).transpose(1, 2).unflatten(2, (size, size))
        depth = found.depth.reshape(-1, size, size).nan_to_num(self.distance)
        return {"values": values, "depth": depth.detach()}

    def _at(self, network: FieldNetwork, signal: Tensors, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw densities and values at points [N, R, S, 3]."""
        shape = points.shape[:-1]
        places, uv, inside = in_cameras(points.flatten(1, 2), signal["world_to_cam"], signal["lens"])
        features = features_at(signal["features"], uv)
        shown = None
        if network.mixture is not None:
            pictures = signal["pictures"].float()
            shown = features_at(pictures, uv[:, : pictures.shape[1]])
        raw, values = network(features, places, inside, signal["times"], shown)
        return raw.unflatten(1, shape[1:]), values.unflatten(1, shape[1:])


def _each(value: Tensor, own: int) -> Tensor:
    """A parameter of one camera an item as that of T: [N, ...] with `own` dimensions of its own to [N, 1, ...]."""
    return value if value.ndim == own + 2 else value[:, None]
