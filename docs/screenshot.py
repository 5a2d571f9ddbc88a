"""Take the README's picture of a report: `python docs/screenshot.py runs/demo/report.html` (needs chromium)."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "reports"))

from browser import browse, find_chromium  # noqa: E402  the tests' own driver

SCENE = 2  # the third thumbnail
WIDTH, HEIGHT = 1280, 1075

if __name__ == "__main__":
    program = find_chromium()
    if program is None:
        sys.exit("Install chromium first.")
    with browse(program) as page:
        page.open(Path(sys.argv[1]).resolve(), width=WIDTH, height=HEIGHT)
        page.evaluate(f"document.querySelectorAll('.thumb')[{SCENE}].click()")
        page.evaluate("document.querySelector('.picker').closest('section').scrollIntoView({behavior: 'instant'})")
        page.screenshot(ROOT / "docs" / "images" / "report.png")
