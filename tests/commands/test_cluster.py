"""``chatlog cluster``: what it shows of the recorders that share their rooms."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from chatlog.commands.cluster import cluster, cluster_lines, drain, is_whole, slots_left, where_lines
from tests.cluster.known import known


class ClusterTextTests(SynchronousTestCase):
    """The text, and the exit status."""

    def test_members(self) -> None:
        """Each recorder has a line with its state and its rooms; who is gone is named."""
        lost = [{"name": "d", "at": 1.0, "for": 30.0}]
        text = "\n".join(cluster_lines(known(lost=lost, strangers=["old"])))
        for words in (
            "cluster main: 10 rooms, each recorded by 1",
            "redis://valkey:6379/0 answers",
            "a (this one)  active",
            "c             draining",
            "d is gone for 30 s",
            "not of this cluster's version: old",
            "rooms short of recorders: 0, without any: 0",
        ):
            self.assertIn(words, text)

    def test_whole(self) -> None:
        """It is well only if every room has its recorders and a death would be covered."""
        away = {"place": "redis://v", "up": False, "age": 30.0, "trouble": "refused"}
        self.assertTrue(is_whole(known()))
        for changes in ({"short": 1}, {"unassigned": 1}, {"engine": away}, {"taken_since": 1.0}):
            self.assertFalse(is_whole(known(**changes)), changes)
        self.assertIn("has not answered for 30 s (refused)", "\n".join(cluster_lines(known(engine=away))))

    def test_drained(self) -> None:
        """A recorder is drained when no slot is left in any state."""
        self.assertEqual(slots_left(known()), 2048)
        self.assertEqual(slots_left(known(slots={"twitch": {"held": 0, "leaving": 0}})), 0)

    def test_where(self) -> None:
        """A room is recorded by somebody, or by nobody yet."""
        found = {"platform": "twitch", "name": "ann", "slot": 7, "recorded_by": ["b"], "meant_for": ["b"]}
        self.assertEqual(where_lines(found), ["twitch/ann is recorded by b", "slot 7, meant for b"])
        self.assertIn("nobody at the moment", where_lines({**found, "recorded_by": []})[0])


class CommandTests(SynchronousTestCase):
    """The commands, against a recorder that answers what it is told to."""

    def run_with(self, *arguments: str, **answers: Any) -> tuple[int, str, list[tuple[str, str]]]:
        """The exit status, the output, and what was asked."""
        asked: list[tuple[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                asked.append((self.command, self.path))
                found = answers[self.path.removeprefix("/api/v1/").partition("/")[0]]
                body = json.dumps(found.pop(0) if isinstance(found, list) else found).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *arguments: object) -> None:
                """Nothing."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            path = self.mktemp()
            with open(path, "w") as file:
                listen = f"127.0.0.1:{server.server_port}"
                file.write(f"twitch: {{channels: [a]}}\nhttp: {{listen: '{listen}', token: t}}\n")
            command = cluster if arguments[0] == "cluster" else drain
            done = CliRunner().invoke(command, [*arguments[1:], "--config", path])
        finally:
            server.shutdown()
            server.server_close()
        return done.exit_code, done.output, asked

    def test_cluster(self) -> None:
        """It shows the cluster; the exit status tells whether all is well."""
        status, text, _ = self.run_with("cluster", cluster=known())
        self.assertEqual((status, text.count("(this one)")), (0, 1))
        self.assertEqual(self.run_with("cluster", cluster=known(short=1))[0], 1)

    def test_room(self) -> None:
        """Asked for a room, it shows that alone."""
        found = {"platform": "twitch", "name": "ann", "slot": 7, "recorded_by": ["b"], "meant_for": ["b"]}
        status, text, asked = self.run_with("cluster", "--room", "twitch/ann", cluster=found)
        self.assertEqual(text, "twitch/ann is recorded by b\nslot 7, meant for b\n")
        self.assertEqual((status, asked), (0, [("GET", "/api/v1/cluster/rooms/twitch/ann")]))

    def test_drain(self) -> None:
        """It waits until all is handed over; --undo takes that back and waits for nothing."""
        gone = known(slots={"twitch": {"held": 0}})
        status, text, asked = self.run_with("drain", drain={}, cluster=[gone])
        self.assertEqual((status, asked[0]), (0, ("POST", "/api/v1/drain")))
        self.assertIn("it can be stopped", text)
        status, text, asked = self.run_with("drain", "--wait", "0", drain={}, cluster=known())
        self.assertEqual(status, 1)
        status, text, asked = self.run_with("drain", "--undo", drain={})
        self.assertEqual((status, asked), (0, [("DELETE", "/api/v1/drain")]))
