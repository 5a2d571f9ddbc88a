"""The model card that training writes beside the weights: what they are, made of what, and how to make them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["model_card"]

SHOWN = (
    *(
        "prediction",
        "batch",
        "accumulate",
        "precision",
        "rate",
        "schedule",
        "ema",
        "drop_label",
        "near",
        "far",
        "radius",
    ),
    *("fov", "pairs", "yaw_std", "pitch_std", "radius_std", "target_std", "warp", "prewarp_noise", "blur", "erosion"),
    *("most_erosion", "seed"),
)
"""Fields of the recipe that the card lists."""


def model_card(record: Mapping[str, Any], *, parameters: Sequence[int]) -> str:
    """README.md of a pipeline folder, in the hub's form.

    Args:
        record: content of ``training.json``.
        parameters: numbers of parameters of the first and the following network.
    """
    recipe = record["recipe"]
    first, following = (f"{number / 1e6:.2f} M" for number in parameters)
    given = recipe["first_weights"]
    first_steps = f"taken from {given}" if given else f"{recipe['first_steps']:,}"
    start = given or f"the first network's averaged weights at step {min(recipe['branch'], recipe['first_steps']):,}"
    network = ", ".join(f"{name} {_plain(value)}" for name, value in recipe["network"].items())
    classes = record["classes"]
    kinds = f"{len(classes)} ({', '.join(classes[:20])}{' ...' if len(classes) > 20 else ''})" if classes else "none"
    rows = "\n".join(f"| {name} | {_plain(recipe[name])} |" for name in SHOWN)
    files = "\n".join(f"- `{name}`: sha256 {digest}" for name, digest in record["files"].items())
    minutes = record["minutes_since_last_start"]
    return f"""---
library_name: diffusers
tags: [viewsweep, rgbd, novel-view-synthesis]
---

# ivid, configuration {record["config"]}

Sequential RGBD view synthesis with two diffusion networks (arXiv 2303.17905): the first draws view 0, the
other every further view from the warps of all earlier ones.

## Data

- pictures: {record["data"]}
- size: {recipe["size"]} x {recipe["size"]}
- classes: {kinds}

## Training

| | first network | following network |
| --- | --- | --- |
| parameters | {first} | {following} |
| steps | {first_steps} | {recipe["next_steps"]:,} |
| starts from | {given or "scratch"} | {start}, new input channels zero |

- network: {network}
- hardware: {record["device"]}, {_processes(record["processes"])}
- time: {minutes} minutes since the training was last started
- torch {record["torch"]}

| setting | value |
| --- | --- |
{rows}

## Make it again

```sh
{record["command"]} --out DIR
```

`training.json` holds the whole recipe. Weights are the averaged ones, in half precision:

{files}

## Limits

Nothing was measured when this card was written: `viewsweep run PROTOCOL --methods ...` does that. Geometry is
known as well as the depth of the training pictures: where it was estimated, up to scale and shift of disparity.
The weights know only what lies in their data, with all its biases.
"""


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return " ".join(_plain(entry) for entry in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _processes(count: int) -> str:
    return "one process" if count == 1 else f"{count} processes"
