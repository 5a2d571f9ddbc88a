"""The verbs that make weights: training, and conversion of weights a method's authors published."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Device, Offline, apply_offline

__all__ = ["convert", "train"]

TRAINERS = {
    "ivid": "viewsweep.baselines.ivid.train:train",
    "ivid-upsampler": "viewsweep.baselines.ivid.upsampler_train:train",
    "pigan": "viewsweep.baselines.gan.train:train_pigan",
    "eg3d": "viewsweep.baselines.gan.train:train_eg3d",
    "epigraf": "viewsweep.baselines.gan.train:train_epigraf",
    "dfm": "viewsweep.baselines.dfm.train:train_dfm",
    "pixelnerf": "viewsweep.baselines.dfm.train:train_pixelnerf",
    "dfm-motion": "viewsweep.baselines.dfm.train:train_motion",
    "flow-regressor": "viewsweep.baselines.dfm.train:train_flow_regressor",
    "dfm-inversion": "viewsweep.baselines.dfm.train:train_inversion",
    "encoder": "viewsweep.baselines.dfm.train:train_encoder",
    "tabletop-network": "viewsweep.metrics.train_network:train",
}
"""What can be trained, and the function that does: train(config, out, *, steps, device, data, log)."""

GANS = ("pigan", "eg3d", "epigraf")
"""Those that measure their quality while they train."""

COMPLETION = ("dfm", "pixelnerf", "dfm-motion", "flow-regressor", "dfm-inversion", "encoder")
"""Diffusion with forward models and its deterministic twins."""

SPLITTING = ("batch", "accumulate", "precision")
OPTIONS = {
    "ivid": SPLITTING,
    "ivid-upsampler": SPLITTING,
    **dict.fromkeys(GANS, (*SPLITTING, "seed", "gamma", "start")),
    **dict.fromkeys(COMPLETION, ("batch", "precision", "seed", "start")),
}
"""Which settings of a recipe can be changed from the command line."""

CONVERTERS = {
    "ivid": "viewsweep.baselines.ivid.convert:convert",
    "pigan": "viewsweep.baselines.gan.extract_pickle:extract_pigan",
    "eg3d": "viewsweep.baselines.gan.extract_pickle:extract_eg3d",
    "epigraf": "viewsweep.baselines.gan.extract_pickle:extract_epigraf",
}
"""Whose weights can be converted, and the function that does: convert(files, out, *, half, size, log), where
checkpoints are plain tensors, or convert(files, out, *, trust_pickle, log)."""

PLAIN = ("ivid",)
"""Methods whose checkpoints are opened as plain tensors and nothing else."""


def train(
    what: Annotated[str, typer.Argument(help=f"One of {', '.join(TRAINERS)}.")],
    out: Annotated[
        Path, typer.Option(help="Folder for weights, checkpoints and logs; a generator's training resumes from it.")
    ],
    config: Annotated[str, typer.Option(help="Size or recipe.", envvar="VIEWSWEEP_CONFIG")] = "small",
    steps: Annotated[int | None, typer.Option(help="Another number of steps.", min=1)] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="What `prepare` wrote; or a folder for rendered views, to share them between trainings."),
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Another number of pictures a step.", min=1)] = None,
    accumulate: Annotated[
        int | None, typer.Option(help="Parts a batch is split into where memory is short.", min=1)
    ] = None,
    precision: Annotated[str | None, typer.Option(help="bf16, fp16 or no.", show_default="the recipe's")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed (GANs, completion).", min=0)] = None,
    gamma: Annotated[float | None, typer.Option(help="Another weight of R1 (GANs).", min=0.0)] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            help="A checkpoint.pt (GANs) or trained folder (completion) to go on from with other settings, into "
            "another --out."
        ),
    ] = None,
    device: Device = "cpu",
    offline: Offline = False,
) -> None:
    """Train a generator, which resumes after a kill, or the feature network."""
    apply_offline(offline)
    from ..benchmark.registry import check_device
    from ..scenes.errors import UnknownName, UserError

    if what not in TRAINERS:
        raise UnknownName("training", what, TRAINERS)
    check_device(device)
    asked: dict[str, Any] = {"batch": batch, "accumulate": accumulate, "precision": precision}
    asked |= {"seed": seed, "gamma": gamma, "start": None if start is None else str(start)}
    changes = {name: value for name, value in asked.items() if value is not None}
    for name in changes:
        if name not in OPTIONS.get(what, ()):
            able = ", ".join(trained for trained, names in OPTIONS.items() if name in names)
            raise UserError(f"--{name} is an option of `train` for {able}; {what} has its own recipe.")

    def say(line: str) -> None:
        typer.echo(line, err=True)

    if what in GANS:
        from ..benchmark.training_quality import TrainingQuality

        changes["quality"] = TrainingQuality(out, device=device, log=say)
    module, _, function = TRAINERS[what].partition(":")
    trainer: Callable[..., None] = getattr(importlib.import_module(module), function)
    trainer(config, out, steps=steps, device=device, data=data, log=say, **changes)


def convert(
    what: Annotated[str, typer.Argument(metavar="METHOD", help=f"One of {', '.join(CONVERTERS)}.")],
    checkpoints: Annotated[list[Path], typer.Argument(metavar="CHECKPOINT...", help="Files its authors published.")],
    out: Annotated[Path, typer.Option(help="Pipeline folder; parts that are there already stay.")],
    half: Annotated[bool, typer.Option("--half", help="Store half precision.")] = False,
    size: Annotated[int | None, typer.Option(help="Size of the pictures.", min=1, show_default="the authors'")] = None,
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Take a pickle apart, without running it, in a process of its own.")
    ] = False,
    offline: Offline = False,
) -> None:
    """Bring in weights a method's authors published; nothing of the files is ever executed."""
    apply_offline(offline)
    from ..scenes.errors import UnknownName, UserError

    if what not in CONVERTERS:
        raise UnknownName("converter", what, CONVERTERS)
    options: dict[str, Any] = {"half": half, "size": size}
    if what not in PLAIN:
        given = [name for name, value in options.items() if value]
        if given:
            raise UserError(f"--{given[0]} is an option of `convert ivid`; {what}'s tensors are taken out as they are.")
        options = {"trust_pickle": trust_pickle}
    elif trust_pickle:
        raise UserError(f"--trust-pickle: {what}'s checkpoints are plain tensors and are opened as nothing else.")
    module, _, function = CONVERTERS[what].partition(":")
    converter: Callable[..., None] = getattr(importlib.import_module(module), function)
    converter(checkpoints, out, **options, log=typer.echo)
