"""Which module may know which: the parsers stay free of sockets and clocks, the platforms of each other."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent

#: Modules without Twisted, sockets or clocks: they can be fuzzed, measured and read by themselves.
PURE = frozenset(
    {
        "chatlog.cluster.assignment",
        "chatlog.cluster.line",
        "chatlog.cluster.member",
        "chatlog.cluster.roster",
        "chatlog.cluster.slot_life",
        "chatlog.cluster.slots",
        "chatlog.config.config",
        "chatlog.config.contradictions",
        "chatlog.counted",
        "chatlog.counters",
        "chatlog.config.effective",
        "chatlog.config.endpoint",
        "chatlog.config.engine_address",
        "chatlog.config.masking",
        "chatlog.verify.findings",
        "chatlog.status.cluster_rules",
        "chatlog.status.condition",
        "chatlog.status.conditions",
        "chatlog.status.drift",
        "chatlog.status.health",
        "chatlog.status.machine_rules",
        "chatlog.status.natural",
        "chatlog.reasons",
        "chatlog.status.room_rules",
        "chatlog.kick.events",
        "chatlog.kick.facts",
        "chatlog.kick.times",
        "chatlog.kick.pusher",
        "chatlog.uploader.manifest_rows",
        "chatlog.naming",
        "chatlog.near_names",
        "chatlog.network.proxies",
        "chatlog.printable",
        "chatlog.record",
        "chatlog.redaction",
        "chatlog.signing",
        "chatlog.rooms.closing",
        "chatlog.verify.record_check",
        "chatlog.config.schema",
        "chatlog.config.platform",
        "chatlog.config.room_names",
        "chatlog.config.settings",
        "chatlog.config.storage_classes",
        "chatlog.config.shown_values",
        "chatlog.twitch.events",
        "chatlog.twitch.irc",
        "chatlog.twitch.lines",
        "chatlog.twitch.recent",
        "chatlog.config.units",
        "chatlog.config.addresses",
        "chatlog.config.remedies",
        "chatlog.config.unknown_keys",
        "chatlog.config.values",
        "chatlog.config.wording",
        "chatlog.config.yaml_mistakes",
        "chatlog.config.yaml_positions",
    }
)
#: What no pure module may import, by its first name.
IMPURE = frozenset(
    {"asyncio", "autobahn", "select", "socket", "ssl", "threading", "time", "twisted", "txaio"}
)


def modules() -> dict[str, Path]:
    """Every module of the package by its name."""
    found = {}
    for path in sorted((ROOT / "chatlog").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(source: str, for_types: bool = True) -> Iterator[str]:
    """The names of the modules that a source may import, wherever in it, with what is taken from them:
    ``from a import b`` is ``a`` and ``a.b``. Relative imports are ``.``. Without ``for_types`` those are
    left out that only a type checker follows."""
    tree = ast.parse(source)
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if not for_types and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        pending.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module if node.module and not node.level else "."
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


@functools.cache
def imports_of(path: Path, for_types: bool = True) -> frozenset[str]:
    """What the file imports; read once for all tests."""
    return frozenset(imports(path.read_text("utf-8"), for_types))


class LayeringTests(SynchronousTestCase):
    """Imports point one way."""

    def setUp(self) -> None:
        self.modules = modules()
        self.imports = {name: imports_of(path) for name, path in self.modules.items()}
        self.packages = {name for name, path in self.modules.items() if path.name == "__init__.py"}

    def own(self, name: str) -> set[str]:
        """The modules of this package that a module imports; the packages themselves hold nothing."""
        return {imported for imported in self.imports[name] if imported in self.modules} - self.packages

    def test_pure_modules_are_there(self) -> None:
        """A pure module that is moved or renamed must be moved in this test as well."""
        self.assertEqual(PURE - set(self.modules), set())

    def test_pure_modules_import_no_framework(self) -> None:
        """What reads lines, frames and configurations knows neither Twisted nor Autobahn, neither
        threads nor the time."""
        for name in PURE:
            found = {imported.partition(".")[0] for imported in self.imports[name]} & IMPURE
            self.assertEqual(found, set(), name)

    def test_pure_modules_import_pure_modules(self) -> None:
        """Nor do they come by it through another module of the package."""
        for name in PURE:
            self.assertEqual(self.own(name) - PURE, set(), name)

    def test_the_page_names_every_package(self) -> None:
        """docs/architecture.md has a place for everything, and for nothing that is not there; of the largest
        package for every module."""
        page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
        headings = "## Where things are", "### In `archive/`", "### In `cluster/`", "## What the next run"
        start, archive, cluster, end = map(page.index, headings)
        table = page[start:archive]
        named = set(re.findall(r"`([a-z_]+(?:/|\.py))`", table)) - {"native/", "tests/", "bench/"}
        top = {path.name for path in (ROOT / "chatlog").glob("*.py")} - {"__init__.py"}
        top |= {f"{path.parent.name}/" for path in (ROOT / "chatlog").glob("*/__init__.py")}
        self.assertEqual(named, top)
        there = {path.name for path in (ROOT / "chatlog" / "archive").glob("*.py")} - {"__init__.py"}
        self.assertEqual(set(re.findall(r"`([a-z_]+\.py)`", page[archive:cluster])), there)
        for name in re.findall(r"`([a-z_]+\.py)`", page[cluster:end]):
            self.assertTrue((ROOT / "chatlog" / "cluster" / name).exists(), name)
        for name in re.findall(r"`([a-z_]+/[a-z_]+\.py)`", page):
            home = ROOT if name.startswith("tests/") else ROOT / "chatlog"
            self.assertTrue((home / name).exists(), name)

    def test_platforms_do_not_know_each_other(self) -> None:
        """Twitch and Kick meet only in what both are built from."""
        for name in self.modules:
            for one, other in (("twitch", "kick"), ("kick", "twitch")):
                if name.startswith(f"chatlog.{one}"):
                    known = {found for found in self.imports[name] if found.startswith(f"chatlog.{other}")}
                    self.assertEqual(known, set(), name)

    def test_packages_form_layers(self) -> None:
        """Each package, and each module that is in none, can be read once those are that it imports: no way
        leads back."""
        below: dict[str, set[str]] = {}
        for name in self.modules:
            here = name.split(".")[1:2]
            for imported in self.own(name):
                there = imported.split(".")[1:2]
                if here and there and here != there:
                    below.setdefault(here[0], set()).add(there[0])
        while below:
            ground = {there for known in below.values() for there in known} - set(below)
            free = [here for here, known in below.items() if known <= ground]
            self.assertTrue(free, f"these import each other: {sorted(below)}")
            for package in free:
                del below[package]

    def test_nothing_imports_the_composition(self) -> None:
        """Only tap knows everybody; nobody knows tap, but for what twistd loads."""
        for name in set(self.modules) - {"chatlog.entry"}:
            self.assertNotIn("chatlog.tap", self.imports[name], name)

    def test_the_recorder_knows_no_simulator(self) -> None:
        """What imitates the servers is not needed to record."""
        for name in self.modules:
            if not name.startswith("chatlog.simulator"):
                known = {found for found in self.imports[name] if found.startswith("chatlog.simulator")}
                self.assertEqual(known, set(), name)

    def test_imports_are_absolute(self) -> None:
        """Every import names its module whole, so that these tests see it."""
        for name in self.modules:
            self.assertNotIn(".", self.imports[name], name)

    def test_packages_import_nothing(self) -> None:
        """To import a module is to import that module, and not what lies beside it."""
        for name in self.packages:
            self.assertEqual(self.imports[name], frozenset(), name)

    def test_no_circles(self) -> None:
        """No module needs itself."""

        for name, path in self.modules.items():
            self.imports[name] = imports_of(path, for_types=False)

        def reached(name: str, path: tuple[str, ...]) -> None:
            self.assertNotIn(name, path, " -> ".join((*path, name)))
            if name not in finished:
                for imported in self.own(name):
                    reached(imported, (*path, name))
                finished.add(name)

        finished: set[str] = set()
        for name in self.modules:
            reached(name, ())
