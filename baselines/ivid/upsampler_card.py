"""The model card that training writes beside the weights of an upsampler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["upsampler_card"]

SHOWN = (
    *("prediction", "batch", "precision", "rate", "schedule", "ema", "drop_label", "near", "far"),
    *("rgb_residual", "depth_residual", "noise", "median_share", "mirror", "seed"),
)
"""Fields of the recipe that the card lists."""


def upsampler_card(record: Mapping[str, Any], *, parameters: int, measured: str = "") -> str:
    """README.md of a pipeline folder, in the hub's form.

    Args:
        record: content of ``training.json``.
        parameters: number of parameters.
        measured: what was measured, Markdown; without it the card says that nothing was.
    """
    recipe = record["recipe"]
    size = recipe["size"]
    rows = "\n".join(f"| {name} | {recipe[name]} |" for name in SHOWN)
    files = "\n".join(f"- `{name}`: sha256 {digest}" for name, digest in record["files"].items())
    network = ", ".join(f"{name} {value}" for name, value in recipe["network"].items())
    found = measured or "Nothing was measured when this card was written."
    return f"""---
library_name: diffusers
tags: [viewsweep, rgbd, super-resolution]
---

# ivid's upsampler, configuration {record["config"]}

Cascaded diffusion: draws RGBD views of {size} pixels from views of {size // 2} pixels, one by one
(arXiv 2303.17905, 2106.15282).

## Data

{record["data"]}; the small pictures are made from the large ones (four pixels averaged in colour, depth
without mixing surfaces), then blurred 3x3 with sigma U(0, 1).

## Training

{recipe["steps"]:,} steps on {record["device"]}; {parameters / 1e6:.2f} M parameters; network: {network}.

| setting | value |
| --- | --- |
{rows}

## Measured

{found}

## Make it again

```sh
{record["command"]} --out DIR
```

`training.json` holds the whole recipe. Weights are the averaged ones, in half precision:

{files}

## Limits

Views are enlarged one by one: they agree as well as the small views do, and what is finer than their
pixels is made up for each anew. The weights know only what lies in their data.
"""
