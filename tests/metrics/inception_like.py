"""TorchScript modules with random weights and the outside of `inception-2015-12-05.pt`.

`layers` takes pixels in [-1, 1], `output` is a linear layer, and `forward` resizes inside as
TensorFlow 1 did, normalises, and returns features or class probabilities.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

__all__ = ["save_inception_like", "small_layers", "true_layers"]

TRUE = (
    *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2"),
    *("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
    *("Mixed_7a", "Mixed_7b", "Mixed_7c", "avgpool"),
)
"""The parts of torchvision's Inception-v3 from pixels to features, in order."""


class Convolution(nn.Module):
    """Convolution, normalisation without a scale, and cut at zero, as in the original."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, bias=False)
        self.register_buffer("beta", torch.zeros(outputs))
        self.register_buffer("mean", torch.zeros(outputs))
        self.register_buffer("var", torch.ones(outputs))

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.batch_norm(self.conv(x), self.mean, self.var, None, self.beta, False, 0.1, 1e-3)
        return torch.relu(x)


class InceptionLike(nn.Module):
    def __init__(self, layers: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.layers = layers
        self.output = nn.Linear(features, classes)

    def forward(
        self, img: Tensor, return_features: bool = False, use_fp16: bool = False, no_output_bias: bool = False
    ) -> Tensor:
        n, c, h, w = img.shape
        x = img.to(torch.float16 if use_fp16 else torch.float32)
        theta = torch.eye(2, 3, device=x.device)
        theta[0, 2] += theta[0, 0] / w - theta[0, 0] / 299
        theta[1, 2] += theta[1, 1] / h - theta[1, 1] / 299
        grid = nn.functional.affine_grid(theta.to(x.dtype)[None].repeat(n, 1, 1), [n, c, 299, 299], False)
        x = nn.functional.grid_sample(x, grid, "bilinear", "border", False)
        features = self.layers((x - 128) / 128).reshape(n, self.output.in_features).to(torch.float32)
        if return_features:
            return features
        logits = nn.functional.linear(features, self.output.weight) if no_output_bias else self.output(features)
        return torch.softmax(logits, 1)


def small_layers(width: int = 16) -> nn.Module:
    """Three convolutions, a thousandth of the true cost."""
    parts = [Convolution(3, 8, 4), Convolution(8, 16, 4), Convolution(16, width, 2)]
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1))


def true_layers() -> nn.Module:
    """Inception-v3 in its true size: 2048 features."""
    from torchvision.models import inception_v3

    whole = inception_v3(weights=None, aux_logits=False, init_weights=False)
    return nn.Sequential(*(getattr(whole, name) for name in TRUE))


@torch.no_grad()
def save_inception_like(path: Path, layers: nn.Module, features: int, classes: int = 12, seed: int = 0) -> Path:
    """Give `layers` random weights, wrap them, save them as TorchScript.

    Normalisation is set so that activations keep their size from layer to layer, as in a trained
    network; otherwise differences would drown.
    """
    g = torch.Generator().manual_seed(seed)
    network = InceptionLike(layers, features, classes).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.normal_(0.0, (2 / module.weight[0].numel()) ** 0.5, generator=g)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.1, generator=g)
            module.running_var.uniform_(0.7, 1.3, generator=g)
            module.bias.normal_(0.0, 0.1, generator=g)
        if isinstance(module, Convolution):
            module.mean.normal_(0.0, 0.1, generator=g)
            module.var.uniform_(0.7, 1.3, generator=g)
            module.beta.normal_(0.0, 0.1, generator=g)
    network.output.weight.normal_(0.0, features**-0.5, generator=g)
    network.output.bias.normal_(generator=g)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TorchScript is deprecated, the original is one all the same
        torch.jit.save(torch.jit.script(network), str(path))
    return path
