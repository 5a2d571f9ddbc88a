"""What the context shows: against rays in closed form, and where nothing can be known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from viewsweep.metrics.visibility import OPEN_QUESTIONS, seen_and_unseen, seen_by_context, views_at
from viewsweep.scenes import Cameras, Scene, sweep360

from .analytic import PAIR_OF_BALLS, balls, plane
from .completions import moving, truth


def exactly_seen(scene: Scene, slack: float = 0.004) -> Tensor:
    """Surface pixels whose point no ball hides from the first camera, by the rays from there, and that it frames."""
    assert scene.cameras is not None
    assert scene.depth is not None
    points = scene.cameras.unproject(scene.depth)
    start = scene.cameras.positions[0]
    ray = points - start
    first = torch.full(points.shape[:3], math.inf, dtype=torch.float64)
    for *centre, radius in PAIR_OF_BALLS:
        offset = start - torch.tensor(centre, dtype=torch.float64)
        a, b = (ray**2).sum(-1), (ray * offset).sum(-1)
        hit = (-b - (b * b - a * ((offset**2).sum() - radius**2)).sqrt()) / a
        first = torch.where(hit < first, hit, first)
    uv, _ = scene.cameras[0].project(points.reshape(1, -1, 3))
    framed = ((uv >= 0) & (uv < 1)).all(-1).reshape(first.shape)
    return (first * ray.norm(dim=-1) > ray.norm(dim=-1) - slack) & framed


@pytest.mark.parametrize("normals", [True, False], ids=["normals", "depth"])
def test_surfaces_are_seen_where_no_ball_hides_them(normals: bool) -> None:
    scene = truth(views=12, size=64)
    if normals:
        assert scene.cameras is not None
        assert scene.depth is not None
        points = scene.cameras.unproject(scene.depth)
        centres = torch.tensor([ball[:3] for ball in PAIR_OF_BALLS], dtype=torch.float64)
        radii = torch.tensor([ball[3] for ball in PAIR_OF_BALLS], dtype=torch.float64)
        away = points[..., None, :] - centres
        nearest = (away.norm(dim=-1) - radii).abs().nan_to_num(nan=0.0).argmin(-1)
        upright = away.gather(-2, nearest[..., None, None].expand(*nearest.shape, 1, 3))[..., 0, :]
        scene = replace(scene, normals=torch.nn.functional.normalize(upright, dim=-1).float())
    seen, surface, exact = seen_by_context(scene), scene.foreground, exactly_seen(scene)
    assert seen is not None
    wrong = (seen != exact)[surface].double().mean()
    assert 0.2 < float(exact[surface].double().mean()) < 0.5
    assert float(wrong) < (0.015 if normals else 0.06)


def test_the_context_sees_all_of_its_own_view_and_nothing_of_the_far_side() -> None:
    seen = seen_by_context(truth(size=64))
    assert seen is not None
    assert float(seen[0].double().mean()) > 0.995
    assert float(seen[3].double().mean()) < 0.02


def test_given_pixels_add_up() -> None:
    scene = truth(size=64)
    assert scene.context is not None
    left = torch.zeros(1, 64, 64, dtype=torch.bool)
    left[..., :32] = True
    parts = [
        seen_by_context(replace(scene, context=replace(scene.context, mask=mask)))
        for mask in (left, ~left, left & ~left)
    ]
    whole = seen_by_context(scene)
    assert all(part is not None for part in parts)
    assert torch.equal(parts[0] | parts[1], whole)  # type: ignore[operator]
    assert not bool((parts[0] & parts[1]).any())  # type: ignore[operator]
    assert not bool(parts[2].any())  # type: ignore[union-attr]
    assert torch.equal(parts[0][0], left[0])  # type: ignore[index]


def test_background_is_seen_along_the_directions_the_context_looks() -> None:
    """A camera that turns on the spot by half its field of view loses half of what it saw."""
    front = sweep360(1, fov=math.radians(40))
    turn = math.atan(math.tan(math.radians(20)))
    cos, sin = math.cos(turn), math.sin(turn)
    rotation = torch.eye(4, dtype=torch.float64)
    rotation[0, 0], rotation[0, 2], rotation[2, 0], rotation[2, 2] = cos, sin, -sin, cos
    turned = front.cam_to_world @ rotation
    cameras = Cameras(torch.cat([front.cam_to_world, turned]), front.intrinsics.expand(2, 3, 3))
    empty = Scene(
        torch.zeros(2, 40, 40, 3, dtype=torch.uint8), cameras, torch.full((2, 40, 40), math.nan), context=None
    )
    seen = seen_by_context(replace(empty, context=Scene(empty.rgb[:1], cameras[0])))
    assert seen is not None
    assert bool(seen[0].all())
    columns = seen[1].double().mean(0)
    assert float(columns.max()) > 0.9
    # the optical axis of one lies on the border of the other
    assert float(columns.mean()) == pytest.approx(0.5, abs=0.06)


def test_what_lies_behind_another_thing_is_unseen() -> None:
    """A card behind a ball: from the side all of it shows, from the front the ball hides its middle."""
    cameras = sweep360(24)[[0, 3]]
    card, ball = (maker for maker in (plane(cameras, 64), balls(cameras, 64, ((0.0, 0.0, 0.6, 0.15),))))
    assert card.depth is not None
    assert ball.depth is not None
    depth = torch.minimum(card.depth.nan_to_num(nan=math.inf), ball.depth.nan_to_num(nan=math.inf))
    both = Scene(card.rgb, cameras, torch.where(torch.isfinite(depth), depth, math.nan))
    seen = seen_by_context(replace(both, context=Scene(both.rgb[:1], cameras[0])))
    assert seen is not None
    of_card = torch.isfinite(card.depth) & (card.depth == both.depth)
    points = cameras.unproject(both.depth)  # type: ignore[arg-type]
    # the shadow of the ball, which stands at 1.0 from the camera, on the card at 1.6
    shadow = points[..., :2].norm(dim=-1)
    assert not bool(seen[1][of_card[1] & (shadow[1] < 0.21)].any())
    clear = of_card[1] & (shadow[1] > 0.29)
    assert float(seen[1][clear].double().mean()) > 0.97
    assert int(clear.sum()) > 100


def test_a_flow_says_what_is_seen() -> None:
    scene = moving((-20.0, 0.0))
    assert scene.flow is not None
    assert scene.context is not None
    hidden = scene.flow.clone()
    hidden[0, 0, 0] = math.nan
    seen = seen_by_context(replace(scene, flow=hidden))
    assert seen is not None
    assert not bool(seen[0, 0, 0])
    assert not bool(seen[0, 8:16, 8:16].any())  # from beyond the picture's edge
    assert int((~seen).sum()) == 1 + 64
    masked = replace(scene, context=replace(scene.context, mask=torch.zeros(1, 32, 32, dtype=torch.bool)))
    assert not bool(seen_by_context(masked).any())  # type: ignore[union-attr]


def test_nothing_is_claimed_without_knowing() -> None:
    scene = truth()
    assert scene.context is not None
    assert seen_by_context(replace(scene, context=None)) is None
    assert seen_by_context(replace(scene, depth=None)) is None
    assert seen_by_context(replace(scene, cameras=None)) is None
    elsewhere = replace(scene.context, cameras=sweep360(24, 0.3)[5])
    assert seen_by_context(replace(scene, context=elsewhere)) is None
    deep = balls(sweep360(24, 0.3)[5], 32)
    known = seen_by_context(replace(scene, context=replace(elsewhere, depth=deep.depth)))
    assert known is not None
    assert 0.05 < float(known.double().mean()) < 0.95


def test_parts_of_no_account_are_named() -> None:
    scene = truth()
    assert scene.cameras is not None
    assert scene.context is not None
    alone = replace(scene.select([0]), context=scene.context)
    seen, unseen = seen_and_unseen(alone)
    assert isinstance(seen, Tensor)
    assert unseen == 3
    nothing = replace(scene.context, mask=torch.zeros(1, *scene.size, dtype=torch.bool))
    seen, unseen = seen_and_unseen(replace(scene, context=nothing))
    assert seen == 2
    assert isinstance(unseen, Tensor)
    assert seen_and_unseen(replace(scene, depth=None)) == (1, 1)
    assert len(OPEN_QUESTIONS) == 3


def test_the_same_camera_is_found() -> None:
    cameras = sweep360(8, 0.2)
    assert views_at(cameras, cameras[[5, 0]]) == [5, 0]
    assert views_at(cameras, sweep360(8, 0.21)[[1]]) == [None]
    assert views_at(cameras, sweep360(8, 0.2, fov=0.5)[[1]]) == [None]
