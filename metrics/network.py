"""Feature networks by name, as metric ids and protocols write them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch

from ..scenes.errors import UnknownName, UserError
from .features import FeatureNetwork
from .weight_files import WEIGHT_FILES, weight_path

__all__ = ["NETWORKS", "load_network"]

NETWORKS: dict[str, str] = {
    "tabletop": "shipped; of the embedded world only",
    "inception": "Inception of 2015, clean-fid's mode clean",
    "inception-legacy": "Inception of 2015, clean-fid's mode legacy_tensorflow",
    "dinov2": "DINOv2 ViT-L/14; its ids say dinov2-vitl14",
}
"""What each name stands for."""


def load_network(
    name: str,
    *,
    path: str | os.PathLike[str] | None = None,
    device: str | torch.device = "cpu",
    say: Callable[[str], None] | None = None,
) -> FeatureNetwork:
    """The network, its weights looked for as `weight_path` says, and their hash checked.

    Args:
        name: one of `NETWORKS`.
        path: of the weights; for `dinov2` a folder. None looks for them, or downloads them.
        device: where it computes.
        say: told in one sentence before something is downloaded.

    Raises:
        UnknownName: no such network.
        UserError: the weights are missing, or are not the ones the name stands for.
    """
    if name == "tabletop":
        from .tabletop_network import load_tabletop_network

        if path is not None:
            raise UserError("The weights of the network 'tabletop' are shipped; a path to others cannot be given.")
        return load_tabletop_network() if str(device) == "cpu" else load_tabletop_network(str(device))
    if name in ("inception", "inception-legacy"):
        from .inception import InceptionNetwork

        mode: Literal["clean", "legacy_tensorflow"] = "clean" if name == "inception" else "legacy_tensorflow"
        return InceptionNetwork(weight_path("inception", path, say=say), name, mode=mode, device=device)
    if name == "dinov2":
        from .dinov2 import Dinov2Network

        return Dinov2Network(_dinov2_folder(path, say), device=device)
    raise UnknownName("feature network", name, NETWORKS)


def _dinov2_folder(path: str | os.PathLike[str] | None, say: Callable[[str], None] | None) -> Path:
    """The folder that holds both files of DINOv2."""
    variable = WEIGHT_FILES["dinov2"].variable
    chosen = path if path is not None else os.environ.get(variable)
    if chosen:
        chosen = Path(chosen).expanduser()
        chosen = chosen.parent if chosen.is_file() else chosen
    weights, config = (weight_path(part, chosen or None, say=say) for part in ("dinov2", "dinov2-config"))
    if weights.parent != config.parent:
        raise UserError(f"{weights} and {config} must lie in one folder.", hint=f"Name that folder in {variable}.")
    return weights.parent
