"""The report in a real browser: it turns, it complains about nothing, it asks nobody for anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from viewsweep.reports import write_report
from viewsweep.scenes.scene import load_scene, save_scene

from .browser import Page, browse, chromium, needs_browser
from .fake_run import make_run

pytestmark = needs_browser()

FIRST = '.card[data-method="oracle"]'
OTHER = '.card[data-method="ivid-small"]'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = make_run(tmp_path_factory.mktemp("browsed"), scenes=3, views=24, size=32)
    return write_report(run)


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with browse(chromium()) as page:
        yield page


@pytest.fixture
def page(browser: Page, report: Path) -> Iterator[Page]:
    """The report, freshly opened; afterwards it must have been silent and alone."""
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(report)
    yield browser
    assert browser.complaints == []
    assert [address for address in browser.requests if not address.startswith(("file:", "data:"))] == []


def picture(page: Page, card: str, kind: str = "rgb") -> str:
    """The pixels on show, as text to compare."""
    text: str = page.evaluate(f"document.querySelector('{card} .pane.current .{kind} canvas').toDataURL()")
    return text


def yaw(page: Page, card: str) -> str:
    text: str = page.evaluate(f"document.querySelector('{card} .yaw').textContent")
    return text


def test_dragging_turns_all_methods(page: Page) -> None:
    before = [picture(page, card, kind) for card in (FIRST, OTHER) for kind in ("rgb", "depth")]
    assert (yaw(page, FIRST), yaw(page, OTHER)) == ("0°", "0°")
    page.drag(f"{FIRST} .pane.current .stage", -120)
    after = [picture(page, card, kind) for card in (FIRST, OTHER) for kind in ("rgb", "depth")]
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert yaw(page, FIRST) == yaw(page, OTHER) != "0°"
    assert yaw(page, FIRST).startswith("+")  # pulling the surface left walks the camera to its right


def test_unlinked_methods_turn_alone(page: Page) -> None:
    page.click("#link")
    page.drag(f"{FIRST} .pane.current .stage", -120)
    assert yaw(page, FIRST) != "0°"
    assert yaw(page, OTHER) == "0°"
    page.click("#link")
    assert yaw(page, OTHER) == yaw(page, FIRST)


def test_arrow_keys_turn_by_one_view(page: Page) -> None:
    page.evaluate(f"document.querySelector('{FIRST} .pane.current .stage').focus()")
    page.press("ArrowRight")
    assert yaw(page, FIRST) == "+15°"
    page.press("ArrowLeft")
    page.press("ArrowLeft")
    assert yaw(page, FIRST) == "\N{MINUS SIGN}15°"
    page.press("End")
    assert yaw(page, FIRST) == "\N{MINUS SIGN}180°"
    page.press("ArrowLeft")  # over the seam
    assert yaw(page, FIRST) == "+165°"
    page.press("Home")
    assert yaw(page, FIRST) == "0°"


def test_the_slider_speaks_and_turns(page: Page) -> None:
    page.evaluate(f"document.querySelector('{OTHER} input[type=range]').focus()")
    page.press("ArrowRight")
    spoken = page.evaluate("document.activeElement.getAttribute('aria-valuetext')")
    assert spoken == yaw(page, FIRST) == "+15°"


def test_the_trace_reads_the_value_of_the_view(page: Page, report: Path) -> None:
    data = page.evaluate("JSON.parse(document.querySelector('#data').textContent)")
    first = page.evaluate("document.querySelector('.thumb').dataset.scene")
    values = dict(map(tuple, data["traces"]["warp_psnr"][first]["oracle"]))
    page.evaluate(f"document.querySelector('{FIRST} .pane.current .stage').focus()")
    page.press("ArrowRight")
    shown = page.evaluate(f"document.querySelector('{FIRST} .reading b').textContent")
    assert shown.split("\N{NO-BREAK SPACE}")[0] == f"{values[15]:.1f}"


def test_another_scene_shows_other_pictures(page: Page) -> None:
    before = picture(page, FIRST)
    page.click(".thumb:nth-child(2)")
    assert picture(page, FIRST) != before
    assert page.evaluate("document.querySelectorAll('.pane.current').length") == 3


def test_a_failed_scene_gives_its_reason(page: Page) -> None:
    page.click(".thumb:nth-child(3)")
    text = page.evaluate(f"document.querySelector('{OTHER} .pane.current').innerText")
    assert "depth of view 3 holds infinite numbers." in text
    page.drag(f"{FIRST} .pane.current .stage", -120)  # the others still turn
    assert yaw(page, FIRST) != "0°"


def test_another_layer_stands_beside_the_colours(page: Page) -> None:
    """Depth, normals and warp error switch for all methods, turn with them, and bring their own scale."""

    def shown(card: str) -> list[str]:
        script = f"""[...document.querySelectorAll('{card} .pane.current .view')]
            .filter((view) => view.offsetParent).map((view) => view.dataset.layer)"""
        names: list[str] = page.evaluate(script)
        return names

    def scales() -> list[str]:
        script = """[...document.querySelectorAll('.legend[data-layer]')].filter((l) => l.offsetParent)
            .map((l) => l.dataset.layer)"""
        names: list[str] = page.evaluate(script)
        return names

    assert shown(FIRST) == shown(OTHER) == ["rgb", "depth"]
    assert scales() == ["depth"]
    for name in ("normals", "warp", "depth"):
        page.evaluate(f"document.querySelector('button.layer[data-layer={name}]').focus()")
        page.press("Enter")
        assert shown(FIRST) == shown(OTHER) == ["rgb", name]
        assert scales() == [name]
        assert page.evaluate("[...document.querySelectorAll('button.layer[aria-pressed=true]')].length") == 1
        before = [picture(page, card, name) for card in (FIRST, OTHER)]
        page.drag(f"{FIRST} .pane.current .stage", -90)
        after = [picture(page, card, name) for card in (FIRST, OTHER)]
        assert all(old != new for old, new in zip(before, after, strict=True))


def test_crisp_pixels_can_be_asked_for(page: Page) -> None:
    before = picture(page, FIRST)
    page.click("#crisp")
    assert picture(page, FIRST) != before


def test_it_turns_by_itself_until_touched(page: Page, report: Path) -> None:
    page.open(report, still=False)
    page.box(".cards")  # nothing turns that nobody sees
    moved = f"document.querySelector('{FIRST} .yaw').textContent !== '0°'"
    wait = f"""new Promise(done => {{
        const from = Date.now();
        const look = () => ({moved} || Date.now() - from > 10000 ? done({moved}) : setTimeout(look, 50));
        look();
    }})"""
    assert page.evaluate(wait) is True
    page.drag(f"{FIRST} .pane.current .stage", 30)
    stopped = yaw(page, FIRST)
    page.evaluate("new Promise(done => setTimeout(done, 700))")
    assert yaw(page, FIRST) == stopped
    assert page.evaluate("document.querySelector('#spin').getAttribute('aria-pressed')") == "false"


def test_it_stands_still_for_readers_who_ask_for_less_motion(page: Page) -> None:
    page.evaluate("new Promise(done => setTimeout(done, 1200))")
    assert yaw(page, FIRST) == "0°"


def test_a_note_and_a_definition_can_be_reached(page: Page) -> None:
    page.evaluate("location.hash = '#warp_psnr'")
    page.evaluate("new Promise(done => setTimeout(done, 100))")
    assert page.evaluate("document.querySelector('#definitions').open") is True


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 1920])
def test_nothing_is_wider_than_the_window(page: Page, report: Path, width: int) -> None:
    page.open(report, width=width, height=844, dark=width == 390)
    script = """(() => {
        for (const details of document.querySelectorAll("details")) details.open = true;
        const within = (e) => e.closest(".scroll, .picker, .gallery, .contents, .skip, svg");
        return [...document.querySelectorAll("body *")].filter((e) => !within(e))
            .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML.slice(0, 80));
    })()"""
    assert page.evaluate(script) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") is True


@pytest.mark.parametrize("width", [390, 1280])
def test_many_columns_and_charts_stay_within_the_window(page: Page, wide: Path, width: int) -> None:
    page.open(write_report(wide, scenes_shown=1), width=width, height=844)
    script = """(() => {
        for (const details of document.querySelectorAll("details")) details.open = true;
        const within = (e) => e.closest(".scroll, .picker, .gallery, .contents, .skip, svg");
        return [...document.querySelectorAll("body *")].filter((e) => !within(e))
            .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML.slice(0, 80));
    })()"""
    assert page.evaluate(script) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") is True
    lost = """[...document.querySelectorAll("svg.chart text")].filter((t) => {
        const own = t.getBoundingClientRect(), all = t.closest("svg").getBoundingClientRect();
        return own.right > all.right + 12 || own.left < all.left - 12;
    }).map((t) => t.textContent)"""
    assert page.evaluate(lost) == []


def test_the_protocol_can_be_read_on_a_phone(page: Page, run_dir: Path) -> None:
    """Long names of fields once pushed the values out of the window."""
    run = json.loads((run_dir / "run.json").read_text())
    run["protocol"]["conditioning"] = {
        "feature_network_of_reference": {"sha256_of_its_weights": "0123456789abcdef" * 4}
    }
    (run_dir / "run.json").write_text(json.dumps(run))
    page.open(write_report(run_dir, scenes_shown=0), width=390, height=844)
    script = """[...document.querySelectorAll("#protocol .scroll, #reproduce .scroll")]
        .map((table) => table.scrollWidth - table.clientWidth)"""
    assert max(page.evaluate(script)) <= 0


def test_a_finger_turns_on_a_phone(page: Page, report: Path) -> None:
    page.open(report, width=390, height=844)
    page.swipe(f"{FIRST} .pane.current .stage", -120)
    assert yaw(page, FIRST).startswith("+")


def test_pictures_without_cameras_and_without_depth(page: Page, tmp_path: Path) -> None:
    run = make_run(tmp_path, scenes=2, views=5, size=16, failed=False)
    for path in (run / "scenes/ivid-small").iterdir():
        save_scene(path, replace(load_scene(path), cameras=None, depth=None))
    for path in (run / "scenes/oracle").iterdir():
        save_scene(path, replace(load_scene(path), depth=None))
    page.open(write_report(run), width=390)
    page.drag(f"{FIRST} .pane.current .stage", -120)
    assert yaw(page, FIRST) != "0°"
    assert page.evaluate(f"document.querySelector('{OTHER} .gallery img').naturalWidth") == 80
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") is True


def test_a_single_view_without_depth_fills_its_card_and_does_not_turn(page: Page, tmp_path: Path) -> None:
    run = make_run(tmp_path, scenes=1, views=1, size=32)
    for path in run.glob("scenes/*/*.safetensors"):
        save_scene(path, replace(load_scene(path), depth=None))
    page.open(write_report(run))
    width = "document.querySelector('.card .pane.current {}').getBoundingClientRect().width"
    assert page.evaluate(width.format(".rgb canvas")) == page.evaluate(width.format(".stage"))
    assert page.evaluate("document.querySelector('#turntables-title').textContent") == "Pictures"
    shown = "[...document.querySelectorAll('.steer, .yaw, #spin')].filter((one) => one.checkVisibility()).length"
    assert page.evaluate(shown) == 0


def test_text_stands_out_in_light_and_dark(page: Page, report: Path) -> None:
    """Contrast of the quietest text against page and panel is at least 4.5 to 1 (WCAG AA)."""
    for dark in (False, True):
        page.open(report, dark=dark)
        hues = [f"--h{place}" for place in range(8)]
        names = ["--page", "--panel", "--sunk", "--ink", "--soft", "--faint", "--accent", "--cheat", *hues]
        script = (
            f"""{json.dumps(names)}.map(name => getComputedStyle(document.documentElement).getPropertyValue(name))"""
        )
        colours = dict(zip(names, map(luminance, page.evaluate(script)), strict=True))
        for text in names[3:]:
            for ground in names[:2] if text in hues or text == "--cheat" else names[:3]:
                light, deep = sorted([colours[text], colours[ground]], reverse=True)
                assert (light + 0.05) / (deep + 0.05) >= 4.5, (text, ground, dark)


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb."""
    digits = colour.strip().removeprefix("#")
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
