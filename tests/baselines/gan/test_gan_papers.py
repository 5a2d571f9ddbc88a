"""What the papers and their public code say stands in the `paper` configurations: rates, schedules, priors, widths.

Networks are made on the CPU: a third of a second each, which the first use of torch's meta device alone exceeds.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
from torch import nn
from viewsweep.baselines.gan.base import GanDiscriminator, GanGenerator
from viewsweep.baselines.gan.families import FAMILIES, marching_of
from viewsweep.baselines.gan.recipe import OFF
from viewsweep.baselines.gan.recipes import RECIPES
from viewsweep.baselines.gan.schedules import Fade, Stage

STYLEGAN = {"generator_rate": 0.0025, "discriminator_rate": 0.002, "betas": (0.0, 0.99), "r1_every": 16, "clip": None}
FACES = {"shape": "normal", "yaw": 0.3, "pitch": 0.155, "radius": 1.0, "fov": math.radians(12)}

PIGAN = {
    "generator_rate": 6e-5,
    "discriminator_rate": 2e-4,
    "betas": (0.0, 0.9),
    "rate_end": 1.0,
    "steps": 200_000,
    "ema": 0.999,
    "r1_every": 1,
    "direction_weight": 15.0,
    "density_noise": Fade(1.0, 0.0, 5_000),
    "top": (0.99, 2_000, 0.6),
    "poses": "prior",
    "swap": OFF,
    "blur": OFF,
    "flip": False,
}
EG3D = {
    **STYLEGAN,
    "batch": 32,
    "steps": 25_000_000 // 32,
    "ema": 0.5 ** (32 / 10_000),
    "gamma": 1.0,
    "density_weight": 0.25,
    "density_every": 4,
    "density_step": 0.004,
    "density_points": 1000,
    "density_reach": 1.0,
    "swap": Fade(1.0, 0.5, 1_000_000 // 32),
    "blur": Fade(10.0, 0.0, 200_000 // 32),
    "flip": True,
    "poses": "data",
    "direction_weight": 0.0,
}
EPIGRAF = {
    **STYLEGAN,
    "batch": 64,
    "steps": 25_000_000 // 64,
    "ema": 0.5 ** (64 / 10_000),
    "gamma": 0.1,
    "density_weight": 0.0,
    "density_noise": Fade(1.0, 0.0, 5_000_000 // 64),
    "swap": OFF,
    "blur": Fade(10.0, 0.0, 200_000 // 64),
    "patch_size": 64,
    "prior": FACES,
}
SETTINGS: dict[tuple[str, str], dict[str, Any]] = {
    ("pigan", "paper"): {
        **PIGAN,
        "size": 64,
        "batch": 56,
        "accumulate": 2,
        "gamma": 0.2,
        "clip": 10.0,
        "prior": FACES,
    },
    ("pigan", "paper-cats"): {
        **PIGAN,
        "batch": 28,
        "gamma": 0.2,
        "prior": {"shape": "uniform", "yaw": 0.5, "pitch": 0.4, "radius": 1.0, "fov": math.radians(12)},
    },
    ("pigan", "paper-carla"): {**PIGAN, "size": 128, "gamma": 10.0, "clip": 1.0},
    ("eg3d", "paper"): {**EG3D, "size": 512},
    ("eg3d", "paper-256"): {**EG3D, "size": 256},
    ("eg3d", "paper-128"): {**EG3D, "size": 128},
    ("epigraf", "paper"): {**EPIGRAF, "size": 512},
    ("epigraf", "paper-256"): {**EPIGRAF, "size": 256},
}


@pytest.mark.parametrize(("family", "config"), list(SETTINGS))
def test_paper_recipes_have_the_papers_numbers(family: str, config: str) -> None:
    recipe = RECIPES[family][config]
    assert {name: getattr(recipe, name) for name in SETTINGS[family, config]} == SETTINGS[family, config]
    assert (recipe.views, recipe.planes_of, recipe.alone, recipe.sharpness, recipe.firmer) == (0, None, 0, 1.0, None)


def test_every_paper_recipe_is_in_the_table() -> None:
    papers = {(family, name) for family, known in RECIPES.items() for name in known if name.startswith("paper")}
    assert papers == set(SETTINGS)


def test_carla_grows_and_is_seen_from_the_upper_hemisphere() -> None:
    recipe = RECIPES["pigan"]["paper-carla"]
    assert [(stage.size, type(stage)) for stage in recipe.stages] == [(32, Stage), (64, Stage), (128, Stage)]
    prior = dict(recipe.prior)
    assert (prior["shape"], prior["yaw"], prior["radius"]) == ("uniform", math.pi, 1.0)
    assert math.degrees(prior["fov"]) == pytest.approx(30)
    ends = [math.degrees(prior["pitch_mean"] + side * prior["pitch"]) for side in (-1, 1)]
    assert ends == pytest.approx([5, 90])


@pytest.mark.parametrize(("size", "config"), [(512, "paper"), (256, "paper-256")])
def test_epigrafs_patches_shrink_to_64_pixels_over_ten_million_pictures(size: int, config: str) -> None:
    patches = RECIPES["epigraf"][config].patches
    assert patches is not None
    assert (patches.smallest * size, patches.group, patches.pictures) == (64, 4, 10_000_000)
    assert (patches.beta(0), patches.beta(10_000_000)) == (0.001, 0.8)


RENDERING = {
    ("pigan", "paper"): (0.88, 1.12, 12, 12, "relu", "sample"),
    ("pigan", "paper-cats"): (0.8, 1.2, 24, 24, "relu", "sample"),
    ("pigan", "paper-carla"): (0.7, 1.3, 48, 48, "relu", "sample"),
    ("eg3d", "paper"): (2.25, 3.3, 48, 48, "softplus", "midpoint"),
    ("epigraf", "paper"): (0.88, 1.12, 48, 48, "softplus", "sample"),
}

Networks = dict[str, tuple[GanGenerator, GanDiscriminator]]


@pytest.fixture(scope="module")
def papers() -> Networks:
    return {name: family.networks("paper", 0) for name, family in FAMILIES.items()}


@pytest.mark.parametrize(("family", "config"), list(RENDERING))
def test_rays_are_sampled_as_the_papers_do(papers: Networks, family: str, config: str) -> None:
    kind, settings = FAMILIES[family].generator, FAMILIES[family].generators[config]
    one = marching_of(papers[family][0] if config == "paper" else kind(**settings))
    found = (one.near, one.far, one.coarse, one.fine, one.activation, one.placement)
    assert found == RENDERING[family, config]
    assert (one.bound, one.shift) == (None, -1.0 if family == "eg3d" else 0.0)
    assert one.last_delta == (None if family == "eg3d" else 1e10)


def shapes(network: nn.Module, part: str, ending: str = "weight") -> list[tuple[int, ...]]:
    """Of parameters whose names begin and end so, in order."""
    named = network.named_parameters()
    return [tuple(value.shape) for name, value in named if name.startswith(part) and name.endswith(ending)]


def widths(network: nn.Module, part: str, ending: str = "second.convolution.weight") -> list[int]:
    return [shape[0] for shape in shapes(network, part, ending)]


def test_pigans_networks(papers: Networks) -> None:
    generator, judge = papers["pigan"]
    assert shapes(generator, "siren.layers.") == [(256, 3)] + 7 * [(256, 256)]
    assert shapes(generator, "siren.colour.") == [(256, 256 + 3)]
    assert (shapes(generator, "siren.density."), shapes(generator, "siren.rgb.")) == ([(1, 256)], [(3, 256)])
    assert shapes(generator, "mapping.layers.") == [*3 * [(256, 256)], (9 * 256 * 2, 256)]
    assert generator.settings["box"] == 0.24
    assert [shape[:2] for shape in shapes(judge, "inputs.")] == [(n, 3) for n in (32, 64, 128, 256, 400, 400, 400)]
    assert widths(judge, "blocks.", "second.weight") == [64, 128, 256, 400, 400, 400, 400]


def test_eg3ds_networks(papers: Networks) -> None:
    generator, judge = papers["eg3d"]
    assert shapes(generator, "mapping.embed.") == [(512, 25)]
    assert shapes(generator, "mapping.layers.") == [(512, 1024), (512, 512)]
    assert widths(generator, "backbone.") == [512, 512, 512, 512, 512, 256, 128]  # 4x4 to 256x256
    assert set(widths(generator, "backbone.", "output.convolution.weight")) == {3 * 32}
    assert shapes(generator, "decoder.") == [(64, 32), (1 + 32, 64)]
    assert shapes(generator, "upper.", "first.convolution.weight") == [(256, 32, 3, 3), (128, 256, 3, 3)]
    assert shapes(generator, "upper.", "second.convolution.weight") == [(256, 256, 3, 3), (128, 128, 3, 3)]
    assert not shapes(generator, "upper.", "strength")  # super-resolution without noise
    assert (generator.settings["neural"], generator.settings["start"], generator.settings["box"]) == (64, 128, 1.0)
    assert shapes(judge, "stem.") == [(64, 6, 1, 1)]  # picture and raw picture
    assert widths(judge, "blocks.", "second.weight") == [128, 256, 512, 512, 512, 512, 512]
    assert shapes(judge, "head.embedding.embed.") == [(512, 25)]


@pytest.mark.parametrize(
    ("config", "start", "upper"), [("paper-256", 128, [128, 64]), ("paper-128", 64, [128, 64])], ids=["256", "128"]
)
def test_eg3ds_smaller_super_resolutions(config: str, start: int, upper: list[int]) -> None:
    settings = FAMILIES["eg3d"].generators[config]
    assert (settings["neural"], settings["start"], settings["upper"]) == (64, start, upper)


def test_epigrafs_networks(papers: Networks) -> None:
    generator, judge = papers["epigraf"]
    assert widths(generator, "backbone.") == [512, 512, 512, 512, 512, 256, 128, 64]  # 4x4 to 512x512
    assert set(widths(generator, "backbone.", "output.convolution.weight")) == {3 * 32}
    assert shapes(generator, "backbone.", "strength")  # spatial noise
    assert shapes(generator, "decoder.") == [(64, 32), (1 + 3, 64)]
    assert (generator.settings["box"], generator.settings["activation"], generator.takes_pose) == (
        0.4,  # the cube of half side 0.2
        "leaky_relu",
        False,
    )
    assert shapes(judge, "stem.") == [(32, 3, 1, 1)]  # half of StyleGAN2's width at 512
    assert widths(judge, "blocks.", "second.weight") == [64, 128, 256, 512, 512, 512, 512]
    assert widths(judge, "blocks.", "modulation.weight") == [32, 64, 128, 256, 512, 512, 512]
    assert (judge.settings["size"], judge.settings["flat"]) == (64, int(math.log2(512 / 64)))
    assert FAMILIES["epigraf"].discriminators["paper-256"]["flat"] == int(math.log2(256 / 64))
