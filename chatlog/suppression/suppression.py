"""The recorder's side of opting out: the list in force, and what people write in a chat to get on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.application.service import Service

from chatlog.config.settings import Settings
from chatlog.environment import Environment, Threads
from chatlog.store.store import Store
from chatlog.suppression.book import Book, read_list
from chatlog.suppression.by_chat import Asking, OptOutsByChat
from chatlog.suppression.key_file import key_for, key_in
from chatlog.suppression.left_out import LeftOut
from chatlog.suppression.names import Key
from chatlog.suppression.watch import SuppressionWatch


class OptOuts:
    """The parts of a recorder that handle the list in ``store``. ``threads`` run calls that block."""

    def __init__(self, settings: Settings, store: Store, environment: Environment, threads: Threads) -> None:
        #: The list in force.
        self.left_out = LeftOut()
        directory = settings.recorder.directory
        keys, listed = partial(key_in, settings), partial(read_list, store)
        #: Keeps the list up to date.
        self.watch = SuppressionWatch(self.left_out, directory, environment, threads, keys, listed)
        self._by_chat: OptOutsByChat | None = None
        if settings.archive.has_codes:
            add = partial(_add, store)
            made = partial(key_for, settings)
            self._by_chat = OptOutsByChat(environment, threads, made, add, self.watch.ask_again)

    @property
    def heard(self) -> Callable[[bytes], object] | None:
        """The function to call with written lines; None if none is to be called."""
        return None if self._by_chat is None else self._by_chat.heard

    @property
    def services(self) -> list[Service]:
        """The services, in the order in which they start."""
        return [self.watch] if self._by_chat is None else [self.watch, self._by_chat]


def _add(store: Store, key: Key, asking: Asking) -> bool:
    names = [asking.name]
    return Book(store, key).add(asking.platform, asking.id, names, at=asking.at, by="chat")
