"""Kills a process of ``chatlog erase`` (SIGKILL) at every change that it makes, one run for each.

    python -m bench.erasure_kills [--every N]

The archive is that of ``python -m bench.erasure_proof``, in a directory: two instances, bundled and
compacted, late objects, a bundle of several rooms, and the files of a recorder that has died. A change is a
put or a delete in the store, or a file that is renamed or removed; before each of them a process is killed.
Then ``verify`` must explain what it finds, the same command must complete the work, nothing of the person may
be left in any byte, everything of others must be there, and ``verify`` must find nothing wrong. Prints a row
for each step. Exit status 1: one of these does not hold.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.erasure_proof import Left, Proof, check
from chatlog.archive.lines import LAST
from chatlog.archive.opening import open_archive
from chatlog.archive.question import Question
from chatlog.cli import commands
from chatlog.configuration import load
from chatlog.files import OsFiles
from chatlog.store.directory_store import DirectoryStore
from tests.processes import Failed, Stage
from tests.upkeep.people import ID, TRACES

#: What verify may find in between.
EXPLAINED = {"not-erased", "unnamed-object", "duplicate"}


def killed_at(nth: int) -> None:
    """Kill this process before its ``nth`` change."""
    count = 0

    def reached(what: str) -> None:
        nonlocal count
        count += 1
        if count == nth:
            print(what, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    put, delete, rename, remove = (
        DirectoryStore.put_new,
        DirectoryStore.delete,
        OsFiles.rename,
        OsFiles.remove,
    )

    def put_new(self: DirectoryStore, key: str, data: bytes, attributes: Mapping[str, str]) -> None:
        reached(f"put {key}")
        put(self, key, data, attributes)

    def deleted(self: DirectoryStore, key: str) -> None:
        reached(f"delete {key}")
        delete(self, key)

    def renamed(self: OsFiles, source: str, target: str) -> None:
        reached(f"rename {'/'.join(target.split('/')[-2:])}")
        rename(self, source, target)

    def removed(self: OsFiles, path: str) -> None:
        reached(f"remove {'/'.join(path.split('/')[-2:])}")
        remove(self, path)

    DirectoryStore.put_new, DirectoryStore.delete = put_new, deleted  # type: ignore[method-assign]
    OsFiles.rename, OsFiles.remove = renamed, removed  # type: ignore[method-assign,assignment]


def others(proof: Proof) -> set[bytes]:
    """All records of others on Twitch that name the person nowhere."""
    archive = open_archive(load(str(proof.config), proof.environ), lambda: 1.9e9, everybody=True)
    return {
        found.line
        for found in archive.reader.ask(Question(("twitch", "a"), 0.0, LAST))
        if not any(trace.encode() in found.line.lower() for trace in TRACES)
    }


def run(home: Path, every: int) -> int:
    """All steps; how many there were. Raises Left."""
    proof = Proof(home, {"archive": {"directory": str(home / "archive")}}, {})
    proof.fill()
    # On Kick it is another person.
    proof.erase(f"kick/id:{ID}")
    whole = home / "whole"
    places = [home / "archive", proof.spool]
    for place in places:
        shutil.copytree(place, whole / place.name)
    kept = others(proof)
    step = 1
    while True:
        for place in places:
            shutil.rmtree(place)
            shutil.copytree(whole / place.name, place)
        command = [sys.executable, "-m", "bench.erasure_kills", "--child", str(step)]
        child = subprocess.run(
            [*command, "--config", str(proof.config)],
            capture_output=True,
            text=True,
            env=proof.environ,
            check=False,
        )
        if child.returncode != -signal.SIGKILL:
            check(child.returncode == 0, child.stdout + child.stderr)
            return step - 1
        verify = proof.run("verify")
        # Parquet of which its note does not know yet is named as such, and made again.
        told = re.sub(r"^altered-object +parquet/.*makes it again$", "", verify.stdout, flags=re.MULTILINE)
        kinds = set(re.findall(r"^([a-z]+-[a-z]+|duplicate) ", told, re.MULTILINE))
        check(kinds <= EXPLAINED, verify.stdout)
        check(verify.returncode == 0 or "`chatlog erase`" in verify.stdout + verify.stderr, verify.stdout)
        # The person's own room may have lost nothing of others.
        check(kept <= others(proof), f"step {step}: records of others are missing")
        status, receipt = proof.erase(f"twitch/id:{ID}")
        check(status == 0, receipt)
        check(not (left := proof.left()), left)
        check(kept <= others(proof), f"step {step}: records of others are missing")
        again = proof.run("verify")
        check(again.returncode == 0, again.stdout)
        said = ", ".join(sorted(kinds)) or "-"
        print(f"step {step:3}: killed before {child.stdout.strip():90} verify: {said}", flush=True)
        step += every


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--every", type=int, default=1, help="try only every so-manieth step")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--config", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        killed_at(options.child)
        commands(["erase", f"twitch/id:{ID}", "--config", options.config])
        return 0
    stage = Stage()
    try:
        count = run(stage.home, options.every)
    except (Left, Failed) as error:
        print(f"NOT PROVEN: {error}")
        return 1
    finally:
        stage.close()
    print(f"PROVEN: {count} steps, each the last of a process; the next run completed all of them")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
