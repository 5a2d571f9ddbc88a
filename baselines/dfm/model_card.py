"""The model card that training writes beside the weights: what they are, made of what, and how to make them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["model_card"]

TITLES = {
    "scene": "a radiance field from one picture",
    "motion": "a flow field from one picture",
    "inversion": "the latent of a frozen generator from half of a picture",
}
SHOWN = (
    "objects",
    "views",
    "steps",
    "batch",
    "rate",
    "ema",
    "clip",
    "novel_weight",
    "drop",
    "precision",
    "start",
    "seed",
)


def model_card(record: Mapping[str, Any], parameters: int) -> str:
    """README.md of a problem's folder, in the hub's form.

    Args:
        record: content of ``training.json``.
        parameters: how many the problem has.
    """
    recipe = record["recipe"]
    twin = bool(recipe["settings"].get("deterministic"))
    kind = "its deterministic twin: the same network without a noisy observation, one answer" if twin else "samples"
    rows = "\n".join(f"| {name} | {recipe[name]} |" for name in SHOWN if recipe.get(name, "") != "")
    files = "\n".join(f"- `{name}`: sha256 {digest}" for name, digest in record["files"].items())
    return f"""---
tags: [viewsweep, diffusion-with-forward-models, {recipe["problem"]}]
---

# {record["what"]}, configuration {record["config"]}

Diffusion with forward models (arXiv 2306.11719): {TITLES[recipe["problem"]]}; {kind}.
Written anew from the paper, not the authors' code or weights.

## Data

{record["data"]}

## Training

- {parameters / 1e6:.2f} M parameters; averaged weights of the last step
- hardware: {record["device"]}, {record["processes"]} process{"es" if record["processes"] != 1 else ""}
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

Made for the embedded world at {recipe["settings"].get("size", 64)} pixels; it knows nothing else.
"""
