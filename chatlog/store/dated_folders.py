"""The folders of an archive that are years, months and days: ``2025/12/29/``. Folders with other names are
passed over. Everything here may raise StoreError."""

from __future__ import annotations

from collections.abc import Iterator

from chatlog.store.store import Store


def months(store: Store, above: str = "", newest_first: bool = False) -> Iterator[str]:
    """The months (``2025/12``) with a folder below the prefix ``above``, in order."""
    for year in numbers(store, above, 4, newest_first):
        for month in numbers(store, f"{above}{year}/", 2, newest_first):
            yield f"{year}/{month}"


def days(store: Store, above: str = "", newest_first: bool = False) -> Iterator[str]:
    """The days (``2025/12/29``) with a folder below the prefix ``above``, in order."""
    for month in months(store, above, newest_first):
        for day in numbers(store, f"{above}{month}/", 2, newest_first):
            yield f"{month}/{day}"


def numbers(store: Store, prefix: str, length: int, newest_first: bool = False) -> list[str]:
    """The folders directly below a prefix whose names are numbers of so many digits, in order."""
    names = store.folders(prefix)
    found = (name for name in names if len(name) == length and name.isdecimal() and name.isascii())
    return sorted(found, reverse=newest_first)
