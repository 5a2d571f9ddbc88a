"""Depth estimators: the simulated one errs as it says, real ones load from folders and say what is missing."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from viewsweep.baselines.ivid.disparity import MIDAS_UNIT, depth_channel
from viewsweep.baselines.ivid.estimators import (
    DepthEstimator,
    SimulatedEstimator,
    TransformersEstimator,
    load_estimator,
)
from viewsweep.scenes.errors import UserError
from viewsweep.scenes.sweeps import sweep360
from viewsweep.scenes.tabletop import sample


@pytest.fixture(scope="module")
def views() -> tuple[Tensor, Tensor]:
    """Four pictures of an object, rgb and true depth."""
    scene = sample(3).render(sweep360(4, 0.2), 48)
    assert scene.depth is not None
    return scene.rgb, scene.depth


def fitted(found: Tensor, truth: Tensor) -> tuple[float, float, float]:
    """Slope and offset of `found` over `truth`, and the rms of what is left, as a share of the fitted range."""
    design = torch.stack([truth.flatten(), torch.ones(truth.numel())], 1).double()
    answer = torch.linalg.lstsq(design, found.flatten().double()[:, None]).solution[:, 0]
    rest = found.flatten().double() - design @ answer
    span = (truth.amax() - truth.amin()) * answer[0].abs()
    return float(answer[0]), float(answer[1]), float(rest.square().mean().sqrt() / span)


def test_simulated_disparity_is_affine_in_the_true_one_within_its_noise(views: tuple[Tensor, Tensor]) -> None:
    rgb, depth = views
    truth = (1 / depth).nan_to_num(nan=0.0)
    plain = SimulatedEstimator(noise=0.0, smear=0.0)
    for picture, exact, found in zip(rgb, truth, plain.disparity(rgb, depth), strict=True):
        slope, offset, rest = fitted(found, exact)
        scale, shift, _ = plain.draws(picture)
        assert rest < 1e-6
        assert slope == pytest.approx(scale, rel=1e-5)
        assert offset == pytest.approx(scale * shift * float(exact.amax() - exact.amin()), abs=1e-5)
    noisy = SimulatedEstimator(noise=0.04, smear=0.0)
    for picture, exact, found in zip(rgb, truth, noisy.disparity(rgb, depth), strict=True):
        slope, _, rest = fitted(found, exact)
        assert 0.02 < rest * slope / noisy.draws(picture)[0] <= 0.0401  # the fit takes part of it for slope


def test_scale_and_shift_are_each_pictures_own_and_stay_its_own(views: tuple[Tensor, Tensor]) -> None:
    rgb, depth = views
    estimator = SimulatedEstimator()
    draws = [estimator.draws(picture)[:2] for picture in rgb]
    assert len(set(draws)) == len(draws)
    together = estimator.disparity(rgb, depth)
    alone = torch.cat([estimator.disparity(rgb[row : row + 1], depth[row : row + 1]) for row in (2, 0)])
    assert torch.equal(alone, together[[2, 0]])
    other = replace(estimator, seed=1)
    assert other.identity != estimator.identity
    assert not torch.equal(other.disparity(rgb, depth), together)


def test_simulated_error_is_smooth_and_edges_are_smeared(views: tuple[Tensor, Tensor]) -> None:
    rgb, depth = views
    _, _, error = SimulatedEstimator().draws(rgb[0])
    assert float(error.std()) == pytest.approx(1.0, abs=1e-4)
    assert float(error.mean()) == pytest.approx(0.0, abs=1e-5)
    assert float((error[1:] - error[:-1]).square().mean()) < 0.05  # of 2 if neighbours were independent
    sharp, smeared = (SimulatedEstimator(noise=0.0, smear=s).disparity(rgb, depth) for s in (0.0, 1.0))
    steepest = [float((each[:, :, 1:] - each[:, :, :-1]).abs().amax()) for each in (sharp, smeared)]
    assert steepest[1] < 0.7 * steepest[0]


def test_without_true_depth_lower_and_brighter_is_nearer() -> None:
    rgb = torch.full((1, 32, 32, 3), 60, dtype=torch.uint8)
    rgb[:, 8:24, 8:24] = 240
    found = SimulatedEstimator(noise=0.0, smear=0.0).disparity(rgb)[0]
    assert float(found[31].mean()) > float(found[0].mean())
    assert float(found[16, 16]) > float(found[16, 0])


def test_disparity_law_of_the_paper() -> None:
    """Disparity d = raw / 6250 at near 0.5 and far 100: u = (d - 2) / (0.01 - 2), clipped."""
    raw = torch.tensor([[[0.0, 62.5, 6250.0, 9375.0]]])
    u = (depth_channel(raw, unit=MIDAS_UNIT, radius=1.0, near=0.5, far=100.0) + 1) / 2
    expected = torch.tensor([1.0, 1.0, (1 - 2) / (0.01 - 2), (1.5 - 2) / (0.01 - 2)])
    torch.testing.assert_close(u[0, 0], expected)


def test_pictures_too_near_are_pushed_back_as_a_whole_and_alone() -> None:
    raw = torch.tensor([[[4.0, 2.0, 1.0, 0.1]], [[1.0, 0.5, 0.2, 0.1]]])
    u = (depth_channel(raw, unit=1.0, radius=1.0, near=0.5, far=100.0) + 1) / 2
    disparity = 2 + u * (0.01 - 2)
    torch.testing.assert_close(disparity[0, 0], torch.tensor([2.0, 1.0, 0.5, 0.05]))
    torch.testing.assert_close(disparity[1], raw[1])


def test_unit_stands_at_the_pivot_at_any_radius() -> None:
    raw = torch.full((1, 2, 2), 37.0)
    u = (depth_channel(raw, unit=37.0, radius=1.6, near=1.0, far=4.0) + 1) / 2
    depth = 1 / (1 + u * (1 / 4 - 1))
    torch.testing.assert_close(depth, torch.full((1, 2, 2), 1.6))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DPT of random weights, in the format of the hub."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("dpt")
    config = transformers.DPTConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        reassemble_factors=[4, 2, 1, 0.5],
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.DPTForDepthEstimation(config).save_pretrained(folder)
    transformers.DPTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_depth_model_loads_from_a_folder(model: Path) -> None:
    estimator = load_estimator(str(model))
    assert isinstance(estimator, TransformersEstimator)
    assert isinstance(estimator, DepthEstimator)
    assert (estimator.side, estimator.name) == (32, model.name)
    rgb = torch.randint(256, (2, 32, 32, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    found = estimator.disparity(rgb)
    assert found.shape == (2, 32, 32)
    assert found.dtype == torch.float32
    assert float(found.std()) > 0
    torch.testing.assert_close(estimator.disparity(rgb[1:]), found[1:], rtol=1e-4, atol=1e-6)
    assert load_estimator(str(model)).identity == estimator.identity


def test_identity_follows_the_weights(model: Path, tmp_path: Path) -> None:
    estimator = TransformersEstimator(str(model))
    with torch.no_grad():
        next(estimator.model.parameters()).flatten()[0] += 1
    estimator.model.save_pretrained(tmp_path)
    estimator.processor.save_pretrained(tmp_path)
    assert TransformersEstimator(str(tmp_path)).identity != TransformersEstimator(str(model)).identity


def test_models_of_distance_are_turned_into_disparity(model: Path) -> None:
    estimator = TransformersEstimator(str(model))
    rgb = torch.randint(256, (1, 32, 32, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    relative = estimator.disparity(rgb)
    estimator.metric = True
    torch.testing.assert_close(estimator.disparity(rgb), 1 / relative.clamp(min=1e-3))


def test_missing_model_and_missing_package_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(UserError) as caught:
        load_estimator(str(tmp_path))
    assert str(caught.value).startswith(f"{tmp_path}: no depth model could be loaded (")
    assert "config.json, preprocessor_config.json and model.safetensors" in str(caught.value)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError) as missing:
        load_estimator(str(tmp_path))
    assert "pip install 'viewsweep[depth]'" in str(missing.value)
