"""What a report shows, as files: tables for papers, plots for slides, turntables to send around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from ..scenes.errors import UnknownName, UserError
from ..scenes.files import atomic_write, make_folder
from ..scenes.scene import Scene
from ..scenes.video import FORMATS as VIDEOS
from ..scenes.video import write_video
from .captions import captions
from .layers import LAYERS, depth_colours, heat_colours, normal_colours, warp_differences
from .plain_tables import plain_tables
from .plots import plots, standalone
from .rundir import RunFiles
from .sprites import Pictures, depth_range
from .table_files import FORMATS as TABLES

__all__ = ["KINDS", "export_plots", "export_tables", "export_turntable", "formats_of"]

KINDS = ("table", "plot", "turntable")
GROUND = 236
"""The grey behind pixels without a surface."""


def formats_of(kind: str) -> tuple[str, ...]:
    """The formats in which a kind of thing can be written."""
    if kind not in KINDS:
        raise UnknownName("kind of export", kind, KINDS)
    return {"table": tuple(TABLES), "plot": ("svg",), "turntable": tuple(end.strip(".") for end in VIDEOS)}[kind]


def export_tables(
    run: RunFiles, out: Path, kind: str, names: Sequence[str] = (), *, folded: bool = False
) -> list[Path]:
    """Write tables: one into the file `out`, or several (all, without `names`) into the folder `out`.

    Args:
        run: whose tables.
        out: file or folder.
        kind: one of `table_files.FORMATS`.
        names: of the tables.
        folded: columns that the page folds away too; CSV holds them always.

    Raises:
        UnknownName: a table or format that is not there.
        UserError: several tables, and `out` is a file.
    """
    if kind not in TABLES:
        raise UnknownName("format of tables", kind, tuple(TABLES))
    ending, write = TABLES[kind]
    content = {table.name: write(table) for table in plain_tables(run, folded=folded)}
    return _write(out, {name: content[name] for name in _chosen("table", names, content)}, ending, bool(names))


def export_plots(run: RunFiles, out: Path, names: Sequence[str] = ()) -> list[Path]:
    """Write plots as SVG: one into the file `out`, or several (all, without `names`) into the folder `out`."""
    found = {plot.name: plot for plot in plots(run)}
    chosen = _chosen("plot", names, found)
    return _write(out, {name: standalone(found[name]) for name in chosen}, ".svg", bool(names))


def export_turntable(
    run: RunFiles,
    out: Path,
    *,
    scene: int = 0,
    methods: Sequence[str] = (),
    layer: str = "rgb",
    fps: float = 12.0,
    scale: int = 1,
) -> list[str]:
    """Write one scene of several methods, side by side and in step, as a video; returns the methods shown.

    Several methods stand under their names; one alone needs none.

    Args:
        out: its ending decides the format: .webp, .mp4 or .gif.
        scene: index as in the names of the scene files.
        methods: from left to right; none = all that drew the scene.
        layer: ``rgb``, or one of `layers.LAYERS`.
        scale: pixels of the video for one of the scene, along each side.

    Raises:
        UnknownName: a method or layer that is not there.
        UserError: nobody drew the scene, or the methods drew it in different sizes or numbers of views, or a
            layer other than rgb takes depth that a method does not have.
    """
    if out.suffix.lower() not in VIDEOS:
        raise UserError(f"{out}: videos are written as {', '.join(VIDEOS)}; choose one by the file's ending.")
    if layer not in ("rgb", *LAYERS):
        raise UnknownName("layer", layer, ("rgb", *LAYERS))
    known = [method.name for method in run.methods]
    for name in methods:
        if name not in known:
            raise UnknownName("method", name, known)
    found = {name: run.scene(name, scene) for name in methods or known}
    missing = [name for name in methods if found[name] is None]
    if missing:
        raise UserError(f"{', '.join(missing)}: no file for scene {scene}.", hint="Name another scene or method.")
    scenes = {name: held for name, held in found.items() if held is not None}
    if not scenes:
        raise UserError(f"{run.folder}: nobody has a file for scene {scene}.", hint="Name another with --scene.")
    if len({(held.views, held.size) for held in scenes.values()}) > 1:
        raise UserError(
            "The methods drew this scene in different sizes or numbers of views.", hint="Name some with --methods."
        )
    pictures = _layer(scenes, layer)
    first = next(iter(scenes.values()))
    order = list(range(first.views))
    if first.cameras is not None:  # round the object, whatever the order of the views
        order.sort(key=lambda view: (float(first.cameras.yaw[view]) if first.cameras is not None else 0.0, view))
    rows = np.concatenate([tiles[order] for tiles in pictures], axis=2)
    rows = rows.repeat(scale, axis=1).repeat(scale, axis=2)
    if len(scenes) > 1:
        heads = captions(list(scenes), rows.shape[2] // len(scenes))
        rows = np.concatenate([np.broadcast_to(heads, (len(rows), *heads.shape)), rows], axis=1)
    make_folder(out.parent)
    write_video(out, torch.from_numpy(np.ascontiguousarray(rows)), fps=fps)
    return list(scenes)


def _layer(scenes: dict[str, Scene], layer: str) -> list[Pictures]:
    """Opaque pictures [V, H, W, 3] of each scene."""
    if layer == "rgb":
        return [scene.rgb.numpy() for scene in scenes.values()]
    for name, scene in scenes.items():
        if scene.depth is None or scene.cameras is None:
            raise UserError(
                f"{name} has no depth or no cameras, which {LAYERS[layer].lower()} takes.",
                hint="Leave it out with --methods, or export rgb.",
            )
    shared = depth_range(scene.depth.numpy() for scene in scenes.values() if scene.depth is not None)
    found = []
    for scene in scenes.values():
        assert scene.depth is not None
        if layer == "depth":
            colours = depth_colours(scene.depth.numpy(), shared or (0.0, 1.0))
        elif layer == "normals":
            colours = normal_colours(scene)
        else:
            colours = heat_colours(warp_differences(scene), scene.depth.numpy())
        opacity = colours[..., 3:].astype(np.float32) / 255
        found.append(np.round(colours[..., :3] * opacity + GROUND * (1 - opacity)).astype(np.uint8))
    return found


def _chosen(kind: str, names: Sequence[str], known: Mapping[str, object]) -> list[str]:
    for name in names:
        if name not in known:
            raise UnknownName(kind, name, tuple(known))
    return list(dict.fromkeys(names)) or list(known)


def _write(out: Path, content: dict[str, str], ending: str, named: bool) -> list[Path]:
    if out.suffix[1:2].isalpha() and out.suffix.lower() != ending and not out.is_dir():
        raise UserError(
            f"{out}: this is written as {ending}, not as {out.suffix}.",
            hint=f"End the name of one file with {ending}; name a folder for several without an ending.",
        )
    if named and len(content) == 1 and out.suffix.lower() == ending:
        make_folder(out.parent)
        atomic_write(out, next(iter(content.values())).encode())
        return [out]
    if out.suffix.lower() == ending or out.is_file():
        raise UserError(
            f"{out}: {len(content)} files do not fit into one.",
            hint="Name a folder with --out, or one thing with --name.",
        )
    make_folder(out)
    written = []
    for name, text in content.items():
        atomic_write(out / f"{name}{ending}", text.encode())
        written.append(out / f"{name}{ending}")
    return written
