"""Trained GANs as methods: one scene at a time, its latent and its conditioning pose fixed, only the camera moves."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

import platformdirs
import torch
from torch import Tensor, nn

from ...scenes.cameras import Cameras
from ...scenes.errors import UserError
from ...scenes.generator import GeneratorInfo, Request, scene_generator
from ...scenes.scene import Scene
from .base import Drawn, SceneState, Views
from .drawing import to_bytes
from .families import FAMILIES, marching_of
from .occupancy import with_occupancy
from .store import load_generator

__all__ = [
    "GanMethod",
    "load_eg3d_paper",
    "load_eg3d_small",
    "load_epigraf_paper",
    "load_epigraf_small",
    "load_folder",
    "load_pigan_paper",
    "load_pigan_small",
    "load_shipped",
]

VERSION = "1"

VIEWS = 8
"""Views drawn at once. A constant, so that neither the batch nor the machine's memory decides how sums round."""

EDGE = 0.02
"""Relative step of depth between neighbouring pixels beyond which they lie on different surfaces."""

SAME_DISTANCE = 1e-3
"""Relative difference to the distance it was trained from up to which cameras stand where they stood in training."""

ONE_DISTANCE = 0.01
"""Relative difference between the cameras of a request up to which they stand at one distance."""

SAME_FOCAL = 0.1
"""Relative difference of focal lengths from which the field of view is another than in training."""


class GanMethod:
    """Sweeps from a trained GAN's folder.

    A scene is its seed: z comes from it alone, and generators with pose conditioning are conditioned on the frontal
    mean camera of their training data, whatever they are looked at with. rgb has the size asked for. Depth is z-depth;
    that of EG3D is rendered lower (`info().details["depth_size"]`) and enlarged: along a surface in straight lines,
    at its edges by the nearest pixel.

    A generator without a sphere about its object (the papers') looks for it between two distances from the camera, and
    so knows one distance only. Cameras that stand at another are moved to it, and depth is scaled back: another unit
    of length, in which pictures are the same.

    Args:
        folder: what `viewsweep train pigan|eg3d|epigraf` wrote into ``OUT/generator``.
        name: the method's name in tables.
        family: name of the family it must be of; None = any.
        device: torch device.
        psi: truncation: 1 = none, 0 = the mean scene.

    Raises:
        UserError: no generator there, or of another family; a pickle; psi out of range.
        UnreadableFile: damaged or foreign files.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        name: str = "gan",
        family: str | None = None,
        device: str = "cpu",
        psi: float = 1.0,
    ) -> None:
        if not 0 <= psi <= 1:
            raise UserError(f"psi is {psi:g}; truncation lies between 0 (the mean scene) and 1 (none).")
        self.folder, self.name, self.psi, self.device = Path(folder), name, psi, torch.device(device)
        self.stored = load_generator(self.folder, family)
        self.generator = self.stored.generator.to(self.device)
        marching = marching_of(self.generator)
        self.bound = marching.bound or max(0.0, self.stored.viewpoint.radius - marching.near)
        self.one_distance = marching.bound is None
        self._warned = False
        if marching.bound is not None:  # the sphere alone says where to look, from whatever distance
            marching = replace(marching, near=0.0, far=math.inf)
            self.generator.marching = marching  # type: ignore[assignment]  # an attribute, not a module
        # whatever the number of views, so that a view does not depend on the others
        self.skips = self.stored.family.skips and marching.bound is not None

    def info(self) -> GeneratorInfo:
        """Name, weights and settings."""
        stored = self.stored
        return GeneratorInfo(
            name=self.name,
            description=f"{stored.family.title}: {stored.family.idea}.",
            version=VERSION,
            yaw_limit=stored.viewpoint.yaw_limit,
            native_size=None if stored.family.any_size else stored.size,
            classes=stored.classes,
            weights_sha256=stored.sha256,
            details={
                "family": stored.family.name,
                "parameters": sum(value.numel() for value in self.generator.parameters()),
                "trained_size": stored.size,
                "depth_size": self.generator.settings.get("neural", "as rgb"),
                "conditioning": "frontal mean camera" if self.generator.takes_pose else "none",
                "skips_empty_space": self.skips,
                "psi": self.psi,
                **({"cameras": f"moved to {stored.viewpoint.radius:.6g}"} if self.one_distance else {}),
            },
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        """One scene a request, each drawn by itself.

        Raises:
            UserError: an unknown class, no class where one is needed, a size it cannot draw, a context, a camera inside
                the object, or cameras at several distances where it knows only one.
        """
        for request in requests:
            self._check(request)
            yield self._scene(request)

    @torch.no_grad()
    def _scene(self, request: Request) -> Scene:
        generator, device = self.generator, self.device
        z = torch.randn(1, generator.latent_size, generator=scene_generator(request.seed, "gan.z")).to(device)
        label = torch.tensor([request.label], device=device) if generator.classes else None
        pose = self.stored.viewpoint.pose(1, device) if generator.takes_pose else None
        return self.scene_of(generator.truncate(generator.map(z, label, pose), self.psi), request)

    @torch.no_grad()
    def scene_of(self, latents: Tensor, request: Request) -> Scene:
        """The scene of `latents` [1, L] (the generator's w, on the device) from the cameras of `request`."""
        generator = self.generator
        state = generator.scene(latents)
        if self.skips:
            state = with_occupancy(generator, state, marching_of(generator))
        cameras, scale = request.cameras, self._scale(request)
        if scale != 1:
            pose = cameras.cam_to_world.clone()
            pose[:, :3, 3] *= scale
            cameras = Cameras(pose, cameras.intrinsics)
        drawn = [self._draw(state, part, request.size) for part in _chunks(cameras)]
        rgb, depth, alpha = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        depth = depth if scale == 1 else depth / scale
        return Scene(
            rgb,
            request.cameras,
            depth,
            alpha,
            label=request.label,
            seed=request.seed,
            latent=latents[0].float().cpu(),
        )

    def _draw(self, state: SceneState, cameras: Cameras, size: int) -> tuple[Tensor, Tensor, Tensor]:
        drawn: Drawn = self.generator.draw(state, Views.of(cameras, self.device), size)
        depth = enlarged_depth(drawn.depth.float(), size).cpu()
        alpha = drawn.alpha.float()[:, None]
        if alpha.shape[-1] != size:
            alpha = nn.functional.interpolate(alpha, (size, size), mode="bilinear")
        return to_bytes(drawn.rgb), depth, (alpha[:, 0] * 255).round().clamp(0, 255).to(torch.uint8).cpu()

    def _check(self, request: Request) -> None:
        """Refuse what cannot be drawn."""
        stored, where = self.stored, f"{self.name}, scene {request.index}"
        if request.context is not None:
            raise UserError(f"{where}: it draws scenes of its own and cannot go on from given views.")
        if stored.classes:
            if request.label is None:
                raise UserError(f"{where}: it draws classes, and none was asked for.", hint=_known(stored.classes))
            if not 0 <= request.label < len(stored.classes):
                raise UserError(f"{where}: there is no class {request.label}.", hint=_known(stored.classes))
        if not stored.family.any_size and request.size != stored.size:
            raise UserError(
                f"{where}: {request.size} x {request.size} pixels were asked for; {stored.family.title}'s "
                f"super-resolution makes {stored.size} x {stored.size} and nothing else.",
                hint="Choose a protocol of its size, or train another configuration.",
            )
        distance = request.cameras.positions.norm(dim=1) * self._scale(request)
        inside = torch.nonzero(distance <= self.bound)
        if len(inside):
            view = int(inside[0, 0])
            raise UserError(
                f"{where}: the camera of view {view} stands {float(distance[view]):.3g} from the origin, inside the "
                f"object, which may fill a sphere of radius {self.bound:.3g}.",
                hint=f"Move it out; it was trained from {stored.viewpoint.radius:.3g} away.",
            )
        self._warn_of_fov(request, where)

    def _scale(self, request: Request) -> float:
        """What lengths of the request are multiplied by to become those of the training.

        Raises:
            UserError: it knows one distance only, and the cameras stand at several, or at the origin.
        """
        if not self.one_distance:
            return 1.0
        distance, known = request.cameras.positions.norm(dim=1), self.stored.viewpoint.radius
        least, most, mean = (float(value) for value in (distance.min(), distance.max(), distance.mean()))
        if least <= 0 or most - least > ONE_DISTANCE * mean:
            raise UserError(
                f"{self.name}, scene {request.index}: the cameras stand {least:.3g} to {most:.3g} from the origin; "
                f"this generator was trained from {known:.3g} away and knows no other distance.",
                hint="Ask for cameras at one distance: it stands for the distance of training, whatever its unit.",
            )
        return 1.0 if abs(mean / known - 1) <= SAME_DISTANCE else known / mean

    def _warn_of_fov(self, request: Request, where: str) -> None:
        """Say once that pictures are asked for with another field of view than was learned."""
        if self._warned or not self.one_distance:
            return
        trained = 0.5 / math.tan(self.stored.viewpoint.fov / 2)
        focal = request.cameras.intrinsics[:, 1, 1]
        odd = float(focal[(focal / trained - 1).abs().argmax()])
        if abs(odd / trained - 1) <= SAME_FOCAL:
            return
        self._warned = True
        asked, learned = (math.degrees(2 * math.atan(0.5 / value)) for value in (odd, trained))
        warnings.warn(
            f"{where}: pictures of {asked:.3g} degrees were asked for; this generator was trained on pictures of "
            f"{learned:.3g} degrees, and what it draws beyond them, or how large, was never learned.",
            stacklevel=4,
        )


def enlarged_depth(depth: Tensor, size: int) -> Tensor:
    """Depths [N, h, w] (NaN = nothing) at [N, size, size]: bilinear on surfaces, the nearest pixel at their edges.

    Between two surfaces there is none, so values are mixed only where the four around a place are all known and
    close together.
    """
    if depth.shape[-1] == size:
        return depth
    known = torch.isfinite(depth)[:, None]
    filled = torch.where(known, depth[:, None], 0.0)
    low = torch.where(known, depth[:, None], math.inf)
    high = torch.where(known, depth[:, None], -math.inf)
    mixed = nn.functional.interpolate(filled, (size, size), mode="bilinear", align_corners=False)
    nearest = nn.functional.interpolate(depth[:, None], (size, size), mode="nearest-exact")
    low, high = -nn.functional.max_pool2d(-low, 3, 1, 1), nn.functional.max_pool2d(high, 3, 1, 1)
    smooth = nn.functional.max_pool2d((~known).float(), 3, 1, 1) == 0
    smooth &= high - low < 2 * EDGE * low
    picked = nn.functional.interpolate(smooth.float(), (size, size), mode="nearest-exact") > 0
    return torch.where(picked, mixed, nearest)[:, 0]


def _chunks(cameras: Cameras) -> Iterator[Cameras]:
    for first in range(0, len(cameras), VIEWS):
        yield cameras[first : first + VIEWS]


def _known(classes: tuple[str, ...]) -> str:
    shown = ", ".join(f"{number} {name}" for number, name in enumerate(classes[:20]))
    return f"Known are {shown}{' ...' if len(classes) > 20 else ''}."


def load_folder(folder: Path, *, name: str, device: str = "cpu") -> GanMethod:
    """A trained generator of any family.

    Raises:
        UserError: see `GanMethod`.
    """
    return GanMethod(folder, name=name, device=device)


def load_shipped(name: str, device: str = "cpu") -> GanMethod:
    """One of the shipped generators by its method's name, e.g. ``eg3d-small``.

    Raises:
        UserError: there is none of that name.
    """
    folder = resources.files("viewsweep.baselines.gan") / "weights" / name
    return GanMethod(Path(str(folder)), name=name, device=device)


def _small(family: str, device: str) -> GanMethod:
    return load_shipped(f"{family}-small", device)


def load_pigan_small(device: str = "cpu") -> GanMethod:
    """The shipped pi-GAN, trained on tabletop at 64 pixels."""
    return _small("pigan", device)


def load_eg3d_small(device: str = "cpu") -> GanMethod:
    """The shipped EG3D, trained on tabletop at 64 pixels."""
    return _small("eg3d", device)


def load_epigraf_small(device: str = "cpu") -> GanMethod:
    """The shipped EpiGRAF, trained on tabletop at 64 pixels."""
    return _small("epigraf", device)


def paper_folder(family: str) -> Path:
    """Where the user's generator of the paper's size is looked for.

    1. the environment variable ``VIEWSWEEP_<FAMILY>_PAPER``;
    2. ``<family>-paper/`` in `VIEWSWEEP_CACHE`, where that is set;
    3. ``<family>-paper/`` in the user's data folder.
    """
    if chosen := os.environ.get(f"VIEWSWEEP_{family.upper()}_PAPER"):
        return Path(chosen).expanduser()
    cache = os.environ.get("VIEWSWEEP_CACHE")
    return (Path(cache).expanduser() if cache else platformdirs.user_data_path("viewsweep")) / f"{family}-paper"


def _paper(family: str, device: str) -> GanMethod:
    folder, title = paper_folder(family), FAMILIES[family].title
    if not folder.exists():
        raise UserError(
            f"{folder}: {family}-paper needs a generator of {title}'s own size, which is not shipped.",
            hint=f"Train one with `viewsweep train {family} --config paper --data PICTURES --out DIR`, and name "
            f"DIR/generator in VIEWSWEEP_{family.upper()}_PAPER.",
        )
    return GanMethod(folder, name=f"{family}-paper", family=family, device=device)


def load_pigan_paper(device: str = "cpu") -> GanMethod:
    """A pi-GAN of the user's, from `paper_folder`.

    Raises:
        UserError: there is none; the message says how to get one.
    """
    return _paper("pigan", device)


def load_eg3d_paper(device: str = "cpu") -> GanMethod:
    """An EG3D of the user's, from `paper_folder`.

    Raises:
        UserError: there is none; the message says how to get one.
    """
    return _paper("eg3d", device)


def load_epigraf_paper(device: str = "cpu") -> GanMethod:
    """An EpiGRAF of the user's, from `paper_folder`.

    Raises:
        UserError: there is none; the message says how to get one.
    """
    return _paper("epigraf", device)
