"""The pages in a real browser: what they show, and what they refuse to become.

``python -m tests.http.browser [--pictures DIRECTORY] [--axe FILE] [NAME ...]`` runs the checks, or those of
these names. FILE is axe.min.js of axe-core, without which that check is empty. The last line is "N passed, N
failed"; the exit status is 0 only if none failed.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

from tests.archive_http.optout_checks import OptOutChecks
from tests.http.change_checks import ChangeChecks
from tests.http.chromium import PageTrouble, installed
from tests.http.hostile_checks import HostileChecks
from tests.http.look_checks import LookChecks
from tests.http.overview_checks import OverviewChecks
from tests.http.room_checks import RoomChecks


class Checks(OverviewChecks, LookChecks, ChangeChecks, RoomChecks, HostileChecks, OptOutChecks):
    """Every method whose name begins with ``check_`` is one check; its docstring says what it holds."""


def run(checks: Checks, names: list[str]) -> tuple[int, int]:
    """Run the checks; how many passed and failed."""
    passed = failed = 0
    for name in [name for name in dir(checks) if name.startswith("check_")]:
        if names and name.removeprefix("check_") not in names:
            continue
        try:
            getattr(checks, name)()
        except Exception as error:
            failed += 1
            print(f"failed  {name.removeprefix('check_')}: {error}", flush=True)
            if not isinstance(error, PageTrouble):
                traceback.print_exc()
        else:
            passed += 1
            print(f"ok      {name.removeprefix('check_')}", flush=True)
    return passed, failed


def main() -> None:
    """Run the checks in the browser that is installed."""
    from twisted.internet import reactor

    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", help="a directory for screenshots")
    parser.add_argument("--axe", help="axe.min.js of axe-core")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    program = installed()
    if program is None:
        sys.exit("there is no Chromium here")
    if arguments.pictures:
        os.makedirs(arguments.pictures, exist_ok=True)
    axe = Path(arguments.axe).read_text("utf-8") if arguments.axe else None
    result = [0, 1]

    def work() -> None:
        checks = Checks(reactor, program, arguments.pictures, axe)
        try:
            result[:] = run(checks, arguments.names)
        finally:
            checks.close()

    def end(outcome: Any) -> None:
        if outcome is not None:
            outcome.printTraceback()
        reactor.stop()

    reactor.callWhenRunning(lambda: deferToThread(work).addBoth(end))
    reactor.run()
    print(f"{result[0]} passed, {result[1]} failed")
    sys.exit(bool(result[1]))


if __name__ == "__main__":
    main()
