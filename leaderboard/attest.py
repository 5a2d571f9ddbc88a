"""Recording in an entry that somebody checked it, which raises its tier on the board."""

from __future__ import annotations

import datetime
from importlib.metadata import version
from pathlib import Path

from ..scenes.errors import UserError
from ..scenes.files import atomic_write
from .entry import Attestation, Entry
from .resample import Resampling
from .submit import entry_text
from .verify import Verification

__all__ = ["attest"]


def attest(
    entry: Path,
    by: str,
    *,
    verification: Verification | None = None,
    resampling: Resampling | None = None,
    date: datetime.date | None = None,
) -> Entry:
    """Add what was checked to the entry at `entry`, in place of earlier checks of the same kind by the same person.

    Args:
        entry: its file, which was just checked.
        by: who checked.
        verification, resampling: what was checked; both have passed.
        date: of the check; today.

    Raises:
        UserError: a check did not pass, or the file cannot be written.
    """
    if not by.strip():
        raise UserError("--attest: a name is needed.")
    checked = [check for check in (verification, resampling) if check is not None]
    if not checked or not all(check.passed for check in checked):
        raise UserError(f"{entry}: only what passed its check can be attested.")
    made = [
        Attestation(
            kind="verified" if isinstance(check, Verification) else "spot-checked",
            by=by.strip(),
            date=date or datetime.date.today(),
            viewsweep=version("viewsweep"),
            seeds=0 if isinstance(check, Verification) else len(check.scenes),
            largest_difference=check.largest_difference,
        )
        for check in checked
    ]
    kinds = {(attestation.kind, attestation.by) for attestation in made}
    old = checked[0].entry
    kept = [attestation for attestation in old.attestations if (attestation.kind, attestation.by) not in kinds]
    new = old.model_copy(update={"attestations": [*kept, *made]})
    atomic_write(entry, entry_text(new))
    return new
