"""Everything that decides what comes out of a training run, apart from the networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ...scenes.errors import UnknownName, UserError
from .patches import PatchSchedule
from .schedules import Fade, Stage, stage_at

__all__ = ["OFF", "Recipe"]

OFF = Fade(0.0, 0.0, 0)
"""Never anything but 0."""


@dataclass(frozen=True)
class Recipe:
    """A training's settings. Steps are optimiser steps of either network.

    Args:
        size: picture height and width.
        views: training pictures, from the first seeds of tabletop's training split; 0 = tabletop
            will not do, pictures must be given.
        frontal_share: how many of tabletop's pictures are seen from about the front, [0, 1].
        steps: how many.
        batch: pictures a step, on all processes together.
        accumulate: parts a process splits its pictures into; needs less memory.
        precision: of matrix products and convolutions; penalties with second derivatives stay in float32.
        reuse: whether the discriminator learns from the very pictures the generator then learns from,
            which spares drawing others. Not with `accumulate`, which would have to hold them all.
        generator_rate, discriminator_rate: of Adam.
        rate_end: share of the rates that is left at the last step; they fall linearly over the last
            third. 1 = constant.
        betas: of Adam.
        ema: decay a step of the averaged weights, which are the ones kept.
        clip: largest norm of a network's gradient; None = any.
        stages: sizes and batches of progressive growing; empty = `size` and `batch` throughout.
        gamma: weight of R1.
        r1_every: steps from one R1 to the next ("lazy regularisation"); 1 = part of every step.
        direction_weight: of the error of the recognised camera (pi-GAN); 0 = not asked for.
        density_noise: standard deviation of noise on raw densities.
        top: decay, steps and least share of `top_share`; None = all pictures teach the generator.
        density_weight: of the smoothness of densities; 0 = left out.
        density_every, density_step, density_points, density_reach: see `density_variation`.
        swap: probability that the generator is conditioned on another picture's camera.
        blur: standard deviation of a blur of all that the discriminator sees, in its pixels.
        patches: how patches are distributed (EpiGRAF); None = whole pictures.
        patch_size: pixels of a patch's side.
        augment: strengths of `Augmentation`, see there; empty = none. Real and drawn pictures alike.
        class_group: neighbours in a batch that show one class, as many as the discriminator's minibatch standard
            deviation compares, so that it sees variety within a class; 1 = classes as they come.
        flip: whether pictures are mirrored together with their cameras. Wrong where left and right differ.
        poses: "data": drawn pictures take the cameras of real ones; "prior": those of `prior`.
        prior: arguments of `CameraPrior`.
        quality_every, quality_pictures: steps between two measurements, pictures drawn for one.
        patience: steps for which something must look wrong before training is stopped; nothing is held
            against it before as many have been taken.
        seed: of initial weights and all random numbers.
        sharpness: what raw densities are multiplied by once training is over. A field learns through soft surfaces;
            more opaque ones of the same shape give views that agree, and depth where the surface is. 1 = as trained.
        firmer: a step and a factor: after that step raw densities are multiplied by the factor while training, so that
            the field learns to look right with firmer surfaces (it makes up for some of it; `sharpness` does the
            rest, and counts from the unmultiplied densities). None = never.
        alone: steps in which only the discriminator learns; over as many more the generator's rate rises to its full
            height. One that knows nothing yet would lead a generator that was trained before astray.
        planes_of: a shipped EG3D whose tri-planes an EpiGRAF begins with on tabletop, see `warm_start`; None = random
            ones, and so on pictures of the user's.
        start: a checkpoint to go on from with these settings (`--start`); None = from nothing.
    """

    size: int = 64
    views: int = 25_600
    frontal_share: float = 0.5
    steps: int = 20_000
    batch: int = 16
    accumulate: int = 1
    precision: Literal["bf16", "no"] = "no"
    reuse: bool = True
    generator_rate: float = 0.0025
    discriminator_rate: float = 0.002
    rate_end: float = 1.0
    betas: tuple[float, float] = (0.0, 0.99)
    ema: float = 0.998
    clip: float | None = None
    stages: tuple[Stage, ...] = ()
    gamma: float = 1.0
    r1_every: int = 16
    direction_weight: float = 0.0
    density_noise: Fade = OFF
    top: tuple[float, int, float] | None = None
    density_weight: float = 0.0
    density_every: int = 4
    density_step: float = 0.004
    density_points: int = 1000
    density_reach: float = 0.5
    swap: Fade = OFF
    blur: Fade = OFF
    patches: PatchSchedule | None = None
    patch_size: int = 0
    augment: Mapping[str, float] = field(default_factory=dict)
    class_group: int = 1
    flip: bool = False
    poses: Literal["data", "prior"] = "data"
    prior: Mapping[str, Any] = field(default_factory=dict)
    quality_every: int = 1000
    quality_pictures: int = 500
    patience: int = 1000
    seed: int = 0
    sharpness: float = 1.0
    firmer: tuple[int, float] | None = None
    alone: int = 0
    planes_of: str | None = None
    start: str | None = None

    def at(self, step: int) -> tuple[Stage, float]:
        """Size, batch and faded-in share of a step."""
        if not self.stages:
            return Stage(self.steps, self.size, self.batch), 1.0
        return stage_at(self.stages, step)

    def rate_at(self, step: int) -> float:
        """Share of the rates that is left at a step."""
        late = max(0.0, (step / self.steps - 2 / 3) * 3)
        return 1 - (1 - self.rate_end) * late

    def generator_rate_at(self, step: int) -> float:
        """Share of the generator's rate at a step."""
        rising = min(1.0, max(0.0, step / self.alone - 1)) if self.alone else 1.0
        return rising * self.rate_at(step)

    def firmness_at(self, step: int) -> float:
        """What raw densities are multiplied by while a step is taken."""
        return self.firmer[1] if self.firmer is not None and step > self.firmer[0] else 1.0

    def changed(self, *, steps: int | None = None, **changes: Any) -> Recipe:
        """This recipe with what was asked to be otherwise; `stages` keep their proportions to `batch`.

        Args:
            changes: `batch`, `accumulate`, `precision`, `seed`, `gamma` or `start`.

        Raises:
            UserError: a number out of range.
            UnknownName: another precision, or another change.
        """
        allowed = ("batch", "accumulate", "precision", "seed", "gamma", "start")
        for name in changes:
            if name not in allowed:
                raise UnknownName("change of a GAN's recipe", name, allowed)
        if steps is not None:
            if steps < 1:
                raise UserError(f"--steps {steps}: training takes at least one step.")
            changes["steps"] = steps
        for name in ("batch", "accumulate"):
            if changes.get(name, 1) < 1:
                raise UserError(f"--{name} {changes[name]}: at least 1.")
        if changes.get("gamma", 1.0) < 0:
            raise UserError(f"--gamma {changes['gamma']}: a weight is not negative.")
        if changes.get("precision") == "fp16":
            raise UserError(
                "GANs do not train in fp16 here: the gradients of gradients overflow.",
                hint="Choose --precision bf16 or no.",
            )
        if changes.get("precision", "no") not in ("bf16", "no"):
            raise UnknownName("precision", changes["precision"], ("bf16", "no"))
        if "batch" in changes and self.stages:
            share = changes["batch"] / self.batch
            changes["stages"] = tuple(s._replace(batch=max(1, round(s.batch * share))) for s in self.stages)
        return replace(self, **changes)
