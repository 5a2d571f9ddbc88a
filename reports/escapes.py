"""Texts that anybody may have written, made harmless for LaTeX and for spreadsheets."""

from __future__ import annotations

__all__ = ["for_latex", "for_spreadsheet"]

FORMULA = tuple("=+-@\t\r")
LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "\N{MINUS SIGN}": "$-$",
        "\N{EN DASH}": "--",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "°": r"$^\circ$",
        "·": r"$\cdot$",
        "[": "{[}",  # a row that starts with one would be an argument of the line break before it
        "]": "{]}",
        "\n": " ",
    }
)


def for_latex(text: str) -> str:
    """`text` as LaTeX prints it, on one line."""
    return text.translate(LATEX)


def for_spreadsheet(value: object) -> object:
    """A cell of CSV: text that a spreadsheet would take for a formula starts with an apostrophe; None is empty."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
