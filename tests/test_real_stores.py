"""The instruments with which real stores are tried: a trial that passes everything would prove nothing."""

from __future__ import annotations

from pathlib import Path

import yaml
import zstandard
from twisted.trial.unittest import SynchronousTestCase

from bench.stores.install import Cache, Unavailable, cargo_version, go_version, older_version
from bench.stores.servers import GO, NPM, SERVERS, Place
from bench.stores.trial import Outcome, changed_object, free_ports, last_complaint, troubles
from chatlog.configuration import load


class ServerTests(SynchronousTestCase):
    """The table of servers."""

    def test_settings(self) -> None:
        """The recorder's configuration for each server is valid."""
        home = Path(self.mktemp())
        home.mkdir()
        for server in SERVERS:
            place = Place(home, tuple(range(9001, 9001 + server.ports)), home / "server.pem", home / "ca.pem")
            path = home / "chatlog.yaml"
            path.write_text(yaml.safe_dump({"twitch": {"channels": ["room1"]}, **server.settings(place)}))
            settings = load(str(path), {})
            self.assertTrue(settings.s3 is not None or settings.archive.url, server.name)
            self.assertIn("9001", " ".join(server.command(place)), server.name)

    def test_every_kind(self) -> None:
        """S3, Azure and Google are there, and no name twice."""
        self.assertEqual({server.dialect for server in SERVERS}, {"s3", "azure", "gcs"})
        self.assertEqual(len({server.name for server in SERVERS}), len(SERVERS))

    def test_documented(self) -> None:
        """docs/deploy.md says of every server what became of it."""
        page = (Path(__file__).parent.parent / "docs" / "deploy.md").read_text("utf-8")
        for server in SERVERS:
            self.assertIn(server.name, page)

    def test_ports(self) -> None:
        """Every port that is given is another one."""
        self.assertEqual(len(set(free_ports(8))), 8)


class CacheTests(SynchronousTestCase):
    """What is installed, and what cannot be had."""

    def test_not_there(self) -> None:
        """A server that is not installed is reported, with the name of its package."""
        cache = Cache(Path(self.mktemp()))
        for server in SERVERS:
            if server.source in (NPM, GO):
                error = self.assertRaises(Unavailable, cache.program, server)
                self.assertIn(server.package, str(error))

    def test_no_tool(self) -> None:
        """Where the registry's program is not at hand, that is the reason, and nothing is tried."""
        cache = Cache(Path(self.mktemp()), limit=5, find=lambda name: None)
        server = next(server for server in SERVERS if server.source == GO)
        self.assertIn("there is no go here", str(self.assertRaises(Unavailable, cache.obtain, server)))

    def test_older_version(self) -> None:
        """Where the newest of a crate wants a newer compiler, the one that cargo names is taken."""
        log = "error: cannot install package `s3s-fs 0.17.0`\n`s3s-fs 0.14.1` supports rustc 1.92.0\n"
        self.assertEqual(older_version(log, "s3s-fs"), "0.14.1")
        self.assertEqual(older_version("error: no such crate", "s3s-fs"), "")

    def test_versions(self) -> None:
        """The version of a program is read from what its registry's program says."""
        go = "/cache/bin/weed: go1.26.8\n\tpath\tgithub.com/x/y\n\tmod\tgithub.com/x\tv1.2.0\th1:abc=\n"
        self.assertEqual(go_version(go), "v1.2.0")
        self.assertEqual(cargo_version("s3s-fs v0.14.1:\n    s3s-fs\n", "s3s-fs"), "v0.14.1")
        for parse in (go_version, lambda text: cargo_version(text, "s3s-fs")):
            self.assertRaises(Unavailable, parse, "nothing of it")


class TrialTests(SynchronousTestCase):
    """What a trial examines."""

    def test_changed_object(self) -> None:
        """A changed object is as long, as many lines and as valid as before, and one letter is another."""
        plain = b'{"message":"","type":"room"}\n{"message":"hello","type":"message"}\n'
        changed = changed_object(zstandard.compress(plain))
        assert changed is not None
        after = zstandard.decompress(changed)
        self.assertEqual(len(after), len(plain))
        self.assertEqual([at for at in range(len(plain)) if plain[at] != after[at]], [plain.index(b"hello")])
        self.assertIsNone(changed_object(zstandard.compress(b'{"message":""}\n')))

    def test_outcome(self) -> None:
        """A trial passed if verify was content, the changed object was named and nothing else was amiss."""
        good = {"verified": True, "named": True}
        for more, passed in (
            ({}, True),
            ({"verified": False}, False),
            ({"named": False}, False),
            ({"faults": ["1 lost"]}, False),
            ({"skipped": "no go"}, False),
        ):
            outcome = Outcome("store", **{**good, **more})  # type: ignore[arg-type]
            self.assertEqual(outcome.passed, passed, more)
            self.assertEqual(outcome.row().count("|"), 8, more)
        self.assertIn("NOT PASSED: 1 lost", Outcome("store", faults=["1 lost"]).row())

    def test_logs(self) -> None:
        """A traceback or an alarm about the store is a fault; the uploader's complaints are shown."""
        log = (
            "2026-01-01 00:00:00 WARN  uploader  the store says 409\n"
            "2026-01-01 00:00:01 WARN  twitch  connection 1: lost\n"
        )
        self.assertIn("409", last_complaint(log))
        self.assertEqual(troubles(log), [])
        self.assertEqual(len(troubles(log + "ERROR alarms STORE_DOWN: no answer\nTraceback (most ...\n")), 2)
