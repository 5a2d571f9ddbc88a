"""Every plot of a report as an SVG file of its own, in the colours of the light page."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

from .assets import asset
from .gap_curves import gap_chart, gap_curves
from .plain_tables import slug
from .reactions import matrices
from .report import azimuth_charts, scene_strips
from .rundir import RunFiles
from .tables import summarise
from .tradeoffs import tradeoffs
from .view_range import range_tables

__all__ = ["Plot", "plots", "standalone"]

SCALE = 1.6


@dataclass(frozen=True)
class Plot:
    """A chart; `name` is that of its file, such as ``azimuth-warp-psnr``."""

    name: str
    title: str
    chart: Markup


def plots(run: RunFiles) -> list[Plot]:
    """All plots of the report of a run."""
    columns = list(summarise(run).columns)
    found = [Plot(f"tradeoff-{entry.name}", entry.title, entry.chart) for entry in tradeoffs(run)[0]]
    for column, curves, _ in gap_curves(run):
        own = column.definition
        found.append(Plot(f"angles-{slug(own.id)}", f"{own.title} over angles", gap_chart(run, column, curves)))
    for column, chart in azimuth_charts(run, columns)[0]:
        found.append(Plot(f"azimuth-{slug(column.definition.id)}", f"{column.definition.title} by azimuth", chart))
    for table in range_tables(run):
        if table.chart is not None:
            own = table.column.definition
            found.append(Plot(f"range-{slug(own.id)}", f"{own.title} over the range of views", table.chart))
    for column, chart in scene_strips(run, columns)[0]:
        found.append(Plot(f"scenes-{slug(column.definition.id)}", f"{column.definition.title} by scene", chart))
    found += [Plot(f"matrix-{slug(title)}", title, picture) for title, picture in matrices(columns)]
    return found


def standalone(plot: Plot) -> str:
    """The chart as a file that any viewer of SVG can show: its own size, fonts, colours and white ground."""
    width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', plot.chart)[0])
    opening, rest = str(plot.chart).split(">", 1)
    opening = re.sub(r' (?:width|height)="[^"]*"', "", opening)
    sheet = asset("base.css")
    light = sheet[: sheet.index("}") + 1].replace(":root", "svg")  # the first rule is the light palette
    size = f' xmlns="http://www.w3.org/2000/svg" width="{width * SCALE:.0f}" height="{height * SCALE:.0f}"'
    style = f"<style>{light}\n{asset('charts.css')}svg {{ background: var(--panel); }}</style>"
    title = f"<title>{Markup.escape(plot.title)}</title>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{opening}{size}>{title}{style}{rest}\n'
