"""Flows that are sums of a few fields of the given picture."""

from __future__ import annotations

import torch
from torch import Tensor
from viewsweep.baselines.dfm.core import Batch, Observation
from viewsweep.baselines.dfm.motion import MotionProblem, warp, within
from viewsweep.scenes.tabletop import clips

SIZE = 32


def smooth_fields(count: int = 2) -> Tensor:
    """Fields a few pixels strong, [1, B, 2, H, W]."""
    place = torch.linspace(-1, 1, SIZE)
    x, y = torch.meshgrid(place, place, indexing="xy")
    thing = torch.exp(-3 * (x.square() + y.square()))
    every = [torch.stack([thing, 0 * x]), torch.stack([thing * y, 0.3 * thing * x]), torch.stack([0 * x, thing])]
    return torch.stack(every[:count])[None] * 3


def moved(fields: Tensor, shares: Tensor) -> Tensor:
    """The flow f with f(x) = sum of shares times fields at x + f(x), by many rounds."""
    flow = torch.zeros(len(shares), 2, SIZE, SIZE)
    for _ in range(30):
        there = warp(fields.flatten(1, 2).expand(len(shares), -1, -1, -1), flow).unflatten(1, fields.shape[1:3])
        flow = (there * shares[:, :, None, None, None]).sum(1)
    return flow


def test_a_sum_of_the_fields_is_found_again() -> None:
    shares = torch.tensor([[1.0, 0.0], [-0.7, 0.4], [0.0, -1.0]])
    fields = smooth_fields()
    flow = moved(fields, shares)
    found = within(fields.expand(3, -1, -1, -1, -1), flow)
    assert float(flow.norm(dim=1).max()) > 2
    assert float((found - flow).norm(dim=1).max()) < 0.05


def test_noise_and_holes_are_filled_from_the_rest() -> None:
    """Half of the flow is missing, the other half noisy: the sum knows the motion to a tenth of the noise."""
    random = torch.Generator().manual_seed(0)
    fields = smooth_fields()
    flow = moved(fields, torch.tensor([[0.8, -0.5]]))
    seen = flow + 0.5 * torch.randn(flow.shape, generator=random)
    found = within(fields, seen)
    assert float((found - flow).norm(dim=1).mean()) < 0.05
    shown = flow.clone()
    shown[..., :10, :] = 0
    assert float((within(fields, shown) - flow)[..., :10, :].norm(dim=1).mean()) < 0.3


def test_fields_that_are_hardly_there_do_no_harm() -> None:
    flow = moved(smooth_fields(), torch.tensor([[1.0, 0.0]]))
    for fields in (torch.zeros(1, 3, 2, SIZE, SIZE), smooth_fields() * 1e-4, smooth_fields(1).repeat(1, 3, 1, 1, 1)):
        found = within(fields, flow)
        assert bool(found.isfinite().all())
        assert float(found.norm(dim=1).max()) < 1.2 * float(flow.norm(dim=1).max())


def test_true_motions_are_sums_of_as_many_fields() -> None:
    """Every motion that a clip's object may make lies near the first three fields that they have together."""
    clip = clips.sample(3, label=5)
    true = torch.stack([mode.scene.flow[0] for mode in clip.modes(64) if mode.scene.flow is not None])
    known = true.isfinite().all(-1).all(0)
    flows = (true.nan_to_num() * known[None, :, :, None]).flatten(1)
    values = torch.linalg.svdvals(flows)
    assert len(values) == 4
    assert float(values[3:].norm() / values.norm()) < 0.1


def test_gradients_reach_both_networks() -> None:
    slim = {"channels": [16, 32], "groups": 8}
    problem = MotionProblem(SIZE, bases=2, network=slim)
    random = torch.Generator().manual_seed(0)
    before, after, noise = (torch.rand(2, 3, SIZE, SIZE, generator=random) * 2 - 1 for _ in range(3))
    assert problem.basis is not None
    with torch.no_grad():  # it starts at zero, where no field is asked for
        problem.network.unet.conv_out.bias.fill_(0.2)
    batch = Batch({"picture": before}, Observation({"share": torch.ones(2)}, after))
    signal = problem.denoise(batch.context, noise, torch.full((2,), 0.5), batch.target.parameters)
    error = problem.error(problem.observe(signal, batch.target.parameters), after)
    terms = problem.prior(signal, batch)
    assert set(terms) == {"smooth", "free"}
    error.backward()
    for network in (problem.network, problem.basis):
        slopes = [float(weight.grad.abs().max()) for weight in network.parameters() if weight.grad is not None]
        assert max(slopes) > 0
    rebuilt = MotionProblem(**problem.settings)
    assert set(rebuilt.state_dict()) == set(problem.state_dict())
