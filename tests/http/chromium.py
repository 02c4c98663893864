"""Chromium without a window, driven over its DevTools protocol through a pair of pipes.

https://chromedevtools.github.io/devtools-protocol/ describes the methods and events. Every message is a JSON
object that ends with a zero byte; the browser reads from descriptor 3 and writes to descriptor 4.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
#: Seconds that one answer may take.
_WITHIN = 30.0

Event = dict[str, Any]


class PageTrouble(Exception):
    """The page did not do what it should, or the browser did not answer."""


def installed() -> str | None:
    """The program, where there is one."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class Page:
    """One tab of a browser of its own. Everything blocks; not to be used on the reactor's thread."""

    def __init__(self, program: str) -> None:
        #: How wide the window is, in CSS pixels.
        self.width = 1280
        self._profile = tempfile.mkdtemp(prefix="chatlog-browser-")
        ours, theirs = os.pipe(), os.pipe()

        def pipes() -> None:
            reading, writing = os.dup(ours[0]), os.dup(theirs[1])
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        self._process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            preexec_fn=pipes,
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(ours[0])
        os.close(theirs[1])
        self._writing, self._reading = ours[1], theirs[0]
        self._left = b""
        self._calls = 0
        self._session: str | None = None
        #: What the browser told without being asked.
        self.events: list[Event] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """End the browser."""
        self._process.kill()
        self._process.wait()
        os.close(self._writing)
        os.close(self._reading)
        shutil.rmtree(self._profile, ignore_errors=True)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol. Raises PageTrouble."""
        self._calls += 1
        message: dict[str, Any] = {"id": self._calls, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + _WITHIN
        while True:
            answer = self._receive(deadline - time.monotonic())
            if answer is None:
                raise PageTrouble(f"no answer to {method}")
            if answer.get("id") == self._calls:
                if "error" in answer:
                    raise PageTrouble(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _receive(self, seconds: float) -> Event | None:
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._reading], [], [], max(0.0, seconds))
            if not ready:
                return None
            data = os.read(self._reading, 1 << 16)
            if not data:
                raise PageTrouble("the browser has ended")
            self._left += data
        message, self._left = self._left.split(b"\0", 1)
        event: Event = json.loads(message)
        if "method" in event:
            self.events.append(event)
        return event

    # -- doing -------------------------------------------------------------------------------------

    def look(self, width: int = 1280, height: int = 900, dark: bool = False, phone: bool = False) -> None:
        """Be a window of that size, or a phone."""
        scale = 2 if phone else 1
        self.width = width
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def leave(self) -> None:
        """Show an empty page; earlier console messages are forgotten."""
        self.call("Page.navigate", url="about:blank")
        self.wait(lambda: self.run("location.href") == "about:blank", what="an empty page")
        self.events.clear()

    def open(self, url: str) -> None:
        """Go from an empty page to an address."""
        self.call("Page.navigate", url=url)
        self.wait(lambda: self.run("document.readyState === 'complete' && location.href !== 'about:blank'"))

    def run(self, script: str) -> Any:
        """The value of an expression in the page. Raises PageTrouble."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise PageTrouble(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def type(self, text: str) -> None:
        """Write into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, code: int) -> None:
        """A key that is no letter."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text
            )

    def shot(self, path: str) -> None:
        """A picture of what can be seen."""
        picture = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture))

    def wait(self, done: Callable[[], Any], seconds: float = 30.0, what: str = "") -> None:
        """Until ``done()``. Raises PageTrouble when it takes too long."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise PageTrouble(f"waited {seconds:.0f} s for {what or done}")
            self.idle(0.05)

    def until(self, script: str, seconds: float = 30.0) -> None:
        """Until an expression in the page is true."""
        self.wait(lambda: self.run(script), seconds, script)

    def idle(self, seconds: float) -> None:
        """Do nothing for a while, but listen."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._receive(left)

    # -- what was told ---------------------------------------------------------------------------

    def requests(self) -> list[str]:
        """Addresses that were asked for since the page was opened."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """Exceptions, and what the browser complains about in its console."""
        found = []
        for event in self.events:
            params = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                found.append(str(details.get("exception", {}).get("description", details["text"])))
            elif event["method"] == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        return found
