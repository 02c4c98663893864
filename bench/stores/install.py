"""Getting the servers of ``bench.stores``: installed once from their registries, into a directory that is no
part of the checkout, each within a limit of time."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from bench.stores.servers import CARGO, GO, NPM, PIP, Server

#: What ``timeout`` ends with when the time was over.
_TIMED_OUT = 124


class Unavailable(Exception):
    """A server cannot be had here; the text says why, in one line."""


def cache_directory() -> Path:
    """Where the servers are kept from one run to the next."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "chatlog-stores"


class Cache:
    """The servers that are installed below ``root``. An installation may take ``limit`` seconds, and uses
    ``jobs`` processors. ``find`` gives the path of a program, None if there is none."""

    def __init__(
        self,
        root: Path,
        limit: float = 1500.0,
        jobs: int = 1,
        find: Callable[[str], str | None] = shutil.which,
    ) -> None:
        self._find = find
        self._root = root
        self._limit = limit
        self._jobs = jobs

    def program(self, server: Server) -> list[str]:
        """What starts the server. Raises Unavailable if it is not installed."""
        if server.source == PIP:
            return [sys.executable]
        path = self._path(server)
        if not path.exists():
            raise Unavailable(f"{server.package} is not installed")
        return ["node", str(path)] if server.source == NPM else [str(path)]

    def obtain(self, server: Server) -> list[str]:
        """What starts the server, installed first if it is not there. Raises Unavailable."""
        if server.source == PIP:
            self.version(server)
        elif not self._path(server).exists():
            self._install(server)
        return self.program(server)

    def version(self, server: Server) -> str:
        """The version that is installed. Raises Unavailable."""
        if server.source == PIP:
            try:
                return metadata.version(server.package)
            except metadata.PackageNotFoundError:
                raise Unavailable(
                    f"{server.package} is not in this environment: it comes with .[test]"
                ) from None
        if server.source == NPM:
            package = self._root / "npm" / "node_modules" / server.package / "package.json"
            return str(json.loads(package.read_text())["version"])
        if server.source == GO:
            return go_version(_output(["go", "version", "-m", str(self._path(server))]))
        listed = _output(["cargo", "install", "--list", "--root", str(self._root)])
        return cargo_version(listed, server.package)

    def _path(self, server: Server) -> Path:
        if server.source == NPM:
            return self._root / "npm" / "node_modules" / server.program
        return self._root / "bin" / server.program

    def _install(self, server: Server) -> None:
        tool = {NPM: "npm", GO: "go", CARGO: "cargo"}[server.source]
        if self._find(tool) is None:
            raise Unavailable(f"there is no {tool} here")
        (self._root / "npm").mkdir(parents=True, exist_ok=True)
        flags = f"{os.environ.get('GOFLAGS', '')} -p={self._jobs} -buildvcs=false".strip()
        environ = {**os.environ, "GOFLAGS": flags, "GOBIN": str(self._root / "bin")}
        log = self._root / f"{server.name}.log"
        log.unlink(missing_ok=True)
        for command in self._commands(server, log):
            status = self._run(command, environ, log)
            if status == _TIMED_OUT:
                raise Unavailable(f"{server.package} was not built within {self._limit:.0f} s")
            if status == 0 and self._path(server).exists():
                return
        raise Unavailable(f"{server.package} cannot be installed: {_last_line(log)}")

    def _run(self, command: list[str], environ: dict[str, str], log: Path) -> int:
        limit = ["timeout", "--kill-after=10", f"{self._limit:.0f}", "nice", "-n", "10"]
        where = self._root / "npm"
        with open(log, "ab") as output:
            return subprocess.run(
                [*limit, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environ,
                cwd=where,
                check=False,
            ).returncode

    def _commands(self, server: Server, log: Path) -> Iterator[list[str]]:
        """What installs it: one after the other, until one succeeds."""
        if server.source == NPM:
            yield ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", server.package]
        elif server.source == GO:
            yield ["go", "install", f"{server.package}@latest"]
            # ``go install`` refuses what has ``replace`` in its go.mod; a module that needs it does not.
            module = self._root / "go" / server.program
            shutil.rmtree(module, ignore_errors=True)
            module.mkdir(parents=True)
            go = ["go", "-C", str(module)]
            yield [*go, "mod", "init", "stores"]
            yield [*go, "get", f"{server.package}@latest"]
            yield [*go, "build", "-o", str(self._path(server)), server.package]
        else:
            # Without optimisation: what counts is what it answers, and it builds in a fraction of the time.
            jobs = ["--debug", "--root", str(self._root), "--jobs", str(self._jobs), *server.features]
            yield ["cargo", "install", *jobs, server.package]
            if version := older_version(log.read_text("utf-8", "replace"), server.package):
                yield ["cargo", "install", *jobs, "--version", version, server.package]


def older_version(log: str, package: str) -> str:
    """The version that cargo recommends where the newest wants a newer compiler; "" if it does not."""
    found = re.search(rf"`{re.escape(package)} ([0-9.]+)` supports rustc", log)
    return found[1] if found else ""


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"{command[0]} does not tell the version: {error}") from None
    return done.stdout


def go_version(output: str) -> str:
    """The version of a program in the output of ``go version -m``. One that was never released has the day
    and the commit of its source in place of a number."""
    for line in output.splitlines():
        words = line.split()
        if words[:1] == ["mod"] and len(words) > 2:
            return words[2]
    raise Unavailable("go does not tell the version")


def cargo_version(output: str, package: str) -> str:
    """The version of a package in the output of ``cargo install --list``."""
    for line in output.splitlines():
        words = line.rstrip(":").split()
        if words[:1] == [package] and len(words) > 1:
            return words[1]
    raise Unavailable("cargo does not tell the version")


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else "it says nothing"
