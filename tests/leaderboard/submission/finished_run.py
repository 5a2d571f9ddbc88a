"""A small finished run of a method and a protocol of one's own, in seconds."""

from __future__ import annotations

from pathlib import Path

import yaml
from viewsweep.benchmark import harness

PROTOCOL = {
    "schema": "viewsweep.protocol/1",
    "name": "pebbles16",
    "version": 1,
    "description": "Three scenes of four views at 16 pixels.",
    "dataset": "tabletop",
    "size": 16,
    "scenes": 3,
    "sweep": {"kind": "sweep360", "views": 4, "pitch_deg": 15},
    "labels": "cyclic",
    "metrics": {"warp_error": 1, "geometric_share": 1, "non_flatness": 1},
}

METHOD = '''
import torch
from viewsweep.scenes import GeneratorInfo, Scene, tabletop


class {class_name}:
    """The truth, a little too bright by a seeded amount."""

    def info(self):
        return GeneratorInfo("{name}", "The world, too bright.", version="{version}", details={{"gain": 1.1}})

    def generate(self, requests):
        for request in requests:
            true = tabletop.sample(request.seed, request.label).render(request.cameras, request.size)
            gain = torch.rand(1, generator=torch.Generator().manual_seed(request.seed + {shift})) * 0.3 + 1
            rgb = (true.rgb * gain).clamp(max=255).to(torch.uint8)
            yield Scene(rgb, request.cameras, true.depth, label=request.label, seed=request.seed)
'''


def write_method(folder: Path, name: str = "bright", *, version: str = "1", shift: int = 0) -> Path:
    """A method file; `shift` makes it draw other scenes without saying so."""
    path = folder / f"{name}.py"
    path.write_text(METHOD.format(class_name=name.capitalize(), name=name, version=version, shift=shift))
    return path


def write_protocol(folder: Path, **changes: object) -> Path:
    path = folder / "pebbles.yaml"
    path.write_text(yaml.safe_dump(PROTOCOL | changes, sort_keys=False))
    return path


def make_run(folder: Path, *, methods: tuple[str, ...] = ("bright",), scenes: int | None = None) -> Path:
    """A complete run in ``folder/run``; names that are not built in are written as files."""
    from viewsweep.benchmark.registry import BUILT_IN

    specs = [name if name in BUILT_IN else str(write_method(folder, name)) for name in methods]
    command = "viewsweep run pebbles.yaml --methods bright.py"
    harness.run(str(write_protocol(folder)), specs, folder / "run", scenes=scenes, batch_size=2, command=command)
    return folder / "run"


CARD = """\
schema_version: 1
name: {name}
title: Too bright
version: '1'
family: example
description: The world, too bright.
authors: [Ada Example]
licences: {{code: MIT, weights: none, training_data: none}}
training: {{data: [], supervision: [none], poses: none}}
division: {division}
conditions: '{conditions}'
"""


def write_card(folder: Path, name: str = "bright", *, division: str = "closed", conditions: str = "") -> Path:
    path = folder / f"{name}-card.yml"
    path.write_text(CARD.format(name=name, division=division, conditions=conditions))
    return path
