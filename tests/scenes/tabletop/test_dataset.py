"""Rendered training views survive kills, and a record never vouches for other pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor
from viewsweep.scenes import Cameras, tabletop
from viewsweep.scenes.errors import UserError
from viewsweep.scenes.tabletop import TabletopObject, dataset, splits
from viewsweep.scenes.tabletop.dataset import TabletopViews, prepare_views

SEEDS = range(40, 46)
FILES = ("rgb.npy", "depth.npy", "label.npy", "camera.npy", "dataset.json")


class Killed(BaseException):
    """Stands for a signal: nothing in the code may catch it."""


def quick_pictures(
    objects: Sequence[TabletopObject], cameras: Cameras, size: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Flat pictures that differ from seed to seed, in place of the renderer's."""
    seeds = torch.tensor([entry.seed for entry in objects])[:, None, None].expand(-1, size, size)
    rgb, depth = (seeds[..., None].repeat(1, 1, 1, 3) % 256).to(torch.uint8), 1.5 + seeds / 1000
    return rgb, depth.where(seeds % 3 > 0, torch.nan), (rgb[..., 0] * 0 + 255), torch.zeros(*seeds.shape, 3)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "CHUNK", 2)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "render_batch", quick_pictures)


def prepare(folder: Path, seeds: range = SEEDS, log: Callable[[str], None] = lambda line: None) -> TabletopViews:
    return prepare_views(folder, seeds, 12, frontal_share=0.5, log=log)


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture
def whole(quick: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a call that was left alone."""
    folder = tmp_path_factory.mktemp("whole")
    prepare(folder)
    return folder


def killed_in_chunk(folder: Path, number: int, seeds: range = SEEDS) -> None:
    """Start to prepare and die in chunk `number` after some of its pictures were written."""
    render, chunks = dataset.render_views, iter(range(number + 1))

    def dying(*args: object) -> Iterator[object]:
        last = next(chunks) == number
        for done, part in enumerate(render(*args)):  # type: ignore[arg-type]
            if last and done == 1:
                raise Killed
            yield part

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "render_views", dying)
        with pytest.raises(Killed):
            prepare(folder, seeds)


def test_views_are_those_of_their_seeds(tmp_path: Path) -> None:
    views = prepare(tmp_path)
    rgb, depth, label = views.batch(torch.arange(6))
    assert len(views) == 6
    assert (rgb.dtype, depth.dtype, label.dtype) == (torch.uint8, torch.float32, torch.int64)
    assert label.tolist() == [seed % 10 for seed in SEEDS]
    cameras = tabletop.train_cameras(SEEDS)
    for row in (0, 3, 5):
        scene = tabletop.sample(SEEDS[row], SEEDS[row] % 10).render(cameras[row], 12)
        assert int((rgb[row].int() - scene.rgb[0].int()).abs().max()) <= 1
        assert scene.depth is not None
        assert torch.equal(torch.isfinite(depth[row]), torch.isfinite(scene.depth[0]))
        assert float((depth[row] - scene.depth[0]).abs().nan_to_num().max()) < 3e-4
    yaw, pitch = torch.from_numpy(views.camera[:]).T
    torch.testing.assert_close(yaw, cameras.yaw.float())
    torch.testing.assert_close(pitch, cameras.pitch.float())


def test_batch_keeps_the_order_asked_for(whole: Path) -> None:
    views = prepare(whole)
    everything = views.batch(torch.arange(6))
    some = views.batch(torch.tensor([4, 2, 2]))
    for part, all_of_it in zip(some, everything, strict=True):
        torch.testing.assert_close(part, all_of_it[[4, 2, 2]], equal_nan=True)


@pytest.mark.parametrize("chunk", [0, 1, 2])
def test_killed_and_started_again_gives_the_same_bytes(whole: Path, tmp_path: Path, chunk: int) -> None:
    killed_in_chunk(tmp_path, chunk)
    lines: list[str] = []
    prepare(tmp_path, log=lines.append)
    assert content(tmp_path) == content(whole)
    assert len(lines) == 3 - chunk  # chunks finished before were not rendered again


def test_finished_views_are_not_rendered_again(whole: Path) -> None:
    before = content(whole)
    prepare(whole, log=lambda line: pytest.fail(line))
    assert content(whole) == before


@pytest.mark.parametrize("chunk", [None, 0])
def test_another_request_leaves_the_first_alone(whole: Path, tmp_path: Path, chunk: int | None) -> None:
    """Finished or killed before its first mark: a training may be reading the one, resuming the other."""
    if chunk is None:
        prepare(tmp_path)
    else:
        killed_in_chunk(tmp_path, chunk)
    with pytest.raises(UserError, match=r"seeds is \[40, 46\], not \[100, 106\]"):
        prepare(tmp_path, range(100, 106))
    prepare(tmp_path)
    assert content(tmp_path) == content(whole)
