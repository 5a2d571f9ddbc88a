"""One self-contained HTML report per run."""

from .report import write_report

__all__ = ["write_report"]
