"""A small run directory with everything a report has to cope with, made without any generator.

The scenes are shaded ellipsoids with stripes, ray-cast exactly; the numbers are invented but have the
shape of real ones: sides worse than the front, one failed scene, metrics that failed or did not run.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from viewsweep.scenes.cameras import Cameras
from viewsweep.scenes.scene import Scene, save_scene
from viewsweep.scenes.sweeps import sweep360

CLASSES = ("mug", "chair", "tree")

DEFINITIONS: dict[str, dict[str, Any]] = {
    "fid[tabletop]": {
        "title": "Fréchet distance",
        "version": 1,
        "unit": "",
        "higher_is_better": False,
        "description": "Distance between the Gaussians fitted to features of generated and reference pictures.",
    },
    "class_accuracy[tabletop]": {
        "title": "Class accuracy",
        "version": 1,
        "unit": "share",
        "higher_is_better": True,
        "description": "Share of views that the feature network names as the class asked for.",
    },
    "warp_psnr": {
        "title": "Warp PSNR",
        "version": 1,
        "unit": "dB",
        "higher_is_better": True,
        "description": "How well a view, warped by its depth, predicts its neighbour where both see the surface.",
    },
    "covisible": {
        "title": "Co-visible share",
        "version": 1,
        "unit": "share",
        "higher_is_better": None,
        "description": "Share of pixels the warp could be judged on.",
    },
    "geometric_share": {
        "title": "Round trip",
        "version": 1,
        "unit": "share",
        "higher_is_better": True,
        "description": "Share of pixels that return within one pixel after a round trip through the neighbour.",
    },
    "nfs": {
        "title": "Non-flatness",
        "version": 1,
        "unit": "nat",
        "higher_is_better": True,
        "description": "Entropy of the depth histogram; a flat card scores near zero.",
    },
}

GAPS = ("15", "30", "60", "90", "loop")
BINS = (-180, -135, -90, -45, 0, 45, 90, 135)


def wide_definitions() -> dict[str, dict[str, Any]]:
    """Every kind of id a large protocol brings: many columns, points over angles, bins of azimuth."""
    entries = dict(DEFINITIONS)

    def add(name: str, title: str, unit: str, higher: bool | None) -> None:
        words = f"Invented numbers under the name {title.lower()}; the real ones are defined elsewhere."
        entry = {"title": title, "version": 1, "unit": unit, "higher_is_better": higher, "description": words}
        entries.setdefault(name, entry)

    for name, title, unit, higher in WIDE:
        add(name, title, unit, higher)
    for name in ("warp_psnr", "covisible", "geometric_share", "warp_zncc", "sed"):
        for gap in GAPS:
            where = "where the circle closes" if gap == "loop" else f"at {gap}°"
            own = entries[name]
            add(f"{name}@{gap}", f"{own['title']} {where}", own["unit"], own["higher_is_better"])
    for azimuth in BINS:
        add(f"kid_bin_{azimuth}[tabletop]", f"KID at {azimuth}°", "", False)
    return entries


WIDE: tuple[tuple[str, str, str, bool | None], ...] = (
    ("kid[tabletop]", "KID", "", False),
    ("is[tabletop]", "Inception Score", "", True),
    ("precision[tabletop]", "Precision", "share", True),
    ("recall[tabletop]", "Recall", "share", True),
    ("vendi[tabletop]", "Vendi", "", True),
    ("kid_worst_bin[tabletop]", "KID, worst bin", "", False),
    ("sharpness_ratio", "Sharpness ratio", "", None),
    ("warp_zncc", "Warp structure", "", True),
    ("warp_mse", "Warp MSE", "", False),
    ("sed", "Epipolar error", "px", False),
    ("tsed", "TSED", "share", True),
    ("parallax_ratio", "Parallax ratio", "", None),
    ("janus", "Janus", "share", False),
    ("loop_drop_db", "Loop drop", "dB", False),
    ("rotation_error_deg", "Rotation error", "degrees", False),
    ("translation_error", "Translation error", "share", False),
    ("registration", "Registered views", "share", True),
    ("track_length", "Track length", "views", None),
    ("plane_residual", "Plane residual", "", True),
    ("depth_agreement", "Depth agreement", "", False),
    ("psnr", "PSNR", "dB", True),
    ("ssim", "SSIM", "", True),
    ("lpips", "LPIPS", "", False),
    ("abs_rel", "Depth error", "", False),
    ("delta_1.25", "Depth within 25 %", "share", True),
)
"""id, title, unit, direction of further metrics; values of sets have no rows of scenes."""

OF_SETS = ("kid", "kid_worst_bin", "is", "precision", "recall", "vendi", "fid")

QUALITY = {"oracle": 1.0, "ivid-small": 0.72, "gan-small": 0.66, "dfm-small": 0.64, "frozen": 0.25, "noise": 0.02}
"""How good the invented numbers of a method are; unknown names get 0.6."""


def draw(seed: int, cameras: Cameras, size: int) -> Scene:
    """A striped ellipsoid over a gradient, with its exact depth."""
    generator = np.random.default_rng(seed)
    radii = torch.tensor(generator.uniform([0.25, 0.3, 0.2], [0.48, 0.48, 0.4]))
    colours = torch.tensor(generator.uniform(0.15, 0.95, (2, 3)))
    stripes = float(generator.uniform(3, 7))
    origins, directions = cameras.rays(size, size)
    origin, direction = origins[:, None, None] / radii, directions / radii
    a = (direction * direction).sum(-1)
    b = (origin * direction).sum(-1)
    c = (origin * origin).sum(-1) - 1
    root = b * b - a * c
    depth = torch.where(root > 0, (-b - root.clamp_min(0).sqrt()) / a, torch.nan)
    point = origins[:, None, None] + depth[..., None] * directions
    normal = torch.nn.functional.normalize(point / radii**2, dim=-1)
    light = torch.nn.functional.normalize(torch.tensor([0.5, 0.8, 0.6], dtype=torch.float64), dim=0)
    shade = 0.35 + 0.65 * (normal @ light).clamp_min(0)
    angle = torch.atan2(point[..., 0], point[..., 2])
    stripe = torch.sigmoid(12 * torch.sin(stripes * angle + 9 * point[..., 1]))[..., None]
    albedo = stripe * colours[0] + (1 - stripe) * colours[1]
    front = (torch.exp(-((point[..., 0]) ** 2 + point[..., 1] ** 2) * 40) * (point[..., 2] > 0))[..., None]
    albedo = albedo * (1 - front) + front * torch.tensor([0.98, 0.93, 0.85])
    sky = torch.linspace(0.93, 0.72, size, dtype=torch.float64)[None, :, None, None] * torch.tensor([0.97, 0.98, 1.0])
    picture = torch.where(torch.isfinite(depth)[..., None], albedo * shade[..., None], sky)
    rgb = (picture.clamp(0, 1) * 255).round().to(torch.uint8)
    return Scene(rgb=rgb, cameras=cameras, depth=depth.float(), label=seed % len(CLASSES), seed=seed)


def imitate(method: str, truth: Scene) -> Scene:
    """What a method of that name makes of the true scene."""
    generator = torch.Generator().manual_seed(truth.seed or 0)
    assert truth.depth is not None
    if method == "frozen":
        still = [0] * truth.views
        return Scene(truth.rgb[still], truth.cameras, truth.depth[still], label=truth.label, seed=truth.seed)
    if method == "noise":
        rgb = torch.randint(0, 256, truth.rgb.shape, generator=generator, dtype=torch.uint8)
        depth = 1.1 + torch.rand(truth.depth.shape, generator=generator)
        return Scene(rgb, truth.cameras, depth, label=truth.label, seed=truth.seed)
    if method == "oracle":
        return truth
    drift = torch.rand(truth.views, 1, 1, 3, generator=generator) * 36 - 18
    rgb = (truth.rgb.float() + drift).clamp(0, 255).to(torch.uint8)
    depth = truth.depth * (1 + 0.02 * torch.randn(truth.views, 1, 1, generator=generator))
    return Scene(rgb, truth.cameras, depth, label=truth.label, seed=truth.seed)


def make_run(
    folder: Path,
    *,
    methods: tuple[str, ...] = ("frozen", "ivid-small", "oracle"),
    scenes: int = 3,
    views: int = 24,
    size: int = 64,
    failed: bool = True,
    wide: bool = False,
) -> Path:
    """Write a run directory; the last scene of `ivid-small` fails when `failed`.

    A `wide` one has every kind of metric id there is.
    """
    definitions = wide_definitions() if wide else DEFINITIONS
    cameras = sweep360(views, pitch=math.radians(15))
    rows: list[dict[str, Any]] = []
    results: dict[str, Any] = {}
    for index in range(scenes):
        truth = draw(1000 + index, cameras, size)
        for method in methods:
            if failed and method == "ivid-small" and index == scenes - 1:
                continue
            path = folder / "scenes" / method
            path.mkdir(parents=True, exist_ok=True)
            save_scene(path / f"{index:05d}.safetensors", imitate(method, truth))
            rows += _rows(method, index, truth)
            rows += _wide_rows(method, index, truth, definitions) if wide else []
    table = pd.DataFrame(rows).sort_values(["method", "metric", "index", "view"], ignore_index=True)
    table.to_parquet(folder / "per_scene.parquet")
    for method in methods:
        lost = [{"index": scenes - 1, "reason": "depth of view 3 holds infinite numbers."}]
        lost = lost if failed and method == "ivid-small" else []
        results[method] = {
            "scenes": {"requested": scenes, "evaluated": scenes - len(lost), "failed": lost},
            "metrics": {name: _result(name, method, table, scenes) for name in definitions},
        }
    _dump(
        folder / "results.json",
        {
            "schema": "viewsweep.results/1",
            "protocol": {"name": "ellipsoids64-demo", "version": 1, "hash": "3f7ac0d9" * 8},
            "metrics": definitions,
            "methods": results,
        },
    )
    _dump(folder / "run.json", run_json(methods, scenes, views, size))
    return folder


def run_json(methods: tuple[str, ...], scenes: int, views: int, size: int) -> dict[str, Any]:
    """What the harness records beside the numbers."""
    return {
        "schema": "viewsweep.run/1",
        "status": "complete",
        "protocol": {
            "name": "ellipsoids64-demo",
            "version": 1,
            "hash": "3f7ac0d9" * 8,
            "description": "Striped ellipsoids, drawn as full circles.",
            "data": {"name": "ellipsoids", "split": "test"},
            "scenes": scenes,
            "size": size,
            "sweep": {"kind": "circle", "views": views, "pitch_deg": 15.0},
            "labels": "balanced",
            "metrics": [{"id": name, "version": 1} for name in DEFINITIONS],
        },
        "methods": {
            method: {
                "info": {
                    "name": method,
                    "description": f"The method {method}.",
                    "version": "1",
                    "has_depth": True,
                    "classes": list(CLASSES),
                    "weights_sha256": None,
                    "details": {},
                },
                "seconds": 12.5,
            }
            for method in methods
        },
        "command": "viewsweep run ellipsoids64-demo --methods frozen,ivid-small,oracle --out runs/demo",
        "environment": {
            "viewsweep": "0.1.0",
            "commit": "0123456789abcdef",
            "python": "3.12.1",
            "packages": {"torch": "2.9.0", "numpy": "2.3.1"},
            "threads": 2,
            "device": "cpu",
        },
        "started": "2031-03-04T10:15:00+00:00",
        "finished": "2031-03-04T10:19:30+00:00",
        "timings": {"sample": 230.5, "evaluate": 31.25},
    }


def _rows(method: str, index: int, truth: Scene) -> list[dict[str, Any]]:
    quality = QUALITY.get(method, 0.6)
    generator = np.random.default_rng([index, *method.encode()])
    assert truth.cameras is not None
    yaws = (np.degrees(truth.cameras.yaw.numpy()) + 180) % 360 - 180
    base = {"method": method, "index": index, "seed": truth.seed, "label": truth.label}
    side = 0.5 - 0.5 * np.cos(np.radians(yaws))  # 0 in front, 1 at the back
    noise = generator.normal(0, 1, (3, len(yaws))) + generator.normal(0, 0.7, (3, 1))
    values = {
        "warp_psnr": 10 + 24 * quality - 5 * (1 - quality) * side + noise[0],
        "geometric_share": np.clip(quality - 0.25 * (1 - quality) * side + 0.03 * noise[1], 0, 1),
        "class_accuracy[tabletop]": (quality - 0.5 * side + 0.15 * noise[2] > 0).astype(float),
    }
    rows = [
        base | {"metric": name, "view": view, "yaw_deg": yaw, "value": value}
        for name, series in values.items()
        for view, (yaw, value) in enumerate(zip(yaws, series, strict=True))
    ]
    whole = {name: float(np.mean(series)) for name, series in values.items()}
    whole |= {"covisible": 0.31 + 0.01 * generator.normal(), "nfs": 4.2 * quality + 0.2 * generator.normal()}
    return rows + [
        base | {"metric": name, "view": -1, "yaw_deg": math.nan, "value": value} for name, value in whole.items()
    ]


def _wide_rows(method: str, index: int, truth: Scene, definitions: dict[str, Any]) -> list[dict[str, Any]]:
    """A value of the scene for every further metric that is none of sets."""
    generator = np.random.default_rng([7, index, *method.encode()])
    scene = np.random.default_rng(index).normal()  # what makes a scene hard, for everybody
    base = {"method": method, "index": index, "seed": truth.seed, "label": truth.label, "view": -1, "yaw_deg": math.nan}
    rows = []
    for name, entry in definitions.items():
        if name in DEFINITIONS or name.split("_bin_")[0].split("[")[0] in OF_SETS:
            continue
        _, _, gap = name.partition("@")
        loss = 0.0 if not gap else 0.1 if gap == "loop" else float(gap) / 200
        quality = QUALITY.get(method, 0.6) * (1 - loss) + 0.02 * (scene + generator.normal())
        if gap == "90" and method == "noise":
            continue
        good = quality if entry["higher_is_better"] is not False else 1 - quality
        rows.append(base | {"metric": name, "value": good * {"dB": 34, "degrees": 60, "px": 8}.get(entry["unit"], 1)})
    return rows


def _of_set(name: str, method: str) -> dict[str, Any]:
    stem, _, azimuth = name.split("[")[0].partition("_bin_")
    away = 1 - math.cos(math.radians(float(azimuth))) if azimuth else 0.0
    quality = QUALITY.get(method, 0.6) - 0.08 * away
    value = (1 - quality) * 0.1 if stem.startswith("kid") else 1 + 8 * quality if stem == "is" else quality
    half = 0.06 * abs(value) + 1e-3
    return {"value": value, "ci_low": value - half, "ci_high": value + half, "n": 72, "status": "ok", "reason": None}


def _result(name: str, method: str, table: pd.DataFrame, scenes: int) -> dict[str, Any]:
    nothing = {"value": None, "ci_low": None, "ci_high": None, "n": 0}
    if name == "fid[tabletop]":
        reason = f"needs at least 257 pictures for features of 256 numbers; there are {scenes * 24}."
        return nothing | {"status": "not_run", "reason": reason}
    if name == "nfs" and method == "frozen":
        return nothing | {"status": "failed", "reason": "the depth histogram of scene 1 is empty."}
    if name not in DEFINITIONS and name.split("_bin_")[0].split("[")[0] in OF_SETS:
        return _of_set(name, method)
    values = table[(table["method"] == method) & (table["metric"] == name) & (table["view"] < 0)]["value"]
    if values.empty:
        reason = f"scene 0: {name} has nothing to compare."
        return nothing | {"status": "failed", "reason": reason}
    value, half = float(values.mean()), 2 * float(values.std(ddof=0)) + 1e-3
    return {
        "value": value,
        "ci_low": value - half,
        "ci_high": value + half,
        "n": len(values),
        "status": "ok",
        "reason": None,
    }


def _dump(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True))
