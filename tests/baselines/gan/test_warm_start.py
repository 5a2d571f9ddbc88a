"""An EpiGRAF that begins with a trained EG3D's tri-planes has its densities and, at its size, its raw pictures."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from viewsweep.baselines.gan.base import Views
from viewsweep.baselines.gan.eg3d import EG3DGenerator
from viewsweep.baselines.gan.eg3d_configs import GENERATORS as EG3D
from viewsweep.baselines.gan.epigraf import EpiGRAFGenerator
from viewsweep.baselines.gan.epigraf_configs import GENERATORS as EPIGRAF
from viewsweep.baselines.gan.pigan import PiGANGenerator
from viewsweep.baselines.gan.pigan_configs import GENERATORS as PIGAN
from viewsweep.baselines.gan.warm_start import begin_with, warm_start
from viewsweep.scenes import Cameras
from viewsweep.scenes.errors import UserError

SAMPLES = {"coarse": 32, "fine": 32}
"""So many that it does not matter what a sample stands for, in which the two differ."""


def eg3d(**changes: Any) -> EG3DGenerator:
    torch.manual_seed(1)
    made = EG3DGenerator(**{**EG3D["tiny"], **SAMPLES, "pose": True, **changes})
    with torch.no_grad():  # a new network is nearly empty and grey
        made.decoder.output.weight.mul_(3)
        made.decoder.output.bias[0] = 2
    return made.eval()


def epigraf(**changes: Any) -> EpiGRAFGenerator:
    """One that fits: its cube is a texel smaller than EG3D's."""
    wanted = {"pose": True, "noise": False, "squash": True, "activation": "softplus", "box": 7 / 8}
    return EpiGRAFGenerator(**{**EPIGRAF["tiny"], **SAMPLES, **wanted, **changes}).eval()


def scenes(generator: EG3DGenerator | EpiGRAFGenerator, views: Views) -> Any:
    z = torch.randn(3, 8, generator=torch.Generator().manual_seed(2))
    return generator.scene(generator.map(z, torch.tensor([0, 4, 9]), views.labels))


def test_densities_and_raw_pictures_are_those_of_the_eg3d() -> None:
    trained, generator = eg3d(), epigraf()
    begin_with(generator, trained)
    views = Views.of(Cameras.orbit([0.0, 2.0, 4.0], [0.2, 0.1, 0.3]))
    points = 0.4 * torch.rand(3, 200, 3, generator=torch.Generator().manual_seed(3)) - 0.2
    with torch.no_grad():
        own, theirs = scenes(generator, views), scenes(trained, views)
        torch.testing.assert_close(own["planes"], theirs["planes"])
        found, wanted = generator.density(own, points), trained.density(theirs, points)
        assert wanted.std() > 0.01
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
        colours, raw = generator.field(own["planes"], points)[1], 2 * trained.field(theirs["planes"], points)[1] - 1
        torch.testing.assert_close(colours, raw[..., :3], rtol=0, atol=0.005)
        drawn, picture = generator.draw(own, views, 8).rgb, trained.draw(theirs, views, 16).raw
        assert picture is not None
        assert (drawn - picture).abs().mean() < 0.01


def test_the_small_configurations_fit_together() -> None:
    generator = EpiGRAFGenerator(**EPIGRAF["small"])
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    warm_start(generator, "eg3d-small")
    same = [name for name, value in generator.state_dict().items() if torch.equal(value, before[name])]
    assert same == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"activation": "leaky_relu"}, "activation"),
        ({"squash": False}, "squash"),
        ({"pose": False}, "takes_pose"),
        ({"channels": 6}, "decoder.hidden.weight"),
        ({"background": "backdrop"}, "background"),
        ({"noise": True}, "noise"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], named: str) -> None:
    generator = epigraf(**changes)
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    with pytest.raises(UserError, match=named):
        begin_with(generator, eg3d())
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())


def test_only_a_shipped_eg3d_lends_its_planes() -> None:
    with pytest.raises(UserError, match="pi-GAN"):
        warm_start(epigraf(), "pigan-small")
    with pytest.raises(UserError):
        warm_start(epigraf(), "nobody")
    with pytest.raises(UserError, match="Only an EpiGRAF"):
        warm_start(PiGANGenerator(**PIGAN["tiny"]), "eg3d-small")
