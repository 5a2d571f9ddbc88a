"""ivid behind the `Generator` interface."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from diffusers.utils import logging

from ...scenes.errors import UnknownName, UserError
from ...scenes.generator import GeneratorInfo, Request
from ...scenes.scene import Scene
from ...scenes.tabletop import CLASSES
from .given import Given
from .pipeline import IvidPipeline

__all__ = ["DEFAULTS", "FAST", "IvidGenerator", "load_small"]

STORED = (
    "near",
    "far",
    "background",
    "rgb_pull",
    "depth_pull",
    "hull_pull",
    "depth_median",
    "warp",
    "radius",
    "fov",
    "clamp",
)
"""Settings that lie in the pipeline's folder and decide what its scenes look like."""


DEFAULTS: dict[str, Any] = {
    "first_steps": 50,
    "next_steps": 20,
    "first_guidance": 1.0,
    "next_guidance": 0.0,
    "first_interval": (0.0, 1.0),
    "next_interval": (0.0, 1.0),
    "first_sampler": "ddim",
    "next_sampler": "ddim",
    "eta": 0.0,
    "grid": "trailing",
    "conditioning": "aggregated",
    "order": "asked",
    "rgb_pull": None,
    "depth_pull": None,
    "hull_pull": None,
}
"""Settings of `IvidPipeline.__call__` a method is loaded with."""

FAST: dict[str, Any] = {
    "first_steps": 16,
    "next_steps": 10,
    "first_guidance": 4.0,
    "next_guidance": 4.0,
    "first_sampler": "dpm++",
    "grid": "quadratic",
    "order": "outward",
    "rgb_pull": 0.5,
    "depth_pull": 0.8,
}
"""What `ivid-small` is sampled with, found on the shipped networks:

- on the quadratic grid ten steps are worth fifty on the authors', whose last steps are too long if few;
- guided on every view, and strongly: objects keep their class on the way round, and their shape;
- outward: an error has half a circle to grow, not a whole one;
- pulled strongly: ten steps pull as far together as fifty weak ones, and what is known stays. Colour less than
  depth: warped colour is blurred a little each time, and only what is drawn anew is sharp again.
"""

VERSIONS = {"asked": "2", "outward": "4"}
"""By the order of views. 2: fewer steps of a faster solver; both branches of the guidance in one batch.
4: to the last bit the same in any batch; in the order asked rounding stays small, and 2 still says what is drawn."""


class IvidGenerator:
    """Sweeps from an `IvidPipeline` folder; or sweeps that go on from the context of a request.

    Args:
        folder: what `viewsweep train ivid`, `viewsweep convert ivid` or `save_pretrained` wrote.
        name: the method's name in tables.
        device: torch device.
        shared_pose: whether all requests of a batch are drawn from the cameras of its first one, as the
            authors' code does, where a batch of ten has one random pose. To repeat their numbers only:
            scenes then depend on the batch, stand where they were not asked to, and say so by their
            cameras, so that a run refuses them.
        precision, compiled: see `IvidPipeline.accelerate`.
        settings: any of `DEFAULTS`, see `IvidPipeline.__call__`. Without classes, guidance is 0.

    Raises:
        UserError: the folder is not there or holds no pipeline.
        UnknownName: a setting, or an order of views, there is not.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        name: str = "ivid",
        device: str = "cpu",
        shared_pose: bool = False,
        precision: str = "no",
        compiled: bool = False,
        **settings: Any,
    ) -> None:
        self.folder, self.name, self.shared_pose = Path(folder), name, shared_pose
        if not (self.folder / "model_index.json").is_file():
            raise UserError(
                f"{self.folder}: there is no model_index.json, so this is no pipeline folder.",
                hint="Train one with `viewsweep train ivid --config small --out DIR` and give DIR/pipeline.",
            )
        for setting in settings:
            if setting not in DEFAULTS:
                raise UnknownName("setting of ivid", setting, DEFAULTS)
        if settings.get("order", "asked") not in VERSIONS:
            raise UnknownName("order of views", settings["order"], VERSIONS)
        self.pipeline = load_pipeline(self.folder).to(device).accelerate(precision=precision, compiled=compiled)
        self.precision = precision
        unguided = {} if self.pipeline.first.null_class else {"first_guidance": 0.0, "next_guidance": 0.0}
        self.settings: dict[str, Any] = {**DEFAULTS, **unguided, **settings}

    def info(self) -> GeneratorInfo:
        """Name, weights and settings."""
        digest = hashlib.sha256()
        for path in sorted(self.folder.rglob("*.safetensors")):
            with path.open("rb") as file:
                hashlib.file_digest(file, lambda: digest)  # goes on with the same digest
        # views as they are asked for go untold, as before there was a choice: results from then still compare
        told = {name: _told(value) for name, value in self.settings.items() if value not in (None, "asked")}
        return GeneratorInfo(
            name=self.name,
            description="RGBD diffusion, view after view, each conditioned on warps of all earlier ones.",
            version=VERSIONS[self.settings["order"]],
            native_size=self.pipeline.size,
            classes=_class_names(self.folder, self.pipeline.first.null_class),
            weights_sha256=digest.hexdigest(),
            details={
                **{name: self.pipeline.config[name] for name in STORED},
                **told,
                "precision": self.precision,
                "shared_pose": self.shared_pose,
            },
        )

    def generate(self, requests: Sequence[Request]) -> Iterator[Scene]:
        """One scene a request; requests of equally many views are drawn together.

        Views of a request's context are gone on from: those the sweep asks for again are kept as they
        are, all others are drawn.

        Raises:
            UserError: a request without a label, or of a size the networks do not have, or a context
                without depth.
        """
        given = [self._given(request) for request in requests]
        for _, group in groupby(zip(requests, given, strict=True), key=_kind):
            batch, starts = zip(*group, strict=True)
            cameras = [(batch[0] if self.shared_pose else request).cameras for request in batch]
            drawn = self.pipeline(
                [request.label for request in batch],
                [request.seed for request in batch],
                cameras,
                given=None if starts[0] is None else starts,
                **self.settings,
            )
            for request, seen_from, rgb, depth in zip(batch, cameras, drawn.rgb, drawn.depth, strict=True):
                alpha = torch.isfinite(depth).to(torch.uint8) * 255
                yield Scene(
                    rgb, seen_from, depth, alpha, label=request.label, seed=request.seed, context=request.context
                )

    def _given(self, request: Request) -> Given | None:
        """What the request starts from, once the request itself is found in order."""
        if request.size != self.pipeline.size:
            raise UserError(
                f"{self.name} draws {self.pipeline.size} x {self.pipeline.size} pixels; "
                f"{request.size} were asked for. Choose a protocol of its size, or train another configuration."
            )
        if request.label is None and self.pipeline.first.null_class:
            raise UserError(f"{self.name} draws classes: scene {request.index} was asked for without a label.")
        if request.context is None:
            return None
        try:
            given = Given.of(request.context)
            given.check_size(self.pipeline.size)
        except UserError as error:
            raise UserError(f"Context of scene {request.index}: {error}") from error
        return given


def _kind(asked: tuple[Request, Given | None]) -> tuple[int, int]:
    """What requests must have in common to be drawn together: numbers of views and of given views."""
    request, given = asked
    return len(request.cameras), 0 if given is None else len(given)


def _told(value: Any) -> str | int | float | bool:
    """A setting as a record of results holds it."""
    return " to ".join(f"{end:g}" for end in value) if isinstance(value, tuple) else value


def _class_names(folder: Path, count: int) -> tuple[str, ...]:
    """Names of the classes: the training record's, else tabletop's where there are as many, else numbers."""
    record = folder / "training.json"
    if record.is_file():
        names = json.loads(record.read_text(encoding="utf-8")).get("classes", ())
        if count and len(names) == count:
            return tuple(str(name) for name in names)
    return CLASSES if count == len(CLASSES) else tuple(str(number) for number in range(count))


def load_pipeline(folder: Path) -> IvidPipeline:
    """The pipeline of `folder`, stored in half precision, computed in float32, without progress bars."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        pipeline: IvidPipeline = IvidPipeline.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False
        )
        return pipeline
    finally:
        if shown:
            logging.enable_progress_bar()


def load_small(device: str = "cpu") -> IvidGenerator:
    """The shipped small model, trained on tabletop at 64 pixels."""
    return IvidGenerator(small_folder(), name="ivid-small", device=device, **FAST)


def small_folder() -> Path:
    """Where the weights of `ivid-small` lie."""
    return Path(str(resources.files("viewsweep.baselines.ivid") / "weights" / "small"))
