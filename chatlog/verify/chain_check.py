"""Checks the chains of manifests, and who signed them.

A manifest is vouched for if it is signed, or if a manifest that is vouched for follows it and so has its
digest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from itertools import groupby
from typing import NamedTuple

from chatlog.naming import is_import
from chatlog.verify.archive_index import ArchiveIndex
from chatlog.verify.index_rows import Link

#: Takes a problem: its kind, the key of the manifest, and what is wrong.
Report = Callable[[str, str, str], object]
#: Seconds between two periods that follow each other, at most.
_NEAR = 1.0


class Chain(NamedTuple):
    """The chain of an instance: the number of its manifests, the number of those that name the manifest
    before, the time of the first such one, and by key the number of signed ones."""

    instance: str
    manifests: int
    linked: int
    since: float
    signed: dict[str, int]


class ChainCheck:
    """Checks the manifests in ``index``. ``whole``: it has all manifests, also the earliest. ``keys`` are the
    public keys that must have signed; without any, an instance that signed once is expected to sign always.
    ``is_unread(before, manifest)``: whether a manifest that could not be read may lie between the two."""

    def __init__(
        self,
        index: ArchiveIndex,
        whole: bool,
        keys: Collection[str],
        is_unread: Callable[[Link | None, Link], bool],
        report: Report,
        note: Callable[[str], object],
    ) -> None:
        self._index = index
        self._whole = whole
        self._keys = frozenset(keys)
        self._is_unread = is_unread
        self._report = report
        self._note = note

    def run(self) -> list[Chain]:
        """Report what is wrong. Returns the chains of instances with links or signatures."""
        chains = []
        for instance, links in groupby(self._index.links(), key=lambda link: link.instance):
            chain = self._follow(instance, links)
            if chain.linked or chain.signed:
                chains.append(chain)
        for instance, manifest, count in self._index.forks():
            self._note(
                f"{count} manifests of instance {instance} follow {manifest}: two recorders have this name, "
                "or an old copy of the spool was brought back"
            )
        self._check_signatures({chain.instance: chain for chain in chains})
        return chains

    # -- links ---------------------------------------------------------------------------------------

    def _follow(self, instance: str, links: Iterator[Link]) -> Chain:
        """Check that each manifest follows the one before."""
        before: Link | None = None
        manifests = linked = 0
        since = 0.0
        signed: Counter[str] = Counter()
        for link in links:
            manifests += 1
            if link.format > 1:
                since = since if linked else link.since
                linked += 1
                self._check_link(before, link)
            if link.signer:
                self._check_signature(link)
                signed[link.signer] += link.genuine
            before = link
        return Chain(instance, manifests, linked, since, {key: n for key, n in signed.items() if n})

    def _check_link(self, before: Link | None, link: Link) -> None:
        if not link.previous:
            if before is not None and before.format > 1:
                self._note(
                    f"instance {link.instance} begins a new chain with {link.manifest}: nothing says what "
                    "the manifest before it was"
                )
            return
        if self._index.has_digest(link.instance, link.previous) or self._is_unread(before, link):
            return
        if not self._whole and is_import(link.instance):
            # The manifests of an import lie under the days of its objects: the one before may be out of the
            # scope.
            return
        if before is None:
            if self._whole:
                self._report("broken-chain", link.manifest, "the manifest that it follows is not there")
        elif not before.digest:
            # The manifest before is damaged, which has been reported.
            return
        elif before.until >= link.since - _NEAR and not self._index.is_followed(before):
            what = f"it is not the manifest that {link.manifest} follows: it was changed, or replaced"
            self._report("broken-chain", before.manifest, what)
        elif before.until >= link.since - _NEAR or link.new_spool:
            self._report("broken-chain", link.manifest, "the manifest that it follows is not there")
        # Otherwise a time without a manifest lies before it, which is reported.

    # -- signatures ----------------------------------------------------------------------------------

    def _check_signature(self, link: Link) -> None:
        if not link.digest:
            return
        if not link.genuine:
            what = f"its rows are not those that {link.signer} signed"
            self._report("bad-signature", link.manifest, what)
        elif self._keys and link.signer not in self._keys:
            wanted = " or ".join(sorted(self._keys))
            self._report("foreign-signature", link.manifest, f"{link.signer} signed it, not {wanted}")

    def _check_signatures(self, chains: dict[str, Chain]) -> None:
        """Report the manifests that no signature covers although one should."""
        links = self._index.links(newest_first=True)
        for instance, of_instance in groupby(links, key=lambda link: link.instance):
            chain = chains.get(instance)
            expected = self._keys or frozenset(chain.signed if chain is not None else ())
            if expected:
                self._check_vouched(instance, of_instance, expected)

    def _check_vouched(self, instance: str, newest_first: Iterator[Link], expected: frozenset[str]) -> None:
        wanted: set[str] = set()
        # Links that no signature covers: behind the last signed one, and before the signed one met last.
        behind: list[Link] = []
        before: list[Link] = []
        seen_signed = False
        for link in newest_first:
            signed = link.genuine and link.signer in expected
            if signed or (link.digest and link.digest in wanted):
                wanted.discard(link.digest)
                wanted.add(link.previous)
                if signed:
                    seen_signed = True
                    # Manifests between two signed ones should have been signed.
                    self._unsigned(before, expected)
                    before.clear()
                continue
            # A manifest that is damaged, or was signed with another key, has been reported.
            if link.digest and not link.signer:
                (before if seen_signed else behind).append(link)
        if self._keys:
            self._unsigned(behind, expected)
        elif behind:
            names = " and ".join(sorted(expected))
            self._note(
                f"instance {instance} signs no more: {len(behind)} of its manifests come after the last one "
                f"that {names} signed"
            )
        if before:
            self._note(
                f"instance {instance} signed later: {len(before)} of its manifests from before are in no "
                "chain that leads to the first signature"
            )

    def _unsigned(self, links: list[Link], expected: frozenset[str]) -> None:
        for link in links:
            missing = " or ".join(sorted(expected))
            self._report("missing-signature", link.manifest, f"the signature of {missing} is missing")
