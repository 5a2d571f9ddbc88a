"""A board without a fault, made in a second: two protocols of its own, two methods, invented numbers that agree.

Every number is drawn at random within its metric's range; the tables are written first, and the entries are
their means. Scenes are noise of a few pixels, so the archives are real.
"""

from __future__ import annotations

import copy
import datetime
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import torch
import yaml
from viewsweep.benchmark.protocol import load_protocol
from viewsweep.benchmark.results import COLUMNS
from viewsweep.leaderboard.archive import write_archive
from viewsweep.leaderboard.expectation import Expectation, expectation
from viewsweep.leaderboard.seeds import seeds_sha256
from viewsweep.metrics.bootstrap import interval_of_mean
from viewsweep.scenes.scene import Scene, save_scene

__all__ = ["CARD", "METHOD", "PROTOCOL", "REPORTED", "TODAY", "make_board", "pack_table", "read_rows", "write_rows"]

PROTOCOL, COMPLETION, METHOD = "tiny", "tiny-completion", "warper-small"
TODAY = datetime.date(2026, 6, 1)
NETWORK = {"network": "tabletop", "sha256": "61fe49bae31820e974c6ff251e1b944c6d53216c0c779cc34bc280ec6066f712"}

PROTOCOLS: dict[str, dict[str, Any]] = {
    PROTOCOL: {
        "schema": "viewsweep.protocol/1",
        "name": PROTOCOL,
        "version": 2,
        "dataset": "tabletop",
        "size": 8,
        "scenes": 4,
        "sweep": {"kind": "sweep360", "views": 3},
        "labels": "cyclic",
        "features": NETWORK,
        "metrics": {
            "is": 1,
            "vendi": 1,
            "class_accuracy": 1,
            "warp_error": 1,
            "loop_closure": 1,
            "covisible_lpips": 1,
            "camera_compliance": {"version": 1, "scenes": 2},
        },
    },
    COMPLETION: {
        "schema": "viewsweep.protocol/1",
        "name": COMPLETION,
        "version": 1,
        "dataset": "tabletop",
        "size": 8,
        "scenes": 3,
        "sweep": {"kind": "sweep360", "views": 2},
        "labels": "cyclic",
        "completion": {"task": "scene", "samples": 2, "context": [0]},
        "metrics": {"context_fidelity": 1, "warp_error": {"version": 1, "scenes": 2}},
    },
}

CARD: dict[str, Any] = {
    "schema_version": 1,
    "name": METHOD,
    "title": "Warper, small",
    "version": "1",
    "family": "diffusion",
    "description": "Draws a view and warps it on; background < foreground.",
    "authors": ["Ada Example", "Zoë Müller", "王 小明"],
    "paper": "https://example.org/paper.pdf",
    "weights": {"sha256": "ab" * 32, "bytes": 1024, "url": "https://example.org/weights.safetensors"},
    "licences": {"code": "Apache-2.0", "weights": "Apache-2.0", "training_data": "generated"},
    "training": {"data": ["tabletop"], "supervision": ["none"], "poses": "prior", "cost": "1 GPU for 2 h"},
    "citation": "@article{example, title={An Example}}",
}

REPORTED: dict[str, Any] = {
    "schema_version": 1,
    "name": "paper-method",
    "title": "A method that nobody ran here",
    "evidence": "authors",
    "source": "Table 1, page 6",
    "url": "https://example.org/other.pdf",
    "read": "2026-01-31",
    "numbers": [{"metric": "FID", "value": 12.5, "dataset": "ImageNet 128", "conditions": "10,000 pictures"}],
}


def make_board(root: Path) -> Path:
    """The board below `root`: two methods under each protocol, two cards, numbers from a paper."""
    for folder in ("methods", "reported", "protocols"):
        (root / folder).mkdir(parents=True)
    for name, content in PROTOCOLS.items():
        (root / "protocols" / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    oracle = copy.deepcopy(CARD) | {"name": "oracle", "family": "reference", "weights": None}
    for card in (CARD, oracle):
        path = root / "methods" / f"{card['name']}.yml"
        path.write_text(yaml.safe_dump(card, sort_keys=False, allow_unicode=True))
    (root / "reported" / "paper-method.yml").write_text(yaml.safe_dump(REPORTED, sort_keys=False))
    for protocol in PROTOCOLS:
        for method in (METHOD, "oracle"):
            _add_entry(root, protocol, method)
    return root


def _add_entry(root: Path, protocol: str, method: str) -> None:
    expected = expectation(load_protocol(str(root / "protocols" / f"{protocol}.yaml")))
    folder = root / "entries" / protocol
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(protocol) + len(method))
    rows, metrics = _numbers(expected, method, rng)
    content = pack_table(rows)
    (folder / f"{method}.parquet").write_bytes(content)
    archive = _archive(root.parent / f"{root.name}-{protocol}-{method}", expected, rng)
    own = expected.protocol
    entry = {
        "schema_version": 1,
        "protocol": {"name": own.name, "version": own.version, "hash": own.hash},
        "method": {
            "name": method,
            "revision": "1",
            "weights_sha256": CARD["weights"]["sha256"] if method == METHOD else None,
            "details": {"steps": 20, "guided": True},
        },
        "division": "closed",
        "submitted": "2026-02-01",
        "scenes": {
            "requested": expected.requested,
            "evaluated": expected.requested,
            "failed": [],
            "split": "test",
            "seeds_sha256": seeds_sha256(expected.seeds),
        },
        "metrics": metrics,
        "per_scene": {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "rows": len(rows)},
        "archive": archive,
        "cost": {"seconds": 12.5, "views": expected.requested * expected.views},
        "environment": {"platform": "Linux", "packages": {"viewsweep": "0.1.0"}},
        "viewsweep": "0.1.0",
        "command": f"viewsweep run {protocol} --methods {method}",
    }
    (folder / f"{method}.json").write_text(json.dumps(entry, indent=2) + "\n")


def _numbers(
    expected: Expectation, method: str, rng: np.random.Generator
) -> tuple[list[tuple[Any, ...]], dict[str, Any]]:
    rows: list[tuple[Any, ...]] = []
    metrics = {}
    samples = expected.protocol.samples
    assert expected.azimuths is not None
    azimuths = expected.azimuths.tolist()
    for key, facts in expected.metrics.items():
        result: dict[str, Any] = {"version": facts.version, "value": None, "n": 0, "status": "not_run", "reason": None}
        low, high = (end if math.isfinite(end) else other for end, other in zip(facts.bounds, (-2.0, 2.0), strict=True))
        if facts.metric == "covisible_lpips":
            metrics[key] = result | {"reason": "the weights of LPIPS are not here."}
            continue
        if not facts.per_scene:
            value = float(rng.uniform(low, high))
            span = {"ci_low": (low + value) / 2, "ci_high": (value + high) / 2}
            metrics[key] = result | {"value": value, "n": expected.requested, "status": "ok"} | span
            continue
        scenes = []
        for scene in range(facts.scenes):
            values = [float(value) for value in rng.uniform(low, high, 1 if facts.of_samples else samples)]
            scenes.append(math.fsum(values) / len(values))
            for sample, value in enumerate(values):
                index = scene * samples + sample
                label = expected.labels[index]
                known = (method, index, expected.seeds[index], -1 if label is None else label, key)
                rows.append((*known, -1, math.nan, value))
                if "@" not in key:
                    rows += [(*known, view, azimuths[index][view], value) for view in range(expected.views)]
        interval = interval_of_mean(scenes, bounds=facts.bounds) or (None, None)
        value = math.fsum(scenes) / len(scenes)
        span = {"ci_low": interval[0], "ci_high": interval[1]}
        metrics[key] = result | {"value": value, "n": len(scenes), "status": "ok"} | span
    return rows, metrics


def _archive(folder: Path, expected: Expectation, rng: np.random.Generator) -> dict[str, Any]:
    """Beside the board: archives are too large to lie on it."""
    folder.mkdir()
    for index, seed in enumerate(expected.seeds):
        rgb = torch.from_numpy(rng.integers(0, 256, (expected.views, 8, 8, 3), dtype=np.uint8))
        save_scene(folder / f"{index:05d}.safetensors", Scene(rgb, seed=seed, label=expected.labels[index]))
    made = write_archive(folder, folder.with_suffix(".tar"))
    return made.model_dump() | {"url": f"https://example.org/{folder.name}.tar"}


def pack_table(rows: list[tuple[Any, ...]], columns: tuple[str, ...] = COLUMNS) -> bytes:
    """Rows of ``per_scene.parquet`` as a file."""
    types = ("string", "int64", "int64", "int64", "string", "int64", "float64", "float64")
    content = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [pyarrow.array(list(part), kind) for part, kind in zip(content, types, strict=False)]
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(arrays, names=list(columns)), sink)
    return bytes(sink.getvalue())


def read_rows(path: Path) -> list[tuple[Any, ...]]:
    table = pyarrow.parquet.read_table(path)
    return list(zip(*(table.column(name).to_pylist() for name in COLUMNS), strict=True))


def write_rows(path: Path, rows: list[tuple[Any, ...]], *, seal: bool) -> None:
    """Replace a table; with `seal` the entry beside it is told its new hash, as who tampers would do."""
    content = pack_table(rows)
    path.write_bytes(content)
    if seal:
        entry = path.with_suffix(".json")
        changed = json.loads(entry.read_text())
        record = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "rows": len(rows)}
        changed["per_scene"] |= record
        entry.write_text(json.dumps(changed, indent=2) + "\n")
