"""Deformed solids: depth, normals and colours are those of the solid whose points have moved."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from viewsweep.scenes import Scene, sweep360
from viewsweep.scenes.tabletop import Deformation, TabletopObject, render_batch, sample

SIZE = 28
CAMERAS = sweep360(3, 0.25)


def waves(sway: float = 0.03, seed: int = 0) -> Deformation:
    generator = torch.Generator().manual_seed(seed)
    directions = [torch.nn.functional.normalize(torch.randn(1, 3, 3, generator=generator), dim=-1) for _ in range(2)]
    phase = 6.28 * torch.rand(1, 3, generator=generator)
    return Deformation(torch.ones(1, 3), sway * directions[0], 6.0 * directions[1], phase)


CASES = {
    "squeezed": Deformation.squeezed(z=0.2),
    "bent": waves(),
    "both": replace(waves(), stretch=torch.tensor([[0.7, 1.0, 0.5]])),
}
each = pytest.mark.parametrize("deformation", CASES.values(), ids=CASES)


@pytest.fixture(scope="module")
def thing() -> TabletopObject:
    return sample(1, "mug")


def draw(thing: TabletopObject, deformation: Deformation) -> Scene:
    return replace(thing, deformation=deformation).render(CAMERAS, SIZE)


def points_of(scene: Scene) -> Tensor:
    """Surface points in the world, float32, [N, 3]."""
    assert scene.cameras is not None
    assert scene.depth is not None
    return scene.cameras.unproject(scene.depth)[scene.foreground].float()


@each
def test_depth_lies_on_the_deformed_solid(deformation: Deformation, thing: TabletopObject) -> None:
    points = points_of(draw(thing, deformation))
    assert len(points) > 200
    distance = thing.field.distance(deformation.rest(points), thing.field.parameters)
    assert float(distance.abs().quantile(0.99)) < 1e-4


@each
def test_no_surface_lies_before_the_one_found(deformation: Deformation, thing: TabletopObject) -> None:
    scene = draw(thing, deformation)
    assert scene.depth is not None
    origins, directions = CAMERAS.rays(SIZE, SIZE)
    reach = torch.where(scene.foreground, scene.depth - 0.004, 3.0)
    steps = torch.linspace(1.1, 2.1, 60, dtype=torch.float64)[:, None, None, None]
    points = (origins[:, None, None] + steps[..., None] * directions).float()
    distance = thing.field.distance(deformation.rest(points.reshape(-1, 3)), thing.field.parameters)
    lost = (distance.reshape(points.shape[:-1]) < -0.002) & (steps < reach)
    assert float(lost.any(0).double().mean()) < 0.002


@each
def test_normals_are_those_of_the_depth(deformation: Deformation, thing: TabletopObject) -> None:
    scene = draw(thing, deformation)
    assert scene.normals is not None
    points = points_of(scene)
    step = 1e-3
    slopes = []
    for axis in range(3):
        ahead, behind = points.clone(), points.clone()
        ahead[:, axis] += step
        behind[:, axis] -= step
        one, other = (thing.field.distance(deformation.rest(part), thing.field.parameters) for part in (ahead, behind))
        slopes.append(one - other)
    gradient = torch.nn.functional.normalize(torch.stack(slopes, -1), dim=-1)
    agreement = (gradient * scene.normals[scene.foreground]).sum(-1)
    assert float(agreement.quantile(0.1)) > 0.99  # edges have none


def test_colours_move_along(thing: TabletopObject) -> None:
    # a squeezed solid from the front is the solid at rest seen from further away with a longer lens: nearly the same
    front = sweep360(1)
    flat = replace(thing, deformation=Deformation.squeezed(z=0.98)).render(front, SIZE)
    assert float((flat.rgb.double() - thing.render(front, SIZE).rgb).abs().mean()) < 1.0


def test_deformation_to_the_same_shape_changes_nothing(thing: TabletopObject) -> None:
    plain, scene = thing.render(CAMERAS, SIZE), draw(thing, Deformation.squeezed())
    assert float((scene.rgb.double() - plain.rgb).abs().mean()) < 0.02
    assert plain.depth is not None
    assert scene.depth is not None
    assert torch.allclose(scene.depth, plain.depth, atol=2e-4, equal_nan=True)


def test_each_object_of_a_batch_has_its_own(thing: TabletopObject) -> None:
    deformations = [waves(seed=seed) for seed in range(3)]
    things = [replace(thing, deformation=entry) for entry in deformations]
    together = render_batch(things, CAMERAS, SIZE)[1]
    for view, entry in enumerate(things):
        alone = entry.render(CAMERAS[view], SIZE).depth
        assert alone is not None
        assert torch.allclose(together[view], alone[0], atol=3e-4, equal_nan=True)


@pytest.mark.parametrize("factor", [0.0, 1.5])
def test_stretch_out_of_range_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match=r"factors must lie above 0 and not above 1\."):
        Deformation.squeezed(z=factor)


def test_batches_are_deformed_together_or_not_at_all(thing: TabletopObject) -> None:
    bent = replace(thing, deformation=waves())
    with pytest.raises(ValueError, match=r"1 of 2 objects are deformed; it must be all or none\."):
        render_batch([thing, bent, thing], CAMERAS, SIZE)
