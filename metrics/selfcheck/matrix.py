"""The declared response matrix: what each metric must see, and what it must not.

One row a metric id, one column a corruption. A cell is

    1..9   fires: badness rises with severity, and subjects at this level of the corruption (and
           beyond) are told from clean ones
    b      blind: no claim that it sees this, by design; the report shows what it does see
    o      must not fire: any change stays below that of the gentlest corruption it detects
    .      not judged: neither promised nor forbidden

Letters behind a cell name kinds of subjects it does not hold for: s symmetric (turned, they look the
same), p plain (nothing to compare), t thin, r repetitive (COLMAP finds one of several cameras by chance).

Levels are those of `scenes.corruptions`, counted from 1. What a metric sees or is blind to follows from
its definition; from which level on was read off one full run, as the gentlest level that met the bars
and moved the metric more than its controls do. The check therefore guards against change; that the
same levels hold on other objects is for the reader's own run to show.

The block before the last is of sets of single pictures (`set_corruptions`). Its values with a group of scenes left out
differ less from one another than honest sets do, so that their AUROC alone would promise too much. A level
counts there only where it moved the metric half as much again as the largest of its controls, and one of
these is another honest draw of the same size. The front row of `ViewRange` is held to what FID, KID and Inception Score
are held to; its wider rows, which take the same from more views, are not judged.

The last block is of completions (`completion_cheats`), whose levels were chosen in the same way. A cheat that is good
at something stands there as blind: the mean of all answers at one sample's errors, a copied context at fidelity,
copies of the truth at all but variety and modes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["MATRIX", "Expectation", "expectation"]

Kind = Literal["fires", "blind", "silent", "open"]


@dataclass(frozen=True)
class Expectation:
    """What a metric is held to under one corruption.

    Args:
        kind: fires, blind, silent (must not fire) or open (not judged).
        level: from which level on it must tell corrupted from clean; fires only.
        spared: kinds of subjects it is not held to.
    """

    kind: Kind
    level: int = 0
    spared: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {"b": "blind", "o": "silent", ".": "open"}
SPARED = {"s": "symmetric", "p": "plain", "t": "thin", "r": "repetitive"}

SEEN = """
                            noise hue flicker wobble warp2d depth_field depth_scale depth_relief disobedience frozen
fid[tabletop]                   5   b       4      .      b           b           b            b            b      .
kid[tabletop]                   5   b       .      .      .           b           b            b            b      .
kid_worst_bin[tabletop]         5   .       .      .      .           b           b            b            b      .
is[tabletop]                    .   b       .      b      b           b           b            b            b      b
recall[tabletop]                .   .       .      .      .           b           b            b            .      .
coverage[tabletop]              .   .       .      .      .           b           b            b            .      .
vendi[tabletop]                 .   .       .      .      .           b           b            b            .      .
class_accuracy[tabletop]        .   .       .      .      .           b           b            b            .      .
sharpness_error                 4   b       b      b      b           b           b            b            b      b
warp_psnr                       5   .       4      4      5           6           3            5           5p     4p
warp_psnr@60                    5   .       5      5      5           5           3            4           5p     3p
warp_mse                        5   .       4      4      5           5           2            5           4p     4p
warp_zncc                       4   b       b      3      3           5           2            4            4      3
warp_zncc@60                    5   b       b      3      3           3           2            3            5      3
geometric_share                 b   b       b      3      b           2           2            3           5s     5s
geometric_share@60              b   b       b      1      b           1           1            1           5s     2s
depth_round_trip                b   b       b      3      b           3           3            4           6s     6s
scale_jitter                    b   b       b      1      b           1           1           1s            b      .
chamfer                         b   b       b      2      b           2           2            3           4s     4s
sed                             5   b       b      4      5           b           b            b            .      .
tsed                           5p   b       b      .      .           b           b            b            .      .
tsed_auc                       5p   b       b      5      5           b           b            b           5p     5p
parallax_error                 5p   b       b      .      .          6p          6p           5p           4p      6
loop_psnr                       5   .       .      5      5           6          5p            5           4p      .
loop_drop_db                    b   b       b      b      b           .           .            .            b      .
janus[tabletop]                 .   b       b      b      b           b           b            b            b      b
janus_pixels                    b   b       b      b      b           b           b            b            b      b
rotation_error_deg              .   .       .      .      .           .           .            .           4r     2r
adjacent_rotation_error_deg     .   .       .     3r      .           .           .            .           3r     2r
holdout_psnr                    .   .       .      3      4           .           .            .            5      3
holdout_mse                     .   .       .      2      3           .           .            .            3      1
nfs                             b   b       b      b      b           .           b            5            b      b
plane_residual                  b   b       b      b      b           b           b            4            b      b
psnr                            1   1       1      1      1           b           b            b            1      1
ssim                            1   1       1      1      1           b           b            b            1      1
abs_rel                         b   b       b      1      b           1           1            1            1      1
silog                           b   b       b      1      b           1           1            1            1      1
delta_1.05                      b   b       b      1      b           .           .            .           1s     1s
normals_deg                     b   b       b      1      b           1           b            1           4s     1s
"""

TURNED = """
                            reversed fov switch drift janus blur_per_view billboard
fid[tabletop]                      .   .      .     .     .             .         .
kid[tabletop]                      .   b      b     b     .             .         .
kid_worst_bin[tabletop]            .   .      b     b     .             .         .
is[tabletop]                       b   .      b     b     b             b         .
recall[tabletop]                   .   .      .     .     .             .         .
coverage[tabletop]                 .   .      .     .     .             .         .
vendi[tabletop]                    .   .      .     .     .             .         .
class_accuracy[tabletop]           .   .      .     .     .             .         .
sharpness_error                    b   .      b     .     b             .         .
warp_psnr                          5   .      b     b     b             b         b
warp_psnr@60                       5 6sp      .     .     b             b         .
warp_mse                           3   .      .     .     .             .         .
warp_zncc                          1   .      5     .     .             .         .
warp_zncc@60                       2   5      5     5     .            5p         .
geometric_share                   4s   .      .     b     .             b         .
geometric_share@60                4s   .      .     b     .             b         .
depth_round_trip                  4s   .      .     b     .             b         .
scale_jitter                       b  4s      .     b     b             b         .
chamfer                           2s   6      b     b     b             b         b
sed                               5s   b      .     .     .             .         .
tsed                               5   b      .     b     b             .         .
tsed_auc                           5   b      .     .     b             .         .
parallax_error                     5   b      .     b   5sp             5         .
loop_psnr                          .   .      3     3     b             b         b
loop_drop_db                       .   .      3     3     b             b         b
janus[tabletop]                    .   b      b     b     3             b         .
janus_pixels                       b   b      b     b     3             b         .
rotation_error_deg                 .   .      .     .     .             .         .
adjacent_rotation_error_deg        .   .      .     .     .             .         .
holdout_psnr                       .   .      5     .     .             .         .
holdout_mse                        .   .      4     .     .             .         .
nfs                                b   b      b     b     b             b         4
plane_residual                     b   b      b     b     b             b         4
psnr                               1   1      1     1     1             1         1
ssim                               1   1      1     1     3             1         1
abs_rel                            1   1      1     b     1             b         1
silog                              1   1      1     b     1             b         1
delta_1.05                        1s   3      4     b    1s             b         1
normals_deg                       1s   2      3     b     .             b         1
"""

CONTROLS = """
                            blur_all exposure hue_all view_order resolution flatness
fid[tabletop]                      .        4       o          o          .        .
kid[tabletop]                      4        4       o          o          .        .
kid_worst_bin[tabletop]            o        .       o          o          o        .
is[tabletop]                       o        5       o          o          o        o
recall[tabletop]                   .        .       .          o          .        .
coverage[tabletop]                 .        .       .          o          .        .
vendi[tabletop]                    .        .       .          o          .        .
class_accuracy[tabletop]           .        .       .          o          .        .
sharpness_error                    .        .       o          o          4        .
warp_psnr                          o        o       o          o          o        o
warp_psnr@60                       o        o       o          o          o        o
warp_mse                           o        o       o          o          o        o
warp_zncc                          o        o       o          o          o        .
warp_zncc@60                       .        o       o          o          o        .
geometric_share                    o        o       o          o          o        o
geometric_share@60                 o        o       o          o          o        .
depth_round_trip                   o        o       o          o          o        o
scale_jitter                       o        o       o          o          o        o
chamfer                            o        o       o          o          .        o
sed                                .        o       o          o          .        .
tsed                               .        o       o          o          .        o
tsed_auc                           .        o       o          o          .        .
parallax_error                     .        o       o          o          .        .
loop_psnr                          o        o       o          .          o        o
loop_drop_db                       o        o       o          .          o        o
janus[tabletop]                    o        o       o          o          o        .
janus_pixels                       o        o       o          o          o        o
rotation_error_deg                 .       or       .          .          .        .
adjacent_rotation_error_deg        .       or       .          .          .        .
holdout_psnr                       o        o       .          .          .        .
holdout_mse                        o        o       .          .          .        .
nfs                                o        o       o          o          o        4
plane_residual                     o        o       o          o          o        4
psnr                               1        1       1          o          o        1
ssim                               1        1       1          o          o        1
abs_rel                            o        o       o          o          o        1
silog                              o        o       o          o          o        1
delta_1.05                         o        o       o          o          o        1
normals_deg                        o        o       o          o          .        1
"""

SETS = """
                         collapse classes_lost within_class wrong_class memorised outliers blends reorder redraw fewer
fid[tabletop]                   1            1            2           b         b        2      2       o      o     .
kid[tabletop]                   1            1            2           b         b        2      2       o      o     o
kid_worst_bin[tabletop]         2            1            .           b         b        1      1       o      o     .
is[tabletop]                    2            1            b           b         b        1      1       o      o     .
precision[tabletop]             b            b            b           b         b        1      .       o      o     .
recall[tabletop]                5            1            3           b         b        .      .       o      o     .
density[tabletop]               b            b            b           b         b        2      1       o      o     .
coverage[tabletop]              4            1            3           b         b        .      .       o      o     .
vendi[tabletop]                 1            1            .           b         b        b      b       o      o     .
class_accuracy[tabletop]        1            1            b           1         b        1      1       o      o     o
fid_views_1[tabletop]           1            1            2           b         b        2      2       o      o     .
kid_views_1[tabletop]           1            1            2           b         b        2      2       o      o     o
is_views_1[tabletop]            2            1            b           b         b        1      1       o      o     .
"""

COMPLETIONS = """
                                         mean_answer copied_context nearest random static one_answer shuffled redrawn
best_psnr                                    5             5          .       5      5        b         o       o
sample_psnr                                  b             3          1       1      b        b         o       o
best_psnr_seen                               .             5          .       5      b        .         o       o
sample_psnr_seen                             b             1          1       1      b        b         o       o
best_psnr_unseen                             5             5          .       5      5        b         o       o
sample_psnr_unseen                           b             3          1       1      1        b         o       o
best_ssim                                    5             5          .       5      5        b         o       o
sample_ssim                                  b             2          1       1      1        b         o       o
best_ssim_seen                               .             5          5       5      5        b         o       o
sample_ssim_seen                             b             2          1       1      3        b         o       o
best_ssim_unseen                             5             5          .       5      5        b         o       o
sample_ssim_unseen                           b             3          1       1      1        b         o       o
best_feature_distance[tabletop]              5             5          .       5      5        b         o       o
sample_feature_distance[tabletop]            .             1          1       1      1        b         o       o
best_feature_distance_seen[tabletop]         5             5          .       5      5        b         o       o
sample_feature_distance_seen[tabletop]       .             1          1       1      1        b         o       o
best_feature_distance_unseen[tabletop]       5             5          .       5      5        b         o       o
sample_feature_distance_unseen[tabletop]      .             1          1       1      1        b         o       o
diversity_contrast                           4             .          .       4      b        5         o       o
diversity_seen                               b             b          b       1      b        b         o       o
energy_unseen                                5             4          3       3      3        b         o       o
energy_seen                                  .             1          1       1      b        .         o       o
energy                                       5             4          3       3      3        b         o       o
modes_hit                                    4             3          4       4      4        4         o       o
samples_on_mode                              1             1          .       1      1        b         o       o
mode_distance                                2             2          2       2      2        3         o       o
context_psnr                                 b             b          1       1      b        b         o       o
context_psnr_worst                           b             b          .       1      b        b         o       o
best_latent_error                            4             .          5       5      .        b         o       o
sample_latent_error                          b             .          3       3      b        b         o       o
best_epe                                     5             5          4       5      5        b         o       o
sample_epe                                   b             b          b       1      b        b         o       o
best_epe_moving                              5             4          4       5      5        b         o       o
sample_epe_moving                            b             b          b       3      b        b         o       o
static_moved                                 b             b          .       1      b        b         o       o
"""

LOWERED = frozenset({"density[tabletop]"})
"""Ids without a better end that the faults they are held to must lower all the same."""


def parse(text: str) -> dict[str, dict[str, Expectation]]:
    """A matrix from its text: a head line of corruption names, then lines of an id and its cells."""
    lines = [line.split() for line in text.strip().splitlines()]
    if not lines:
        return {}
    head = lines[0]
    matrix = {}
    for name, *cells in lines[1:]:
        if len(cells) != len(head):
            raise ValueError(f"{name} has {len(cells)} cells for {len(head)} corruptions.")
        matrix[name] = {corruption: _expectation(cell) for corruption, cell in zip(head, cells, strict=True)}
    return matrix


def _expectation(cell: str) -> Expectation:
    if cell[0].isdigit():
        return Expectation("fires", int(cell[0]), tuple(SPARED[letter] for letter in cell[1:]))
    return Expectation(KINDS[cell[0]], spared=tuple(SPARED[letter] for letter in cell[1:]))


def _joined(*texts: str) -> dict[str, dict[str, Expectation]]:
    """One matrix from blocks of columns; a row has the columns of those blocks that name it."""
    matrix: dict[str, dict[str, Expectation]] = {}
    for text in texts:
        for name, cells in parse(text).items():
            matrix.setdefault(name, {}).update(cells)
    return matrix


MATRIX = _joined(SEEN, TURNED, CONTROLS, SETS, COMPLETIONS)


def expectation(metric: str, corruption: str) -> Expectation:
    """What is declared; `open` where nothing is."""
    return MATRIX.get(metric, {}).get(corruption, Expectation("open"))
