"""The keys of an archive, taken apart."""

from __future__ import annotations

from contextlib import suppress

from chatlog.naming import FileName, parse_name

_SUFFIXES = (".gz", ".zst")


def suffix_of(key: str) -> str:
    """How an object is compressed, by its key; "" if it is not."""
    return next((end for end in _SUFFIXES if key.endswith(end)), "")


def name_of_object(key: str) -> FileName | None:
    """The name in the key of an object that belongs where it is; None for anything else."""
    suffix = suffix_of(key)
    with suppress(ValueError):
        name = parse_name(key.removesuffix(suffix).rpartition("/")[2])
        if name.key(suffix=suffix) == key:
            return name
    return None
