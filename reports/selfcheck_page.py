"""The self-check as one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from ..metrics.selfcheck import COMPLETION_CHEATS, SET_CORRUPTIONS, SelfCheck
from ..scenes.corruptions import CORRUPTIONS
from ..scenes.files import atomic_write
from .assets import asset, template
from .response_matrix import describe, matrix_svg

__all__ = ["write_selfcheck"]


def write_selfcheck(check: SelfCheck, path: Path) -> Path:
    """Write `check` as HTML to `path`, in one step.

    Raises:
        WriteFailed: the file cannot be written; an earlier one is untouched.
    """
    sweeps, sets, completions = (
        matrix_svg(check, names) if any(cell.corruption in names for cell in check.cells) else None
        for names in (CORRUPTIONS, SET_CORRUPTIONS, COMPLETION_CHEATS)
    )
    broken = [describe(cell) for cell in check.cells if cell.ok is False]
    page = template("selfcheck.html.j2").render(
        css=Markup(asset("base.css") + asset("report.css")),
        check=check,
        sweeps=sweeps,
        sets=sets,
        completions=completions,
        broken=broken,
        judged=sum(cell.ok is not None for cell in check.cells) + len(check.calibrations),
        corruptions=[CORRUPTIONS[name] for name in check.plan.corruptions],
        set_corruptions=[SET_CORRUPTIONS[name] for name in check.plan.sets] if sets else [],
        completion_cheats=[COMPLETION_CHEATS[name] for name in check.plan.completions] if completions else [],
    )
    atomic_write(path, page.encode())
    return path
