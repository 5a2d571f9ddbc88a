"""`verify`: computes every number of an entry again from the archived scenes and compares.

The evaluation is the harness's own, on nothing but the scenes and the protocol; its memory of earlier
evaluations is not consulted. That proves that the numbers belong to the scenes. That the scenes belong to the
method is what `resample` shows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..benchmark.evaluation import Evaluated, evaluate_methods
from ..benchmark.fingerprint import sha256_bytes
from ..benchmark.picture_folder import PictureFolder, open_pictures
from ..benchmark.posed_data import PosedData
from ..benchmark.posed_scenes import with_videos
from ..benchmark.progress import Progress
from ..benchmark.protocol import FolderReference, Protocol
from ..benchmark.registry import BUILT_IN, UNSHIPPED
from ..benchmark.results import changed_files
from ..benchmark.run_directory import RunDirectory
from ..scenes.errors import UserError
from .archive import open_archive, write_archive
from .board import board_of
from .checks.table import SceneTable, read_scene_table
from .comparing import Comparison, compare_heads, compare_metrics, compare_tables
from .entry import Archive, Entry, PerScene
from .expectation import find_protocol
from .faults import as_error
from .run_entry import views_drawn
from .scene_table import pack, rows_of
from .seeds import protocol_seeds, seeds_sha256
from .strict_json import load_entry

__all__ = ["OpenedScenes", "Verification", "opened_scenes", "protocol_of", "verify", "verify_opened"]


@dataclass(frozen=True)
class Verification:
    """How an entry compares with its scenes.

    Args:
        entry: what was verified.
        comparisons: everything that was compared.
        exact: whether numbers had to be equal to the last bit.
    """

    entry: Entry
    comparisons: list[Comparison] = field(default_factory=list)
    exact: bool = False

    @property
    def differing(self) -> list[Comparison]:
        return [comparison for comparison in self.comparisons if not comparison.agrees]

    @property
    def passed(self) -> bool:
        return not self.differing

    @property
    def largest_difference(self) -> float:
        """Relative, over all numbers."""
        return max((comparison.difference for comparison in self.comparisons), default=0.0)


@dataclass(frozen=True)
class OpenedScenes:
    """Scenes that can be read: their folder, and the archive they make."""

    folder: Path
    archive: Archive


def verify(
    entry: Path,
    *,
    scenes: Path,
    exact: bool = False,
    data: Path | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Compute the numbers of the entry at `entry` again and compare.

    Args:
        entry: its file on a board; its table lies beside it.
        scenes: the archive of its scenes, or a folder of them.
        exact: ask for equal bits, as they come from the same software on the same machine; else the tolerances of
            `leaderboard.tolerances` hold.
        data: the folder of real pictures or videos, for protocols that need one.
        progress: where to report to.

    Raises:
        UserError: the entry, the archive or the table cannot be read or are not what the entry says, or the
            protocol is not known.
    """
    claimed = load_entry(entry)
    with opened_scenes(claimed, scenes) as opened:
        return verify_opened(claimed, entry, opened, exact=exact, data=data, progress=progress)


def verify_opened(
    claimed: Entry,
    entry: Path,
    opened: OpenedScenes,
    *,
    exact: bool = False,
    data: Path | None = None,
    progress: Progress | None = None,
) -> Verification:
    """As `verify`, with scenes that have been opened before."""
    name = claimed.method.name
    protocol = protocol_of(claimed, entry)
    with tempfile.TemporaryDirectory(prefix="viewsweep-verify-") as made:
        run = RunDirectory(made)
        run.scenes.mkdir()
        run.method_folder(name).symlink_to(opened.folder.absolute(), target_is_directory=True)
        found = _evaluated(run, protocol, name, data, progress or Progress())
        for path, content in changed_files(run, found.results, found.rows):
            path.write_bytes(content)
        table = _own_table(run, name)
    results = found.results["methods"][name]
    versions = {key: definition["version"] for key, definition in found.results["metrics"].items()}
    rows, faults = read_scene_table(entry.with_suffix(".parquet"), claimed.per_scene)
    if rows is None or faults:
        raise as_error(faults)
    failed = [lost["index"] for lost in results["scenes"]["failed"]]
    heads = compare_heads(
        [
            ("protocol.hash", claimed.protocol.hash, found.results["protocol"]["hash"]),
            ("protocol.version", claimed.protocol.version, protocol.version),
            ("scenes.requested", claimed.scenes.requested, results["scenes"]["requested"]),
            ("scenes.evaluated", claimed.scenes.evaluated, results["scenes"]["evaluated"]),
            ("scenes.failed", [lost.index for lost in claimed.scenes.failed], failed),
            ("scenes.seeds_sha256", claimed.scenes.seeds_sha256, seeds_sha256(protocol_seeds(protocol))),
            ("archive.sha256", claimed.archive.sha256, opened.archive.sha256),
            ("archive.bytes", claimed.archive.bytes, opened.archive.bytes),
            ("archive.scenes", claimed.archive.scenes, opened.archive.scenes),
            ("per_scene.method", [name], rows.methods),
            ("cost.views", claimed.cost.views, views_drawn(protocol, failed)),
        ]
    )
    metrics = compare_metrics(claimed, results["metrics"], versions, exact)
    return Verification(claimed, [*heads, *metrics, *compare_tables(rows, table, exact)], exact)


@contextmanager
def opened_scenes(entry: Entry, scenes: Path) -> Iterator[OpenedScenes]:
    """The scenes of an entry, from an archive or from a folder.

    Of a folder the archive is made again, which tells whether it holds the scenes the entry speaks of: equal
    scenes give equal bytes.

    Raises:
        UserError: there is no such file or folder, or the archive is not the entry's.
    """
    if scenes.is_dir():
        with tempfile.TemporaryDirectory(prefix="viewsweep-archive-") as made:
            archive = write_archive(scenes, Path(made) / "scenes.tar")
            if archive.sha256 != entry.archive.sha256:
                zipped = write_archive(scenes, Path(made) / "scenes.zip")
                archive = zipped if zipped.sha256 == entry.archive.sha256 else archive
        yield OpenedScenes(scenes, archive)
        return
    if not scenes.is_file():
        raise UserError(f"{scenes}: there is no such archive or folder.", hint=_where(entry))
    with open_archive(scenes, expected_sha256=entry.archive.sha256) as folder:
        found = Archive(
            sha256=entry.archive.sha256,  # checked while it was opened
            bytes=scenes.stat().st_size,
            scenes=sum(1 for _ in folder.glob("*.safetensors")),
        )
        yield OpenedScenes(folder, found)


def protocol_of(entry: Entry, path: Path) -> Protocol:
    """The protocol an entry names: a shipped one or one of its board's own; never one the entry brings along.

    Args:
        entry: as it was read.
        path: where it lies: entries/<protocol>/<method>.json of a board; elsewhere only shipped protocols are known.

    Raises:
        UserError: nobody knows it, or it is faulty.
    """
    return find_protocol(entry.protocol.name, board_of(path))


def _evaluated(run: RunDirectory, protocol: Protocol, method: str, data: Path | None, progress: Progress) -> Evaluated:
    """What the harness makes of the scenes in `run`."""
    pictures: PictureFolder | PosedData | None = None
    if protocol.sequences is not None:
        protocol = with_videos(protocol, data, progress)
        pictures = protocol.data
    elif isinstance(protocol.reference, FolderReference):
        if data is None:
            raise UserError(f"{protocol.name} compares with real pictures.", hint="Name their folder with --data.")
        pictures = open_pictures(data, progress)
    return evaluate_methods(run, protocol, [method], pictures=pictures, progress=progress, begin=lambda: None)


def _own_table(run: RunDirectory, method: str) -> SceneTable:
    """The table of an evaluation, read as one beside an entry is."""
    rows = rows_of(run.per_scene, method)
    content = pack(rows)
    path = run.path / "own.parquet"
    path.write_bytes(content)
    found, faults = read_scene_table(
        path, PerScene(sha256=sha256_bytes(content), bytes=len(content), rows=rows.num_rows)
    )
    if found is None:
        raise as_error(faults)
    return found


def _where(entry: Entry) -> str:
    if entry.archive.url:
        return f"Download it from {entry.archive.url}."
    name = entry.method.name
    if name in BUILT_IN and name not in UNSHIPPED:
        drawn = f"viewsweep sample {entry.protocol.name} --methods {name} --out again"
        return f"The entry does not say where its archive is; draw it with `{drawn}`, it is again/scenes/{name} then."
    return "The entry does not say where its archive is; ask its authors."
