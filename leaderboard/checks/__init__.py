"""What is checked of an entry, one thing a function; all are run, and all that is wrong is reported at once.

A check is told everything that could be read of a submission and yields its faults. It never raises for what
it finds, never stops another check, and says nothing where the part it looks at is missing: whoever reads that
part has said so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..faults import Fault
from .counts import check_archived_scenes, check_cost, check_failed_scenes, check_scene_counts
from .history import check_attestations, check_dates, check_lifecycle
from .kept import check_rows_kept, measured
from .method import check_card_name, check_division, check_reference_family, check_revision, check_weights
from .place import check_place
from .protocol import check_protocol, check_seeds, check_split
from .results import check_intervals, check_metrics, check_ranges, check_sample_counts, check_statuses, check_versions
from .submission import Submission
from .table_content import check_rows_complete, check_rows_of_protocol, check_rows_own, check_rows_unique, check_values
from .table_means import check_means

__all__ = ["ENTRY_CHECKS", "Submission", "check_entry", "check_rows_kept", "measured"]

ENTRY_CHECKS: tuple[Callable[[Submission], Iterable[Fault]], ...] = (
    check_place,
    check_protocol,
    check_split,
    check_seeds,
    check_scene_counts,
    check_failed_scenes,
    check_archived_scenes,
    check_cost,
    check_metrics,
    check_versions,
    check_statuses,
    check_intervals,
    check_ranges,
    check_sample_counts,
    check_rows_own,
    check_rows_unique,
    check_values,
    check_rows_of_protocol,
    check_rows_complete,
    check_means,
    check_card_name,
    check_revision,
    check_weights,
    check_division,
    check_reference_family,
    check_attestations,
    check_dates,
    check_lifecycle,
)


def check_entry(submission: Submission) -> list[Fault]:
    """All faults of a submission."""
    return [fault for check in ENTRY_CHECKS for fault in check(submission)]
