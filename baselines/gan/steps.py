"""One step of the game: the discriminator learns to tell, then the generator learns to deceive.

All random numbers of a step come from one generator on the CPU, so that the step can be taken again. Nothing
is wrapped for several processes: each takes the step on its own pictures, and gradients are averaged before
the optimiser sees them, which second derivatives do not mind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from .augmentation import augment, blur
from .base import Drawn, Patch, Verdict, Views
from .checkpoint import State
from .data import CameraPrior, Pictures, mirrored, resized
from .dual import dual_pictures, real_raw
from .losses import (
    density_variation,
    direction_error,
    discriminator_loss,
    generator_loss,
    hardest_to_tell,
    r1_penalty,
)
from .patches import cut_patches, draw_patch
from .recipe import Recipe
from .schedules import top_share

__all__ = ["Measured", "Steps", "adam"]

Measured = dict[str, Tensor]
"""What a step measured, by name, scalars on the device."""


@dataclass(frozen=True, eq=False)
class Real:
    """Real pictures [n, 3, S, S] with their classes and, where they are known, cameras."""

    rgb: Tensor
    label: Tensor | None
    pose: Tensor | None
    patch: Patch | None


@dataclass(frozen=True, eq=False)
class Asked:
    """What the generator is asked for; `swapped` [n] marks those conditioned on another picture's camera."""

    z: Tensor
    label: Tensor | None
    views: Views
    swapped: Tensor | None
    patch: Patch | None
    conditioning: Tensor | None = None


def adam(network: nn.Module, rate: float, betas: tuple[float, float], lazy_every: int = 0) -> torch.optim.Adam:
    """Adam, corrected for lazy regularisation.

    With a pass of its own for the penalty after every k steps the optimiser takes k + 1 steps instead of
    k; rate and betas are adjusted by c = k / (k + 1) (StyleGAN2, appendix B).

    Args:
        lazy_every: k; 0 = there is no such pass.
    """
    share = lazy_every / (lazy_every + 1) if lazy_every else 1.0
    adjusted = (betas[0] ** share, betas[1] ** share)
    optimiser = torch.optim.Adam(network.parameters(), rate * share, adjusted, eps=1e-8, fused=True)
    for group in optimiser.param_groups:
        group["full_rate"] = rate * share
    return optimiser


class Steps:
    """Takes steps.

    Args:
        state: what learns.
        recipe: how.
        pictures: from what.
        accelerator: where.
    """

    def __init__(self, state: State, recipe: Recipe, pictures: Pictures, accelerator: Accelerator) -> None:
        self.state, self.recipe, self.pictures, self.accelerator = state, recipe, pictures, accelerator
        self.device: torch.device = accelerator.device
        self.views = None if recipe.poses == "prior" else pictures.views
        self.prior = CameraPrior(**recipe.prior)
        self.step, self.size, self.fade = 0, recipe.size, 1.0
        self.raw_size: int | None = None  # of the volume rendering, once there was one
        self.members: list[Tensor] | None = None  # the pictures of each class, once they were looked for

    def take(self, step: int, random: torch.Generator) -> Measured:
        """Step number `step` of both networks."""
        state, recipe = self.state, self.recipe
        stage, self.fade = recipe.at(step)
        self.step, self.size = step, stage.size
        for optimiser, share in (
            (state.generator_optimiser, recipe.generator_rate_at(step)),
            (state.discriminator_optimiser, recipe.rate_at(step)),
        ):
            for group in optimiser.param_groups:
                group["lr"] = group["full_rate"] * share
        count = stage.batch // self.accelerator.num_processes
        parts = [len(part) for part in torch.arange(count).tensor_split(min(recipe.accumulate, count))]
        measured: Measured = {}
        drawn: list[tuple[Asked, Drawn]] | None = None
        if recipe.reuse and len(parts) == 1:
            drawn = [(asked, self._draw(asked, random)) for asked in self._ask(parts, random)]
        self._teach_discriminator(parts, drawn, random, measured)
        if recipe.gamma and recipe.r1_every > 1 and step % recipe.r1_every == 0:
            self._penalise(parts, random, measured)
        self._teach_generator(parts, drawn, random, measured)
        if recipe.density_weight and step % recipe.density_every == 0:
            self._smooth(parts, random, measured)
        return measured

    def _teach_discriminator(
        self, parts: list[int], drawn: list[tuple[Asked, Drawn]] | None, random: torch.Generator, measured: Measured
    ) -> None:
        recipe = self.recipe
        with self._learning(self.state.discriminator, self.state.discriminator_optimiser):
            for asked, made in self._made(parts, random, learns=False) if drawn is None else drawn:
                count = len(asked.z)
                share = count / sum(parts)
                real = self._real(count, random)
                raw = None if made.raw is None else made.raw.detach()
                said_fake = self._judge(self._shown(made.rgb.detach(), raw, random), asked)
                inputs = self._inputs(real)
                said_real = self._judge_real(self._shown(*inputs, random), real)
                loss = discriminator_loss(said_real.logits, said_fake.logits)
                _note(measured, "discriminator", loss, share)
                _note(measured, "real", said_real.logits.float().mean(), share)
                _note(measured, "fake", said_fake.logits.float().mean(), share)
                if recipe.direction_weight and said_fake.direction is not None:
                    error = direction_error(said_fake.direction, asked.views.directions)
                    _note(measured, "direction", error, share)
                    loss = loss + recipe.direction_weight * error
                (loss * share).backward()
                if recipe.gamma and recipe.r1_every == 1:
                    self._r1(real, random, share, measured)

    def _penalise(self, parts: list[int], random: torch.Generator, measured: Measured) -> None:
        """The pass of lazy R1."""
        with self._learning(self.state.discriminator, self.state.discriminator_optimiser):
            for count in parts:
                self._r1(self._real(count, random), random, count / sum(parts), measured)

    def _r1(self, real: Real, random: torch.Generator, share: float, measured: Measured) -> None:
        """Gradients of R1, in float32: half precision is too coarse for second derivatives."""
        recipe = self.recipe
        rgb, raw = self._inputs(real)
        inputs = [picture.requires_grad_() for picture in (rgb, raw) if picture is not None]
        penalty = r1_penalty(
            self._judge_real(self._shown(rgb, raw, random), real, exact=True).logits, inputs, recipe.gamma
        )
        _note(measured, "r1", penalty, share)
        (penalty * (share * recipe.r1_every)).backward()

    def _teach_generator(
        self, parts: list[int], drawn: list[tuple[Asked, Drawn]] | None, random: torch.Generator, measured: Measured
    ) -> None:
        recipe, state, pictures = self.recipe, self.state, list[Tensor]()
        with self._learning(state.generator, state.generator_optimiser), _frozen(state.discriminator):
            for asked, made in self._made(parts, random, learns=True) if drawn is None else drawn:
                share = len(asked.z) / sum(parts)
                pictures.append(made.rgb.detach().float())
                said = self._judge(self._shown(made.rgb, made.raw, random), asked)
                logits = said.logits
                if recipe.top is not None:
                    decay, every, least = recipe.top
                    logits = logits[
                        hardest_to_tell(logits, top_share(self.step, decay=decay, every=every, least=least))
                    ]
                loss = generator_loss(logits)
                _note(measured, "generator", loss, share)
                if recipe.direction_weight and said.direction is not None:
                    loss = loss + recipe.direction_weight * direction_error(said.direction, asked.views.directions)
                (loss * share).backward()
        if sum(parts) > 1:  # of the step's pictures, however they are split; one alone has none
            _note(measured, "spread", torch.cat(pictures).std(0).mean(), 1.0)

    def _smooth(self, parts: list[int], random: torch.Generator, measured: Measured) -> None:
        """The pass of the lazy regularisation of densities."""
        recipe, state = self.recipe, self.state
        with self._learning(state.generator, state.generator_optimiser):
            for asked in self._ask(parts, random):
                with self.accelerator.autocast():
                    scene = state.generator.scene(state.generator.map(asked.z, asked.label, asked.conditioning))
                    change = density_variation(
                        state.generator,
                        scene,
                        reach=recipe.density_reach,
                        step=recipe.density_step,
                        points=recipe.density_points,
                        random=random,
                    )
                share = len(asked.z) / sum(parts)
                _note(measured, "density", change, share)
                (change * (recipe.density_weight * share * recipe.density_every)).backward()

    def _choose(self, count: int, random: torch.Generator) -> Tensor:
        """Pictures for a batch; neighbours show one class where the recipe says so, [count]."""
        index = torch.randint(len(self.pictures), (count,), generator=random)
        group = self.recipe.class_group
        if group < 2 or not self.pictures.classes:
            return index
        if self.members is None:
            labels = self.pictures.labels(torch.arange(len(self.pictures)))
            self.members = [torch.nonzero(labels == label)[:, 0] for label in range(len(self.pictures.classes))]
        for first in range(0, count, group):
            same = self.members[int(self.pictures.labels(index[first : first + 1]))]
            others = index[first : first + group]
            index[first : first + group] = same[torch.randint(len(same), (len(others),), generator=random)]
        return index

    def _real(self, count: int, random: torch.Generator) -> Real:
        index = self._choose(count, random)
        rgb = resized(self.pictures.batch(index).to(self.device), self.size)
        label = self.pictures.labels(index).to(self.device) if self.state.discriminator.classes else None
        views = None if self.views is None else self.views[index]
        if self.recipe.flip:
            turned = torch.rand(count, generator=random) < 0.5
            rgb = torch.where(turned.to(self.device)[:, None, None, None], rgb.flip(3), rgb)
            views = None if views is None else _turn(views, turned)
        pose = None if views is None else _on(views, self.device).labels
        return Real(rgb, label, pose, self._patch(count, random))

    def _made(self, parts: list[int], random: torch.Generator, *, learns: bool) -> Iterator[tuple[Asked, Drawn]]:
        """Drawn pictures, part by part; `learns`: with gradients."""
        for asked in self._ask(parts, random):
            with torch.set_grad_enabled(learns):
                made = self._draw(asked, random)
            yield asked, made

    def _ask(self, parts: list[int], random: torch.Generator) -> Iterator[Asked]:
        """What is asked for, part by part; cameras are swapped within the whole batch: a part may be one picture."""
        if not self.state.generator.takes_pose:
            for count in parts:
                yield self._ask_part(count, random)
            return
        asked = [self._ask_part(count, random) for count in parts]
        own = torch.cat([part.views.labels for part in asked])
        others = own.roll(1, 0) if len(own) > 1 else self._ask_part(1, random).views.labels
        for part, other in zip(asked, others.split(parts), strict=True):
            assert part.swapped is not None
            conditioning = torch.where(part.swapped.to(self.device)[:, None], other, part.views.labels)
            yield replace(part, conditioning=conditioning)

    def _ask_part(self, count: int, random: torch.Generator) -> Asked:
        """Random latents; classes and cameras as they occur together in the data."""
        generator = self.state.generator
        index = self._choose(count, random)
        views = self.prior.draw(count, random) if self.views is None else self.views[index]
        if self.recipe.flip:
            views = _turn(views, torch.rand(count, generator=random) < 0.5)
        label = self.pictures.labels(index).to(self.device) if generator.classes else None
        views = _on(views, self.device)
        swapped = None
        if generator.takes_pose:
            swapped = torch.rand(count, generator=random) < self.recipe.swap.at(self.step)
        z = torch.randn(count, generator.latent_size, generator=random).to(self.device)
        return Asked(z, label, views, swapped, self._patch(count, random))

    def _patch(self, count: int, random: torch.Generator) -> Patch | None:
        if self.recipe.patches is None:
            return None
        patch = draw_patch(self.recipe.patches, count, (self.step - 1) * self.recipe.batch, random)
        return Patch(patch.scale.to(self.device), patch.offset.to(self.device))

    def _draw(self, asked: Asked, random: torch.Generator) -> Drawn:
        generator = self.state.generator
        with self.accelerator.autocast():
            scene = generator.scene(generator.map(asked.z, asked.label, asked.conditioning))
            drawn = generator.draw(
                scene,
                asked.views,
                self.size if asked.patch is None else self.recipe.patch_size,
                patch=asked.patch,
                generator=random,
                density_noise=self.recipe.density_noise.at(self.step),
            )
        self.raw_size = None if drawn.raw is None else drawn.raw.shape[-1]
        return drawn

    def _inputs(self, real: Real) -> tuple[Tensor, Tensor | None]:
        """Real pictures, cut where patches are judged, and what stands in for their volume rendering."""
        rgb = real.rgb if real.patch is None else cut_patches(real.rgb, real.patch, self.recipe.patch_size)
        return rgb, None if self.raw_size is None else real_raw(rgb, self.raw_size)

    def _shown(self, rgb: Tensor, raw: Tensor | None, random: torch.Generator) -> Tensor:
        """Pictures as the discriminator sees them."""
        shown = rgb if raw is None else dual_pictures(rgb, raw)
        shown = blur(shown, self.recipe.blur.at(self.step))
        return augment(shown, self.recipe.augment, random) if self.recipe.augment else shown

    def _judge(self, shown: Tensor, asked: Asked) -> Verdict:
        return self._verdict(shown, asked.label, asked.views.labels, asked.patch)

    def _judge_real(self, shown: Tensor, real: Real, *, exact: bool = False) -> Verdict:
        return self._verdict(shown, real.label, real.pose, real.patch, exact=exact)

    def _verdict(
        self, shown: Tensor, label: Tensor | None, pose: Tensor | None, patch: Patch | None, *, exact: bool = False
    ) -> Verdict:
        judge = self.state.discriminator
        with nullcontext() if exact else self.accelerator.autocast():
            verdict: Verdict = judge(
                shown,
                label if judge.classes else None,
                pose if judge.takes_pose else None,
                patch=patch,
                fade=self.fade,
            )
        return verdict

    @contextmanager
    def _learning(self, network: nn.Module, optimiser: torch.optim.Optimizer) -> Iterator[None]:
        """One optimiser step from the gradients that the body leaves."""
        optimiser.zero_grad(set_to_none=True)
        yield
        gradients = [value.grad for value in network.parameters() if value.grad is not None]
        if self.accelerator.num_processes > 1 and gradients:
            flat = self.accelerator.reduce(torch.cat([gradient.flatten() for gradient in gradients]), "mean")
            for gradient, part in zip(gradients, flat.split([len(g.flatten()) for g in gradients]), strict=True):
                gradient.copy_(part.view_as(gradient))
        if self.recipe.clip is not None:
            nn.utils.clip_grad_norm_(network.parameters(), self.recipe.clip)
        optimiser.step()


def _note(measured: Measured, name: str, value: Tensor, share: float) -> None:
    """Add a part's share of a mean."""
    part = value.detach().float() * share
    measured[name] = measured[name] + part if name in measured else part


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Within the body no gradients are computed for the network's own weights."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def _on(views: Views, device: torch.device) -> Views:
    return Views(views.cam_to_world.to(device), views.intrinsics.to(device))


def _turn(views: Views, turned: Tensor) -> Views:
    """`views` with those that `turned` [N] marks mirrored."""
    other = mirrored(views)
    return Views(
        torch.where(turned[:, None, None], other.cam_to_world, views.cam_to_world),
        torch.where(turned[:, None, None], other.intrinsics, views.intrinsics),
    )
