"""What the site of a board with 500 entries costs on one core, with as many numbers as tabletop64 has."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from viewsweep.leaderboard.board import Board
from viewsweep.leaderboard.entry import Entry
from viewsweep.leaderboard.site import build_site
from viewsweep.leaderboard.site.definitions import meanings

ENTRIES = 500
METRICS = (
    *("fid[tabletop]", "kid[tabletop]", "kid_subsets[tabletop]", "is[tabletop]", "precision[tabletop]"),
    *("recall[tabletop]", "density[tabletop]", "coverage[tabletop]", "vendi[tabletop]", "kid_worst_bin[tabletop]"),
    *("kid_side_front_gap[tabletop]", "kid_back_front_gap[tabletop]", "sharpness_ratio", "sharpness_error"),
    *("class_accuracy[tabletop]", "warp_psnr", "warp_mse", "covisible", "warp_zncc", "textured", "geometric_share"),
    *("sed", "tsed", "tsed_auc", "matches", "parallax_error", "parallax_ratio", "loop_psnr", "loop_drop_db"),
    *("scale_jitter", "depth_round_trip", "chamfer", "janus[tabletop]", "janus_pixels", "rotation_error_deg"),
    *("adjacent_rotation_error_deg", "translation_error", "registration", "models", "reprojection_error_px"),
    *("track_length", "holdout_psnr", "holdout_mse", "holdout_ssim", "fit_psnr", "nfs", "plane_residual"),
)
AT_ANGLES = ("warp_psnr", "warp_mse", "covisible", "warp_zncc", "textured", "geometric_share", "sed", "tsed", "chamfer")


def entry(place: int) -> Entry:
    def number(k: int) -> dict[str, Any]:
        value = ((place * 37 + k * 101) % 997) / 100
        return {"version": 1, "value": value, "ci_low": value - 0.2, "ci_high": value + 0.2, "n": 256, "status": "ok"}

    ids = [*METRICS, *(f"{name}@{angle}" for name in AT_ANGLES for angle in ("15", "30", "60", "90", "loop"))]
    blank = "0" * 64
    return Entry.model_validate(
        {
            "schema_version": 1,
            "protocol": {"name": "tabletop64", "version": 2, "hash": blank},
            "method": {"name": f"method-{place:03d}", "revision": "1"},
            "division": "closed",
            "submitted": "2031-01-01",
            "scenes": {"requested": 256, "evaluated": 256, "split": "test", "seeds_sha256": blank},
            "metrics": {name: number(k) for k, name in enumerate(ids)},
            "per_scene": {"sha256": blank, "bytes": 1, "rows": 1},
            "archive": {"sha256": blank, "bytes": 1, "scenes": 256},
            "cost": {"seconds": 10.0 + place, "views": 6144},
            "viewsweep": "0.1.0",
            "command": "viewsweep run tabletop64",
        }
    )


def test_five_hundred_entries_take_no_more_than_twenty_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = Board({("tabletop64", one.method.name): one for one in map(entry, range(ENTRIES))})
    meanings(METRICS)  # imports torch once, which is no part of building
    start = time.process_time()
    files = build_site(board, tmp_path / "site")
    taken = time.process_time() - start
    with capsys.disabled():
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"\n{ENTRIES} entries: {taken:.1f} s, {len(files)} files, {size:.0f} MB")
    assert taken <= 20
