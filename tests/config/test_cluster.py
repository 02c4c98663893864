"""The section ``cluster``."""

from __future__ import annotations

from chatlog.config.engine_address import read_engine
from chatlog.config.settings import ClusterSettings
from chatlog.configuration import describe
from tests.configurations import SHORT, ConfigTestCase

CLUSTER = "instance: a1\ncluster: {name: main, engine: 'redis://:s3cretPassword@localhost'}\n"


class ClusterTests(ConfigTestCase):
    """What the section becomes, and what is wrong with it."""

    def test_absent(self) -> None:
        """Without the section there is no cluster."""
        self.assertIsNone(self.read(SHORT).cluster)

    def test_defaults(self) -> None:
        """A name and an engine are enough."""
        self.assertEqual(
            self.read(SHORT + CLUSTER).cluster,
            ClusterSettings("main", read_engine("redis://:s3cretPassword@localhost")),
        )

    def test_everything(self) -> None:
        """Every key has its meaning."""
        text = (
            "{name: eu-1, engine: '${E}', replicas: 2, capacity: 5000, zone: fra, lease: 20s, drain: 90s, "
            "joins: home}"
        )
        found = self.read(f"{SHORT}instance: b\ncluster: {text}", E="etcd+https://u:p@e1,e2:99").cluster
        engine = read_engine("etcd+https://u:p@e1,e2:99")
        self.assertEqual(found, ClusterSettings("eu-1", engine, 2, 5000, "fra", 20.0, 90.0, "home"))

    def test_an_instance_is_required(self) -> None:
        """Each member needs a name of its own."""
        for text in (CLUSTER.partition("\n")[2], CLUSTER.replace("a1", '""')):
            self.assert_problem(SHORT + text, "chatlog.yaml:", "cluster: each recorder", "${HOSTNAME}")

    def test_a_pods_name(self) -> None:
        """What the environment calls a machine is an instance name without its hyphens; what a person writes
        is not changed."""
        text = SHORT + CLUSTER.replace("a1", "${HOSTNAME}")
        self.assertEqual(self.read(text, HOSTNAME="chatlog-0").instance, "chatlog0")
        self.assert_problem(SHORT + CLUSTER.replace("a1", "a-1"), "is not an instance name", "write a1")

    def test_no_room_of_its_own(self) -> None:
        """A member may have no rooms in its file; how it speaks to the platforms still counts."""
        found = self.read(CLUSTER + "twitch: {server: 'irc://127.0.0.1:6667', joins_per_10s: 2000}")
        self.assertEqual(found.platforms["twitch"].channels, ())
        self.assertEqual(found.platforms["twitch"].joins_per_10s, 2000)
        self.assertEqual(self.read(CLUSTER).platforms, {})

    def test_problems(self) -> None:
        """Each mistake is one sentence with the key and the remedy."""
        for value, words in {
            "engine: 'redis://h', name: Main": 'cluster.name: "Main" is not the name of a cluster',
            "engine: 'redis://h'": "cluster.name: this key is required",
            "name: a": "cluster.engine: this key is required",
            "name: a, engine: 'redis://h', replicas: 0": 'cluster.replicas: "0" is not between 1 and 5',
            "name: a, engine: 'redis://h', lease: 1s": 'cluster.lease: "1s" is not between 6s and 10m',
            "name: a, engine: 'redis://h', drain: 5s": "cluster.drain: this is too short",
            "name: a, engine: 'redis://h', zone: a b": 'cluster.zone: "a b" is not one word',
            "name: a, engine: 'redis://h', capacity: 0": 'cluster.capacity: "0" is not between',
        }.items():
            self.assert_problem(f"{SHORT}instance: a\ncluster: {{{value}}}", words)

    def test_the_password_is_never_shown(self) -> None:
        """Neither what is wrong nor what is right shows the address of the engine."""
        shown = describe(self.read(SHORT + CLUSTER))
        self.assertNotIn("s3cret", shown)
        self.assertIn("a1 is one of the recorders of the cluster main; one of them records each room", shown)
        wrong = self.problem(SHORT + CLUSTER.replace("redis:", "http:"))
        self.assertNotIn("s3cret", wrong)
        self.assertIn("cluster.engine: the value is not an engine's address", wrong)
