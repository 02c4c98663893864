"""The command line of the simulator."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys

import yaml
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from chatlog.simulator.__main__ import DEMO_ROOMS, KICK_PORT, TWITCH_PORT, Simulation, arguments, main

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Starting(SynchronousTestCase):
    def test_only_loopback(self) -> None:
        """Both servers listen, on 127.0.0.1 and the ports that were asked for, and nowhere else."""
        reactor = MemoryReactorClock()
        options = arguments().parse_args(["--plain", "--twitch-port", "4001", "--kick-port", "4002"])
        Simulation(options, reactor).start(options)
        self.assertEqual(
            [(call[0], call[3]) for call in reactor.tcpServers], [(4001, "127.0.0.1"), (4002, "127.0.0.1")]
        )

    def test_demo_configuration(self) -> None:
        """demo.yaml fits a simulator that was started without options."""
        with open(os.path.join(ROOT, "demo.yaml")) as file:
            demo = yaml.safe_load(file)
        self.assertEqual(demo["twitch"]["server"], f"ircs://127.0.0.1:{TWITCH_PORT}")
        self.assertEqual(demo["twitch"]["ca_file"], arguments().get_default("ca"))
        self.assertEqual(demo["kick"]["server"], f"ws://127.0.0.1:{KICK_PORT}/app/demo")
        self.assertEqual(demo["kick"]["lookup"], f"http://127.0.0.1:{KICK_PORT}/api/v2/channels/{{slug}}")
        self.assertEqual(sorted(demo["kick"]["channels"]), sorted(DEMO_ROOMS.split(",")))

    def test_mistakes(self) -> None:
        """A file of faults that cannot be used, or is not there, ends the start with its name."""
        path = self.mktemp()
        with open(path, "w") as file:
            file.write("[{at: 1, what: explode}]")
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            self.assertEqual(main(["--faults", path]), 1)
            self.assertEqual(main(["--faults", "/nonexistent/faults"]), 1)
        self.assertIn(f"{path}: fault 1: what must be one of", errors.getvalue())
        self.assertIn("/nonexistent/faults: ", errors.getvalue())

    def test_process(self) -> None:
        """The process writes its ports, its authority and its oracle, and ends by itself with 0."""
        directory = self.mktemp()
        os.makedirs(directory)
        command = [sys.executable, "-m", "chatlog.simulator", "--twitch-port", "0", "--kick-port", "0"]
        files = ["--ports", "ports.json", "--ca", "ca.pem", "--oracle", "oracle.jsonl", "--duration", "0.1"]
        ended = subprocess.run(
            [*command, *files],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": ROOT},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        with open(os.path.join(directory, "ports.json")) as file:
            ports = json.load(file)
        self.assertEqual(sorted(ports), ["kick", "twitch"])
        self.assertIn(f"Twitch: ircs://127.0.0.1:{ports['twitch']} ", ended.stdout)
        self.assertEqual(json.loads(ended.stdout.splitlines()[-1])["events"], 0)
        self.assertEqual(
            sorted(os.listdir(directory)), ["ca.pem", "ca.pem.server", "oracle.jsonl", "ports.json"]
        )
