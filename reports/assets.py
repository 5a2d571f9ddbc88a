"""The fixed parts of a page: templates, style and scripts, and the policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

import jinja2

__all__ = ["SCRIPTS", "STYLES", "asset", "policy", "template"]

SCRIPTS = ("turntables.js", "tables.js", "page.js")
STYLES = ("base.css", "report.css", "charts.css")


@cache
def asset(name: str) -> str:
    """The text of a file in ``templates/``."""
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


@cache
def template(name: str) -> jinja2.Template:
    """A template with every value escaped; it may include and import its neighbours."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, loader=jinja2.FunctionLoader(asset)
    )
    return environment.get_template(name)


def policy(styles: str, *scripts: str) -> str:
    """A content policy that allows this page's own style and scripts, by hash, and nothing else."""
    return "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"style-src {_fingerprint(styles)}",
            f"script-src {' '.join(map(_fingerprint, scripts))}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


@cache
def _fingerprint(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
