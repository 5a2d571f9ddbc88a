"""The model card that training writes beside the weights: what they are, made of what, and how to make them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .families import Family

__all__ = ["model_card"]

SHOWN = (
    *("batch", "accumulate", "precision", "generator_rate", "discriminator_rate", "rate_end", "betas", "ema", "clip"),
    *("stages", "gamma", "r1_every", "direction_weight", "density_noise", "top", "density_weight", "density_every"),
    *("swap", "blur", "patches", "patch_size", "augment", "flip", "poses", "prior", "seed"),
    *("firmer", "sharpness", "planes_of", "alone", "start"),
)
"""Fields of the recipe that the card lists, where they are not off."""


def model_card(record: Mapping[str, Any], family: Family, *, parameters: int, size: int, classes: Sequence[str]) -> str:
    """README.md of a generator's folder, in the hub's form.

    Args:
        record: content of ``training.json``.
        parameters: how many the generator has.
        size: height and width of the pictures it was trained for.
        classes: their names.
    """
    recipe = record["recipe"]
    kinds = f"{len(classes)} ({', '.join(classes[:20])}{' ...' if len(classes) > 20 else ''})" if classes else "none"
    rows = "\n".join(f"| {name} | {_plain(recipe[name])} |" for name in SHOWN if not _is_off(recipe[name]))
    files = "\n".join(f"- `{name}`: sha256 {digest}" for name, digest in record["files"].items())
    quality, sharper = record["quality"], recipe.get("sharpness", 1.0) != 1  # older records lack it
    chosen = (
        f"the averaged ones of step {record['step']:,}, which had the lowest KID while training "
        f"({quality:.4f}, {recipe['quality_pictures']} pictures{', before `sharpness`' if sharper else ''})"
        if quality is not None
        else f"the averaged ones of step {record['step']:,}, the last"
    )
    poses = "known for each picture" if recipe["poses"] == "data" else "not known: drawn from the prior below"
    return f"""---
tags: [viewsweep, 3d-aware, gan]
---

# {family.title}, configuration {record["config"]}

{family.title} ({family.paper}): {family.idea}. Written anew from the paper, not the authors' code or weights.

## Data

- pictures: {record["data"]}
- cameras: {poses}
- size: {size} x {size}
- classes: {kinds}

## Training

- generator: {parameters / 1e6:.2f} M parameters; discriminator: {record["discriminator_parameters"] / 1e6:.2f} M
- steps: {recipe["steps"]:,}; weights: {chosen}
- hardware: {record["device"]}, {_processes(record["processes"])}
- time: {record["minutes_since_last_start"]} minutes since the training was last started
- torch {record["torch"]}

| setting | value |
| --- | --- |
{rows}

## Make it again

```sh
{record["command"]} --out DIR
```

`training.json` holds the whole recipe. Weights are in half precision:

{files}

## Limits

KID while training is an estimate from few pictures; `viewsweep run PROTOCOL --methods ...` measures. The weights know
only what lies in their data, with all its biases, and only the cameras they were trained with.
"""


def _is_off(value: Any) -> bool:
    if isinstance(value, dict) and value.keys() == {"start", "end", "until"}:
        return not value["end"] and not value["until"]
    return value is None or value is False or (isinstance(value, (int, float)) and value == 0) or value in ({}, [], ())


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(entry)}" for name, entry in value.items())
    if isinstance(value, (tuple, list)):
        return " ".join(_plain(entry) for entry in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _processes(count: int) -> str:
    return "one process" if count == 1 else f"{count} processes"
