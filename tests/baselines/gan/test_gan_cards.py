"""What cards and documents say of the shipped GANs is what was measured, and of which weights."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import viewsweep
from viewsweep.baselines.gan.families import FAMILIES
from viewsweep.baselines.gan.model_card import model_card

from .gan_folders import RECORD

ROOT = Path(viewsweep.__file__).parent
BOARD = ROOT / "leaderboard" / "entries" / "tabletop64"
WEIGHTS = ROOT / "baselines" / "gan" / "weights"
SHIPPED = ("pigan-small", "eg3d-small", "epigraf-small")

ROW = re.compile(r"^\| `([^`]+)`(?:, dB)? \| (-?[\d.]+)(?: \[(-?[\d.]+), (-?[\d.]+)\])? \|", re.MULTILINE)


@pytest.mark.parametrize("method", SHIPPED)
def test_cards_hold_the_numbers_of_the_board(method: str) -> None:
    card = (WEIGHTS / method / "README.md").read_text(encoding="utf-8")
    metrics = json.loads((BOARD / f"{method}.json").read_text(encoding="utf-8"))["metrics"]
    rows = ROW.findall(card[card.index("## Measured") :])
    assert {"fid[tabletop]", "coverage[tabletop]", "geometric_share", "nfs"} <= {row[0] for row in rows}
    for name, *shown in rows:
        for text, part in zip(shown, ("value", "ci_low", "ci_high"), strict=True):
            if text:
                last_digit = 10.0 ** -len(text.partition(".")[2])
                assert float(text) == pytest.approx(metrics[name][part], abs=0.51 * last_digit), (name, part)


@pytest.mark.parametrize("method", SHIPPED)
def test_cards_say_of_which_weights_the_kid_while_training_is(method: str) -> None:
    folder = WEIGHTS / method
    sharper = json.loads((folder / "training.json").read_text(encoding="utf-8"))["recipe"].get("sharpness", 1) != 1
    assert ("pictures, before `sharpness`)" in (folder / "README.md").read_text(encoding="utf-8")) is sharper


@pytest.mark.parametrize("sharpness", [1.0, 3.0])
def test_new_cards_say_so_too(sharpness: float) -> None:
    recipe = {**RECORD["recipe"], "sharpness": sharpness}
    record = {**RECORD, "recipe": recipe, "files": {}}
    card = model_card(record, FAMILIES["epigraf"], parameters=1000, size=16, classes=())
    shown = "20 pictures, before `sharpness`)" if sharpness != 1 else "20 pictures)"
    assert f"the lowest KID while training (0.5000, {shown}" in card


def test_the_document_counts_pigans_parameters() -> None:
    generator = FAMILIES["pigan"].generator(**FAMILIES["pigan"].generators["small"])
    count = sum(value.numel() for value in generator.parameters())
    assert f"`small` has {count:,} parameters" in (ROOT / "docs" / "gan.md").read_text(encoding="utf-8")
