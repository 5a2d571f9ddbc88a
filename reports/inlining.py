"""A style sheet written into the attributes of an SVG, so that viewers without CSS variables show it.

Browsers resolve classes and ``var(--c)``; rsvg, Inkscape and office programs know literal attributes best.
The sheets are our own and small: plain rules of classes and tags, one inside the other, no ``@`` rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

__all__ = ["inline", "rules_of"]

ATTRIBUTES = frozenset(
    (
        *("fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "stroke-linecap"),
        *("opacity", "font-family", "font-size", "font-weight", "shape-rendering"),
    )
)
"""Properties that SVG knows as attributes; the others lay out a page."""

VARIABLE = re.compile(r"var\((--[\w-]+)\)")


@dataclass(frozen=True)
class Rule:
    """What holds for elements that match `steps`, outermost first: each a tag (or none) and classes."""

    steps: tuple[tuple[str, frozenset[str]], ...]
    declarations: Mapping[str, str]

    @property
    def weight(self) -> tuple[int, int]:
        """CSS's specificity: classes count before tags."""
        return sum(len(classes) for _, classes in self.steps), sum(bool(tag) for tag, _ in self.steps)


def rules_of(sheet: str) -> list[Rule]:
    """The rules of a sheet in the order in which later ones win over earlier ones of the same weight."""
    found = []
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)):
        pairs = (line.split(":", 1) for line in body.split(";") if ":" in line)
        declarations = {name.strip(): value.strip() for name, value in pairs}
        for selector in selectors.split(","):
            steps = (step.split(".") for step in selector.split())
            found.append(Rule(tuple((tag, frozenset(classes)) for tag, *classes in steps), declarations))
    return sorted(found, key=lambda rule: rule.weight)


def inline(root: Element, rules: Sequence[Rule], variables: Mapping[str, str]) -> None:
    """Give `root` and all in it the colours, strokes and fonts of `rules` as attributes; classes go.

    Args:
        root: changed in place.
        rules: as `rules_of` returns them.
        variables: custom properties that hold for the whole drawing, such as ``--ink``.
    """
    for element, declarations, known in list(_styled(root, (), rules, variables)):
        for name, value in declarations.items():
            if name in ATTRIBUTES:
                element.set(name, re.sub(r"^([\d.]+)px$", r"\1", _resolved(value, known)))
        element.attrib.pop("class", None)


Line = tuple[tuple[str, frozenset[str]], ...]


def _styled(
    element: Element, above: Line, rules: Sequence[Rule], variables: Mapping[str, str]
) -> Iterator[tuple[Element, dict[str, str], Mapping[str, str]]]:
    """Every element with its own declarations and the variables it inherits."""
    line = (*above, (element.tag, frozenset(element.get("class", "").split())))
    own: dict[str, str] = {}
    for rule in rules:
        if _matches(rule, line):
            own |= rule.declarations
    known = {**variables, **{name: value for name, value in own.items() if name.startswith("--")}}
    yield element, own, known
    for child in element:
        yield from _styled(child, line, rules, known)


def _matches(rule: Rule, line: Line) -> bool:
    """Whether the last of `line` is meant: it matches the last step, and the others match above it, in order."""

    def fits(step: tuple[str, frozenset[str]], place: tuple[str, frozenset[str]]) -> bool:
        return step[0] in ("", place[0]) and step[1] <= place[1]

    if not fits(rule.steps[-1], line[-1]):
        return False
    outer = iter(line[:-1])
    return all(any(fits(step, place) for place in outer) for step in rule.steps[:-1])


def _resolved(value: str, variables: Mapping[str, str]) -> str:
    """`value` with every variable replaced by what it stands for; raises KeyError where nobody set it."""
    while found := VARIABLE.search(value):
        value = value.replace(found[0], variables[found[1]])
    return value
