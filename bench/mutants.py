"""Whether the tests notice when the code is changed: ``python -m bench.mutants [MODULE ...] [--seconds N]``.

A module is changed in one small place (see ``mutations``), its tests run, and at least one of them has to
fail. A change that no test notices survives: either a test is missing, or the change makes no difference.
Those of the second kind are explained in ``mutants_explained.txt``; all others are printed, and the status is
1 if there are any.

    python -m bench.mutants                          every module, for as long as it takes
    python -m bench.mutants spool/recovery           one of them
    python -m bench.mutants --seconds 300            as many as can be tried in that time, evenly chosen

Each mutant runs in a process of its own, which is made of one that has the libraries loaded already.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from bench.mutations import Mutant, mutants

ROOT = Path(__file__).resolve().parent.parent
EXPLAINED = ROOT / "bench" / "mutants_explained.txt"
#: By module, the test modules that have to notice. They are run in this order.
TARGETS: Mapping[str, tuple[str, ...]] = {
    "spool/recovery": ("tests.spool.test_recovery",),
    "spool/spool": ("tests.spool.test_spool_errors", "tests.spool.test_spool"),
    "spool/seal": ("tests.spool.test_seal", "tests.spool.test_spool"),
    "spool/numbering": ("tests.spool.test_numbering",),
    "spool/stock": ("tests.spool.test_stock", "tests.spool.test_spool"),
    "uploader/turns": ("tests.uploader.test_turns", "tests.uploader.test_uploader"),
    "uploader/whose_trouble": ("tests.uploader.test_whose_trouble", "tests.uploader.test_uploader"),
    "uploader/store_state": ("tests.uploader.test_whose_trouble", "tests.uploader.test_uploader"),
    "uploader/uploader": ("tests.uploader.test_uploader", "tests.uploader.test_gathering"),
    "uploader/deposit": ("tests.uploader.test_deposit", "tests.uploader.test_shipment"),
    "uploader/shipment": ("tests.uploader.test_shipment", "tests.uploader.test_uploader"),
    "uploader/packing": ("tests.uploader.test_packing", "tests.uploader.test_shipment"),
    "uploader/manifest": (
        "tests.uploader.test_manifest_hours",
        "tests.uploader.test_manifest_chain",
        "tests.uploader.test_manifest",
    ),
    "uploader/manifest_rows": ("tests.uploader.test_manifest_rows",),
    "uploader/stored_journal": (
        "tests.uploader.test_stored_journal",
        "tests.uploader.test_manifest_chain",
        "tests.uploader.test_manifest",
    ),
    "uploader/manifest_chain": ("tests.uploader.test_manifest_chain", "tests.uploader.test_manifest_hours"),
    "uploader/gathering": ("tests.uploader.test_held", "tests.uploader.test_gathering"),
    "uploader/holding": ("tests.uploader.test_held", "tests.uploader.test_gathering"),
    "uploader/bundle_plan": ("tests.uploader.test_bundle_plan", "tests.uploader.test_bundle_shipment"),
    "uploader/bundle_shipment": ("tests.uploader.test_bundle_steps", "tests.uploader.test_bundle_shipment"),
    "uploader/bundle_table": (
        "tests.uploader.test_bundle_table",
        "tests.uploader.test_bundle_shipment",
        "tests.archive.test_bundles",
    ),
    "uploader/taken": (
        "tests.uploader.test_taken",
        "tests.uploader.test_bundle_steps",
        "tests.uploader.test_bundle_shipment",
    ),
    "rooms/duplicates": ("tests.rooms.test_duplicates",),
    "rooms/arrivals": ("tests.rooms.test_arrivals",),
    "rooms/subscriptions": ("tests.rooms.test_subscriptions", "tests.rooms.test_pool"),
    "rooms/gap": ("tests.rooms.test_gap",),
    "rooms/connection": ("tests.rooms.test_connection", "tests.rooms.test_lanes"),
    "rooms/pool": ("tests.rooms.test_pool_reports", "tests.rooms.test_pool", "tests.rooms.test_lanes"),
    "timeline/intervals": ("tests.timeline.test_timeline",),
    "timeline/timeline": ("tests.timeline.test_timeline", "tests.timeline.test_timelines"),
    "timeline/timelines": ("tests.timeline.test_timelines", "tests.timeline.test_timeline"),
    "state/lines": ("tests.state.test_lines",),
    "state/state_file": ("tests.state.test_state_file",),
    "state/journal": (
        "tests.state.test_journal",
        "tests.state.test_power_cuts",
        "tests.journal.test_coverage_journal",
    ),
    "takeover": ("tests.state.test_old_coverage", "tests.state.test_takeover"),
    "twitch/deferred_gaps": (
        "tests.twitch.test_deferred_gaps",
        "tests.state.test_power_cuts",
        "tests.twitch.test_backfill",
    ),
    "journal/durability": ("tests.journal.test_durability", "tests.journal.test_coverage_journal"),
    "journal/evidence": ("tests.journal.test_idle_connections", "tests.journal.test_coverage_journal"),
    "journal/snapshots": (
        "tests.journal.test_snapshots",
        "tests.journal.test_noted",
        "tests.journal.test_left_rooms",
        "tests.journal.test_idle_connections",
        "tests.journal.test_coverage_journal",
    ),
    "journal/coverage_journal": (
        "tests.journal.test_noted",
        "tests.journal.test_left_rooms",
        "tests.journal.test_idle_connections",
        "tests.journal.test_coverage_journal",
    ),
}
#: What is loaded before a process is split off, because it takes long.
_LIBRARIES = (
    "twisted.trial.runner",
    "twisted.trial.unittest",
    "twisted.internet.task",
    "twisted.internet.testing",
    "twisted.python.failure",
    "hypothesis",
    "orjson",
    "zstandard",
)
#: Seconds that a mutant's tests may take at least, and as a multiple of what they take without it.
_PATIENCE, _TIMES = 10.0, 4.0
#: Bytes that they may take: some mutants grow without end.
_MEMORY = 2 << 30
PASSED, FAILED, ENDLESS = "passed", "failed", "endless"


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from changed code."""

    def __init__(self, name: str, code: CodeType) -> None:
        self._name = name
        self._code = code

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._name:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=self._code.co_filename)

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self._code.co_filename
        exec(self._code, module.__dict__)


def run(module: str, code: CodeType | None, tests: tuple[str, ...], within: float) -> str:
    """Run the tests with that code in the place of a module; whether they passed, failed or never ended."""
    pid = os.fork()
    if pid == 0:
        status = 2
        try:
            status = 0 if _tests_pass(module, code, tests) else 1
        finally:
            os._exit(status)
    end = time.monotonic() + within
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return PASSED if status == 0 else FAILED
        time.sleep(0.01)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return ENDLESS


def _tests_pass(module: str, code: CodeType | None, tests: tuple[str, ...]) -> bool:
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    import hypothesis
    from twisted.trial import reporter, runner

    class Result(reporter.TestResult):
        """Ends with the first failure."""

        def addError(self, test: Any, error: Any) -> None:
            super().addError(test, error)
            self.stop()

        def addFailure(self, test: Any, failure: Any) -> None:
            super().addFailure(test, failure)
            self.stop()

    # The same every time, and nothing is written beside the tests.
    hypothesis.settings.register_profile("mutants", derandomize=True, database=None)
    hypothesis.settings.load_profile("mutants")
    if code is not None:
        sys.meta_path.insert(0, Changed(module, code))
    result = Result()
    for name in tests:
        runner.TestLoader().loadByName(name).run(result)
        if not result.wasSuccessful():
            return False
    return bool(result.testsRun)


def explained() -> dict[str, str]:
    """The survivors that make no difference, each with the reason: ``MODULE PLACE: CHANGE | REASON``."""
    found = {}
    for line in EXPLAINED.read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.rpartition(" | ")
            found[name.strip()] = reason.strip()
    return found


def survivors(target: str, end: float | None) -> Iterator[tuple[Mutant, bool]]:
    """The mutants that were tried, each with whether no test noticed it."""
    path = ROOT / "chatlog" / f"{target}.py"
    module = f"chatlog.{target.replace('/', '.')}"
    tests = TARGETS[target]
    began = time.monotonic()
    if run(module, None, tests, 600.0) != PASSED:
        raise SystemExit(f"{target}: its tests fail as it is")
    took = time.monotonic() - began
    found = list(mutants(path.read_text("utf-8")))
    step = 1
    if end is not None:
        affordable = max(1, int((end - time.monotonic()) / took))
        step = max(1, -(-len(found) // affordable))
    for mutant in found[::step]:
        if end is not None and time.monotonic() > end:
            return
        code = compile(mutant.tree, str(path), "exec")
        yield mutant, run(module, code, tests, max(_PATIENCE, _TIMES * took)) == PASSED


def main() -> None:
    """Try the mutants of the modules that are named, or of all."""
    parser = argparse.ArgumentParser(prog="python -m bench.mutants")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=float, help="how long it may take in all")
    options = parser.parse_args()
    chosen = options.modules or list(TARGETS)
    if unknown := [name for name in chosen if name not in TARGETS]:
        parser.error(f"no such module: {', '.join(unknown)}")
    sys.path.insert(0, str(ROOT))
    # What tests leave behind must not lie about in the checkout.
    scratch = tempfile.TemporaryDirectory(prefix="chatlog-mutants-")
    os.chdir(scratch.name)
    for library in _LIBRARIES:
        with suppress(ImportError):
            __import__(library)
    known = explained()
    met = set()
    unexplained = 0
    began = time.monotonic()
    for at, target in enumerate(chosen):
        left = None
        if options.seconds is not None:
            spent = time.monotonic() - began
            left = time.monotonic() + (options.seconds - spent) / (len(chosen) - at)
        tried = alive = 0
        for mutant, survives in survivors(target, left):
            tried += 1
            if survives:
                alive += 1
                met.add(f"{target} {mutant.name}")
                if f"{target} {mutant.name}" not in known:
                    unexplained += 1
                    print(f"chatlog/{target}.py:{mutant.line}: {mutant.name}", flush=True)
        print(f"{target}: {tried} mutants, {alive} survive", flush=True)
    if options.seconds is None:
        for name in known:
            if name.partition(" ")[0] in chosen and name not in met:
                print(f"{EXPLAINED.name}: there is no such survivor any more: {name}")
    os.chdir(ROOT)
    scratch.cleanup()
    print(f"{unexplained} survivors are not explained, {time.monotonic() - began:.0f} s")
    raise SystemExit(1 if unexplained else 0)


if __name__ == "__main__":
    main()
