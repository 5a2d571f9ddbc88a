"""Every plot of a report as an SVG file of its own, in the colours of the light page.

In the page a heading names the metric; a file has to say everything itself. It carries a title, its axes with
their units, what its marks mean and the protocol of the numbers, and it needs no style sheet to be seen.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from markupsafe import Markup

from .assets import asset
from .gap_curves import gap_chart, gap_curves
from .inlining import inline, rules_of
from .reactions import matrices
from .report import azimuth_charts, scene_strips
from .rundir import RunFiles
from .svg import text_width
from .table_files import slug
from .tables import Column, summarise
from .tradeoffs import tradeoffs
from .view_range import range_tables

__all__ = ["Plot", "plots", "standalone"]

NAMESPACE = "http://www.w3.org/2000/svg"
SCALE = 1.6
EDGE = 12.0  # white around everything
TITLE, LABEL, NOTE = 14.0, 10.5, 9.0  # sizes of the words around a chart

BANDS = "Bands and bars are 95 % intervals."
DOTS = "One dot a scene; the bar is the median."
MARKS = (
    "Better is up and to the right; bars are 95 % intervals. The broad line is the Pareto front of the competing "
    "methods; hollow marks do not compete."
)
BOXES = (
    "The number is the level of a graded fault, 1 the mildest, from which on the metric tells it from a clean scene; "
    "a dot: it must not react; an empty box: it cannot see this, by design; nothing: not judged."
)


@dataclass(frozen=True)
class Plot:
    """A chart, and what is written around it in a file.

    Args:
        name: that of its file, such as ``azimuth-warp-psnr``.
        title: of the picture.
        chart: as the page shows it.
        up, across: what the axes hold, with units; empty where the chart says so itself.
        note: what the marks mean, and where the numbers come from.
    """

    name: str
    title: str
    chart: Markup
    up: str = ""
    across: str = ""
    note: str = ""


def plots(run: RunFiles) -> list[Plot]:
    """All plots of the report of a run."""
    columns = list(summarise(run).columns)
    source = f"Protocol {run.protocol['name']}, version {run.protocol['version']}, {run.protocol['hash'][:12]}."

    def curves_of(kind: str, own: Column, words: str, drawn: Markup, across: str) -> Plot:
        title = f"{own.definition.title.removesuffix(words)}{words}"  # that of bins of azimuth says so already
        return Plot(f"{kind}-{slug(own.definition.id)}", title, drawn, _scale_of(own), across, f"{BANDS} {source}")

    found = [
        Plot(f"tradeoff-{entry.name}", entry.title, entry.chart, note=f"{MARKS} {source}")
        for entry in tradeoffs(run)[0]
    ]
    for column, curves, _ in gap_curves(run):
        drawn = gap_chart(run, column, curves)
        found.append(curves_of("angles", column, " over angles", drawn, "Angle between the views, degrees"))
    for column, drawn in azimuth_charts(run, columns)[0]:
        found.append(curves_of("azimuth", column, " by azimuth", drawn, "Azimuth of the camera, degrees"))
    for table in range_tables(run):
        if table.chart is not None:
            words = " over the range of views"
            found.append(curves_of("range", table.column, words, table.chart, "Range of yaw, degrees"))
    for column, drawn in scene_strips(run, columns)[0]:
        name, title = f"scenes-{slug(column.definition.id)}", f"{column.definition.title} by scene"
        found.append(Plot(name, title, drawn, across=_scale_of(column), note=f"{DOTS} {source}"))
    found += [Plot(f"matrix-{slug(title)}", title, picture, note=BOXES) for title, picture in matrices(columns)]
    return found


def _scale_of(column: Column) -> str:
    """What an axis of values holds: "Warp PSNR, dB (higher is better)"."""
    unit = f", {column.unit}" if column.unit else ""
    return f"{column.definition.title}{unit} ({column.direction})"


def standalone(plot: Plot) -> str:
    """The chart as a file that any viewer of SVG can show: words, literal colours and a white ground of its own."""
    chart = ElementTree.fromstring(plot.chart)
    inner_width, inner_height = map(float, chart.attrib["viewBox"].split()[2:])
    width = max(inner_width, text_width(plot.title, TITLE), text_width(plot.up, LABEL)) + 2 * EDGE
    notes = textwrap.wrap(plot.note, int((width - 2 * EDGE) / text_width("n", NOTE)) or 1)
    top = EDGE + 20 + (18 if plot.up else 0)
    foot = top + inner_height + (18 if plot.across else 0)
    height = foot + len(notes) * 12 + EDGE
    drawing = Element("svg", {"class": "chart", "role": "img", "aria-label": chart.get("aria-label", plot.title)})
    drawing.append(_element("title", plot.title))
    drawing.append(_element("rect", width=width, height=height, fill=_palette()["--panel"]))
    drawing.append(_words(plot.title, EDGE, EDGE + 10, TITLE, fill=_palette()["--ink"], font_weight="600"))
    if plot.up:
        drawing.append(_words(plot.up, EDGE, EDGE + 28, LABEL))
    inside = _element("g", transform=f"translate({(width - inner_width) / 2:.1f} {top:.1f})")
    inside.set("class", chart.attrib["class"])
    inside.extend(list(chart))
    drawing.append(inside)
    if plot.across:
        drawing.append(_words(plot.across, width / 2, foot - 4, LABEL, text_anchor="middle"))
    for line, words in enumerate(notes):
        drawing.append(_words(words, EDGE, foot + 12 * (line + 1), NOTE))
    inline(drawing, rules_of(asset("charts.css")), _palette())
    for mark in drawing.iter("path"):  # some viewers draw no round caps on lines without length
        mark.set("d", mark.attrib["d"].replace("h0", "h.01"))
    size = {"width": f"{width * SCALE:.0f}", "height": f"{height * SCALE:.0f}"}
    for name, value in {"xmlns": NAMESPACE, "viewBox": f"0 0 {width:.0f} {height:.0f}", **size}.items():
        drawing.set(name, value)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(drawing, encoding="unicode")}\n'


def _palette() -> dict[str, str]:
    """The colours and fonts of the light page: the first rule of its sheet."""
    return dict(rules_of(asset("base.css").partition("}")[0] + "}")[0].declarations)


def _element(tag: str, text: str | None = None, **attributes: str | float) -> Element:
    found = Element(tag)
    for name, value in attributes.items():
        found.set(name.replace("_", "-"), f"{value:.1f}" if isinstance(value, float) else value)
    found.text = text
    return found


def _words(text: str, x: float, y: float, size: float, **attributes: str) -> Element:
    """A line of text around the chart."""
    attributes.setdefault("fill", _palette()["--faint"])
    return _element("text", text, x=x, y=y, font_size=size, **attributes)
