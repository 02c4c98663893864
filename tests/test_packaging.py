"""Tests of what surrounds the code: the package, and the files that run it somewhere."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from twisted.trial.unittest import SynchronousTestCase

import chatlog
from chatlog.config.settings import RecorderSettings
from chatlog.config.units import parse_size
from tests.test_layering import ROOT, imports, modules

#: The distribution that a top-level module comes from. zope.interface and those below come with Twisted[tls].
DISTRIBUTIONS = {
    "OpenSSL": "Twisted",
    "autobahn": "autobahn",
    "click": "click",
    "duckdb": "duckdb",
    "cryptography": "Twisted",
    "obstore": "obstore",
    "orjson": "orjson",
    "prometheus_client": "prometheus-client",
    "service_identity": "Twisted",
    "twisted": "Twisted",
    "txaio": "autobahn",
    "txredisapi": "txredisapi",
    "yaml": "PyYAML",
    "zope": "Twisted",
    "re2": "google-re2",
    "zstandard": "zstandard",
}
#: The module that native/ makes of Rust. No distribution is required for it: it is used where it is there.
NATIVE = "chatlog_native"


def read(name: str) -> str:
    """A file of the checkout."""
    text: str = (ROOT / name).read_text("utf-8")
    return text


def setup_arguments() -> dict[str, Any]:
    """The arguments of setup.py to setuptools."""
    call = next(
        node
        for node in ast.walk(ast.parse(read("setup.py")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setup"
    )
    arguments: dict[str, Any] = {}
    for keyword in call.keywords:
        with contextlib.suppress(ValueError):
            arguments[str(keyword.arg)] = ast.literal_eval(keyword.value)
    return arguments


class SetupTests(SynchronousTestCase):
    """setup.py."""

    def setUp(self) -> None:
        self.arguments = setup_arguments()

    def required(self) -> set[str]:
        """The names of the distributions that are required."""
        return {re.split(r"[\[>=<~!;]", line)[0] for line in self.arguments["install_requires"]}

    def test_every_package_is_listed(self) -> None:
        """A package that is added to the source is added to setup.py, or it is missing from the wheel."""
        packages = {name for name, path in modules().items() if path.name == "__init__.py"}
        self.assertEqual(set(self.arguments["packages"]), packages | {"twisted.plugins"})
        self.assertEqual(self.arguments["package_dir"], {"": "."})

    def test_the_plugin_directory_is_no_package(self) -> None:
        """An __init__.py below twisted/ would hide Twisted itself."""
        names = sorted(path.name for path in (ROOT / "twisted").rglob("*.py"))
        self.assertEqual(names, ["chatlog_archive_plugin.py", "chatlog_plugin.py"])

    def test_everything_imported_is_required(self) -> None:
        """What Chatlog imports is installed with it, not by chance; what is installed is used."""
        found = set()
        for path in modules().values():
            for name in imports(path.read_text("utf-8")):
                found.add(name.partition(".")[0])
        outside = found - sys.stdlib_module_names - {"chatlog", NATIVE}
        self.assertEqual(outside - set(DISTRIBUTIONS), set())
        extras = self.arguments["extras_require"]
        extra = {line.partition(">")[0] for name in ("archive", "cluster") for line in extras[name]}
        self.assertEqual({DISTRIBUTIONS[name] for name in outside} - self.required(), extra)

    def test_every_requirement_is_explained(self) -> None:
        """docs/dependencies.md says of each requirement why it is there, and each has a lower bound."""
        page = read("docs/dependencies.md")
        for line in self.arguments["install_requires"] + self.arguments["extras_require"]["test"]:
            name = re.split(r"[\[>]", line)[0]
            self.assertIn(name, page)
            self.assertIn(">=", line)

    def test_python(self) -> None:
        """The oldest Python is the same everywhere."""
        self.assertEqual(self.arguments["python_requires"], ">=3.11")
        pyproject = tomllib.loads(read("pyproject.toml"))
        self.assertEqual(pyproject["tool"]["ruff"]["target-version"], "py311")
        self.assertEqual(pyproject["tool"]["mypy"]["python_version"], "3.11")
        self.assertNotIn("project", pyproject)

    def test_version(self) -> None:
        """The version has three numbers, and the changelog begins with it."""
        self.assertRegex(chatlog.__version__, r"^\d+\.\d+\.\d+$")
        newest = re.search(r"(?m)^## (\S+)", read("CHANGELOG.md"))
        self.assertEqual(newest and newest[1], chatlog.__version__)

    def test_native(self) -> None:
        """The parser in Rust has the version of Chatlog, for it is used with no other; its crates are pinned,
        and no line of it may be unsafe. Nothing that installs Chatlog asks for it."""
        cargo = tomllib.loads(read("native/Cargo.toml"))
        self.assertEqual(cargo["package"]["version"], chatlog.__version__)
        self.assertEqual(cargo["package"]["license"], "MIT")
        self.assertEqual(cargo["lib"]["name"], NATIVE)
        self.assertEqual(cargo["lints"]["rust"]["unsafe_code"], "forbid")
        lock = tomllib.loads(read("native/Cargo.lock"))["package"]
        pinned = {package["name"]: package for package in lock}
        self.assertEqual(pinned["chatlog-native"]["version"], chatlog.__version__)
        unpinned = {name for name, package in pinned.items() if "checksum" not in package}
        self.assertEqual(unpinned, {"chatlog-native"})
        self.assertIs(tomllib.loads(read("native/pyproject.toml"))["tool"]["maturin"]["locked"], True)
        for name in ("setup.py", "requirements.txt", "requirements/run.txt", "requirements/test.txt"):
            self.assertNotIn("native", read(name).replace("platform_python_implementation", ""))

    def test_license(self) -> None:
        """MIT, in words and in the package."""
        self.assertTrue(
            read("LICENSE").startswith("MIT License\n\nCopyright (c) 2026 Chatlog contributors\n")
        )
        self.assertEqual(self.arguments["license"], "MIT")


class PluginTests(SynchronousTestCase):
    """What makes ``twistd chatlog`` a command."""

    def test_plugin(self) -> None:
        """The plugin names the command and where it is, and imports nothing of Chatlog: it is read by
        every twistd of the environment."""
        source = read("twisted/plugins/chatlog_plugin.py")
        self.assertEqual({name for name in imports(source) if name.startswith("chatlog")}, set())
        names: dict[str, Any] = {}
        exec(compile(source, "chatlog_plugin.py", "exec"), names)
        self.assertEqual((names["chatlog"].tapname, names["chatlog"].module), ("chatlog", "chatlog.entry"))


class ProcessTests(SynchronousTestCase):
    """The files that say how it is run."""

    def worker(self) -> list[str]:
        """The words of the Procfile's command."""
        [line] = read("Procfile").splitlines()
        kind, _, command = line.partition(": ")
        self.assertEqual(kind, "worker")
        return shlex.split(command)

    def test_procfile(self) -> None:
        """One process, in the foreground, without a file that a killed process would leave in the way of
        the next; no shell syntax, so that it can be run without one."""
        command = self.worker()
        self.assertEqual(command, ["twistd", "-n", "--pidfile=", "chatlog", "--config", "chatlog.yaml"])
        self.assertTrue((ROOT / command[-1]).is_file())

    def test_dockerfile(self) -> None:
        """The image runs the same command as the Procfile, as a list so that signals arrive, not as root,
        from files that are there and that .dockerignore lets through."""
        lines = [line for line in read("Dockerfile").splitlines() if not line.startswith("#")]
        commands = dict(line.split(" ", 1) for line in lines if line and line[0].isupper())
        self.assertEqual(ast.literal_eval(commands["CMD"]), self.worker())
        self.assertNotIn(commands["USER"], ("root", "0"))
        configuration = lines.index("COPY chatlog.yaml chatlog.local.yam[l] ./")
        self.assertGreater(lines.index(f"USER {commands['USER']}"), configuration)
        self.assertRegex(commands["FROM"], r"^python:3\.1[1-9]-slim$")
        allowed = read(".dockerignore").splitlines()
        copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
        self.assertIn("chatlog", copied)
        # Somebody's own, if it is there.
        copied.remove("chatlog.local.yam[l]")
        self.assertIn("!chatlog.local.yaml", allowed)
        installs = [line for line in lines if "pip install" in line]
        self.assertEqual(len(installs), 2)
        self.assertIn(" --require-hashes -r requirements/run.txt", installs[0])
        self.assertIn(" --no-deps --no-build-isolation .", installs[1])
        for name in copied:
            self.assertTrue((ROOT / name).exists(), name)
            self.assertIn(f"!{name}", allowed)

    def test_fly(self) -> None:
        """fly.toml has one small machine that is always restarted and stopped with SIGTERM, and a volume
        that is larger than the spool may become and holds every directory; no service that could stop it."""
        fly = tomllib.loads(read("fly.toml"))
        self.assertEqual(fly["kill_signal"], "SIGTERM")
        self.assertGreaterEqual(fly["kill_timeout"], 5)
        self.assertEqual([entry["policy"] for entry in fly["restart"]], ["always"])
        [vm] = fly["vm"]
        self.assertEqual((vm["size"], vm["memory"]), ("shared-cpu-1x", "256mb"))
        self.assertEqual(set(fly) & {"services", "http_service", "processes"}, set())
        [mount] = fly["mounts"]
        self.assertGreater(parse_size(mount["initial_size"]), RecorderSettings().max_size)
        self.assertIs(mount["scheduled_snapshots"], False)
        for name in ("CHATLOG_DIRECTORY", "CHATLOG_ARCHIVE"):
            self.assertTrue(fly["env"][name].startswith(mount["destination"] + "/"), name)

    def test_requirements(self) -> None:
        """A Procfile build installs the checkout itself, with the pins: buildpacks look for requirements.txt
        only, and pip takes no digests beside a directory."""
        lines = [line for line in read("requirements.txt").splitlines() if not line.startswith("#")]
        self.assertEqual(lines, ["--constraint requirements/constraints.txt", "--editable ."])
        self.assertIn("!requirements", read(".dockerignore").splitlines())

    def test_scripts(self) -> None:
        """The scripts can be called."""
        scripts = (".ci/run", ".ci/native", ".ci/newest", ".ci/oldest", ".ci/pythons", "requirements/renew")
        for name in (*scripts, "deploy/procfile-check"):
            self.assertTrue(os.access(ROOT / name, os.X_OK), name)
            self.assertTrue(read(name).startswith("#!/usr/bin/env "), name)


class ReadmeTests(SynchronousTestCase):
    """The README's two commands."""

    def block(self, heading: str) -> list[str]:
        """The lines of the first code block under a heading."""
        section = read("README.md").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        return section.partition("```sh\n")[2].partition("```")[0].splitlines()

    def installed(self, heading: str, pins: str) -> list[str]:
        """The commands of a block behind those that install exactly what is pinned, in a new environment."""
        environment = ["python3 -m venv venv", ". venv/bin/activate"]
        pip = [f"pip install -r requirements/{pins}.txt", "pip install --no-deps --no-build-isolation -e ."]
        lines = self.block(heading)
        self.assertEqual(lines[:4], environment + pip)
        return lines[4:]

    def test_run_it(self) -> None:
        """It sets up and runs the demo; below it is the command for real chat, with a configuration that is
        there. .ci/run does what it says."""
        self.assertEqual(self.installed("Run it", "run"), ["chatlog demo"])
        self.assertIn("\n    twistd -n --pidfile= chatlog --config chatlog.yaml\n", read("README.md"))
        self.assertIn('block "Run it"', read(".ci/run"))

    def test_test_it(self) -> None:
        """It sets up and runs the tests; .ci/run takes it from there."""
        self.assertEqual(self.installed("Test it", "test"), ["trial -j2 tests"])
        self.assertIn('block "Test it"', read(".ci/run"))


class PinTests(SynchronousTestCase):
    """requirements/, which requirements/renew makes from setup.py."""

    def pins(self, name: str) -> list[tuple[Requirement, int]]:
        """The requirements of a file, each with the number of its digests."""
        found: list[tuple[Requirement, int]] = []
        for line in read(f"requirements/{name}.txt").splitlines():
            text = line.removesuffix("\\").strip()
            if text.startswith("--hash="):
                self.assertRegex(text, r"\A--hash=sha256:[0-9a-f]{64}\Z")
                found[-1] = (found[-1][0], found[-1][1] + 1)
            elif text and not text.startswith("#"):
                found.append((Requirement(text), 0))
        return found

    def environments(self) -> Iterator[dict[str, str]]:
        """What markers ask for, where the pins are to be used."""
        for minor in (11, 12, 13, 14):
            for system in ("linux", "darwin"):
                python = {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.1"}
                yield {**python, "sys_platform": system, "platform_python_implementation": "CPython"}

    def versions(self, name: str, environment: dict[str, str]) -> dict[str, str]:
        """What is installed there, with its version."""
        found: dict[str, str] = {}
        for requirement, _ in self.pins(name):
            if requirement.marker is None or requirement.marker.evaluate(environment):
                [specifier] = requirement.specifier
                self.assertEqual(specifier.operator, "==")
                self.assertIsNone(requirement.url)
                found[canonicalize_name(requirement.name)] = specifier.version
        return found

    def test_digests(self) -> None:
        """Every file of every release has its digest, and no index is named."""
        for name in ("run", "test", "check"):
            pins = self.pins(name)
            self.assertGreater(len(pins), 20)
            for requirement, digests in pins:
                self.assertGreater(digests, 0, f"{name}: {requirement}")
            self.assertNotRegex(read(f"requirements/{name}.txt"), r"(?m)^--(?!hash)|://")

    def test_they_fit(self) -> None:
        """What setup.py asks for is pinned within its ranges on every Python: after a change of setup.py,
        requirements/renew is to be run."""
        asked = setup_arguments()
        extras = asked["extras_require"]
        build = [line for line in read("requirements/build.in").splitlines() if not line.startswith("#")]
        run = asked["install_requires"] + build
        test = run + extras["test"]
        for name, requirements in (("run", run), ("test", test), ("check", test + extras["check"])):
            for environment in self.environments():
                versions = self.versions(name, environment)
                for requirement in map(Requirement, requirements):
                    version = versions[canonicalize_name(requirement.name)]
                    self.assertIn(version, requirement.specifier, requirement.name)

    def test_they_agree(self) -> None:
        """Whatever is installed in which way, it is the same release."""
        for environment in self.environments():
            whole = self.versions("check", environment)
            self.assertEqual(self.versions("constraints", environment), whole)
            for name in ("run", "test"):
                self.assertEqual(self.versions(name, environment).items() - whole.items(), set())
        build = tomllib.loads(read("pyproject.toml"))["build-system"]["requires"]
        self.assertEqual(build, [f"setuptools=={whole['setuptools']}"])


class ContinuousIntegrationTests(SynchronousTestCase):
    """.ci/run, in a checkout that holds nothing but it and a README."""

    def run_with(self, *commands: str) -> tuple[int, str]:
        """The exit status and the last line when these are the README's test commands. The virtual
        environment is missing, which is one failure."""
        checkout = self.mktemp()
        os.makedirs(f"{checkout}/.ci")
        for name in ("run", "common.sh"):
            shutil.copy(ROOT / f".ci/{name}", f"{checkout}/.ci/{name}")
        with open(f"{checkout}/README.md", "w", encoding="utf-8") as file:
            file.write("\n".join(["# X", "", "## Test it", "", "```sh", *commands, "```", ""]))
        ran = subprocess.run(["bash", f"{checkout}/.ci/run"], capture_output=True, timeout=60)
        return ran.returncode, ran.stdout.decode().splitlines()[-1]

    def test_counts(self) -> None:
        """The last line has trial's figures and one more for each further check; it fails if anything
        did."""
        cases = {
            "echo 'PASSED (successes=12)'": "12 passed, 1 failed",
            "echo 'PASSED (skips=2, successes=12)'": "12 passed, 1 failed",
            "echo 'FAILED (failures=2, errors=3, successes=7)'; exit 1": "7 passed, 6 failed",
            "echo 'FAILED (errors=1)'; exit 1": "0 passed, 3 failed",
        }
        for command, line in cases.items():
            self.assertEqual(self.run_with(command), (1, line), command)

    def test_no_tests(self) -> None:
        """No test, no block and a command that dies are failures, whatever was printed."""
        self.assertEqual(self.run_with("echo 'PASSED'"), (1, "0 passed, 2 failed"))
        self.assertEqual(self.run_with(), (1, "0 passed, 2 failed"))
        self.assertEqual(self.run_with("false", "echo 'PASSED (successes=3)'"), (1, "0 passed, 2 failed"))
        self.assertEqual(self.run_with("echo 'PASSED (successes=3)'", "false"), (1, "3 passed, 2 failed"))
