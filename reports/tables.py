"""The summary: methods by metrics, with intervals, sample counts, ranks, and reasons for what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..metrics.ranking import RankRange
from .curve_points import is_curve_point
from .numbers import NOTHING, decimals_for, format_number
from .ranks import column_ranks, winner
from .rundir import Definition, Method, Outcome, RunFiles

__all__ = [
    "Cell",
    "Column",
    "Group",
    "Note",
    "Part",
    "Row",
    "Summary",
    "Table",
    "column",
    "flatten",
    "ordered_metrics",
    "summarise",
]


@dataclass(frozen=True)
class Stems:
    """The stems of a family's metric ids: those everybody should see, and those folded under them."""

    headline: tuple[str, ...]
    more: tuple[str, ...] = ()


FAMILIES = {
    "Pictures": Stems(
        ("fid", "kid", "is", "class_accuracy"),
        (
            *("precision", "recall", "density", "coverage", "vendi"),
            *("kid_worst_bin", "kid_side_front_gap", "kid_back_front_gap", "kid_subsets"),
            *("fid_worst_bin", "fid_side_front_gap", "fid_back_front_gap"),
            *("sharpness_ratio", "sharpness_error"),
        ),
    ),
    "Consistency": Stems(
        ("warp_psnr", "covisible", "geometric_share", "warp_zncc", "tsed", "parallax_ratio", "janus"),
        (
            *("warp_mse", "sed", "tsed_auc", "matches", "parallax_error", "loop_psnr", "loop_drop_db", "janus_pixels"),
            *("textured", "lpips_covisible", "holdout_psnr", "holdout_ssim", "holdout_mse", "fit_psnr"),
        ),
    ),
    "Cameras": Stems(
        ("rotation_error_deg", "translation_error", "registration"),
        ("adjacent_rotation_error_deg", "models", "reprojection_error_px", "track_length"),
    ),
    "Shape": Stems(("nfs", "plane_residual", "depth_agreement", "scale_jitter"), ("depth_round_trip",)),
    "Against the truth": Stems(
        ("psnr", "ssim", "lpips", "abs_rel", "normals_deg", "chamfer"),
        (
            *("abs_rel_affine", "rmse", "silog"),
            *("delta_1.25", "delta_1.05", "normals_11.25", "depth_coverage"),
        ),
    ),
    "Completions": Stems(
        (
            *("best_psnr", "best_psnr_unseen", "best_feature_distance_unseen", "best_lpips_unseen"),
            *(
                "energy_unseen",
                "diversity_contrast",
                "modes_hit",
                "context_psnr",
                "best_epe_moving",
                "best_latent_error",
            ),
        ),
        (
            *("sample_psnr", "psnr_gain", "best_psnr_seen", "sample_psnr_seen", "psnr_seen_gain"),
            *("sample_psnr_unseen", "psnr_unseen_gain"),
            *("best_ssim", "sample_ssim", "ssim_gain", "best_ssim_seen", "sample_ssim_seen", "ssim_seen_gain"),
            *("best_ssim_unseen", "sample_ssim_unseen", "ssim_unseen_gain"),
            *("best_feature_distance", "sample_feature_distance", "feature_distance_gain"),
            *("best_feature_distance_seen", "sample_feature_distance_seen", "feature_distance_seen_gain"),
            *("sample_feature_distance_unseen", "feature_distance_unseen_gain"),
            *("best_lpips", "sample_lpips", "lpips_gain", "best_lpips_seen", "sample_lpips_seen", "lpips_seen_gain"),
            *("sample_lpips_unseen", "lpips_unseen_gain"),
            *("energy_seen", "energy", "diversity_seen", "diversity_unseen", "diversity", "samples", "seen_share"),
            *("modes_expected", "samples_on_mode", "mode_distance", "context_psnr_worst"),
            *("best_epe", "sample_epe", "epe_gain", "sample_epe_moving", "epe_moving_gain", "static_moved"),
            *("sample_latent_error", "latent_error_gain"),
        ),
    ),
}
"""Headings of neighbouring columns, by the stem of the metric's id; the rest goes under FURTHER."""

ONE_TABLE = 8
"""Headline columns that one table holds; with more of them each family has its own."""

FURTHER = "Further"

ROLE_TITLES = {
    "ceiling": "Ceiling",
    "method": "Methods",
    "cheat": "Cheats",
}


@dataclass(frozen=True)
class Column:
    """One metric: `arrow` is up, down or empty; `decimals` hold for all its cells.

    Columns that are no headlines are folded under those that are.
    """

    definition: Definition
    family: str
    decimals: int
    headline: bool = True

    @property
    def arrow(self) -> str:
        return {True: "↑", False: "↓", None: ""}[self.definition.higher_is_better]

    @property
    def direction(self) -> str:
        words = {True: "higher is better", False: "lower is better", None: "neither direction is better"}
        return words[self.definition.higher_is_better]

    @property
    def unit(self) -> str:
        return "" if self.definition.unit in ("", "1") else self.definition.unit


@dataclass(frozen=True)
class Cell:
    """What stands at a crossing; `text` is a dash and `note` points to its reason without a number.

    `rank` is the range of places that comparisons with the other methods leave open, "1-2". `best` is
    the one competing method that is surely better than all others, not merely the highest number.
    """

    text: str
    interval: str = ""
    n: int = 0
    best: bool = False
    note: int | None = None
    reason: str = ""
    rank: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Row:
    method: Method
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Group:
    """Rows under one heading: the ceiling, the methods that compete, the cheats."""

    role: str
    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Note:
    """Why some cells hold no number."""

    number: int
    status: str
    reason: str
    where: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Some columns of all methods."""

    columns: tuple[Column, ...]
    groups: tuple[Group, ...]

    @property
    def families(self) -> list[tuple[str, int]]:
        """Headings above the columns, each with the number of columns it spans."""
        spans: list[tuple[str, int]] = []
        for own in self.columns:
            if spans and spans[-1][0] == own.family:
                spans[-1] = (own.family, spans[-1][1] + 1)
            else:
                spans.append((own.family, 1))
        return spans

    def only(self, chosen: Iterable[Column]) -> Table:
        """The same rows with the `chosen` columns."""
        wanted = {own.definition.id for own in chosen}
        places = [place for place, own in enumerate(self.columns) if own.definition.id in wanted]
        groups = (
            replace(group, rows=tuple(Row(row.method, tuple(row.cells[p] for p in places)) for row in group.rows))
            for group in self.groups
        )
        return Table(tuple(self.columns[place] for place in places), tuple(groups))


@dataclass(frozen=True)
class Part:
    """A table, and the ids of its columns that are hidden until asked for; without a title it holds all families."""

    title: str
    table: Table
    hidden: frozenset[str]


@dataclass(frozen=True)
class Summary(Table):
    """Every column of a run that belongs into a table, and why some cells hold no number."""

    notes: tuple[Note, ...] = ()

    @property
    def parts(self) -> list[Part]:
        """One table for everything while the headlines fit into one, else one a family."""
        headlines = [own for own in self.columns if own.headline]
        if len(headlines) <= ONE_TABLE:
            return [self._part("", list(self.columns))]
        families = dict.fromkeys(own.family for own in self.columns)
        return [self._part(family, [own for own in self.columns if own.family == family]) for family in families]

    def _part(self, title: str, columns: list[Column]) -> Part:
        shown = {own.definition.id for own in columns if own.headline or not any(one.headline for one in columns)}
        return Part(title, self.only(columns), frozenset(own.definition.id for own in columns) - shown)


def summarise(run: RunFiles) -> Summary:
    """The summary tables of a run; ids that make curves (`id@30`, bins of azimuth) are not in them.

    Only competing methods are ranked: neither the ceiling nor a cheat can win, a metric without a
    direction has no winner, and nobody has won where the difference may be luck.
    """
    columns = tuple(column(run, name) for name in ordered_metrics(run.definitions) if not is_curve_point(name))
    ranks = {own.definition.id: column_ranks(run, own.definition) for own in columns}
    best = {own.definition.id: winner(run, own.definition, ranks[own.definition.id]) for own in columns}
    notes: dict[tuple[str, str], tuple[int, dict[str, list[str]]]] = {}
    rows = []
    for method in run.methods:
        cells = []
        for own in columns:
            name = own.definition.id
            outcome = method.outcome(name)
            number = _note(notes, method, own, outcome)
            cells.append(_cell(outcome, own, number, method.name == best[name], ranks[name].get(method.name)))
        rows.append(Row(method, tuple(cells)))
    groups = []
    for role, title in ROLE_TITLES.items():
        members = tuple(row for row in rows if row.method.role == role)
        if members:
            groups.append(Group(role, title, members))
    listed = tuple(
        Note(number, *key, tuple(_place(title, names, len(run.methods)) for title, names in where.items()))
        for key, (number, where) in notes.items()
    )
    return Summary(columns, tuple(groups), listed)


def column(run: RunFiles, name: str) -> Column:
    """How the metric `name` is shown."""
    stem = _stem(name)
    outcomes = [method.outcome(name) for method in run.methods]
    family = next((title for title, stems in FAMILIES.items() if stem in stems.headline + stems.more), FURTHER)
    decimals = decimals_for((outcome.value, outcome.half_width) for outcome in outcomes if outcome.value is not None)
    headline = family == FURTHER or stem in FAMILIES[family].headline
    return Column(run.definitions[name], family, decimals, headline)


def ordered_metrics(definitions: Mapping[str, Definition]) -> list[str]:
    """Metric ids, family by family; within a family in the order of `FAMILIES`, then by id."""
    known = (stem for stems in FAMILIES.values() for stem in stems.headline + stems.more)
    order = {stem: place for place, stem in enumerate(known)}
    return sorted(definitions, key=lambda name: (order.get(_stem(name), len(order)), name))


def flatten(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    """Nested JSON as lines of a table: ((key, key ...), text); a list of plain values takes one line."""
    if isinstance(value, Mapping):
        return [line for key, inner in value.items() for line in flatten(inner, (*path, str(key)))]
    if isinstance(value, list | tuple):
        if any(
            (isinstance(inner, Mapping) and not _is_flat(inner)) or isinstance(inner, list | tuple) for inner in value
        ):
            return [line for place, inner in enumerate(value) for line in flatten(inner, (*path, str(place + 1)))]
        return [(path, ", ".join(_plain(inner) for inner in value) or "none")]
    return [(path, _plain(value))]


def _plain(value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return " ".join(
            str(inner) if key in ("id", "name") else f"{key} {_plain(inner)}" for key, inner in value.items()
        )
    return str(value)


def _is_flat(value: Mapping[str, Any]) -> bool:
    return not any(isinstance(inner, Mapping | list | tuple) for inner in value.values())


def _stem(name: str) -> str:
    return name.split("[")[0]


def _cell(outcome: Outcome, column: Column, note: int | None, best: bool, rank: RankRange | None) -> Cell:
    if outcome.value is None:
        return Cell(NOTHING, note=note, reason=f"{_status(outcome)}: {outcome.reason}")
    interval = ""
    if outcome.low is not None and outcome.high is not None:
        low, high = (format_number(bound, column.decimals) for bound in (outcome.low, outcome.high))
        interval = f"[{low}, {high}]"
    place = "" if rank is None else str(rank).replace("-", "\N{EN DASH}")
    return Cell(
        format_number(outcome.value, column.decimals),
        interval,
        outcome.n,
        best,
        rank=place,
        value=outcome.value,
        low=outcome.low,
        high=outcome.high,
    )


def _status(outcome: Outcome) -> str:
    return {"failed": "failed", "not_run": "not run"}.get(outcome.status, outcome.status)


def _note(
    notes: dict[tuple[str, str], tuple[int, dict[str, list[str]]]], method: Method, column: Column, outcome: Outcome
) -> int | None:
    if outcome.value is not None:
        return None
    number, where = notes.setdefault((_status(outcome), outcome.reason), (len(notes) + 1, {}))
    where.setdefault(column.definition.title, []).append(method.name)
    return number


def _place(title: str, names: list[str], methods: int) -> str:
    everyone = len(names) == methods > 1
    return f"{title}, {'all methods' if everyone else ', '.join(names)}"
