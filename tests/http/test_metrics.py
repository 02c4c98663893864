"""The metrics, and everything in deploy/ and docs/ that relies on their names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

import chatlog
from chatlog.alarms.alarms import Alarms
from chatlog.config.settings import HttpSettings
from chatlog.counters import Counters
from chatlog.http.metrics import CONTENT_TYPE, Metrics
from chatlog.status.condition import CODES
from chatlog.status.room_stats import STATES
from tests.cluster.known import known
from tests.fakes import NATIVE
from tests.scene import Scene

ROOT = Path(__file__).resolve().parents[2]
#: Names in an expression, and what stands in its braces.
SELECTOR = re.compile(r"\b([a-z_]+)\{([^}]*)\}|\b(chatlog_[a-z_]+)\b")
MATCHER = re.compile(r'([a-z_]+)(=~|!~|!=|=)"([^"]*)"')

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class MetricsCase(SynchronousTestCase):
    """A recorder of three rooms and its metrics."""

    room_metrics = False

    def setUp(self) -> None:
        self.scene = Scene(http=HttpSettings(room_metrics=self.room_metrics)).start().recorded()
        self.addCleanup(self.scene.stop)
        self.alarms = Alarms(self.scene.status, self.scene.clock, self.scene.now)
        self.alarms.startService()
        self.addCleanup(self.alarms.stopService)
        self.metrics = Metrics(self.scene.status)
        self.scene.advance(60)

    def samples(self) -> Samples:
        """Every sample by name and labels."""
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.metrics.exposition().decode())
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        return self.samples()[f"chatlog_{name}", tuple(sorted(labels.items()))]

    def names(self) -> dict[str, set[str]]:
        """The names of all samples, and their labels."""
        found: dict[str, set[str]] = {}
        for name, labels in self.samples():
            found.setdefault(name, set()).update(label for label, _ in labels)
        return found


class ExpositionTests(MetricsCase):
    """What Prometheus gets."""

    def test_counters(self) -> None:
        """Every total has a counter of its own that says what was counted."""
        self.scene.say("room0", 7)
        self.scene.counters.received = 9
        self.scene.counters.dropped["overflow"] = 4
        self.scene.counters.unknown["twitch"] = 2
        self.scene.advance(5)
        self.assertEqual(self.value("received_total"), 9)
        self.assertEqual(self.value("written_total"), 7)
        self.assertEqual(self.value("durable_total"), 7)
        self.assertEqual(self.value("dropped_total", reason="overflow"), 4)
        self.assertEqual(self.value("unknown_total", platform="twitch"), 2)
        names = self.names()
        for field in fields(Counters):
            if field.name == "unknown_kinds":
                # Names that a server makes up are no labels.
                continue
            self.assertIn(f"chatlog_{field.name}_total", names)

    def test_first_increase(self) -> None:
        """Kinds that may come are there with 0 before they come: Prometheus sees an increase only
        between two samples."""
        self.assertEqual(self.value("dropped_total", reason="overflow"), 0)
        self.assertEqual(self.value("upload_retries_total", **{"class": "transient"}), 0)
        self.assertEqual(self.value("disconnects_total", platform="twitch"), 0)
        self.assertEqual(self.value("alarm", code="STORE_DOWN"), 0)
        self.assertEqual(self.value("rooms", platform="twitch", state="refused"), 0)

    def test_rooms_and_connections(self) -> None:
        """Rooms by state, those that have not been recorded for long, connections up and down."""
        self.scene.down(self.scene.links[0])
        self.scene.advance(60)
        self.assertEqual(self.value("rooms", platform="twitch", state="recorded"), 0)
        self.assertEqual(self.value("rooms", platform="twitch", state="wanted"), 3)
        self.assertEqual(self.value("rooms_late", platform="twitch"), 3)
        self.assertEqual(self.value("connections", platform="twitch", state="up"), 0)
        self.assertEqual(self.value("connections", platform="twitch", state="down"), 1)
        states = {dict(labels)["state"] for name, labels in self.samples() if name == "chatlog_rooms"}
        self.assertEqual(states, set(STATES))

    def test_uploads(self) -> None:
        """The queue, its age, and the state of the store."""
        uploads = self.scene.uploads
        uploads.waiting_files, uploads.waiting_bytes, uploads.state = 3, 999, "refused"
        uploads.oldest_waiting, uploads.last_success = self.scene.now() - 50, 1_767_000_000.0
        self.scene.advance(10)
        self.assertEqual(self.value("waiting_files"), 3)
        self.assertEqual(self.value("waiting_bytes"), 999)
        self.assertEqual(self.value("oldest_unuploaded_seconds"), 60)
        self.assertEqual(self.value("last_upload_time_seconds"), 1_767_000_000.0)
        self.assertEqual(self.value("store_state", state="refused"), 1)
        self.assertEqual(self.value("store_state", state="ok"), 0)
        uploads.state = "confused"
        self.scene.advance(10)
        self.assertEqual(self.value("store_state", state="confused"), 1)
        self.assertEqual(self.value("store_state", state="refused"), 0)

    def test_build(self) -> None:
        """Which version runs, under which name, and which parser is at work."""
        [labels] = [dict(labels) for name, labels in self.samples() if name == "chatlog_build_info"]
        parser = "python" if NATIVE.read_chat is None else "rust"
        self.assertEqual(labels, {"version": chatlog.__version__, "name": "", "parser": parser})

    def test_unknown_values(self) -> None:
        """What is not known is not there, rather than 0."""
        names = self.names()
        self.assertNotIn("chatlog_last_upload_time_seconds", names)
        self.assertNotIn("chatlog_clock_offset_seconds", names)
        self.assertEqual(self.value("oldest_unuploaded_seconds"), 0)

    def test_alarms(self) -> None:
        """Active alarms by code; every code is there."""
        self.scene.space = (0, 1000)
        self.scene.advance(10)
        self.assertEqual(self.value("alarm", code="DISK_FILLING"), 1)
        self.assertEqual(self.value("disk_free_bytes"), 0)
        codes = {dict(labels)["code"] for name, labels in self.samples() if name == "chatlog_alarm"}
        self.assertEqual(codes, set(CODES))

    def test_bounded(self) -> None:
        """Hundreds of rooms and connections make no series more."""
        before = len(self.samples())
        for n in range(500):
            self.scene.add(f"other{n}")
        self.scene.advance(60)
        self.assertEqual(len(self.samples()), before)
        self.assertLess(before, 120)

    def test_registry_of_its_own(self) -> None:
        """The metrics live in a registry of their own: two recorders in one process do not collide, and
        nothing is added to the global one."""
        before = {metric.name for metric in REGISTRY.collect()}
        other = Metrics(self.scene.status)
        self.assertEqual(other.exposition(), self.metrics.exposition())
        self.assertEqual({metric.name for metric in REGISTRY.collect()}, before)

    def test_types(self) -> None:
        """Counters end in _total, gauges do not; every metric has a help; what is sent is said to be
        text in the format that it is in."""
        text = self.metrics.exposition().decode()
        for family in text_string_to_metric_families(text):
            self.assertTrue(family.documentation, family.name)
            self.assertIn(family.type, ("counter", "gauge"), family.name)
            for sample in family.samples:
                self.assertTrue(sample.name.startswith("chatlog_"), sample.name)
                self.assertEqual(sample.name.endswith("_total"), family.type == "counter", sample.name)
        self.assertTrue(CONTENT_TYPE_LATEST.startswith("text/plain"))
        self.assertIn("version=0.0.4", CONTENT_TYPE)


class RoomMetricsTests(MetricsCase):
    """With http.room_metrics."""

    room_metrics = True

    def test_rooms(self) -> None:
        """Every single room has its series too."""
        self.scene.say("room1", 30)
        self.scene.advance(5)
        labels = {"platform": "twitch", "room": "room1"}
        self.assertEqual(self.value("room_recorded", **labels), 1)
        self.assertEqual(self.value("room_messages_per_minute", **labels), 30)
        self.assertEqual(self.value("room_coverage_ratio", **labels), 1)
        self.assertEqual(self.value("room_last_record_time_seconds", **labels), self.scene.now() - 4.5)
        self.assertEqual(self.value("room_recorded", platform="twitch", room="room2"), 1)

    def test_switched_off(self) -> None:
        """And none of them without."""
        scene = Scene().start()
        self.addCleanup(scene.stop)
        self.assertNotIn(b"chatlog_room_", Metrics(scene.status).exposition())


def expressions(found: Any) -> Iterator[str]:
    """Every expression in a dashboard or a file of rules."""
    if isinstance(found, dict):
        for key, value in found.items():
            if key in ("expr", "query", "definition") and isinstance(value, str):
                yield value
            else:
                yield from expressions(value)
    elif isinstance(found, list):
        for value in found:
            yield from expressions(value)


class DeployTests(MetricsCase):
    """Dashboard, rules and documentation use exactly the names that there are."""

    room_metrics = True

    def setUp(self) -> None:
        super().setUp()
        # Those that are there only when something is known.
        self.scene.uploads.last_success = 1.0
        self.scene.status.cluster = known
        for n in range(60):
            stamp = b'{"timestamp":"2025-12-29T10:31:%02d.000Z","type":"message"}\n' % n
            self.scene.recorder.room("twitch", "room0").append(stamp)
            self.scene.advance(1)
        self.existing = self.names()
        self.dashboard = json.loads((ROOT / "deploy" / "grafana.json").read_text("utf-8"))
        self.rules = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text("utf-8"))

    def check(self, expression: str) -> set[str]:
        """The names in an expression, all of which exist with the labels that they are asked for."""
        used = set()
        for match in SELECTOR.finditer(expression):
            name = match[1] or match[3]
            if name == "up" or not name.startswith("chatlog_"):
                continue
            self.assertIn(name, self.existing, expression)
            used.add(name)
            for label, operator, value in MATCHER.findall(match[2] or ""):
                if label == "instance":
                    # Added by Prometheus.
                    continue
                self.assertIn(label, self.existing[name], expression)
                if operator == "=":
                    values = {dict(labels)[label] for each, labels in self.samples() if each == name}
                    values |= {"kick"} if label == "platform" else set()
                    self.assertIn(value, values, expression)
        return used

    def test_dashboard(self) -> None:
        """The dashboard asks for nothing that does not exist, and shows everything that does."""
        used = set().union(*(self.check(expression) for expression in expressions(self.dashboard)))
        single = {name for name in self.existing if name.startswith("chatlog_room_")}
        self.assertEqual(set(self.existing) - used - single, set())

    def test_rules(self) -> None:
        """Every alert rule asks for what exists."""
        for group in self.rules["groups"]:
            for rule in group["rules"]:
                if rule["alert"] != "ChatlogDown":
                    self.assertTrue(self.check(rule["expr"]), rule["alert"])

    def test_rules_are_tested(self) -> None:
        """Every alert rule has a course of events under which it must stay silent."""
        tests = yaml.safe_load((ROOT / "deploy" / "alerts_test.yml").read_text("utf-8"))
        rules = {rule["alert"] for group in self.rules["groups"] for rule in group["rules"]}
        silent = {each["alertname"] for each in tests["tests"][0]["alert_rule_test"]}
        self.assertEqual(silent, rules)
        for test in tests["tests"]:
            for series in test["input_series"]:
                self.check(series["series"])

    def test_labels_of_groupings(self) -> None:
        """What is grouped by is a label of something, or Prometheus' own."""
        labels = set().union(*self.existing.values()) | {"instance"}
        for expression in [*expressions(self.dashboard), *expressions(self.rules)]:
            for grouped in re.findall(r"\bby \(([^)]*)\)", expression):
                self.assertLessEqual({label.strip() for label in grouped.split(",")}, labels, expression)

    def test_documented(self) -> None:
        """docs/operate.md lists every metric, every alarm and every alert rule, and none besides."""
        text = (ROOT / "docs" / "operate.md").read_text("utf-8")
        self.assertEqual(set(re.findall(r"\bchatlog_[a-z_]+[a-z]\b", text)), set(self.existing))
        codes = set(re.findall(r"^### `([A-Z_]+)`$", text, re.MULTILINE))
        self.assertEqual(codes, set(CODES))
        rules = {rule["alert"] for group in self.rules["groups"] for rule in group["rules"]}
        self.assertEqual(set(re.findall(r"`(Chatlog[A-Z]\w+)`", text)), rules)
