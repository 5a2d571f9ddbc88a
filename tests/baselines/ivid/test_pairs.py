"""A warp to a random camera and back leaves the holes a moved camera leaves, and nothing false elsewhere."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from viewsweep.baselines.ivid import pairs
from viewsweep.baselines.ivid.augmentation import Augmentation
from viewsweep.baselines.ivid.depth_code import DepthCode
from viewsweep.baselines.ivid.image_data import TabletopPictures
from viewsweep.baselines.ivid.pairs import StoredConditions, prepare_conditions, round_trip
from viewsweep.baselines.ivid.recipe import CONFIGS, Recipe
from viewsweep.baselines.ivid.sampling import Condition
from viewsweep.scenes.generator import scene_generator
from viewsweep.scenes.tabletop.dataset import TabletopViews

CODE = DepthCode()
SIZE = 32
TURNING = replace(CONFIGS["tiny"], size=SIZE, yaw_std=0.3, pitch_std=0.0)
FILES = ("rgb.npy", "depth.npy", "mask.npy", "conditions.json")


class Killed(BaseException):
    """Stands for a signal: nothing in the code may catch it."""


def card(count: int, size: int = SIZE, behind: float = math.nan) -> tuple[Tensor, Tensor]:
    """A bright card before a wall, or before nothing: rgb [n, S, S, 3] and depth [n, S, S]."""
    line = (torch.arange(size) + 0.5) / size - 0.5
    on_card = (line[None, :].abs() < 0.2) & (line[:, None].abs() < 0.25)
    depth = torch.where(on_card, 1.45, behind).expand(count, -1, -1)
    shade = torch.where(on_card, 200, 60).to(torch.uint8)
    return shade[None, :, :, None].repeat(count, 1, 1, 3), depth.clone()


def stored_views(count: int, size: int = 16) -> TabletopPictures:
    """Cards at a distance of their own, as a rendered training set holds them."""
    rgb, depth = card(count, size)
    depth += 0.01 * torch.arange(count)[:, None, None] / count
    views = TabletopViews(
        rgb.numpy(), (depth - 1.6).half().numpy(), np.arange(count) % 10, np.zeros((count, 2), np.float32)
    )
    return TabletopPictures(views, CODE, range(count))


def rgbd(rgb: Tensor, depth: Tensor) -> Tensor:
    """Pictures as the networks see them."""
    return torch.cat([rgb.permute(0, 3, 1, 2).float() / 127.5 - 1, CODE.encode(depth)[:, None]], 1)


def there_and_back(rgb: Tensor, depth: Tensor, indices: list[int], recipe: Recipe) -> Condition:
    """Round trips of pictures with these numbers in their data set."""
    generators = [scene_generator(index, f"ivid.pair.{recipe.seed}") for index in indices]
    return round_trip(rgbd(rgb, depth), generators, recipe, CODE)


def yaw_of(index: int, recipe: Recipe) -> float:
    """Where the pair's random camera stands, as `round_trip` draws it."""
    generator = scene_generator(index, f"ivid.pair.{recipe.seed}")
    return recipe.yaw_std * float(torch.randn(2, generator=generator, dtype=torch.float64)[0])


def test_holes_open_on_the_side_the_camera_left() -> None:
    """From the right the card hides background to its left, so that is what comes back missing."""
    indices = [index for index in range(40) if 0.2 < abs(yaw_of(index, TURNING)) < 0.3]
    assert {yaw_of(index, TURNING) > 0 for index in indices} == {True, False}
    rgb, depth = card(len(indices), behind=2.2)
    found = there_and_back(rgb, depth, indices, TURNING)
    left, right = slice(5, 10), slice(22, 27)  # beside the card's columns 10 to 21
    for row, index in enumerate(indices):
        holes = found.mask[row, 0, 10:22] == 0
        lost_left, lost_right = int(holes[:, left].sum()), int(holes[:, right].sum())
        wide, narrow = (lost_left, lost_right) if yaw_of(index, TURNING) > 0 else (lost_right, lost_left)
        assert wide >= narrow + 2 * 12  # columns of twelve rows


def test_what_is_known_is_what_was_there() -> None:
    rgb, depth = card(8)
    found = there_and_back(rgb, depth, list(range(8)), TURNING)
    clean, code = rgb.permute(0, 3, 1, 2).float() / 127.5 - 1, CODE.encode(depth)
    known = found.mask[:, 0] > 0
    assert set(found.mask.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(found.mask, found.rgb_mask)
    assert 0.3 < float(known.double().mean()) < 0.97
    away = (found.depth[:, 0] - code).abs()[known]
    assert float((away < 0.05).double().mean()) > 0.98
    assert float(((found.rgb - clean).abs().amax(1)[known] < 0.1).double().mean()) > 0.95
    assert bool((found.depth[:, 0][~known] == 0).all())
    assert bool((found.rgb.movedim(1, -1)[~known] == 0).all())


def test_sheets_between_surfaces_are_never_known() -> None:
    """Seen from far aside the sheet between card and wall is a slope like any other: its flag must go along."""
    rgb, depth = card(6, 64, behind=1.9)
    found = there_and_back(rgb, depth, list(range(6)), replace(TURNING, size=64, yaw_std=0.8))
    known = found.mask[:, 0] > 0
    codes = CODE.encode(torch.tensor([1.45, 1.9]))
    away = (found.depth[:, 0, :, :, None] - codes).abs().amin(-1)[known]
    assert int(known.sum()) > 4000
    assert bool((away < 0.03).all())


def test_camera_that_does_not_move_leaves_only_the_edge_unknown() -> None:
    rgb, depth = card(2)
    found = there_and_back(rgb, depth, [0, 1], replace(TURNING, yaw_std=0.0))
    known = found.mask[:, 0] > 0
    pool = torch.nn.functional.max_pool2d
    on_card = torch.isfinite(depth).double()
    clear = pool(on_card, 7, 1, 3) + pool(-on_card, 7, 1, 3) == 0  # three pixels from the card's edge
    clear[:, [0, -1]] = clear[:, :, [0, -1]] = False
    assert bool(known[clear].all())
    assert int((clear & (on_card > 0)).sum()) > 0
    assert not bool(known[:, [0, -1]].any())


def test_each_pair_depends_on_its_own_index() -> None:
    rgb, depth = card(3)
    together = there_and_back(rgb, depth, [4, 11, 4], TURNING)
    for row, index in enumerate([4, 11]):
        alone = there_and_back(rgb[:1], depth[:1], [index], TURNING)
        assert torch.equal(alone.mask[0], together.mask[row])
        torch.testing.assert_close(alone.rgb[0], together.rgb[row], rtol=0, atol=1e-5)
    assert torch.equal(together.rgb[0], together.rgb[2])
    assert not torch.equal(together.mask[0], together.mask[1])


@pytest.fixture
def stored() -> StoredConditions:
    """Forty times the same round trip: half of the picture known, a colour of its own."""
    rgb = np.full((40, 16, 16, 3), 255, np.uint8)
    mask = np.zeros((40, 16, 16), bool)
    mask[:, :, 4:] = True
    return StoredConditions(rgb, np.full((40, 16, 16), 0.25, np.float16), mask)


def test_augmentation_blurs_and_erodes_within_the_mask(stored: StoredConditions) -> None:
    index = torch.arange(40)
    clean = torch.zeros(40, 4, 16, 16)
    clean[:, :3, :, 8:] = -0.5
    found = stored.batch(index, clean, torch.Generator().manual_seed(0))
    assert torch.equal(found.mask[:, 0], torch.from_numpy(stored.mask).float())
    assert bool((found.rgb_mask <= found.mask).all())
    assert bool(((found.rgb != 0) <= (found.rgb_mask > 0)).all())
    torch.testing.assert_close(found.depth, 0.25 * found.mask)  # depth is neither blurred nor eroded
    rings = (found.mask - found.rgb_mask)[:, 0, 8].sum(1).tolist()
    assert set(rings) == {0.0, 1.0, 2.0, 3.0}
    replaced = found.rgb[:, 0, 8, 12] != 1.0  # the stored warp is white, the picture is not
    assert 24 <= int(replaced.sum()) <= 39  # of 32 +- 2.5
    columns = found.rgb[replaced][:, :, 8]
    assert float(columns[:, :, 12:].sub(-0.5).abs().max()) < 1e-6  # nothing to blur
    edge = columns[:, 0, 7]
    assert bool(((edge <= 0) & (edge > -0.25)).all())
    assert float(edge.min()) < -0.05  # sigmas up to a pixel
    assert len(edge.unique()) > 10  # each its own


def test_switches_take_one_augmentation_away_and_leave_the_other(stored: StoredConditions) -> None:
    """What is still on draws the same numbers, so that two trainings differ in one thing only."""
    index, clean = torch.arange(40), torch.rand(40, 4, 16, 16, generator=torch.Generator().manual_seed(3))

    def batch(blur: bool, erosion: bool) -> Condition:
        return replace(stored, augmentation=Augmentation(blur, erosion)).batch(
            index, clean, torch.Generator().manual_seed(0)
        )

    both, unblurred, uneroded, neither = batch(True, True), batch(False, True), batch(True, False), batch(False, False)
    assert torch.equal(unblurred.rgb_mask, both.rgb_mask)
    assert bool((unblurred.rgb == unblurred.rgb_mask).all())  # the stored white, nothing else
    assert torch.equal(uneroded.rgb_mask, uneroded.mask)
    kept = both.rgb_mask.expand_as(both.rgb) > 0
    assert torch.equal(uneroded.rgb[kept], both.rgb[kept])
    assert torch.equal(neither.rgb_mask, neither.mask)
    assert bool((neither.rgb == neither.mask).all())


def test_noise_before_the_warp_can_be_left_out(tmp_path: Path) -> None:
    rgb, depth = card(2)
    plain = there_and_back(rgb, depth, [0, 1], replace(TURNING, yaw_std=0.0, prewarp_noise=False))
    noisy = there_and_back(rgb, depth, [0, 1], replace(TURNING, yaw_std=0.0))
    inner = (slice(None), slice(None), slice(11, 21), slice(12, 20))  # within the card, which has one colour
    assert float(plain.rgb[inner].std()) < 1e-6
    assert 1e-4 < float(noisy.rgb[inner].std()) < pairs.NOISE
    prepare(tmp_path, 3)
    before = content(tmp_path)
    prepare(tmp_path, 3, replace(CONFIGS["tiny"], prewarp_noise=False))
    assert all(content(tmp_path)[name] != before[name] for name in ("rgb.npy", "conditions.json"))


def test_same_generator_gives_the_same_batch(stored: StoredConditions) -> None:
    clean = torch.rand(5, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    first, second, other = (stored.batch(torch.arange(5), clean, torch.Generator().manual_seed(s)) for s in (7, 7, 8))
    assert torch.equal(first.rgb, second.rgb)
    assert not torch.equal(first.rgb, other.rgb)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "CHUNK", 1)  # a mark every 32 pairs


def prepare(folder: Path, count: int, recipe: Recipe = CONFIGS["tiny"], *, fail_after: int = 99) -> list[str]:
    lines: list[str] = []

    def log(line: str) -> None:
        lines.append(line)
        if len(lines) > fail_after:
            raise Killed

    prepare_conditions(folder, stored_views(count), recipe, CODE, log=log)
    return lines


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.mark.usefixtures("small_chunks")
def test_killed_and_started_again_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert prepare(tmp_path / "whole", 36) == ["warped 32 of 36 training views", "warped 36 of 36 training views"]
    with pytest.raises(Killed):
        prepare(tmp_path / "marked", 36, fail_after=0)
    assert json.loads((tmp_path / "marked" / "conditions.json").read_text())["done"] == 32
    made: list[int] = []

    def note(clean: Tensor, generators: list[torch.Generator], recipe: Recipe, code: DepthCode) -> object:
        made.append(len(clean))
        return round_trip(clean, generators, recipe, code)

    monkeypatch.setattr(pairs, "round_trip", note)
    assert len(prepare(tmp_path / "marked", 36)) == 1
    assert made == [1, 1, 1, 1]
    assert content(tmp_path / "marked") == content(tmp_path / "whole")


@pytest.mark.usefixtures("small_chunks")
def test_interrupted_other_recipe_does_not_pass_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path, 3)
    before = content(tmp_path)

    def dying(*args: object) -> object:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(pairs, "round_trip", dying)
        with pytest.raises(Killed):
            prepare(tmp_path, 3, replace(CONFIGS["tiny"], yaw_std=0.5))
    prepare(tmp_path, 3)
    assert content(tmp_path) == before


def test_no_more_pairs_than_the_recipe_asks_for(tmp_path: Path) -> None:
    recipe = replace(CONFIGS["tiny"], pairs=2)
    assert len(prepare_conditions(tmp_path, stored_views(5), recipe, CODE, log=lambda line: None)) == 2
