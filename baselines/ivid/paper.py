"""`ivid-paper`: the authors' own ImageNet networks, once their checkpoints have been converted.

The weights are not shipped: they are the authors', and no licence is known for them. The folder that
`viewsweep convert ivid` wrote is taken from

1. the environment variable `VIEWSWEEP_IVID_PAPER`;
2. `ivid-paper/` in `VIEWSWEEP_CACHE`, where that is set;
3. `ivid-paper/` in the user's data folder.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import platformdirs

from ...scenes.errors import UserError
from ...scenes.generator import GeneratorInfo
from .adm_checkpoint import FILES
from .method import IvidGenerator

__all__ = ["EVALUATION", "PaperGenerator", "load_paper", "paper_folder"]

VARIABLE = "VIEWSWEEP_IVID_PAPER"
NAME = "ivid-paper"
REPOSITORY = "JeffreyXiang/ivid"

YAW_LIMIT = 0.6
"""How far the authors' views go round, radians."""

EVALUATION: dict[str, Any] = {
    "first_steps": 1000,
    "next_steps": 50,
    "first_guidance": 0.5,
    "next_guidance": 0.5,
    "first_sampler": "ddpm",
    "next_sampler": "ddim",
}
"""Steps, guidance and samplers of the authors' evaluation, as released."""


class PaperGenerator(IvidGenerator):
    """Sweeps from a converted pipeline, whose classes are numbers: labels of ImageNet in their usual order."""

    @cached_property
    def _info(self) -> GeneratorInfo:
        classes = tuple(str(index) for index in range(self.pipeline.first.config.classes))
        return replace(super().info(), classes=classes, yaw_limit=YAW_LIMIT)

    def info(self) -> GeneratorInfo:
        """Name, weights and settings; the weights, gigabytes of them, are hashed once."""
        return self._info


def paper_folder() -> Path:
    """Where the converted pipeline is looked for."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser()
    cache = os.environ.get("VIEWSWEEP_CACHE")
    return (Path(cache).expanduser() if cache else platformdirs.user_data_path("viewsweep")) / NAME


def load_paper(device: str = "cpu") -> PaperGenerator:
    """The authors' networks for ImageNet at 128 pixels, sampled as in their evaluation.

    Raises:
        UserError: they have not been converted on this machine; the message says how.
    """
    folder = paper_folder()
    if not (folder / "model_index.json").is_file():
        files = [file for part, file in FILES.items() if not (folder / part / "config.json").is_file()]
        files = files or list(FILES.values())
        raise UserError(
            f"{folder}: {NAME} needs the authors' weights, which are not shipped.",
            hint=f"Download {' and '.join(files)} from the model repository {REPOSITORY} on Hugging Face, then run "
            f"`viewsweep convert ivid {' '.join(files)} --out {folder}`, or name another folder in {VARIABLE}.",
        )
    return PaperGenerator(folder, name=NAME, device=device, **EVALUATION)
