"""Each test subject is hard in the way it is named after, and only in that way."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from viewsweep.scenes import Scene, sweep360
from viewsweep.scenes.errors import UnknownName
from viewsweep.scenes.tabletop import CLASSES, SUBJECTS, TabletopObject, sample, subject

SIZE, VIEWS = 28, 4


@pytest.fixture(scope="module")
def seen() -> dict[str, Scene]:
    return {kind: subject(kind, 1).render(sweep360(VIEWS, 0.2), SIZE) for kind in SUBJECTS}


def test_names_are_those_asked_for() -> None:
    assert SUBJECTS == ("plain", "textured", "thin", "repetitive", "symmetric")


@pytest.mark.parametrize("kind", SUBJECTS)
def test_subject_is_an_object_with_exact_truth(kind: str, seen: dict[str, Scene]) -> None:
    thing, scene = subject(kind, 1), seen[kind]
    assert (scene.label, scene.seed) == (thing.label, 1)
    assert 0 <= thing.label < len(CLASSES)
    assert scene.cameras is not None
    assert scene.depth is not None
    points = scene.cameras.unproject(scene.depth)[scene.foreground].float()
    assert len(points) > 400
    assert float(points.norm(dim=1).max()) < 0.5
    assert float(thing.field.distance(points, thing.field.parameters).abs().quantile(0.99)) < 1e-4


@pytest.mark.parametrize("kind", SUBJECTS)
def test_seed_decides_shape_and_colours(kind: str) -> None:
    one, again, other = (subject(kind, seed) for seed in (1, 1, 2))
    for name, value in one.field.parameters.items():
        assert torch.equal(value, again.field.parameters[name])
    assert any(not torch.equal(value, other.field.parameters[name]) for name, value in one.field.parameters.items())
    assert all(torch.equal(*pair) for pair in zip(one.material.fields(), again.material.fields(), strict=True))
    assert not torch.equal(one.material.first, other.material.first)


def albedo(thing: TabletopObject, points: Tensor) -> Tensor:
    """Colour of the turntable's material at `points`, before light, [N, 3]."""
    from viewsweep.scenes.tabletop.materials import shade_albedo

    rows = thing.material.at(torch.full((len(points),), -1))
    return shade_albedo(points, torch.tensor([[0.0, 1.0, 0.0]]).expand_as(points), rows, 0.01)


def places(count: int = 500) -> Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) - 0.5


def test_plain_has_one_colour() -> None:
    thing = subject("plain")
    assert float(albedo(thing, places()).std(0).max()) < 1e-6
    parts = thing.material.first
    assert torch.equal(parts, parts[:1].expand_as(parts))


def test_textured_has_contrast_everywhere_and_never_repeats() -> None:
    thing = subject("textured")
    colour = albedo(thing, places()).mean(1)
    assert float(colour.std() / colour.mean()) > 0.3
    for shift in torch.eye(3) / 8:  # the period of the repetitive one
        moved = albedo(thing, places() + shift).mean(1)
        assert abs(float(torch.corrcoef(torch.stack([colour, moved]))[0, 1])) < 0.5


def test_repetitive_repeats() -> None:
    thing = subject("repetitive")
    colour = albedo(thing, places())
    assert float(colour.std()) > 0.1
    for shift in torch.eye(3) / 8:
        assert torch.allclose(albedo(thing, places() + shift), colour, atol=1e-4)


def test_thin_is_thinner_than_any_chair() -> None:
    thing = subject("thin")
    assert thing.name == "chair"
    assert float(thing.field.parameters["leg"]) < 0.016
    shares = []
    for entry in (thing, sample(0, "chair")):
        solid = places(40000)
        inside = entry.field.kind.shape(*solid.unbind(-1), entry.field.parameters)
        shares.append(float((torch.stack(inside).amin(0) < 0).double().mean()))
    assert shares[0] < 0.9 * shares[1]


def test_symmetric_is_the_same_after_half_a_turn_only(seen: dict[str, Scene]) -> None:
    scene = seen["symmetric"]
    assert scene.depth is not None
    difference = (scene.rgb[2:].int() - scene.rgb[:2].int()).abs()
    assert float(difference.double().mean()) < 0.1
    assert torch.allclose(scene.depth[2:], scene.depth[:2], atol=2e-4, equal_nan=True)
    assert float((scene.rgb[1].int() - scene.rgb[0].int()).abs().double().mean()) > 1


def test_unknown_kind_offers_the_near_one() -> None:
    with pytest.raises(UnknownName, match="texturd"):
        subject("texturd")
