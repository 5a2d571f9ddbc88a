"""The recipe that made the tabletop feature network; `viewsweep train tabletop-network` runs it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from ..scenes.errors import UnknownName
from ..scenes.files import atomic_write, make_folder
from ..scenes.tabletop import CLASSES, TRAIN_SEEDS, VALIDATION_SEEDS
from ..scenes.tabletop.dataset import TabletopViews, prepare_views
from .tabletop_network import THUMBNAIL, TabletopNetworkModule, network_from_bytes

__all__ = ["CONFIGS", "Recipe", "train"]


@dataclass(frozen=True)
class Recipe:
    """How the network is trained.

    Args:
        views: training pictures, one an object, from the first seeds of the training split.
        held_out: validation pictures, azimuth uniform over the circle.
        steps, batch, rate, decay: of AdamW with a cosine schedule after a linear warm-up.
        seed: of initial weights, order and augmentation.
    """

    views: int = 25_600
    held_out: int = 2_000
    steps: int = 3_000
    batch: int = 128
    rate: float = 3e-3
    decay: float = 0.02
    seed: int = 0


CONFIGS = {"small": Recipe()}


def train(
    config: str,
    out: Path,
    *,
    steps: int | None = None,
    device: str = "cpu",
    log: Callable[[str], None] = print,
    data: Path | None = None,
) -> Path:
    """Train the network and write ``tabletop.safetensors`` and ``tabletop.json`` into `out`.

    Args:
        config: name in CONFIGS.
        out: folder for the weights and their record.
        steps: fewer or more steps than the recipe's.
        device: torch device.
        log: takes progress lines.
        data: folder for the rendered training views (default: ``out/views``); shared by methods.

    Returns:
        the weight file.
    """
    if config not in CONFIGS:
        raise UnknownName("configuration of tabletop-network", config, CONFIGS)
    recipe = CONFIGS[config]
    total = recipe.steps if steps is None else steps
    make_folder(out)
    root = data or out / "views"
    views = prepare_views(root, TRAIN_SEEDS[: recipe.views], 64, frontal_share=0.5, log=log)
    held = prepare_views(
        root.with_name(root.name + "-validation"), VALIDATION_SEEDS[: recipe.held_out], 64, frontal_share=0.0, log=log
    )
    torch.manual_seed(recipe.seed)
    generator = torch.Generator().manual_seed(recipe.seed)
    module = TabletopNetworkModule().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(module.parameters(), recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, total_steps=total, pct_start=0.1)
    started = time.monotonic()
    module.train()
    for step in range(1, total + 1):
        index = torch.randint(len(views), (recipe.batch,), generator=generator)
        loss = _loss(module, views, index, generator, device)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 200 == 0 or step == total:
            rate = step / (time.monotonic() - started)
            log(f"step {step}/{total}  loss {loss.item():.3f}  {rate:.1f} steps/s")
    content = save({name: value.detach().cpu().half().contiguous() for name, value in module.state_dict().items()})
    accuracy, per_class = _accuracy(content, held)
    log(f"held-out accuracy over all azimuths: {accuracy:.4f}")
    path = out / "tabletop.safetensors"
    atomic_write(path, content)
    record = {
        "recipe": {**asdict(recipe), "steps": total},
        "command": f"viewsweep train tabletop-network --config {config}",
        "device": device,
        "minutes": round((time.monotonic() - started) / 60, 1),
        "torch": torch.__version__,
        "held_out_accuracy": round(accuracy, 4),
        "held_out_accuracy_by_class": per_class,
        "sha256": network_from_bytes(content).sha256,
    }
    atomic_write(out / "tabletop.json", json.dumps(record, indent=2) + "\n")
    return path


def _loss(
    module: TabletopNetworkModule, views: TabletopViews, index: Tensor, generator: torch.Generator, device: str
) -> Tensor:
    rgb, _, label = views.batch(index)
    camera = torch.from_numpy(views.camera[index.numpy()])
    images = rgb.permute(0, 3, 1, 2).float() / 127.5 - 1
    thumbnail = nn.functional.interpolate(images, (THUMBNAIL, THUMBNAIL), mode="area").flatten(1)
    images = _augment(images, generator).to(device, memory_format=torch.channels_last)
    with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
        embedding, logits = module(images)
        pose, coarse = module.pose(embedding), module.thumbnail(embedding)
    yaw, pitch = camera.unbind(1)
    target = torch.stack([yaw.sin(), yaw.cos(), 4 * (pitch - 0.24)], 1).to(device)
    loss = nn.functional.cross_entropy(logits.float(), label.to(device), label_smoothing=0.05)
    loss = loss + 0.5 * nn.functional.mse_loss(pose.float(), target)
    return loss + 2.0 * nn.functional.mse_loss(coarse.float(), thumbnail.to(device))


def _augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shifts by up to 3 pixels, a little noise and softening: generated pictures are not perfect."""
    count = len(images)
    dx, dy = torch.randint(-3, 4, (2,), generator=generator).tolist()
    images = torch.roll(images, (dy, dx), (2, 3))
    soft = nn.functional.avg_pool2d(images, 3, 1, 1)
    amount = torch.rand(count, 1, 1, 1, generator=generator) * (torch.rand(count, 1, 1, 1, generator=generator) < 0.5)
    images = images + amount * (soft - images)
    strength = 0.06 * torch.rand(count, 1, 1, 1, generator=generator)
    return images + strength * torch.randn(images.shape, generator=generator)


def _accuracy(content: bytes, views: TabletopViews) -> tuple[float, dict[str, float]]:
    network = network_from_bytes(content)
    right = []
    for first in range(0, len(views), 256):
        index = torch.arange(first, min(first + 256, len(views)))
        rgb, _, label = views.batch(index)
        right.append(network(rgb).log_probabilities.argmax(1) == label)
    correct = torch.cat(right).float()
    label = torch.from_numpy(views.label[:])
    per_class = {name: round(float(correct[label == i].mean()), 4) for i, name in enumerate(CLASSES)}
    return float(correct.mean()), per_class
