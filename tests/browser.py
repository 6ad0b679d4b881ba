"""A headless Chromium, controlled by its DevTools protocol, and a fixture of it."""

import base64
import itertools
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 60
LOADED = (
    "Promise.all([...document.images].map(i => { i.loading = 'eager'; return i.decode().then(() => i.naturalWidth); }))"
)
"""Script that waits for all pictures; its value are their widths."""
WIDE = (
    "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll') && !e.closest('svg') &&"
    " e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
)
"""Script whose value are the elements that are wider than the window; tables are scrolled."""


def found() -> str | None:
    """Return the program that CHROMIUM names, else one on the PATH; None if there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A browser with one page; its warnings and errors are in ``complaints``, its addresses in ``requests``."""

    def __init__(self, program: str, folder: Path) -> None:
        import websocket

        command = [
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--remote-debugging-port=0", "--remote-allow-origins=*",
            f"--user-data-dir={folder}", "about:blank",
        ]  # fmt: skip
        self.log = folder.with_name(f"{folder.name}.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        self.numbers = itertools.count(1)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.line = websocket.create_connection(self._address(), timeout=SECONDS)
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session: str | None = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.line.close()
        self.process.terminate()
        self.process.wait(SECONDS)

    def _address(self) -> str:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            if match := re.search(r"DevTools listening on (ws://\S+)", self.log.read_text(errors="replace")):
                return match[1]
            time.sleep(0.05)
        raise RuntimeError(f"Chromium does not answer: {self.log.read_text(errors='replace')[-500:]}")

    def ask(self, method: str, **values: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        number = next(self.numbers)
        request = {"id": number, "method": method, "params": values}
        self.line.send(json.dumps(request | ({"sessionId": self.session} if self.session else {})))
        while True:
            answer = json.loads(self.line.recv())
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def open(self, path: Path, width: int, height: int = 900) -> None:
        """Open a file in a window of this size and wait until it is loaded."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.ask("Page.navigate", url=path.resolve().as_uri())
        until = time.monotonic() + SECONDS
        while self.value("document.readyState") != "complete":
            assert time.monotonic() < until, "the page is not ready"
            time.sleep(0.05)

    def value(self, script: str) -> Any:
        """Return the value of an expression on the page, after waiting for a promise."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def key(self, name: str) -> None:
        """Press a key in the focused element."""
        codes = {"Enter": (13, "\r"), "ArrowRight": (39, ""), "Tab": (9, "")}
        code, text = codes[name]
        down = {"text": text} if text else {}
        self.ask("Input.dispatchKeyEvent", type="keyDown", key=name, code=name, windowsVirtualKeyCode=code, **down)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=name, code=name, windowsVirtualKeyCode=code)

    def move(self, x: float, y: float) -> None:
        """Move the pointer within the window."""
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """Write a screenshot of the page, or of the window only, as PNG."""
        answer = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a browser, or skip if there is none."""
    program = found()
    if program is None:
        pytest.skip("there is no Chromium: set CHROMIUM to one, or install chromium")
    pytest.importorskip("websocket", reason="speaking to Chromium needs the package websocket-client")
    with Browser(program, tmp_path_factory.mktemp("chromium")) as page:
        yield page
