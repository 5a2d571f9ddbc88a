"""LPIPS with a random backbone: the arithmetic and the bookkeeping, not the trained numbers."""

from __future__ import annotations

import warnings
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from viewsweep.metrics import weight_files
from viewsweep.metrics.lpips_distance import (
    LPIPS,
    CovisibleLPIPS,
    PairedLPIPS,
    _eroded,
    covisible_distances,
    load_lpips,
)
from viewsweep.scenes import Scene, sweep360
from viewsweep.scenes.errors import UserError

from .analytic import NAN, balls, disobedient, frozen, noisy, static

CLEAN = balls(sweep360(6, 0.26), 48)


def backbone_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights under torchvision's names, with some of the classifier's as the real file has."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}
    state = {"classifier.1.bias": torch.zeros(3)}
    for layer, shape in shapes.items():
        fan = shape[1] * shape[2] * shape[3]
        state[f"features.{layer}.weight"] = torch.randn(shape, generator=generator) * (2 / fan) ** 0.5
        state[f"features.{layer}.bias"] = 0.1 * torch.randn(shape[0], generator=generator)
    return state


NETWORK = LPIPS("alex", backbone_state())


@pytest.fixture
def _no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without weights and without a network."""
    import viewsweep.metrics.lpips_distance as module

    def refuse(name: str, path: Any = None) -> Path:
        raise UserError(f"the {name} weights are missing.", hint="Run `viewsweep fetch`.")

    monkeypatch.setattr(module, "weight_path", refuse)


def pictures(seed: int, height: int = 64, width: int = 64, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def package_network(spatial: bool) -> Any:
    """The package's own object with the same backbone, loaded by its own names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lpips  # type: ignore[import-untyped]

        network = lpips.LPIPS(net="alex", pnet_rand=True, spatial=spatial, verbose=False)
    slices = {0: 1, 3: 2, 6: 3, 8: 4, 10: 5}
    for name, value in backbone_state().items():
        if name.startswith("features."):
            _, layer, kind = name.split(".")
            network.net.get_parameter(f"slice{slices[int(layer)]}.{layer}.{kind}").data.copy_(value)
    return network


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 64), (48, 80)])
def test_the_package_gives_the_same(height: int, width: int) -> None:
    x, y = pictures(1, height, width), pictures(2, height, width)
    with torch.inference_mode():
        mean = package_network(False)(x, y, normalize=True)[:, 0, 0, 0].double()
        spatial = package_network(True)(x, y, normalize=True)[:, 0].double()
    torch.testing.assert_close(NETWORK.distance(x, y), mean, rtol=0, atol=1e-6)
    torch.testing.assert_close(NETWORK.map(x, y), spatial, rtol=0, atol=1e-6)
    assert NETWORK.distance(x, x).tolist() == [0.0, 0.0]


def test_batch_changes_no_bit() -> None:
    x, y = pictures(1, count=5), pictures(2, count=5)
    alone = [float(NETWORK.distance(a[None], b[None])) for a, b in zip(x, y, strict=True)]
    assert NETWORK.distance(x, y).tolist() == alone


def test_making_it_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    LPIPS("alex", backbone_state())
    assert torch.equal(torch.rand(2), expected)


def test_weights_of_another_network_are_refused() -> None:
    state = backbone_state()
    del state["features.6.bias"]
    with pytest.raises(ValueError, match=r"there is no tensor named features\.6\.bias"):
        LPIPS("alex", state)
    with pytest.raises(ValueError, match="has the backbones alex, vgg, not 'squeeze'"):
        LPIPS("squeeze")  # type: ignore[arg-type]


def test_small_and_odd_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 32x32 pixels, not 40x31"):
        NETWORK.distance(pictures(0, 31, 40), pictures(0, 31, 40))
    with pytest.raises(ValueError, match=r"these are \[2, 3, 64, 64\] and \[1, 3, 64, 64\]"):
        NETWORK.map(pictures(0), pictures(0, count=1))


def test_weights_come_from_a_checked_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "alexnet.pth"
    torch.save(backbone_state(), path)
    entry = replace(weight_files.WEIGHT_FILES["alexnet"], sha256=sha256(path.read_bytes()).hexdigest())
    monkeypatch.setitem(weight_files.WEIGHT_FILES, "alexnet", entry)
    x, y = pictures(1), pictures(2)
    assert torch.equal(load_lpips("alex", path).distance(x, y), NETWORK.distance(x, y))
    metric = PairedLPIPS(path=path)
    metric.update(noisy(CLEAN, 0.1), 0, CLEAN)
    assert float(metric.compute()) == float(paired(noisy(CLEAN, 0.1)))
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "wrong.pth")
    wrong = replace(entry, sha256=sha256((tmp_path / "wrong.pth").read_bytes()).hexdigest())
    monkeypatch.setitem(weight_files.WEIGHT_FILES, "alexnet", wrong)
    with pytest.raises(UserError, match=r"wrong\.pth: not the weights of alex"):
        load_lpips("alex", tmp_path / "wrong.pth")


@pytest.mark.usefixtures("_no_weights")
@pytest.mark.parametrize("kind", [PairedLPIPS, CovisibleLPIPS])
def test_missing_weights_are_a_reason_that_says_how_to_get_them(kind: Any) -> None:
    metric = kind()
    for index in (0, 1):
        metric.update(CLEAN, index, *([CLEAN] if kind is PairedLPIPS else []))
    for result in metric.results().values():
        assert (result.status, result.n) == ("not_run", 2)
        assert result.reason == "2 scenes (first: 0): the alexnet weights are missing. Run `viewsweep fetch`"
    with pytest.raises(UserError, match="the alexnet weights are missing"):
        metric.compute()


@pytest.mark.parametrize("kind", [PairedLPIPS, CovisibleLPIPS])
def test_pictures_too_small_are_a_reason(kind: Any) -> None:
    tiny = balls(sweep360(3), 24)
    metric = kind(network=NETWORK)
    metric.update(tiny, 7, *([tiny] if kind is PairedLPIPS else []))
    assert metric.results()[next(iter(metric.definitions()))].reason == (
        "scene 7: the pictures are smaller than LPIPS takes, 32x32 pixels"
    )


def test_vgg_has_ids_of_its_own() -> None:
    network = LPIPS()
    for metric, expected in (
        (PairedLPIPS("vgg", network=network), "lpips[vgg]"),
        (CovisibleLPIPS("vgg", network=network), "lpips_covisible[vgg]"),
    ):
        first = next(iter(metric.results()))
        assert first == expected
        assert "VGG-16" in metric._definitions()[first].description
    assert "lpips_covisible[vgg]@30" in CovisibleLPIPS("vgg", network=network).results()


def paired(scene: Scene) -> float:
    metric = PairedLPIPS(network=NETWORK)
    metric.update(scene, 0, CLEAN)
    return float(metric.compute())


def covisible(scene: Scene) -> float:
    metric = CovisibleLPIPS(network=NETWORK)
    metric.update(scene, 0)
    return float(metric.compute())


@pytest.mark.parametrize("measure", [paired, covisible])
def test_more_noise_is_farther(measure: Any) -> None:
    values = [measure(noisy(CLEAN, amount)) for amount in (0.0, 0.02, 0.05, 0.15)]
    assert values == sorted(set(values))


def test_same_pictures_have_distance_zero() -> None:
    assert paired(CLEAN) == 0.0
    same = replace(CLEAN, rgb=torch.full_like(CLEAN.rgb, 90))
    assert covisible(same) < 1e-9  # what the bilinear weights round


def test_disobeying_and_ignoring_the_camera_shows() -> None:
    draw = lambda cameras: balls(cameras, 48)  # noqa: E731
    cameras = sweep360(6, 0.26)
    values = [covisible(disobedient(draw, cameras, degrees)) for degrees in (0.0, 2.0, 6.0)]
    assert values == sorted(set(values))
    assert covisible(frozen(CLEAN)) > 1.5 * values[0]


def test_pairs_without_overlap_score_the_worst() -> None:
    assert covisible(static(CLEAN)) == 1.0
    assert covisible(replace(CLEAN, depth=torch.full_like(CLEAN.depth, NAN))) == 1.0  # type: ignore[arg-type]


def test_what_the_source_shows_elsewhere_changes_no_bit() -> None:
    """Painted background of the source lies in holes, and holes show the target."""
    assert CLEAN.depth is not None
    rgb = CLEAN.rgb.clone()
    background = ~torch.isfinite(CLEAN.depth[1])
    rgb[1][background] = 255 - rgb[1][background]
    clean, painted = (covisible_distances(scene, [(0, 1)], NETWORK) for scene in (CLEAN, replace(CLEAN, rgb=rgb)))
    assert float(clean[0]) == float(painted[0])


def test_margin_keeps_clear_of_the_edges() -> None:
    """Colours that are wrong only along the outline of what both see are not counted at their own places."""
    assert CLEAN.depth is not None
    surface = torch.isfinite(CLEAN.depth)
    inner = torch.stack([_eroded(view, 2) for view in surface])
    rgb = CLEAN.rgb.clone()
    rgb[surface & ~inner] = 255 - rgb[surface & ~inner]
    outline = covisible(replace(CLEAN, rgb=rgb))
    rgb = CLEAN.rgb.clone()
    rgb[inner] = 255 - rgb[inner]
    every_other = replace(CLEAN, rgb=torch.where((torch.arange(6) % 2 == 0)[:, None, None, None], rgb, CLEAN.rgb))
    assert outline < covisible(every_other)


def test_pairs_do_not_meet() -> None:
    together = covisible_distances(CLEAN, [(0, 1), (2, 3)], NETWORK)
    assert together.shape == (4, 1)
    assert torch.equal(together[2:], covisible_distances(CLEAN, [(2, 3)], NETWORK))


@pytest.mark.weights
@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_published_weights_find_noise_farther_than_a_shift(backbone: Any) -> None:
    network = load_lpips(backbone)
    x = balls(sweep360(1), 64).rgb.permute(0, 3, 1, 2) / 255
    noise = (x + 0.2 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    assert float(network.distance(x, x)) == 0.0
    assert float(network.distance(x, noise)) > 2 * float(network.distance(x, x.roll(1, 3)))
