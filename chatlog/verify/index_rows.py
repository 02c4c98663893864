"""The results of queries to the index of an archive: rooms by day, links of chains, missing manifests,
objects that are gone."""

from __future__ import annotations

from typing import NamedTuple


class RoomDayRow(NamedTuple):
    """One room on one day: the seconds recorded and missing according to the manifests, and the number and
    the seconds of its gap records."""

    platform: str
    channel: str
    day: str
    recorded: float
    missing: float
    gaps: int
    gap_seconds: float

    @property
    def coverage(self) -> float | None:
        """The share of the time that was recorded, 0 to 1; None if no manifest covers the room."""
        whole = self.recorded + self.missing
        return self.recorded / whole if whole > 0 else None

    @property
    def unexplained(self) -> float:
        """The seconds by which manifests and gap records differ; 0 if no manifest covers the room."""
        return abs(self.missing - self.gap_seconds) if self.coverage is not None else 0.0


class ManifestGap(NamedTuple):
    """A time of an instance that no manifest covers. ``before`` is the key of the manifest after it.
    ``new_spool``: that manifest is the first of a spool, so perhaps none is missing. ``since`` is -inf before
    an instance's first manifest."""

    instance: str
    since: float
    until: float
    before: str
    new_spool: bool


class Link(NamedTuple):
    """A manifest as a link of its instance's chain: its key, its period, the digest of its rows (``""`` if it
    is damaged), that of the rows before it, the key that signed it (``""``: none), and whether the signature
    is of these rows."""

    instance: str
    since: float
    until: float
    manifest: str
    new_spool: bool
    format: int
    digest: str
    previous: str
    signer: str
    genuine: bool


class Gone(NamedTuple):
    """A row about an object that is gone: ``replaced``, ``expired`` or ``bundled``. ``named`` is the digest,
    ``has`` the number of lines or bytes in the object's own row; None if no manifest names it. ``by`` is what
    it was replaced by, ``others`` how many different objects it is said to be replaced by."""

    key: str
    what: str
    manifest: str
    sha256: str
    lines: int | None
    bytes: int | None
    request: str
    by: str
    named: str | None
    named_lines: int | None
    named_bytes: int | None
    asked: bool
    others: int
