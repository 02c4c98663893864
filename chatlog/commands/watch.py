"""Shows the state of a recorder again and again on a terminal."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from chatlog.commands.api_client import ApiClient, ApiError
from chatlog.commands.status_text import Line
from chatlog.commands.watch_screen import screen

#: Seconds between two requests.
EVERY = 2.0
#: The most rooms that are requested.
MOST_ROOMS = 200
#: Terminal codes: switch to the alternate screen and hide the cursor; and back.
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
#: Terminal codes: go to the upper left corner; erase the rest of the line; erase the rest of the screen.
HOME, REST_OF_LINE, REST = "\x1b[H", "\x1b[K", "\x1b[J"


class Watch:
    """Draws the screen. ``write`` writes to the terminal; ``styled`` colours a line; ``size`` returns columns
    and lines; ``wait(seconds)`` returns early when the size has changed."""

    def __init__(
        self,
        api: ApiClient,
        write: Callable[[str], object],
        styled: Callable[[Line], str],
        size: Callable[[], tuple[int, int]],
        wait: Callable[[float], bool],
    ) -> None:
        self._api = api
        self._write = write
        self._styled = styled
        self._size = size
        self._wait = wait

    def run(self) -> NoReturn:
        """Run until interrupted."""
        while True:
            facts = self._fetch()
            self._draw(facts)
            while self._wait(EVERY):
                self._draw(facts)

    def _fetch(self) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]] | str:
        """The lines of the screen: the state and the tables of rooms, or why there are none."""
        try:
            status = self._api.status()
        except ApiError as error:
            return str(error)
        most = min(max(self._size()[1], 1), MOST_ROOMS)
        try:
            troubled = self._api.some_rooms(most, "state", problems=True)
            return status, self._api.some_rooms(most, "rate"), troubled
        except ApiError:
            # The recorder has just answered; the next request may succeed.
            return status, [], []

    def _draw(self, facts: tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]] | str) -> None:
        width, height = self._size()
        if isinstance(facts, str):
            lines = [Line("", facts[: max(width, 1) * max(height, 1)], "critical")]
        else:
            # Erasing the rest of a line would erase the last column too.
            lines = screen(*facts, max(width - 1, 1), height)
        text = f"{REST_OF_LINE}\r\n".join(self._styled(line) for line in lines)
        self._write(f"{HOME}{text}{REST_OF_LINE}{REST}")


def terminal_size() -> tuple[int, int]:
    """The columns and lines of the terminal."""
    size = shutil.get_terminal_size()
    return size.columns, size.lines


@contextmanager
def resizes() -> Iterator[Callable[[float], bool]]:
    """Provides ``wait(seconds)``, which returns True early when the terminal's size changes."""
    changed = threading.Event()
    before = signal.signal(signal.SIGWINCH, lambda number, frame: changed.set())

    def wait(seconds: float) -> bool:
        resized = changed.wait(seconds)
        changed.clear()
        return resized

    try:
        yield wait
    finally:
        signal.signal(signal.SIGWINCH, before)
