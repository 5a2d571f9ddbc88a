"""The verbs of a submission: writing an entry from a run, and checking one against its scenes."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Data, Device, Directory, Json, Offline, Quiet, apply_offline
from .output import print_json

if TYPE_CHECKING:
    from ..leaderboard.resample import Resampling
    from ..leaderboard.submit import Written
    from ..leaderboard.verify import Verification

__all__ = ["submit", "verify"]


def submit(
    directory: Directory,
    method: Annotated[
        str | None, typer.Option(help="Which one; needed where several compete.", show_default=False)
    ] = None,
    board: Annotated[
        Path, typer.Option(help="Folder of the board; begun where there is none.", envvar="VIEWSWEEP_BOARD")
    ] = Path("leaderboard"),
    card: Annotated[
        Path | None, typer.Option(help="The method's card.", show_default="the board's, or a new one to fill in")
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(help="Where to put the scenes: a .tar or .zip.", show_default="DIR/METHOD-scenes.tar"),
    ] = None,
    archive_url: Annotated[str | None, typer.Option(help="Where others will find that archive, https.")] = None,
    date: Annotated[
        str | None,
        typer.Option(help="Of submission, 2030-01-31.", show_default="that of the same results, or today"),
    ] = None,
    as_json: Json = False,
    offline: Offline = False,
) -> None:
    """Write the leaderboard entry of a finished run, and check it."""
    apply_offline(offline)
    from ..leaderboard.board import BoardFolder
    from ..leaderboard.submit import submit as write
    from ..scenes.errors import ChecksFailed

    written = write(
        directory,
        method=method,
        board=BoardFolder(board),
        card=card,
        archive=archive,
        archive_url=archive_url,
        date=_day(date),
    )
    if as_json:
        print_json(_files(written) | {"notes": written.notes, "faults": [vars(fault) for fault in written.faults]})
    else:
        for what, path in _files(written).items():
            typer.echo(f"{what}: {path}")
        for note in written.notes:
            typer.echo(f"note: {note}")
        for fault in written.faults:
            typer.echo(f"{fault.severity}: {fault}")
        typer.echo(_next_step(written))
    if written.errors:
        raise ChecksFailed(f"{written.entry}: cannot go on a board yet; see above.")


def verify(
    entry: Annotated[Path, typer.Argument(metavar="ENTRY", help="entries/PROTOCOL/METHOD.json of a board.")],
    scenes: Annotated[Path, typer.Option(help="The archive of its scenes, or a folder of them.")],
    resample: Annotated[
        int | None, typer.Option(metavar="K", help="Draw K random scenes again with the method.", min=1)
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="For --resample: where the method is, if not registered.", show_default="by its name"),
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Equal bits, as on the machine of the run.")] = False,
    attest: Annotated[
        str | None, typer.Option(metavar="NAME", help="Record in the entry that NAME checked it, if it passes.")
    ] = None,
    data: Data = None,
    device: Device = "cpu",
    as_json: Json = False,
    quiet: Quiet = False,
    offline: Offline = False,
) -> None:
    """Compute every number of an entry again from its scenes, and compare."""
    apply_offline(offline)
    from ..benchmark.progress import make_progress
    from ..benchmark.registry import check_device
    from ..leaderboard.attest import attest as record
    from ..leaderboard.resample import resample_opened
    from ..leaderboard.strict_json import load_entry
    from ..leaderboard.verify import opened_scenes, verify_opened
    from ..scenes.errors import ChecksFailed, UserError

    if method is not None and resample is None:
        raise UserError("--method belongs to --resample: without it nothing is drawn.")
    check_device(device)
    claimed = load_entry(entry)
    redrawn = None
    with opened_scenes(claimed, scenes) as opened, make_progress(quiet=quiet) as progress:
        found = verify_opened(claimed, entry, opened, exact=exact, data=data, progress=progress)
        if resample is not None:
            redrawn = resample_opened(
                claimed, entry, opened, seeds=resample, method=method, device=device, data=data, progress=progress
            )
    passed = found.passed and (redrawn is None or redrawn.passed)
    if as_json:
        print_json(_verified(found, redrawn))
    else:
        _print_verification(found)
        if redrawn is not None:
            _print_resampling(redrawn)
    if not passed:
        differing = list(dict.fromkeys(comparison.what for comparison in found.differing))
        what = differing or ["scenes drawn again"]
        more = f" and {len(what) - 5} more" if len(what) > 5 else ""
        raise ChecksFailed(f"{entry}: does not hold: {', '.join(what[:5])}{more}.")
    if attest is not None:
        record(entry, attest, verification=found, resampling=redrawn)
        typer.echo(f"Recorded in {entry} as checked by {attest}.", err=as_json)


def _day(text: str | None) -> datetime.date | None:
    from ..scenes.errors import UserError

    try:
        return None if text is None else datetime.date.fromisoformat(text)
    except ValueError:
        raise UserError(f"--date {text}: write year, month and day, such as 2030-01-31.") from None


def _files(written: Written) -> dict[str, str]:
    parts = ("entry", "table", "card", "archive")
    return {part: str(getattr(written, part)) for part in parts}


def _next_step(written: Written) -> str:
    if written.skeleton:
        return (
            f"Next: complete the card {written.card} where it says FILL IN, then run `viewsweep validate "
            f"{written.entry}`."
        )
    if written.errors:
        return f"Next: mend the faults above, then run `viewsweep validate {written.entry}`."
    return (
        f"Next: put {written.archive} where others can fetch it (--archive-url says where), and open a pull request "
        f"with entry, table and card."
    )


def _verified(found: Verification, redrawn: Resampling | None) -> dict[str, Any]:
    """Both checks as plain JSON values."""
    document: dict[str, Any] = {
        "passed": found.passed and (redrawn is None or redrawn.passed),
        "exact": found.exact,
        "compared": [
            {key: _finite(value) for key, value in vars(comparison).items()} for comparison in found.comparisons
        ],
    }
    if redrawn is not None:
        scenes = [vars(scene) | {"agrees": scene.agrees} for scene in redrawn.scenes]
        document["resampled"] = {"changed": redrawn.changed, "scenes": scenes}
    return document


def _finite(value: Any) -> Any:
    import math

    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print_verification(found: Verification) -> None:
    """One line a metric, then every part that differs."""
    grouped: dict[str, list[Any]] = {}
    for comparison in found.comparisons:
        grouped.setdefault(comparison.what, []).append(comparison)
    width = max(map(len, grouped), default=0)
    for what, comparisons in grouped.items():
        differing = [comparison for comparison in comparisons if not comparison.agrees]
        worst = max(comparison.difference for comparison in comparisons)
        typer.echo(f"{'✗' if differing else '✓'} {what:<{width}}  {'' if worst == 0 else f'{worst:.1e}'}".rstrip())
        for comparison in differing:
            part = f"{comparison.part}: " if comparison.part else ""
            room = f" (at most {comparison.tolerance:.0e} apart)" if comparison.tolerance else ""
            typer.echo(f"    {part}the entry says {comparison.claimed}, the scenes give {comparison.found}{room}")
    kept = sum(comparison.agrees for comparison in found.comparisons)
    typer.echo(f"{kept} of {len(found.comparisons)} agree; largest difference {found.largest_difference:.1e}.")


def _print_resampling(redrawn: Resampling) -> None:
    for line in redrawn.changed:
        typer.echo(f"✗ {line}")
    for scene in redrawn.scenes:
        mark = "✓" if scene.agrees else "✗"
        if scene.fault is not None:
            typer.echo(f"{mark} scene {scene.index} (seed {scene.seed}): {scene.fault}")
            continue
        parts = [f"pixels {scene.pixels:.2f} of 255"]
        parts += [] if scene.depth is None else [f"depth {scene.depth:.1%}", f"outline {scene.outline:.1%}"]
        typer.echo(f"{mark} scene {scene.index} (seed {scene.seed}): {', '.join(parts)}")
