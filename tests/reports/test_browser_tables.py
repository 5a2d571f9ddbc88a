"""Tables in a real browser: they sort, hide columns and hand out their numbers, by mouse and by keyboard."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from viewsweep.reports import write_report
from viewsweep.reports.rundir import read_run

from .browser import Page, browse, chromium, needs_browser

pytestmark = needs_browser()

CONSISTENCY = "#table-2"


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with browse(chromium()) as page:
        yield page


@pytest.fixture(scope="module")
def report(wide: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(wide, out=tmp_path_factory.mktemp("tables") / "report.html", scenes_shown=1)


@pytest.fixture
def page(browser: Page, report: Path) -> Iterator[Page]:
    """The report, freshly opened; afterwards it must have been silent and alone."""
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(report)
    yield browser
    assert browser.complaints == []
    assert [one for one in browser.requests if not one.startswith(("file:", "data:", "blob:"))] == []


def methods(page: Page, body: str = "method") -> list[str]:
    script = f"[...document.querySelectorAll('{CONSISTENCY} tbody.{body} th')].map((cell) => cell.dataset.text)"
    names: list[str] = page.evaluate(script)
    return names


def sort_button(metric: str) -> str:
    return f'{CONSISTENCY} th[data-column="{metric}"] .sort'


def sorted_by(page: Page, metric: str) -> str:
    state: str = page.evaluate(
        f"document.querySelector('{CONSISTENCY} th[data-column=\"{metric}\"]').getAttribute('aria-sort')"
    )
    return state


def test_a_click_sorts_the_best_first_then_the_worst_then_as_it_was(page: Page, wide: Path) -> None:
    run = read_run(wide)
    for metric in ("warp_psnr", "sed"):
        higher = run.definitions[metric].higher_is_better
        values = {m.name: m.outcome(metric).value or 0.0 for m in run.methods if m.role == "method"}
        best = sorted(values, key=lambda name: values[name], reverse=bool(higher))
        if metric == "sed":  # hidden until asked for
            page.click("details.chooser[data-table=table-2] > summary")
            page.click("details.chooser[data-table=table-2] input[value=sed]")
        usual = methods(page)
        page.click(sort_button(metric))
        assert methods(page) == best
        assert sorted_by(page, metric) == ("descending" if higher else "ascending")
        page.click(sort_button(metric))
        assert methods(page) == best[::-1]
        page.click(sort_button(metric))
        assert methods(page) == usual
        assert sorted_by(page, metric) == "none"


def test_sorting_by_keyboard(page: Page) -> None:
    page.evaluate(f"document.querySelector('{sort_button('warp_psnr')}').focus()")
    for key, state in (("Enter", "descending"), ("Space", "ascending")):
        page.press(key)
        assert sorted_by(page, "warp_psnr") == state
    page.evaluate(f"document.querySelector('{CONSISTENCY} th[data-column=method] .sort').focus()")
    page.press("Enter")
    assert methods(page) == sorted(methods(page))
    assert sorted_by(page, "warp_psnr") == "none"
    assert sorted_by(page, "method") == "ascending"


def test_a_cheat_never_passes_a_method(page: Page) -> None:
    page.click(sort_button("warp_psnr"))
    page.click(sort_button("warp_psnr"))  # worst on top
    script = f"[...document.querySelectorAll('{CONSISTENCY} tbody')].map((body) => body.className)"
    assert page.evaluate(script) == ["ceiling", "method", "cheat"]


def test_columns_can_be_chosen(page: Page) -> None:
    visible = f"""[...document.querySelectorAll('{CONSISTENCY} tr.heads th')].filter((head) => head.offsetParent)
        .map((head) => head.dataset.column)"""
    usual = page.evaluate(visible)
    assert "warp_psnr" in usual
    assert "sed" not in usual
    page.evaluate("document.querySelector('details.chooser[data-table=table-2] > summary').focus()")
    page.press("Enter")
    page.evaluate("document.querySelector('details.chooser[data-table=table-2] input[value=sed]').focus()")
    page.press("Space")
    page.click("details.chooser[data-table=table-2] input[value=warp_psnr]")
    chosen = page.evaluate(visible)
    assert set(chosen) ^ set(usual) == {"sed", "warp_psnr"}
    cells = f"[...document.querySelector('{CONSISTENCY} tbody tr').cells].filter((cell) => cell.offsetParent).length"
    assert page.evaluate(cells) == len(chosen)
    page.click("details.chooser[data-table=table-2] .usual-columns")
    assert page.evaluate(visible) == usual
    page.click("details.chooser[data-table=table-2] .all-columns")
    assert len(page.evaluate(visible)) > len(usual)


def test_the_table_as_shown_can_be_taken_along_as_csv(page: Page, wide: Path) -> None:
    page.evaluate("""(() => {
        navigator.clipboard.writeText = async (text) => { window.taken = text; };
        URL.createObjectURL = (blob) => { window.saved = blob.text(); return "blob:none"; };
        HTMLAnchorElement.prototype.click = function () { window.named = this.download; };
    })()""")
    page.click(sort_button("warp_psnr"))
    page.click("button.copy-csv[data-table=table-2]")
    text = page.evaluate("window.taken")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0][:6] == [*("method", "warp_psnr", "warp_psnr low", "warp_psnr high", "warp_psnr n", "warp_psnr rank")]
    shown = [name for body in ("ceiling", "method", "cheat") for name in methods(page, body)]
    assert [row[0] for row in rows[1:]] == shown
    run = read_run(wide)
    for row in rows[1:]:
        outcome = next(method for method in run.methods if method.name == row[0]).outcome("warp_psnr")
        assert float(row[1]) == outcome.value  # in full, not as printed
    page.click("button.save-csv[data-table=table-2]")
    assert page.evaluate("window.saved") == text
    assert page.evaluate("window.named") == "consistency.csv"


def test_best_and_worst_scenes_of_the_metric_chosen(page: Page) -> None:
    shown = """[...document.querySelectorAll('#table-extremes tbody tr')].filter((row) => row.offsetParent)
        .map((row) => row.dataset.metric)"""
    assert set(page.evaluate(shown)) == {"warp_psnr"}
    page.evaluate("""(() => {
        const select = document.querySelector("#extreme");
        select.value = "geometric_share";
        select.dispatchEvent(new Event("change"));
    })()""")
    assert set(page.evaluate(shown)) == {"geometric_share"}
    painted = """(async () => {
        await new Promise((done) => setTimeout(done, 300));
        const canvas = [...document.querySelectorAll("canvas.tiny")].find((one) => one.offsetParent);
        return canvas.getContext("2d").getImageData(0, 0, 72, 72).data.some(Boolean);
    })()"""
    assert page.evaluate(painted) is True
