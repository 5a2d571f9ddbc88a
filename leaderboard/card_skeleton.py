"""A method card to be completed: what the method says of itself is filled in, the rest is left open.

What only the author can say stands empty with a remark beside it. Empty values are none the card's model
takes, so a card that was not completed does not validate.
"""

from __future__ import annotations

from typing import Any

import yaml

from .card import CARD_VERSION

__all__ = ["MARK", "card_skeleton"]

MARK = "FILL IN"


def card_skeleton(info: dict[str, Any]) -> str:
    """The YAML text of a card.

    Args:
        info: what the generator says of itself, as in ``run.json``.
    """
    lines = [
        f"# Card of {_plain(info['name'])}. Complete each line marked {MARK}; `viewsweep validate` tells what is left.",
        f"schema_version: {CARD_VERSION}",
        f"name: {_plain(info['name'])}",
        f"title:  # {MARK}: the name for people, such as ACME: Scenes from Noise",
        f"version: {_plain(info['version'])}",
        f"family:  # {MARK}: diffusion, gan, regression, reference ...",
        f"description: {_plain(info['description'])}",
        f"authors: []  # {MARK}: one name or more, such as [Ada Example, Max Muster]",
        "paper: null  # https://...",
        "code: null  # https://...",
        *_weights(info["weights_sha256"]),
        "licences:  # SPDX names where there are such; 'none' where there is nothing to license",
        f"  code:  # {MARK}",
        f"  weights:  # {MARK}",
        f"  training_data:  # {MARK}",
        "training:",
        f"  data:  # {MARK}: a list of data sets, [] without training",
        f"  supervision:  # {MARK}: a list of none, poses, depth, 3d, multi-view, labels, text",
        f"  poses:  # {MARK}: what it knew of cameras: none, prior, known or estimated",
        '  cost: ""  # such as 8 V100 for 5 days',
        "division: closed  # open where data or conditions are not those of the protocol; then say how:",
        'conditions: ""',
        f"resolution: {_plain(info['native_size'])}",
        "parameters: null  # how many numbers were learnt",
        "limits: []  # known ones, a sentence each",
        "citation: null  # a BibTeX entry",
        "reported: []  # names in the board's reported/, where numbers of this method stand",
    ]
    return "\n".join(lines) + "\n"


def _weights(digest: str | None) -> list[str]:
    if digest is None:
        return ["weights: null"]
    return ["weights:", f"  sha256: {_plain(digest)}", "  url: null  # https://..."]


def _plain(value: Any) -> str:
    """A scalar as YAML writes it, on one line."""
    return yaml.safe_dump(value, width=10_000, allow_unicode=True).removesuffix("...\n").strip()
