"""Corruptions grow with their level, leave alone what they say they leave alone, and are what they are called."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from viewsweep.scenes import Cameras, Scene, sweep360
from viewsweep.scenes.corruptions import CORRUPTIONS, Corruption, solids
from viewsweep.scenes.tabletop import TabletopObject, sample

SIZE, VIEWS, PITCH = 24, 8, 0.2
FAMILIES = {"photometric", "geometry", "camera", "identity", "quality", "structure", "control"}
COUNTED = {"janus", "reversed", "view_order"}  # concern whole views, one at least
FIXED = {
    "depth_relief",
    "frozen",
    "fov",
    "reversed",
    "janus",
    "billboard",
    "blur_all",
    "exposure",
    "hue_all",
    "resolution",
}
PICTURES = ("noise", "hue", "flicker", "warp2d", "blur_per_view", "blur_all", "exposure", "hue_all")
DEPTHS = ("depth_field", "depth_scale", "depth_relief")

DISTINCT = {name: fault for name, fault in CORRUPTIONS.items() if name != "flatness"}  # which is billboard again

each = pytest.mark.parametrize("fault", DISTINCT.values(), ids=DISTINCT)


@pytest.fixture(scope="module")
def thing() -> TabletopObject:
    return sample(1, "mug")


@pytest.fixture(scope="module")
def clean(thing: TabletopObject) -> Scene:
    return thing.render(sweep360(VIEWS, PITCH), SIZE)


@pytest.fixture(scope="module")
def lone(thing: TabletopObject) -> Scene:
    return thing.render(sweep360(1, PITCH), 8)


@pytest.fixture(scope="module")
def drawn(thing: TabletopObject, clean: Scene) -> dict[str, list[Scene]]:
    """Every corruption at its gentlest and its grossest, and at one between where nothing is rendered."""
    scenes = {}
    for name, fault in DISTINCT.items():
        between = [len(fault.levels) // 2] if name in (*PICTURES, *DEPTHS) else []
        scenes[name] = [fault.apply(thing, clean, fault.levels[level]) for level in (0, *between, -1)]
    return scenes


def change(clean: Scene, scene: Scene) -> float:
    """How far pictures, depth and outline together are from clean."""
    assert clean.depth is not None
    assert scene.depth is not None
    both = clean.foreground & scene.foreground
    depth = (clean.depth - scene.depth).abs()[both].mean() if bool(both.any()) else torch.tensor(0.0)
    return float(difference(clean, scene) / 255 + depth + (clean.foreground != scene.foreground).double().mean())


def difference(one: Scene, other: Scene) -> Tensor:
    """Mean absolute difference of colours, 0 to 255."""
    return (one.rgb.double() - other.rgb.double()).abs().mean()


def same(one: Tensor | None, other: Tensor | None) -> bool:
    assert one is not None
    assert other is not None
    return torch.equal(one.nan_to_num(0), other.nan_to_num(0))


def synthetic(rgb: Tensor) -> Scene:
    """A scene with these pictures, for faults that look at nothing else."""
    depth = torch.full(rgb.shape[:3], 1.6)
    return Scene(rgb, sweep360(len(rgb)), depth, torch.full(rgb.shape[:3], 255, dtype=torch.uint8))


def test_there_are_enough_of_them_and_they_are_in_order() -> None:
    controls = [fault for fault in CORRUPTIONS.values() if fault.control]
    assert len(controls) >= 5
    assert len(CORRUPTIONS) - len(controls) >= 15
    for name, fault in CORRUPTIONS.items():
        assert fault.name == name
        assert fault.family in FAMILIES
        assert fault.control == (fault.family == "control")
        assert len(fault.levels) >= 5
        assert fault.levels[0] > 0
        assert list(fault.levels) == sorted(set(fault.levels))
        assert fault.description.endswith(".")


@each
def test_answer_is_for_the_commanded_cameras(fault: Corruption, drawn: dict[str, list[Scene]], clean: Scene) -> None:
    for scene in drawn[fault.name]:
        assert (scene.label, scene.seed, scene.views) == (clean.label, clean.seed, clean.views)
        if fault.name != "view_order":
            assert scene.cameras == clean.cameras
        if fault.name != "resolution":
            assert scene.size == clean.size
        assert scene.depth is not None  # finite and positive, or Scene would have refused it
        assert scene.alpha is not None
        assert bool(scene.foreground.any())
        differs = (scene.alpha >= 128) != scene.foreground
        assert float(differs.double().mean()) < 0.04  # centre ray and four others, at the outline


@each
def test_the_higher_the_level_the_further_from_clean(
    fault: Corruption, drawn: dict[str, list[Scene]], clean: Scene
) -> None:
    scenes = drawn[fault.name]
    if fault.name == "resolution":
        assert [scene.size[0] for scene in scenes] == [22, 12]
        return
    changes = [change(clean, scene) for scene in scenes]
    if not fault.name.startswith("blur"):  # the gentlest is a twentieth of a pixel here and lost in rounding
        assert changes[0] > 0
    assert all(gentler < grosser for gentler, grosser in pairwise(changes))
    assert changes[0] < 0.02
    assert changes[-1] > 0.003


@pytest.mark.parametrize("name", [name for name in DISTINCT if name not in COUNTED | {"fov", "resolution"}])
def test_a_vanishing_level_is_clean(name: str, thing: TabletopObject, clean: Scene) -> None:
    scene = CORRUPTIONS[name].apply(thing, clean, 1e-7)
    assert float(difference(clean, scene)) < 0.02
    assert change(clean, scene) < 1e-3


@pytest.mark.parametrize("name", [name for name in DISTINCT if name not in FIXED])
def test_same_seed_same_bits(name: str, drawn: dict[str, list[Scene]], thing: TabletopObject, clean: Scene) -> None:
    again, before = CORRUPTIONS[name].apply(thing, clean, CORRUPTIONS[name].levels[-1]), drawn[name][-1]
    assert torch.equal(again.rgb, before.rgb)
    assert same(again.depth, before.depth)


@pytest.mark.parametrize("name", sorted(FIXED - {"billboard", "fov", "janus", "reversed", "resolution"}))
def test_faults_without_chance_are_the_same_for_every_seed(
    name: str, drawn: dict[str, list[Scene]], thing: TabletopObject, clean: Scene
) -> None:
    other, before = CORRUPTIONS[name].apply(thing, clean, CORRUPTIONS[name].levels[-1], seed=1), drawn[name][-1]
    assert torch.equal(other.rgb, before.rgb)
    assert same(other.depth, before.depth)


@pytest.mark.parametrize("name", [name for name in DISTINCT if name not in FIXED])
def test_another_seed_gives_another_instance(
    name: str, drawn: dict[str, list[Scene]], thing: TabletopObject, clean: Scene
) -> None:
    other = CORRUPTIONS[name].apply(thing, clean, CORRUPTIONS[name].levels[-1], seed=1)
    before = drawn[name][-1]
    assert not (torch.equal(other.rgb, before.rgb) and same(other.depth, before.depth))


@pytest.mark.parametrize("name", [name for name in DISTINCT if name not in {"billboard", "fov", "resolution"}])
def test_one_view_is_enough(name: str, lone: Scene, thing: TabletopObject) -> None:
    scene = CORRUPTIONS[name].apply(thing, lone, CORRUPTIONS[name].levels[-1])
    assert scene.views == 1
    assert scene.cameras == lone.cameras


@pytest.mark.parametrize("name", PICTURES)
def test_faults_of_pictures_touch_nothing_else(name: str, drawn: dict[str, list[Scene]], clean: Scene) -> None:
    for scene in drawn[name]:
        assert scene.depth is clean.depth
        assert scene.alpha is clean.alpha
        assert scene.normals is clean.normals


@pytest.mark.parametrize("name", DEPTHS)
def test_faults_of_depth_leave_pictures_and_outline(name: str, drawn: dict[str, list[Scene]], clean: Scene) -> None:
    for scene in drawn[name]:
        assert scene.rgb is clean.rgb
        assert scene.alpha is clean.alpha
        assert torch.equal(scene.foreground, clean.foreground)


@pytest.mark.parametrize("name", [*PICTURES, *DEPTHS, "view_order"])
def test_what_needs_no_picture_renders_none(name: str, clean: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("rendered")

    monkeypatch.setattr(TabletopObject, "render", refuse)
    CORRUPTIONS[name].apply(sample(1, "mug"), clean, CORRUPTIONS[name].levels[-1])


def test_misuse_is_refused(thing: TabletopObject, clean: Scene) -> None:
    with pytest.raises(ValueError, match=r"noise: the level is 0; it must be positive\."):
        CORRUPTIONS["noise"].apply(thing, clean, 0.0)
    with pytest.raises(ValueError, match=r"hue: the clean scene must come from the object, with cameras"):
        CORRUPTIONS["hue"].apply(thing, replace(clean, depth=None), 1.0)
    with pytest.raises(ValueError, match=r"flattened by 1: the level must be below 1\."):
        CORRUPTIONS["flatness"].apply(thing, clean, 1.0)


def test_noise_has_its_standard_deviation(thing: TabletopObject) -> None:
    grey = synthetic(torch.full((4, 32, 32, 3), 128, dtype=torch.uint8))
    noisy = CORRUPTIONS["noise"].apply(thing, grey, 0.05).rgb.double()
    assert float(noisy.std()) == pytest.approx(0.05 * 255, rel=0.05)
    views = torch.corrcoef(noisy.flatten(1))[~torch.eye(4, dtype=torch.bool)]
    assert float(views.abs().max()) < 0.1


def test_hue_turns_red_into_green_and_keeps_grey(thing: TabletopObject) -> None:
    colours = torch.tensor([[255, 0, 0], [90, 90, 90]], dtype=torch.uint8).reshape(1, 1, 2, 3)
    turned = CORRUPTIONS["hue_all"].apply(thing, synthetic(colours), 120.0).rgb[0, 0]
    assert turned.tolist() in ([[0, 255, 0], [90, 90, 90]], [[0, 0, 255], [90, 90, 90]])
    full = CORRUPTIONS["hue_all"].apply(thing, synthetic(colours), 360.0).rgb
    assert torch.equal(full, colours)


def test_hue_jitter_has_its_standard_deviation(thing: TabletopObject) -> None:
    colour = torch.tensor([180, 120, 100], dtype=torch.uint8).expand(24, 1, 1, 3)
    turned = CORRUPTIONS["hue"].apply(thing, synthetic(colour), 10.0).rgb[:, 0, 0].double()
    axes = torch.tensor([[1.0, -1, 0], [1, 1, -2]], dtype=torch.float64)
    flat, start = (part @ (axes / axes.norm(dim=1, keepdim=True)).T for part in (turned, colour[0, 0, 0].double()))
    angle = torch.rad2deg(torch.atan2(flat[:, 1], flat[:, 0]) - torch.atan2(start[1], start[0]))
    assert float(angle.std(correction=0)) == pytest.approx(10.0, abs=0.5)
    assert float(angle.mean()) == pytest.approx(0.0, abs=0.5)


def test_flicker_has_its_standard_deviation_and_exposure_is_exact(thing: TabletopObject) -> None:
    grey = synthetic(torch.full((24, 8, 8, 3), 100, dtype=torch.uint8))
    gain = CORRUPTIONS["flicker"].apply(thing, grey, 0.1).rgb.double().mean((1, 2, 3)) / 100
    assert float(gain.std(correction=0)) == pytest.approx(0.1, abs=0.004)
    assert float(gain.mean()) == pytest.approx(1.0, abs=0.004)
    assert bool((CORRUPTIONS["exposure"].apply(thing, grey, 0.4).rgb == 60).all())


def test_warp_moves_pixels_by_its_level(thing: TabletopObject) -> None:
    ramp = 16 + 3 * torch.arange(64, dtype=torch.uint8)
    across = synthetic(ramp[None, None, :, None].expand(4, 64, 64, 3).contiguous())
    down = synthetic(ramp[None, :, None, None].expand(4, 64, 64, 3).contiguous())
    for scene in (across, down):
        slid = CORRUPTIONS["warp2d"].apply(thing, scene, 8.0)  # 2 pixels of 64
        moved = (slid.rgb.double() - scene.rgb.double())[:, 8:-8, 8:-8] / 3
        assert float(moved.square().mean().sqrt()) == pytest.approx(2.0, rel=0.25)  # without the border, which is kept


@pytest.mark.parametrize("sigma", [0.5, 4.0])
def test_blur_has_its_width(sigma: float, thing: TabletopObject) -> None:
    dot = torch.zeros(2, 65, 65, 3, dtype=torch.uint8)
    dot[:, 28:37, 28:37] = 255
    blurred = CORRUPTIONS["blur_all"].apply(thing, synthetic(dot), sigma * 256 / 65).rgb.double()
    place = torch.arange(65) - 32.0
    for axis in ((2, 3), (1, 3)):
        profile = blurred.sum(axis)
        variance = (profile * place**2).sum(1) / profile.sum(1)
        assert variance.tolist() == pytest.approx([(9**2 - 1) / 12 + sigma**2] * 2, rel=0.02)


def test_uneven_blur_differs_from_view_to_view(thing: TabletopObject) -> None:
    pattern = (255 * torch.rand(32, 32, 3, generator=torch.Generator().manual_seed(0))).to(torch.uint8)
    blurred = CORRUPTIONS["blur_per_view"].apply(thing, synthetic(pattern.expand(8, 32, 32, 3)), 8.0)
    contrast = blurred.rgb.double().flatten(1).std(1)
    assert float(contrast.max() / contrast.min()) > 1.5


def test_depth_scale_is_one_factor_a_view(drawn: dict[str, list[Scene]], clean: Scene) -> None:
    ratio = (drawn["depth_scale"][-1].depth / clean.depth).log()
    factor = torch.stack([view[view.isfinite()].mean() for view in ratio])
    spread = torch.stack([view[view.isfinite()].std() for view in ratio])
    assert float(factor.std(correction=0)) == pytest.approx(0.08, rel=1e-3)
    assert float(spread.max()) < 1e-6


def test_depth_error_is_as_large_as_said(drawn: dict[str, list[Scene]], clean: Scene) -> None:
    error = (drawn["depth_field"][-1].depth / clean.depth).log()[clean.foreground]
    assert float(error.square().mean().sqrt()) == pytest.approx(0.08, rel=0.3)  # of the object; exact over the picture


def test_depth_loses_its_relief(thing: TabletopObject, clean: Scene) -> None:
    scene = CORRUPTIONS["depth_relief"].apply(thing, clean, 0.75)
    assert clean.depth is not None
    assert scene.depth is not None
    for flat, true in zip(scene.depth, clean.depth, strict=True):
        extents = [float(part[part.isfinite()].max() - part[part.isfinite()].min()) for part in (flat, true)]
        assert extents[0] == pytest.approx(0.25 * extents[1], rel=1e-4)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Cameras]:
    """The cameras that pictures are really taken from."""
    cameras: list[Cameras] = []
    render = TabletopObject.render

    def record(self: TabletopObject, asked: Cameras, size: int) -> Scene:
        cameras.append(asked)
        return render(self, asked, size)

    monkeypatch.setattr(TabletopObject, "render", record)
    return cameras


def test_disobedience_is_as_large_as_said(thing: TabletopObject, clean: Scene, seen: list[Cameras]) -> None:
    scene = CORRUPTIONS["disobedience"].apply(thing, clean, 4.0)
    assert scene.cameras is not None
    off = torch.rad2deg(torch.remainder(seen[0].yaw - scene.cameras.yaw + math.pi, 2 * math.pi) - math.pi)
    assert float(off.std(correction=0)) == pytest.approx(4.0, rel=1e-9)
    assert torch.allclose(seen[0].pitch, scene.cameras.pitch)
    assert torch.allclose(seen[0].positions.norm(dim=1), scene.cameras.positions.norm(dim=1))


def test_turned_views_are_right_in_the_frame_they_claim(thing: TabletopObject, clean: Scene) -> None:
    scene = CORRUPTIONS["disobedience"].apply(thing, clean, 8.0)
    assert scene.cameras is not None
    assert scene.normals is not None
    measured = surface_normals(scene)
    agreement = (measured * scene.normals[:, 1:-1, 1:-1].double()).sum(-1)
    flat = torch.isfinite(agreement)
    assert int(flat.sum()) > 200
    assert float(agreement[flat].median()) > 0.995


def surface_normals(scene: Scene) -> Tensor:
    """Unit normals of the depth, [V, H - 2, W - 2, 3], NaN at outlines."""
    assert scene.cameras is not None
    assert scene.depth is not None
    points = scene.cameras.unproject(scene.depth)
    right = points[:, 1:-1, 2:] - points[:, 1:-1, :-2]
    down = points[:, 2:, 1:-1] - points[:, :-2, 1:-1]
    return -torch.nn.functional.normalize(torch.linalg.cross(right, down), dim=-1)


def test_frozen_goes_round_by_less_and_in_the_end_not_at_all(
    thing: TabletopObject, clean: Scene, drawn: dict[str, list[Scene]], seen: list[Cameras]
) -> None:
    CORRUPTIONS["frozen"].apply(thing, clean, 0.5)
    commanded = torch.arange(1, VIEWS, dtype=torch.float64) * (2 * math.pi / VIEWS)
    assert torch.allclose(torch.remainder(seen[0].yaw, 2 * math.pi), commanded / 2)
    still = drawn["frozen"][-1]
    assert all(torch.equal(view, clean.rgb[0]) for view in still.rgb)
    assert still.depth is not None
    assert clean.depth is not None
    assert all(same(view, clean.depth[0]) for view in still.depth)


def test_reversed_ends_as_the_sweep_the_other_way_round(drawn: dict[str, list[Scene]], clean: Scene) -> None:
    backwards = clean.select([0, *range(VIEWS - 1, 0, -1)])
    assert float(difference(drawn["reversed"][-1], backwards)) < 0.1
    first = drawn["reversed"][0]
    assert torch.equal(first.rgb[:-1], clean.rgb[:-1])
    assert float(difference(first.select([VIEWS - 1]), clean.select([VIEWS - 3]))) < 0.1


def test_longer_focal_length_shows_the_object_larger(drawn: dict[str, list[Scene]], clean: Scene) -> None:
    grown = drawn["fov"][-1].foreground.sum() / clean.foreground.sum()
    assert float(grown) == pytest.approx(1.2**2, rel=0.03)


def test_janus_shows_the_front_on_the_back(drawn: dict[str, list[Scene]], clean: Scene) -> None:
    gentle, gross = drawn["janus"][0], drawn["janus"][-1]
    back = VIEWS // 2
    assert float(difference(gross.select([back]), clean.select([0]))) < 0.1
    obeyed = [view for view in range(VIEWS) if view != back]
    assert torch.equal(gentle.rgb[obeyed], clean.rgb[obeyed])
    assert torch.equal(gross.rgb[[0, 1, -1]], clean.rgb[[0, 1, -1]])


def test_switch_keeps_the_first_half_and_the_background(drawn: dict[str, list[Scene]], clean: Scene) -> None:
    half = VIEWS // 2
    for scene in drawn["switch"]:
        assert torch.equal(scene.rgb[:half], clean.rgb[:half])
        assert scene.alpha is not None
        assert clean.alpha is not None
        empty = (scene.alpha == 0) & (clean.alpha == 0)
        assert int((scene.rgb.int() - clean.rgb.int())[empty].abs().max()) == 0
    away = [float(difference(scene.select([VIEWS - 1]), clean.select([VIEWS - 1]))) for scene in drawn["switch"]]
    assert away == sorted(away)
    assert away[-1] > 3


def test_drift_starts_clean_and_keeps_the_shape(drawn: dict[str, list[Scene]], clean: Scene) -> None:
    scene = drawn["drift"][-1]
    assert torch.equal(scene.rgb[0], clean.rgb[0])
    assert scene.depth is clean.depth
    steps = [float(difference(scene.select([k]), clean.select([k]))) for k in range(VIEWS)]
    assert steps[1] < 0.3 * steps[-1]
    assert steps[-1] > 3


def test_wobble_moves_points_by_its_level(thing: TabletopObject, clean: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    bent: list[TabletopObject] = []
    render = solids.render_batch

    def record(objects: list[TabletopObject], cameras: Cameras, size: int) -> tuple[Tensor, ...]:
        bent.extend(objects)
        return render(objects, cameras, size)

    monkeypatch.setattr(solids, "render_batch", record)
    CORRUPTIONS["wobble"].apply(thing, clean, 0.02)
    points = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    moved = [entry.deformation.rest(points) - points for entry in bent if entry.deformation is not None]
    assert len(moved) == VIEWS
    rms = torch.stack(moved).square().sum(-1).mean().sqrt()
    assert float(rms) == pytest.approx(0.02, rel=0.15)


def test_flattened_solids_are_the_same_from_all_sides(drawn: dict[str, list[Scene]], clean: Scene) -> None:
    flat = drawn["billboard"][-1]
    control, fault = CORRUPTIONS["flatness"], CORRUPTIONS["billboard"]  # the same pictures, two questions
    assert (control.effect, control.levels) == (fault.effect, fault.levels)
    depths = [scene.cameras.unproject(scene.depth)[..., 2] for scene in (flat, clean)]  # type: ignore[union-attr,arg-type]
    thick = [float(z[z.isfinite()].abs().max()) for z in depths]
    assert thick[0] == pytest.approx(0.08 * thick[1], rel=0.05)


def test_view_order_keeps_pictures_and_cameras_together(drawn: dict[str, list[Scene]], clean: Scene) -> None:
    assert clean.cameras is not None
    for scene in drawn["view_order"]:
        assert scene.cameras is not None
        position = [
            next(k for k in range(VIEWS) if clean.cameras[k] == scene.cameras[view]) for view in range(scene.views)
        ]
        assert sorted(position) == list(range(VIEWS))
        assert position != list(range(VIEWS))
        assert torch.equal(scene.rgb, clean.rgb[position])
        assert same(scene.depth, clean.select(position).depth)
