"""Names of files and keys of objects.

    name = {platform}_{channel}_{YYYYMMDD_HHMM}[n{n}][_{instance}].jsonl
    key  = [{prefix}/]{year}/{month}/{day}/{platform}/{channel}/{name}[.gz|.zst]

A channel's name may contain underscores and, on Kick, hyphens. So a name is parsed outwards from its time.

Names of one instance sort in the order in which the files were written, by bytes (stores, ``LC_ALL=C``) and
in every locale (``ls``, globs): a letter sorts behind ``.`` and ``_`` everywhere, while the order of ``-``,
``_`` and ``.`` differs. Older archives have names with ``[_{instance}][-{n}]``, which are read and never
written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

#: The valid names of channels: no path, no dot, no upper case.
CHANNEL = re.compile(r"[a-z0-9_-]{1,64}\Z")
#: The valid names of instances.
INSTANCE = re.compile(r"[a-z0-9]{1,32}\Z")

_NAME = re.compile(
    r"(?P<platform>[a-z]{1,16})_(?P<channel>[a-z0-9_-]{1,64})_"
    r"(?P<minute>[0-9]{8}_[0-9]{4})(?P<n>[n-s][0-9]{4,9})?(?:_(?P<instance>[a-z0-9]{1,32}))?"
    r"(?:-(?P<old>[0-9]{1,9}))?\.jsonl\Z"
)
_MANIFEST = re.compile(
    r"(?P<instance>[a-z0-9]{1,32})_(?P<minute>[0-9]{8}_[0-9]{4})(?P<n>[n-s][0-9]{4,9})?"
    r"(?:-(?P<old>[0-9]{1,9}))?\.jsonl\Z"
)
_BUNDLE = re.compile(
    r"bundle/(?P<year>[0-9]{4})/(?P<month>[0-9]{2})/(?:"
    r"(?P<platform>[a-z]{1,16})/(?P<channel>[a-z0-9_-]{1,64})/"
    r"(?P=platform)_(?P=channel)_(?P=year)(?P=month)|"
    r"(?P<day>[0-9]{2})/(?P<hour>[0-9]{2})/"
    r"(?P<instance>[a-z0-9]{1,32})_(?P<minute>(?P=year)(?P=month)(?P=day)_(?P=hour)[0-9]{2})"
    r")(?:-(?P<n>[1-9][0-9]{0,8}))?\.jsonl(?P<suffix>\.gz|\.zst)?\Z"
)
_OF_INSTANCE = re.compile(
    r"(?P<instance>[a-z0-9]{1,32})_(?P<minute>[0-9]{8}_[0-9]{4})(?:-(?P<n>[1-9][0-9]{0,8}))?\.jsonl\Z"
)
#: The instance name of an import: when it began, and the layer if it wrote more than one of a day.
_IMPORT = re.compile(r"import[0-9]{14}(?:x[0-9]{1,6})?\Z")
#: The fewest digits of a number.
_DIGITS = 4


def _number(n: int) -> str:
    """``n0002``. A number with more digits has a later letter, so that it sorts behind."""
    if n < 2:
        return ""
    digits = f"{n:0{_DIGITS}d}"
    return f"{chr(ord('n') + len(digits) - _DIGITS)}{digits}"


def _number_in(match: re.Match[str]) -> tuple[int, bool]:
    """The number in a name, and whether it has the old form. Raises ValueError if it has neither form."""
    new, old = match["n"] or "", match["old"] or ""
    n = int(new[1:] or old or 1)
    if (new and (old or new != _number(n))) or (old and (n < 2 or old != str(n))):
        raise ValueError(f"not the name of a file: {match[0]!r}")
    return n, bool(old)


@dataclass(frozen=True, slots=True)
class FileName:
    """The parts of a file's name. ``minute`` is UTC, ``YYYYMMDD_HHMM``; ``n`` is 1 for the first. ``old``
    names have their number at the end: ``-2``."""

    platform: str
    channel: str
    minute: str
    instance: str = ""
    n: int = 1
    old: bool = False

    def __str__(self) -> str:
        instance = f"_{self.instance}" if self.instance else ""
        number, end = ("", f"-{self.n}") if self.old else (_number(self.n), "")
        return f"{self.platform}_{self.channel}_{self.minute}{number}{instance}{end}.jsonl"

    def numbered(self, n: int) -> FileName:
        """The same name with another number."""
        return FileName(self.platform, self.channel, self.minute, self.instance, n)

    def key(self, prefix: str = "", suffix: str = "") -> str:
        """The object's key; ``suffix`` is that of the compression, dot included."""
        year, month, day = self.minute[:4], self.minute[4:6], self.minute[6:8]
        head = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        return f"{head}{year}/{month}/{day}/{self.platform}/{self.channel}/{self}{suffix}"


def parse_name(name: str) -> FileName:
    """The parts of ``name``. Raises ValueError for a name that this module does not make."""
    match = _NAME.match(name)
    if match is None:
        raise ValueError(f"not the name of a recording: {name!r}")
    n, old = _number_in(match)
    return FileName(match["platform"], match["channel"], match["minute"], match["instance"] or "", n, old)


def import_instance(seconds: float, layer: int = 0) -> str:
    """The instance name of an import that began at that time. The files of one instance and room are in order
    of time, so later additions to a day belong to another ``layer``."""
    began = datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%S")
    return f"import{began}{f'x{layer}' if layer else ''}"


def is_import(instance: str) -> bool:
    """Whether this is the instance name of an import."""
    return _IMPORT.match(instance) is not None


def upkeep_instance(kind: str) -> str:
    """The instance name of manifests about later changes of an archive, such as ``expiry``."""
    return f"upkeep{kind}"


def utc_minute(seconds: float) -> str:
    """The UTC minute of ``seconds`` since the epoch, as in names."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d_%H%M")


@dataclass(frozen=True, slots=True)
class ManifestName:
    """The parts of a manifest's name: ``{instance or "main"}_{YYYYMMDD_HHMM}[n{n}].jsonl``. ``minute`` is the
    beginning of its period; ``old`` names end in ``-2``. ``kind``: the later change of the archive, ``""``
    for the manifest of a recorder."""

    minute: str
    instance: str = ""
    n: int = 1
    old: bool = False
    kind: str = ""

    def __str__(self) -> str:
        number = f"-{self.n}" if self.old else _number(self.n)
        return f"{self.instance or 'main'}_{self.minute}{number}.jsonl"

    def numbered(self, n: int) -> ManifestName:
        """The same name with another number."""
        return ManifestName(self.minute, self.instance, n, kind=self.kind)

    def key(self, suffix: str = "") -> str:
        """The object's key, below any prefix."""
        year, month, day = self.minute[:4], self.minute[4:6], self.minute[6:8]
        if self.kind:
            return f"manifest/{self.kind}/{year}/{month}/{self}{suffix}"
        return f"manifest/{year}/{month}/{day}/{self}{suffix}"


def parse_manifest_name(name: str) -> ManifestName:
    """The parts of a manifest's name. Raises ValueError. (An instance may be called ``main``: its manifests
    have the same names as those of no instance.)"""
    match = _MANIFEST.match(name)
    if match is None:
        raise ValueError(f"not the name of a manifest: {name!r}")
    instance = match["instance"]
    return ManifestName(match["minute"], "" if instance == "main" else instance, *_number_in(match))


@dataclass(frozen=True, slots=True)
class BundleName:
    """The parts of the name of a bundle: of a room's objects of one month, or of an instance's objects of
    several rooms. ``minute`` is the month (``202512``), or the minute in which the first file was begun;
    all others were begun in the same hour.

        bundle/{year}/{month}/{platform}/{channel}/{platform}_{channel}_{YYYYMM}[-{n}].jsonl[.gz|.zst]
        bundle/{year}/{month}/{day}/{hour}/{instance or "main"}_{YYYYMMDD_HHMM}[-{n}].jsonl[.gz|.zst]
    """

    minute: str
    platform: str = ""
    channel: str = ""
    instance: str = ""
    n: int = 1

    def __str__(self) -> str:
        begin = f"{self.platform}_{self.channel}" if self.platform else self.instance or "main"
        return f"{begin}_{self.minute}{f'-{self.n}' if self.n > 1 else ''}.jsonl"

    def numbered(self, n: int) -> BundleName:
        """The same name with another number."""
        return BundleName(self.minute, self.platform, self.channel, self.instance, n)

    def key(self, suffix: str = "") -> str:
        """The object's key, below any prefix."""
        minute = self.minute
        folder = f"{minute[6:8]}/{minute[9:11]}"
        if self.platform:
            folder = f"{self.platform}/{self.channel}"
        return f"bundle/{minute[:4]}/{minute[4:6]}/{folder}/{self}{suffix}"


def parse_bundle_key(key: str) -> tuple[BundleName, str]:
    """The parts of a bundle's key, and the suffix of its compression. Raises ValueError."""
    match = _BUNDLE.match(key)
    if match is None or match["n"] == "1":
        raise ValueError(f"not the key of a bundle: {key!r}")
    instance = match["instance"] or ""
    name = BundleName(
        match["minute"] or match["year"] + match["month"],
        match["platform"] or "",
        match["channel"] or "",
        "" if instance == "main" else instance,
        int(match["n"] or 1),
    )
    return name, match["suffix"] or ""


def parse_bundle_name(name: str) -> BundleName:
    """The parts of the name of an instance's bundle. Raises ValueError."""
    match = _OF_INSTANCE.match(name)
    if match is None or match["n"] == "1":
        raise ValueError(f"not the name of a bundle: {name!r}")
    instance = "" if match["instance"] == "main" else match["instance"]
    return BundleName(match["minute"], instance=instance, n=int(match["n"] or 1))


def parse_key(key: str) -> tuple[FileName, str]:
    """The name in the key of an object with recordings, and the suffix of its compression. Raises
    ValueError."""
    suffix = next((end for end in (".gz", ".zst") if key.endswith(end)), "")
    name = parse_name(key.removesuffix(suffix).rpartition("/")[2])
    if name.key(suffix=suffix) != key:
        raise ValueError(f"not the key of a recording: {key!r}")
    return name, suffix
