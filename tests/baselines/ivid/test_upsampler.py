"""The upsampler: its pictures, its training from nothing to a folder, and sweeps twice as large."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler
from PIL import Image
from torch import Tensor, nn
from viewsweep.baselines.ivid import training, upsampler_train
from viewsweep.baselines.ivid.depth_code import DepthCode
from viewsweep.baselines.ivid.image_data import TabletopPictures
from viewsweep.baselines.ivid.networks import RGBDUNet
from viewsweep.baselines.ivid.sampling import ddim_scheduler
from viewsweep.baselines.ivid.upsampler import UpsamplerPipeline, load_upsampler
from viewsweep.baselines.ivid.upsampler_method import UpsampledGenerator
from viewsweep.baselines.ivid.upsampler_pictures import anchored, enlarge, halve, median, soften
from viewsweep.baselines.ivid.upsampler_recipe import UPSAMPLER_CONFIGS
from viewsweep.baselines.ivid.upsampler_sampling import Residual, draw_large
from viewsweep.baselines.ivid.upsampler_train import upsampler_stage
from viewsweep.baselines.reference.oracle import Oracle
from viewsweep.scenes import Request, Scene, sweep360, tabletop
from viewsweep.scenes.errors import UnknownName, UserError
from viewsweep.scenes.generator import GeneratorInfo
from viewsweep.scenes.tabletop.dataset import prepare_views

TINY = replace(UPSAMPLER_CONFIGS["tiny-upsampler"], views=6, steps=8, batch=4)
SIDE = TINY.size // 2


def pictures(seed: int = 0, count: int = 3, side: int = 16) -> Tensor:
    return torch.rand(count, 4, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10(((a - b) / 2).square().mean()))


# the pictures


def test_halved_depth_never_mixes_surfaces() -> None:
    near, far = -0.5, 0.5
    squares = {
        "flat": ([near] * 4, near),
        "slope within a surface": ([0.00, 0.02, 0.04, 0.06], 0.03),
        "one pixel sticks out": ([near, far, far, far], far),
        "one pixel falls behind": ([far, near, near, near], near),
        "half and half: the nearer": ([far, near, far, near], near),
        "half no surface": ([1.0, near, near, 1.0], near),
    }
    for name, (square, expected) in squares.items():
        large = torch.zeros(1, 4, 2, 2)
        large[0, 3] = torch.tensor(square).reshape(2, 2)
        assert float(halve(large)[0, 3]) == pytest.approx(expected, abs=1e-6), name


def test_halved_colour_is_the_mean_in_eight_bits() -> None:
    large = torch.tensor([0, 1, 255, 255]).float().reshape(1, 1, 2, 2).expand(1, 4, 2, 2) / 127.5 - 1
    assert float(halve(large)[0, 0]) == pytest.approx(128 / 127.5 - 1, abs=1e-6)


def test_halved_views_are_what_the_world_looks_like_at_half_the_size() -> None:
    entry, camera, code = tabletop.sample(7), sweep360(1), DepthCode()

    def view(size: int) -> Tensor:
        scene = entry.render(camera, size)
        assert scene.depth is not None
        return torch.cat([scene.rgb.permute(0, 3, 1, 2) / 127.5 - 1, code.encode(scene.depth)[:, None]], 1)

    small, halved = view(32), halve(view(64))
    assert psnr(halved[:, :3], small[:, :3]) > 30
    agreeing = (halved[:, 3] - small[:, 3]).abs() < 0.03
    assert float(agreeing.float().mean()) > 0.93  # silhouettes fall on one side or the other


def test_enlarging_keeps_pixel_centres() -> None:
    """A ramp stays the same ramp: no shift by half a pixel."""
    place = lambda side: (torch.arange(side) + 0.5) / side  # noqa: E731
    enlarged = enlarge(place(8).expand(1, 4, 8, 8))
    torch.testing.assert_close(enlarged[0, 0, 0, 1:-1], place(16)[1:-1], rtol=0, atol=1e-6)


def test_softening_blurs_with_sigmas_uniform_from_0_to_1() -> None:
    """The centre of a blurred point tells sigma; a thousand of them fill the range evenly."""
    point = torch.zeros(1000, 4, 5, 5)
    point[:, :, 2, 2] = 1
    soft = soften(point, torch.Generator().manual_seed(0))
    torch.testing.assert_close(soft.sum((2, 3)), torch.ones(1000, 4))
    assert float(soft[:, :, [0, 4]].abs().max()) == 0  # 3x3
    side = soft[:, 0, 2, 1] / soft[:, 0, 2, 2]
    sigma = (-1 / (2 * side.clamp(min=1e-30).log())).sqrt().sort().values
    expected = (torch.arange(1000) + 0.5) / 1000
    seen = expected > 0.15  # below, the blur is less than rounding
    assert float((sigma - expected)[seen].abs().max()) < 0.05
    torch.testing.assert_close(soft[:, 0], soft[:, 3])  # depth like colour


def test_softening_draws_noise_and_medians_as_asked() -> None:
    flat = torch.zeros(400, 4, 8, 8)
    noisy = soften(flat, torch.Generator().manual_seed(0), noise=0.1)
    strength = noisy.flatten(1).std(1)
    assert float(strength.max()) < 0.12
    assert float(strength.mean()) == pytest.approx(0.05, abs=0.005)
    thin = torch.zeros(400, 4, 8, 8)
    thin[:, :, :, 4] = 1
    line = soften(thin, torch.Generator().manual_seed(0), median_share=0.25)[:, :, 4, 4]
    assert float((line[:, 3] == 0).float().mean()) == pytest.approx(0.25, abs=0.06)
    assert bool((line[:, 0] > 0).all())


def test_median_of_one_pixel_changes_nothing() -> None:
    channel = pictures()[:, 3:]
    torch.testing.assert_close(median(channel, 1), channel, rtol=0, atol=0)


def test_anchored_depth_is_bilinear_on_one_surface_whatever_was_drawn() -> None:
    slope = pictures()[:, 3:] * 0.04
    noisy = enlarge(slope) + 0.3 * pictures(1, side=32)[:, 3:]
    torch.testing.assert_close(anchored(noisy, slope), enlarge(slope), rtol=0, atol=1e-6)


def test_anchored_depth_has_the_edges_that_were_drawn_and_the_small_depths() -> None:
    small = torch.full((1, 1, 4, 4), -0.5)
    small[:, :, :, 2:] = 0.5
    drawn = torch.full((1, 1, 8, 8), -0.5)
    drawn[:, :, :4, 4:], drawn[:, :, 4:, 3:] = 0.5, 0.5  # the edge steps aside by half a small pixel
    noisy = drawn + 0.3 * pictures(1, 1, 8)[:, 3:]
    torch.testing.assert_close(anchored(noisy, small), drawn, rtol=0, atol=1e-6)


# drawing


class Known:
    """A network that knows what is to be drawn, and says so as a velocity."""

    def __init__(self, clean: Tensor) -> None:
        self.clean, self.alphas = clean, ddim_scheduler("v_prediction").alphas_cumprod

    def __call__(self, x: Tensor, times: Tensor, labels: Tensor, condition: Tensor) -> Tensor:
        a = self.alphas[times][:, None, None, None]
        noise = (x - a.sqrt() * self.clean) / (1 - a).sqrt()
        return a.sqrt() * noise - (1 - a).sqrt() * self.clean


SOLVERS = {
    "ddim": ddim_scheduler("v_prediction"),
    "dpm-solver++": DPMSolverMultistepScheduler.from_config(ddim_scheduler("v_prediction").config),
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers and NumPy 2
@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("residual", [Residual(), Residual(6, 3), Residual(6, 0)], ids=repr)
def test_drawing_ends_at_what_the_network_knows(solver: str, steps: int, residual: Residual) -> None:
    wanted = pictures()
    enlarged = enlarge(halve(wanted))
    network = Known(residual.of(wanted, enlarged))
    labels = torch.zeros(3, dtype=torch.int64)
    drawn = draw_large(
        network,  # type: ignore[arg-type]
        SOLVERS[solver],
        labels,
        enlarged,
        [1, 2, 3],
        steps=steps,
        residual=residual,
    )
    # the solver's own end is at t = 0, where a little noise is left
    torch.testing.assert_close(drawn, wanted, rtol=0, atol=1e-4 if solver == "ddim" else 0.05)


class Echo:
    """A network that remembers what it was given and predicts no motion."""

    def __init__(self) -> None:
        self.noise: list[Tensor] = []

    def __call__(self, x: Tensor, times: Tensor, labels: Tensor, condition: Tensor) -> Tensor:
        self.noise.append(x)
        return torch.zeros_like(x)


def first_noise(seeds: Sequence[int], streams: Sequence[str] | None = None) -> Tensor:
    network = Echo()
    labels, enlarged = torch.zeros(len(seeds), dtype=torch.int64), torch.zeros(len(seeds), 4, 16, 16)
    scheduler, none = ddim_scheduler("v_prediction"), Residual()
    draw_large(network, scheduler, labels, enlarged, seeds, steps=2, residual=none, streams=streams)  # type: ignore[arg-type]
    return network.noise[0]


def test_noise_belongs_to_the_scene_and_the_stream() -> None:
    a, b, again = first_noise([1, 2, 1])
    assert torch.equal(a, again)
    assert not torch.equal(a, b)
    one, other = first_noise([1, 1], ["x", "y"])
    assert not torch.equal(one, other)


# the networks


@pytest.mark.parametrize(
    ("config", "millions"), [("imagenet256-upsampler", 105.71), ("singlecategory256-upsampler", 105.20)]
)
def test_paper_networks_have_the_published_size(config: str, millions: float) -> None:
    recipe = UPSAMPLER_CONFIGS[config]
    with torch.device("meta"):  # the shapes alone
        network = RGBDUNet(**recipe.network)
    assert sum(value.numel() for value in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.006)
    assert network.unet.conv_in.in_channels == 8
    assert network.config.size == recipe.size == 256
    attending = [256 >> level for level, flag in enumerate(network.config.attention) if flag]
    assert attending == [64, 32, 16]
    assert recipe.prediction == "epsilon"


def test_small_network_is_less_than_five_mebibytes() -> None:
    with torch.device("meta"):
        network = RGBDUNet(**UPSAMPLER_CONFIGS["small-upsampler"].network, size=128)
    assert sum(value.numel() for value in network.parameters()) * 2 < 5 << 20


# training


@pytest.fixture(scope="module", autouse=True)
def _tiny_recipe() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(UPSAMPLER_CONFIGS, "tiny-upsampler", TINY)
        patch.setattr(training, "SAVE_EVERY", 3)
        patch.setattr(training, "LOG_EVERY", 2)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("views")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A whole training run."""
    out = tmp_path_factory.mktemp("upsampler")
    assert upsampler_train.train("tiny", out, data=data, log=lambda line: None) == out / "pipeline"
    return out


@pytest.fixture(scope="module")
def pipeline(trained: Path) -> UpsamplerPipeline:
    return load_upsampler(trained / "pipeline")


def test_training_writes_weights_record_card_and_sheet(trained: Path, pipeline: UpsamplerPipeline) -> None:
    record = json.loads((trained / "pipeline" / "training.json").read_text())
    assert record["recipe"]["steps"] == 8
    assert record["command"] == "viewsweep train ivid-upsampler --config tiny-upsampler"
    assert list(record["files"]) == ["network/diffusion_pytorch_model.safetensors"]
    card = (trained / "pipeline" / "README.md").read_text()
    assert record["files"]["network/diffusion_pytorch_model.safetensors"] in card
    with Image.open(trained / "upsampler" / "samples-000008.png") as sheet:
        assert sheet.size == (6 * 16, 3 * 32)  # truth, enlarged and drawn, colour above depth
    assert pipeline.size == 16
    assert pipeline.config.rgb_residual == TINY.rgb_residual
    assert next(pipeline.network.parameters()).dtype == torch.float32


def test_interrupted_training_ends_the_same(trained: Path, data: Path, tmp_path: Path) -> None:
    def interrupt(line: str) -> None:
        if "step 6/8" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upsampler_train.train("tiny", tmp_path, data=data, log=interrupt)
    lines: list[str] = []
    upsampler_train.train("tiny", tmp_path, data=data, log=lines.append)
    assert lines[0] == "upsampler: going on after step 3 of 8"
    name = "pipeline/network/diffusion_pytorch_model.safetensors"
    assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_labels_of_dropped_classes_are_null(trained: Path) -> None:
    """The null embedding stays zero, however often it is trained."""
    weight = load_upsampler(trained / "pipeline").network.unet.class_embedding.weight.detach()
    assert float(weight[10].abs().max()) == 0
    assert float(weight[:10].abs().amax(1).min()) > 0


def test_targets_are_what_the_enlarged_picture_lacks(data: Path) -> None:
    views = prepare_views(data, tabletop.TRAIN_SEEDS[: TINY.views], TINY.size, frontal_share=0.5, log=lambda line: None)
    pictures = TabletopPictures(views, DepthCode(), tabletop.TRAIN_SEEDS[: TINY.views])
    recipe = replace(TINY, network={**TINY.network, "size": TINY.size, "classes": 10}, noise=0.0, mirror=False)
    for residual in (0.0, 6.0):
        stage = upsampler_stage(replace(recipe, rgb_residual=residual, depth_residual=residual), pictures, 20)
        target, labels, condition = stage.batch(torch.Generator().manual_seed(5))
        assert condition is not None
        back = Residual(residual, residual).back(target, condition)
        index = torch.randint(len(pictures), (20,), generator=torch.Generator().manual_seed(5))
        clean, expected = pictures.batch(index)
        torch.testing.assert_close(back, clean, rtol=0, atol=1e-5)
        assert torch.equal(labels, expected)
        assert psnr(condition[:, :3], clean[:, :3]) > 15


@pytest.mark.parametrize(
    ("config", "arguments", "message"),
    [
        ("tiny", {"steps": 0}, "--steps 0: training takes at least one step."),
        ("tiny", {"batch": 0}, "--batch 0: at least 1."),
        (
            "tiny",
            {"first_weights": "shipped:small"},
            "first_weights: the upsampler is one network and starts from nothing.",
        ),
        ("imagenet256", {}, "The configuration imagenet256-upsampler trains on pictures of your own."),
    ],
)
def test_training_that_cannot_be_is_refused(
    tmp_path: Path, config: str, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        upsampler_train.train(config, tmp_path / "out", **arguments)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)
    assert not (tmp_path / "out").exists()


def test_unknown_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="There is no configuration of ivid's upsampler named 'smal'"):
        upsampler_train.train("smal", tmp_path / "out")


# sweeps


def sweep(seed: int = 0, views: int = 3) -> tuple[Tensor, Tensor]:
    """rgb [1, V, 8, 8, 3] and depth [1, V, 8, 8] of smooth pictures, part of them without a surface."""
    smooth = nn.functional.interpolate(pictures(seed, views, 3), (SIDE, SIDE), mode="bicubic").clamp(-1, 1)
    rgb = ((smooth[:, :3] + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1)
    return rgb[None], DepthCode().decode(smooth[:, 3])[None]


def test_sweeps_come_back_twice_as_large(pipeline: UpsamplerPipeline) -> None:
    rgb, depth = sweep()
    drawn = pipeline([3], [7], rgb, depth, steps=2)
    assert drawn.rgb.shape == (1, 3, 16, 16, 3)
    assert drawn.rgb.dtype == torch.uint8
    assert drawn.depth.shape == (1, 3, 16, 16)
    known = drawn.depth[torch.isfinite(drawn.depth)]
    assert float(known.min()) >= 1.0
    assert float(known.max()) <= 4.0


def test_sweep_is_the_same_in_any_batch(pipeline: UpsamplerPipeline) -> None:
    (rgb, depth), (other_rgb, other_depth) = sweep(0, 9), sweep(1, 9)  # more views than go through at once
    alone = pipeline([3], [7], rgb, depth, steps=2)
    both = pipeline([1, 3], [5, 7], torch.cat([other_rgb, rgb]), torch.cat([other_depth, depth]), steps=2)
    assert torch.equal(alone.rgb[0], both.rgb[1])
    torch.testing.assert_close(alone.depth[0], both.depth[1], rtol=0, atol=0, equal_nan=True)


def test_views_share_their_noise_unless_told_otherwise(pipeline: UpsamplerPipeline) -> None:
    rgb, depth = (part[:, :1].repeat_interleave(2, 1) for part in sweep())
    shared = pipeline([3], [7], rgb, depth, steps=2).rgb[0]
    separate = pipeline([3], [7], rgb, depth, steps=2, noise="separate").rgb[0]
    assert torch.equal(shared[0], shared[1])
    assert not torch.equal(separate[0], separate[1])


def test_moving_the_small_picture_moves_the_large_one(pipeline: UpsamplerPipeline) -> None:
    rgb, depth = sweep(views=1)
    still = pipeline([3], [7], rgb, depth).rgb.float()
    moved = pipeline([3], [7], rgb.roll(2, 3), depth.roll(2, 3)).rgb.float()
    inner = slice(4, -4)
    followed = (moved - still.roll(4, 3))[..., inner, :].abs().mean()
    ignored = (moved - still)[..., inner, :].abs().mean()
    assert float(followed) < 0.5 * float(ignored)


@pytest.mark.parametrize("channel", range(4))
def test_network_sees_every_channel_of_the_small_picture(channel: int) -> None:
    """Without a residual nothing but the network carries the condition over."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = RGBDUNet(**TINY.network, size=16).eval().requires_grad_(False)
    condition = pictures()
    changed = condition.clone()
    changed[:, channel] += 0.5
    labels = torch.zeros(3, dtype=torch.int64)

    def drawn(enlarged: Tensor) -> Tensor:
        scheduler = ddim_scheduler("v_prediction")
        return draw_large(network, scheduler, labels, enlarged, [1, 2, 3], steps=2, residual=Residual())

    assert float((drawn(changed) - drawn(condition)).abs().amax((1, 2, 3)).min()) > 1e-3


def test_depth_keeps_its_unit() -> None:
    """With a network that adds nothing, a flat wall stands where it stood, whatever the planes."""

    class Silent(nn.Module):
        config, null_class, device = SimpleNamespace(size=16), 0, torch.device("cpu")

        def forward(self, x: Tensor, times: Tensor, labels: Tensor, condition: Tensor) -> Tensor:
            a = ddim_scheduler("v_prediction").alphas_cumprod[times][:, None, None, None]
            return a.sqrt() * x / (1 - a).sqrt()  # the velocity of a clean picture that is 0

    made = UpsamplerPipeline(
        Silent(),  # type: ignore[arg-type]
        ddim_scheduler("v_prediction"),
        near=0.6,
        far=5.0,
        background=1.0,
        rgb_residual=1.0,
        depth_residual=1.0,
    )
    rgb, depth = sweep()
    wall = torch.full_like(depth, 1.3)
    drawn = made([0], [0], rgb, wall)
    torch.testing.assert_close(drawn.depth, torch.full((1, 3, 16, 16), 1.3), rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [10]}, "Class 10 was not trained; classes are 0 to 9."),
        ({"seeds": [1, 2]}, "1 labels, 2 seeds and 1 sweeps: there must be equally many of each."),
        ({"noise": "loud"}, "noise is 'loud'; the views of a sweep have 'shared' or 'separate' noise."),
        ({"steps": 0}, "steps is 0; a view takes at least one."),
        (
            {"rgb": torch.zeros(1, 3, 16, 16, 3, dtype=torch.uint8)},
            "This upsampler takes pictures [N, V, 8, 8, 3] with depth [N, V, 8, 8], not [1, 3, 16, 16, 3] with "
            "[1, 3, 8, 8]. Choose the upsampler of their size.",
        ),
    ],
)
def test_wrong_input_is_refused(pipeline: UpsamplerPipeline, change: dict[str, object], message: str) -> None:
    rgb, depth = sweep()
    arguments = {"labels": [1], "seeds": [1], "rgb": rgb, "depth": depth} | change
    with pytest.raises(UserError) as caught:
        pipeline(**arguments)
    assert str(caught.value) == message


def test_even_median_is_refused() -> None:
    with pytest.raises(UserError, match="depth_median is 2; a median filter has an odd side"):
        UpsamplerPipeline(nn.Identity(), ddim_scheduler("epsilon"), depth_median=2)  # type: ignore[arg-type]


# the method


def request(index: int, views: int = 2, size: int = 16) -> Request:
    return Request(index, 2_000_000 + index, sweep360(views), size, label=index % 10)


@pytest.fixture(scope="module")
def method(trained: Path) -> UpsampledGenerator:
    return UpsampledGenerator(Oracle(), trained / "pipeline", name="oracle-upsampled", steps=2)


def test_method_enlarges_what_the_small_one_draws(method: UpsampledGenerator) -> None:
    asked = request(3)
    (scene,) = method.generate([asked])
    (small,) = Oracle().generate([replace(asked, size=SIDE)])
    assert scene.rgb.shape == (2, 16, 16, 3)
    assert (scene.seed, scene.label, scene.cameras) == (asked.seed, asked.label, asked.cameras)
    enlarged = enlarge(small.rgb.permute(0, 3, 1, 2).float() / 127.5 - 1)
    assert psnr(scene.rgb.permute(0, 3, 1, 2) / 127.5 - 1, enlarged) > 10
    assert scene.depth is not None
    assert scene.alpha is not None
    assert torch.equal(scene.alpha > 0, torch.isfinite(scene.depth))
    assert scene.normals is None  # the small ones would have another size


def test_scene_is_the_same_in_any_batch(method: UpsampledGenerator) -> None:
    together = list(method.generate([request(1), request(2, views=3), request(3)]))
    (alone,) = method.generate([request(3)])
    assert torch.equal(together[2].rgb, alone.rgb)


def test_info_names_both_parts(method: UpsampledGenerator) -> None:
    info = method.info()
    assert (info.name, info.native_size) == ("oracle-upsampled", 16)
    assert info.details["upsampler_steps"] == 2
    assert info.weights_sha256 is not None


def test_request_of_another_size_is_refused(method: UpsampledGenerator) -> None:
    with pytest.raises(UserError, match=r"oracle-upsampled draws 16 x 16 pixels; 64 were asked for\."):
        list(method.generate([request(1, size=64)]))


class Flat:
    """Draws pictures, but of one size and without depth."""

    def __init__(self, size: int) -> None:
        self.size = size

    def info(self) -> GeneratorInfo:
        return GeneratorInfo("flat", "Grey.", native_size=self.size)

    def generate(self, requests: Sequence[Request]) -> list[Scene]:
        rgb = torch.zeros(2, self.size, self.size, 3, dtype=torch.uint8)
        return [Scene(rgb, one.cameras, label=one.label, seed=one.seed) for one in requests]


def test_parts_that_do_not_belong_together_are_refused(trained: Path) -> None:
    folder = trained / "pipeline"
    with pytest.raises(UserError, match=r"flat draws 64 pixels and the upsampler in .* takes 8"):
        UpsampledGenerator(Flat(64), folder, name="x")  # type: ignore[arg-type]
    flat = UpsampledGenerator(Flat(SIDE), folder, name="x")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="flat draws no depth, and the upsampler enlarges both"):
        list(flat.generate([request(1)]))


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        UpsampledGenerator(Oracle(), tmp_path / "none", name="x")
    assert str(caught.value) == (
        f"{tmp_path}/none: there is no model_index.json, so there are no weights of an upsampler. "
        "Train one with `viewsweep train ivid-upsampler --config small --out DIR` and give DIR/pipeline."
    )
