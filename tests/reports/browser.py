"""A real browser for tests: Chromium, spoken to over a pipe in its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio", "--hide-scrollbars"),
    *("--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--disable-extensions", "--disable-default-apps", "--remote-debugging-pipe"),
    # no name resolves: a page that wants the network fails, and so does the browser itself
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
PATIENCE = 60.0


def find_chromium() -> str | None:
    """The path of a Chromium on this machine, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


HOW = f"no Chromium on this machine; `apt-get install chromium` brings one (looked for {', '.join(NAMES)})"
REQUIRED = "required"
"""As VIEWSWEEP_BROWSER: tests that need a browser fail without one. CI sets it, where a skip would go unseen."""


def needs_browser() -> pytest.MarkDecorator:
    """The mark of tests that drive a browser: skipped where there is none, unless one is required."""
    may_skip = os.environ.get("VIEWSWEEP_BROWSER") != REQUIRED
    return pytest.mark.skipif(may_skip and find_chromium() is None, reason=HOW)


def chromium() -> str:
    """The path of a Chromium; the test fails where there is none."""
    found = find_chromium()
    if found is None:
        pytest.fail(f"VIEWSWEEP_BROWSER is {os.environ.get('VIEWSWEEP_BROWSER', 'not set')}, and there is {HOW}.")
    return found


class Page:
    """One tab. `requests` holds every address it asked for, `complaints` every console error or warning."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._out, self._in = to_browser, from_browser
        self._buffer = b""
        self._count = 0
        self._session: str | None = None
        self._loaded = False
        self.requests: list[str] = []
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def open(
        self,
        path: Path,
        *,
        fragment: str = "",
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        still: bool = True,
    ) -> None:
        """Open a file, at `fragment`, and wait until it is drawn; `still` asks for reduced motion."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
            ],
        )
        self._go("about:blank")  # so that another fragment of the same file is opened anew
        self._go(path.resolve().as_uri() + (f"#{fragment}" if fragment else ""))
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 150)))")

    def _go(self, address: str) -> None:
        self._loaded = False
        self.call("Page.navigate", url=address)
        while not self._loaded:
            self._receive()

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, promises awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of an element on the screen, scrolled into view."""
        script = f"""(() => {{
            const element = document.querySelector({json.dumps(selector)});
            element.scrollIntoView({{block: "center", behavior: "instant"}});
            const box = element.getBoundingClientRect();
            return [box.left, box.top, box.width, box.height];
        }})()"""
        left, top, width, height = self.evaluate(script)
        return left, top, width, height

    def drag(self, selector: str, pixels: float) -> None:
        """Press in the middle of an element, move sideways in steps, release: real mouse events."""
        left, top, width, height = self.box(selector)
        x, y = left + width / 2, top + height / 2
        self._mouse("mousePressed", x, y)
        for step in range(1, 9):
            self._mouse("mouseMoved", x + pixels * step / 8, y)
        self._mouse("mouseReleased", x + pixels, y)
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")

    def swipe(self, selector: str, pixels: float) -> None:
        """The same with a finger."""
        left, top, width, height = self.box(selector)
        x, y = left + width / 2, top + height / 2
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        for step in range(1, 9):
            point = {"x": x + pixels * step / 8, "y": y}
            self.call("Input.dispatchTouchEvent", type="touchMove", touchPoints=[point])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")

    def click(self, selector: str) -> None:
        left, top, width, height = self.box(selector)
        self._mouse("mousePressed", left + width / 2, top + height / 2)
        self._mouse("mouseReleased", left + width / 2, top + height / 2)
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")

    def press(self, key: str) -> None:
        """One key by its name, such as "ArrowRight"."""
        codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35, "Tab": 9}
        codes |= {"Enter": 13, "Space": 32}
        text = {"Enter": "\r", "Space": " "}.get(key)
        name = " " if key == "Space" else key
        for kind in ("rawKeyDown", *(("char",) if text else ()), "keyUp"):
            extra = {"text": text} if kind == "char" else {}
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=name, code=key, windowsVirtualKeyCode=codes[key], **extra
            )
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """A PNG of the window, or of the whole page."""
        extra: dict[str, Any] = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            extra = {"captureBeyondViewport": True, "clip": {**size, "scale": 1}}
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png", **extra)["data"]))

    def _mouse(self, kind: str, x: float, y: float) -> None:
        pressed = 0 if kind == "mouseReleased" else 1
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=pressed, clickCount=1)

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"the browser was silent for {PATIENCE:.0f} s.")
            part = os.read(self._in, 1 << 20)
            if not part:
                raise RuntimeError("the browser has gone.")
            self._buffer += part
        raw, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(raw)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, event: str, content: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Network.requestWillBeSent":
            self.requests.append(content["request"]["url"])
        elif event == "Log.entryAdded" and content["entry"]["level"] in ("error", "warning"):
            self.complaints.append(content["entry"]["text"])
        elif event == "Runtime.consoleAPICalled" and content["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(content["args"]))
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(content["exceptionDetails"]))


@contextlib.contextmanager
def browse(program: str) -> Iterator[Page]:
    """Start a browser with a profile of its own and close it afterwards."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    with tempfile.TemporaryDirectory(prefix="viewsweep-browser-", ignore_cleanup_errors=True) as profile:
        # the protocol's pipe is descriptors 3 (in) and 4 (out); a shell moves ours there
        command = 'exec "$0" "$@" 3<&%d 4>&%d' % (theirs_in, theirs_out)  # noqa: UP031  braces would need doubling
        process = subprocess.Popen(
            ["bash", "-c", command, program, *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Page(ours_out, ours_in)
        finally:
            os.close(ours_out)  # the browser leaves when its pipe closes
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(ours_in)
