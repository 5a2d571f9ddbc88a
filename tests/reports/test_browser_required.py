"""The guard of the browser tests: without a browser they are skipped with advice, or fail where one is required."""

from __future__ import annotations

import pytest

from . import browser


@pytest.fixture(autouse=True)
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "NAMES", ("no-such-browser",))
    monkeypatch.delenv("VIEWSWEEP_BROWSER", raising=False)


def test_without_a_browser_tests_are_skipped_and_say_how_to_get_one() -> None:
    mark = browser.needs_browser().mark
    assert mark.args == (True,)
    assert "apt-get install chromium" in mark.kwargs["reason"]


def test_where_one_is_required_they_fail_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIEWSWEEP_BROWSER", "required")
    assert browser.needs_browser().mark.args == (False,)
    with pytest.raises(pytest.fail.Exception, match="VIEWSWEEP_BROWSER is required, and there is no Chromium"):
        browser.chromium()
