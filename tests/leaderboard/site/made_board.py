"""Boards to build sites of, without a file and without a generator: the numbers are invented, their shape is real."""

from __future__ import annotations

import datetime
import hashlib
import random
from collections.abc import Iterable, Mapping
from typing import Any

from viewsweep.benchmark.roles import CEILINGS, CHEATS
from viewsweep.leaderboard.board import Board
from viewsweep.leaderboard.card import MethodCard, Reported
from viewsweep.leaderboard.entry import Entry

METRICS: dict[str, tuple[float, float, bool | None]] = {
    "fid[tabletop]": (24.0, 8.0, False),
    "kid[tabletop]": (0.021, 0.01, False),
    "is[tabletop]": (6.1, 0.9, True),
    "precision[tabletop]": (0.71, 0.1, True),
    "recall[tabletop]": (0.48, 0.1, True),
    "vendi[tabletop]": (41.0, 9.0, True),
    "class_accuracy[tabletop]": (0.82, 0.1, True),
    "sharpness_ratio": (0.94, 0.05, None),
    "warp_psnr": (25.4, 3.0, True),
    "warp_mse": (0.0034, 0.001, False),
    "covisible": (0.68, 0.05, None),
    "warp_zncc": (0.79, 0.08, True),
    "geometric_share": (0.83, 0.09, True),
    "tsed": (0.31, 0.12, True),
    "loop_psnr": (19.0, 3.0, True),
    "rotation_error_deg": (8.0, 6.0, False),
    "registration": (0.71, 0.2, True),
    "nfs": (31.0, 7.0, True),
    "plane_residual": (0.09, 0.02, True),
    "scale_jitter": (0.0071, 0.002, False),
    "chamfer": (2.4, 0.6, False),
    "holdout_psnr": (21.0, 2.0, True),
}
"""Middle, spread and direction of invented numbers."""
GAPS = ("15", "30", "60", "90", "loop")
AT_GAPS = ("warp_psnr", "warp_zncc", "geometric_share")
SET = ("fid", "kid", "is")
TODAY = datetime.date(2031, 3, 14)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def result(value: float | None, width: float = 0.1, n: int = 256, **changes: Any) -> dict[str, Any]:
    """One number with an interval of that half width, as JSON."""
    if value is None:
        return {"version": 1, "value": None, "status": "failed", "reason": "no view was registered.", **changes}
    return {
        "version": 1,
        "value": value,
        "ci_low": value - width,
        "ci_high": value + width,
        "n": n,
        "status": "ok",
    } | changes


def metrics(method: str, protocol: str = "tabletop64", *, scenes: int = 256) -> dict[str, dict[str, Any]]:
    """Invented numbers of a method: good for an oracle, poor for a cheat, in between for others; some are missing."""
    draw = random.Random(f"{protocol}/{method}")
    shift = 2.5 if method in CEILINGS else -1.5 if method in CHEATS else draw.gauss(0, 1)
    found = {}
    for name, (middle, spread, higher) in METRICS.items():
        own = middle + (-1 if higher is False else 1) * spread * 0.6 * (shift + draw.gauss(0, 0.4))
        n = scenes * 24 if name.split("[")[0] in SET else scenes
        found[name] = result(own, spread * draw.uniform(0.06, 0.2), n)
        if name in AT_GAPS:
            for step, gap in enumerate(GAPS):
                found[f"{name}@{gap}"] = result(own - spread * 0.3 * step, spread * 0.2, n)
    if draw.random() < 0.3:
        found["registration"] = result(None)
        found["rotation_error_deg"] = result(None, status="not_run", reason="pycolmap is not installed.")
    return found


def entry(method: str, protocol: str = "tabletop64", *, hashed: tuple[int, str] | None = None, **changes: Any) -> Entry:
    """An entry; keys of its JSON can be replaced."""
    draw = random.Random(f"entry {protocol}/{method}")
    data: dict[str, Any] = {
        "schema_version": 1,
        "protocol": {
            "name": protocol,
            "version": hashed[0] if hashed else 2,
            "hash": hashed[1] if hashed else sha(protocol),
        },
        "method": {"name": method, "revision": "1", "details": {"steps": 50}},
        "division": "closed",
        "submitted": (TODAY - datetime.timedelta(days=draw.randrange(200))).isoformat(),
        "scenes": {"requested": 256, "evaluated": 256, "split": "test", "seeds_sha256": sha(f"seeds of {protocol}")},
        "metrics": metrics(method, protocol),
        "per_scene": {"sha256": sha(f"table {method}"), "bytes": 90_000, "rows": 9000},
        "archive": {
            "sha256": sha(f"archive {method}"),
            "bytes": 70_000_000,
            "scenes": 256,
            "url": f"https://example.org/{method}.tar",
        },
        "cost": {
            "seconds": draw.uniform(50, 9000),
            "views": 6144,
            "peak_memory_bytes": draw.randrange(10**8, 8 * 10**9),
        },
        "environment": {"gpu": "H200", "packages": {"torch": "2.9.0", "numpy": "2.3.1"}},
        "viewsweep": "0.1.0",
        "command": f"viewsweep run {protocol} --methods {method}",
    }
    return Entry.model_validate(data | changes)


def check(kind: str = "verified", **changes: Any) -> dict[str, Any]:
    """An attestation, as JSON."""
    return {"kind": kind, "by": "the maintainers", "date": TODAY.isoformat(), "viewsweep": "0.1.0"} | changes


def card(name: str, **changes: Any) -> MethodCard:
    """A card; keys can be replaced."""
    family = "reference" if name in CEILINGS | CHEATS else "gan" if "gan" in name else "diffusion"
    data: dict[str, Any] = {
        "schema_version": 1,
        "name": name,
        "title": name.replace("-", " ").capitalize(),
        "version": "1",
        "family": family,
        "description": "Draws one view, then all others from what is already there.",
        "authors": ["A. Author", "B. Author"],
        "paper": "https://example.org/paper",
        "code": "https://example.org/code",
        "licences": {"code": "Apache-2.0", "weights": "CC-BY-4.0", "training_data": "CC0-1.0"},
        "training": {"data": ["tabletop"], "supervision": ["none"], "poses": "prior", "cost": "2 days on one GPU"},
        "resolution": 64,
        "parameters": 12_345_678,
        "limits": ["Backs are blurred."],
        "citation": f"@article{{{name},\n  title = {{On {name}}},\n  year = {{2031}}\n}}",
    }
    return MethodCard.model_validate(data | changes)


def reported(name: str, **changes: Any) -> Reported:
    """Numbers from a paper; keys can be replaced."""
    number = {"metric": "FID", "value": 12.3, "dataset": "ImageNet", "conditions": "128 pixels, 10,000 pictures."}
    data: dict[str, Any] = {
        "schema_version": 1,
        "name": name,
        "title": f"{name} in its paper",
        "evidence": "authors",
        "source": "Table 1.",
        "url": "https://example.org/paper",
        "read": "2031-01-02",
        "numbers": [number, number | {"metric": "IS", "value": 90.5}],
    }
    return Reported.model_validate(data | changes)


def board(
    entries: Iterable[Entry], cards: Iterable[MethodCard] | None = None, papers: Iterable[Reported] = ()
) -> Board:
    """A board of these; without `cards` every method gets one."""
    held = list(entries)
    listed = [card(name) for name in sorted({one.method.name for one in held})] if cards is None else list(cards)
    return Board(
        {(one.protocol.name, one.method.name): one for one in held},
        {one.name: one for one in listed},
        {one.name: one for one in papers},
    )


def sample_board() -> Board:
    """Two protocols and everything a site has to cope with."""
    gone = {"status": "withdrawn", "date": "2031-02-01", "reason": "The weights had seen the test split."}
    old = {"status": "superseded", "date": "2031-01-20", "successor": "ivid-small", "reason": "Trained longer."}
    lost = [{"index": 7, "reason": "the generator ran out of memory."}]
    scenes = entry("dfm-small").scenes.model_dump() | {"evaluated": 255, "failed": lost}
    entries = [
        entry("oracle", attestations=[check()]),
        entry("ivid-small", attestations=[check("spot-checked", seeds=8), check()]),
        entry("eg3d-small", attestations=[check("spot-checked", seeds=8, largest_difference=1e-5)]),
        entry("pigan-small"),
        entry("epigraf-small"),
        entry("dfm-small", scenes=scenes),
        entry("ivid-first", lifecycle=old),
        entry("leaky-gan", lifecycle=gone),
        entry("big-diffusion", division="open"),
        entry("other-diffusion", division="open"),
        entry("frozen", attestations=[check()]),
        entry("noise"),
        entry("ivid-small", "tabletop64-completion"),
        entry("dfm-small", "tabletop64-completion"),
        entry("small-run", hashed=(1, sha("older"))),
    ]
    open_card = card("big-diffusion", division="open", conditions="Trained on a private set of objects.")
    names = sorted({one.method.name for one in entries} - {"big-diffusion"})
    return board(
        entries,
        [open_card, *map(card, names), card("unmeasured", reported=["pigan"])],
        [reported("ivid-small"), reported("pigan", evidence="second-hand")],
    )


def many(count: int, changes: Mapping[str, Any] | None = None) -> Board:
    """`count` entries in one protocol, references included."""
    names = ["oracle", "frozen", "noise", *(f"method-{k:03d}" for k in range(count - 3))]
    return board(entry(name, **(changes or {})) for name in names)
