"""`Scene`: what a generator returned for one seed, and the safetensors file it lives in.

File layout, schema ``viewsweep.scene/1``: tensors under the field names below (those of the
context under ``context.<name>``) and one metadata entry ``viewsweep`` holding JSON with
``schema``, ``label`` and ``seed``. One metadata entry, because safetensors does not keep the order
of several and the same scene shall give the same bytes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from .cameras import Cameras
from .errors import InvalidCameras, InvalidScene, UnreadableFile
from .files import atomic_write

__all__ = ["Scene", "load_scene", "save_scene"]

SCHEMA = "viewsweep.scene/1"
MAXIMUM_BYTES = 4 << 30


@dataclass(frozen=True, eq=False)
class Scene:
    """V views of one scene.

    Args:
        rgb: uint8 sRGB, [V, H, W, 3].
        cameras: V cameras, or None for pictures whose cameras nobody knows.
        depth: z-depth in the unit of the camera positions, float32, [V, H, W]; NaN where there
            is no surface, otherwise finite and positive.
        alpha: coverage of the object, uint8, [V, H, W], 255 = opaque.
        normals: unit surface normals in the world, float32, [V, H, W, 3]; NaN = no surface.
        label: class index the generator was asked for.
        seed: the seed that makes this scene again.
        context: the views the generator was given (completion tasks).
        mask: which pixels are given, bool, [V, H, W]; None = all of them. Of a context: what lies
            outside is not for the method to see.
        flow: backward flow in pixels, x right and y down, float32, [V, H, W, 2]: a view at x shows
            what the context shows at x + flow(x). NaN = nothing in the context shows it.
        latent: the latent (w) of the generator that drew this scene, float32, [L] (inversion tasks).

    Raises:
        InvalidScene: shapes or types that do not fit together, infinite or non-positive depth,
            infinite flow, a latent that is not finite.
    """

    rgb: Tensor
    cameras: Cameras | None = None
    depth: Tensor | None = None
    alpha: Tensor | None = None
    normals: Tensor | None = None
    label: int | None = None
    seed: int | None = None
    context: Scene | None = None
    mask: Tensor | None = None
    flow: Tensor | None = None
    latent: Tensor | None = None

    def __post_init__(self) -> None:
        if self.rgb.ndim != 4 or self.rgb.shape[-1] != 3 or self.rgb.dtype != torch.uint8:
            raise InvalidScene(
                f"rgb is {self.rgb.dtype} with shape {list(self.rgb.shape)}; it must be uint8, [views, H, W, 3]."
            )
        views, height, width = self.rgb.shape[:3]
        if min(views, height, width) < 1:
            raise InvalidScene(f"rgb has shape {list(self.rgb.shape)}: a scene needs a view and a pixel.")
        if self.cameras is not None and len(self.cameras) != views:
            raise InvalidScene(f"{views} views but {len(self.cameras)} cameras; each view needs its own.")
        _check_map("depth", self.depth, (views, height, width), torch.float32)
        _check_map("alpha", self.alpha, (views, height, width), torch.uint8)
        _check_map("normals", self.normals, (views, height, width, 3), torch.float32)
        _check_map("mask", self.mask, (views, height, width), torch.bool)
        _check_map("flow", self.flow, (views, height, width, 2), torch.float32)
        if self.depth is not None:
            bad = torch.isinf(self.depth) | (self.depth <= 0)
            if bool(bad.any()):
                view = int(torch.nonzero(bad)[0, 0])
                raise InvalidScene(
                    f"depth of view {view} is infinite or not positive at {int(bad[view].sum())} pixels. "
                    "Depth is z-depth, finite and positive; mark pixels without a surface as NaN."
                )
        if self.flow is not None:
            _check_flow(self.flow)
        if self.latent is not None:
            _check_latent(self.latent)

    def __repr__(self) -> str:
        parts = ["cameras", "depth", "alpha", "normals", "context", "mask", "flow", "latent"]
        held = ", ".join(["rgb", *(name for name in parts if getattr(self, name) is not None)])
        height, width = self.size
        return f"Scene({self.views} views {width}x{height}: {held}; label={self.label}, seed={self.seed})"

    @property
    def views(self) -> int:
        return self.rgb.shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """Image height and width."""
        return self.rgb.shape[1], self.rgb.shape[2]

    @property
    def foreground(self) -> Tensor:
        """Where a surface was seen, bool, [V, H, W]: finite depth, else alpha, else everywhere."""
        if self.depth is not None:
            return torch.isfinite(self.depth)
        if self.alpha is not None:
            return self.alpha >= 128
        return torch.ones(self.rgb.shape[:3], dtype=torch.bool)

    def select(self, views: slice | list[int]) -> Scene:
        """The same scene with some of its views."""
        return Scene(
            rgb=self.rgb[views],
            cameras=None if self.cameras is None else self.cameras[views],
            depth=None if self.depth is None else self.depth[views],
            alpha=None if self.alpha is None else self.alpha[views],
            normals=None if self.normals is None else self.normals[views],
            label=self.label,
            seed=self.seed,
            context=self.context,
            mask=None if self.mask is None else self.mask[views],
            flow=None if self.flow is None else self.flow[views],
            latent=self.latent,
        )


def save_scene(path: str | os.PathLike[str], scene: Scene) -> None:
    """Write `scene` in one step; a file that was there stays whole until then.

    Raises:
        WriteFailed: the disk is full or the folder cannot be written.
    """
    header = {"schema": SCHEMA} | _header(scene)
    atomic_write(path, save(_tensors(scene), metadata={"viewsweep": json.dumps(header, sort_keys=True)}))


def load_scene(path: str | os.PathLike[str]) -> Scene:
    """Read a scene file.

    Raises:
        UnreadableFile: missing, truncated, no scene, or from a newer viewsweep.
        InvalidScene: readable, but its parts do not fit together.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            raise UnreadableFile(f"{path}: larger than {MAXIMUM_BYTES >> 30} GiB; this is no scene file.")
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("viewsweep", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise UnreadableFile(
            f"{path}: not a readable scene file ({error}).",
            hint="Delete it and run the command that made it again; finished scenes are kept.",
        ) from error
    schema = header.get("schema") if isinstance(header, dict) else None
    if schema != SCHEMA:
        known = f"its schema is {schema!r}" if schema else "it carries no viewsweep schema"
        raise UnreadableFile(f"{path}: {known}; this version reads {SCHEMA}.", hint="Update viewsweep.")
    try:
        return _scene(tensors, header)
    except (InvalidScene, InvalidCameras) as error:
        raise InvalidScene(f"{path}: {error}") from error


def _header(scene: Scene) -> dict[str, Any]:
    own: dict[str, Any] = {"label": scene.label, "seed": scene.seed}
    return own if scene.context is None else own | {"context": _header(scene.context)}


def _tensors(scene: Scene, prefix: str = "") -> dict[str, Tensor]:
    parts: dict[str, Tensor | None] = {
        "rgb": scene.rgb,
        "depth": scene.depth,
        "alpha": scene.alpha,
        "normals": scene.normals,
        "mask": scene.mask,
        "flow": scene.flow,
        "latent": scene.latent,
        "cam_to_world": None if scene.cameras is None else scene.cameras.cam_to_world,
        "intrinsics": None if scene.cameras is None else scene.cameras.intrinsics,
    }
    # cloned, because safetensors refuses tensors that share memory, as a scene and its context may
    found = {
        prefix + name: part.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, part in parts.items()
        if part is not None
    }
    if scene.context is not None:
        found |= _tensors(scene.context, prefix + "context.")
    return found


def _scene(tensors: dict[str, Tensor], header: dict[str, Any]) -> Scene:
    label, seed, context = (header.get(name) for name in ("label", "seed", "context"))
    if any(type(number) not in (int, type(None)) for number in (label, seed)) or not isinstance(context or {}, dict):
        raise InvalidScene(f"its header {header} must hold label and seed as integers and context as an object.")
    if any(number is not None and not -(2**63) <= number < 2**63 for number in (label, seed)):
        raise InvalidScene("its label or seed is no integer of 64 bits.")
    own = {name: part for name, part in tensors.items() if not name.startswith("context.")}
    if "rgb" not in own:
        raise InvalidScene("there is no tensor named rgb.")
    cameras = None
    if "cam_to_world" in own:
        if "intrinsics" not in own:
            raise InvalidScene("it has cam_to_world but no intrinsics.")
        cameras = Cameras(own["cam_to_world"], own["intrinsics"])
    nested = {name.removeprefix("context."): part for name, part in tensors.items() if name.startswith("context.")}
    return Scene(
        rgb=own["rgb"],
        cameras=cameras,
        depth=own.get("depth"),
        alpha=own.get("alpha"),
        normals=own.get("normals"),
        label=label,
        seed=seed,
        context=_scene(nested, context or {}) if nested else None,
        mask=own.get("mask"),
        flow=own.get("flow"),
        latent=own.get("latent"),
    )


def _check_map(name: str, value: Tensor | None, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    if value is not None and (tuple(value.shape) != shape or value.dtype != dtype):
        raise InvalidScene(
            f"{name} is {value.dtype} with shape {list(value.shape)}; with this rgb it must be {dtype}, {list(shape)}."
        )


def _check_flow(flow: Tensor) -> None:
    half = torch.isnan(flow).any(dim=-1) & ~torch.isnan(flow).all(dim=-1)
    bad = torch.isinf(flow).any(dim=-1) | half
    if bool(bad.any()):
        view = int(torch.nonzero(bad)[0, 0])
        raise InvalidScene(
            f"flow of view {view} is infinite, or NaN in x or y alone, at {int(bad[view].sum())} pixels. "
            "Flow is in pixels, finite; mark pixels that the context does not show as NaN in both."
        )


def _check_latent(latent: Tensor) -> None:
    if latent.ndim != 1 or len(latent) < 1 or latent.dtype != torch.float32:
        raise InvalidScene(f"latent is {latent.dtype} with shape {list(latent.shape)}; it must be float32, [length].")
    if not bool(torch.isfinite(latent).all()):
        raise InvalidScene("latent holds values that are not finite.")
