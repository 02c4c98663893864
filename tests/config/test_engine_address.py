"""The addresses of engines."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.engine_address import ETCD, REDIS, SENTINEL, EngineAddress, read_engine

#: Addresses, and what they are without a secret.
RIGHT = {
    "redis://valkey": "redis://valkey:6379/0",
    "redis://valkey/": "redis://valkey:6379/0",
    "redis://:secretword@VALKEY:1/3": "redis://valkey:1/3",
    "rediss://name:secretword@[::1]:6380/0": "rediss://[::1]:6380/0",
    "valkeys://10.0.0.1": "valkeys://10.0.0.1:6379/0",
    "redis://:secret/word@valkey/2": "redis://valkey:6379/2",
    "redis+sentinel://one,two:7/mymaster": "redis+sentinel://one:26379,two:7/mymaster/0",
    "rediss+sentinel://:secretword@[::1]/main/4": "rediss+sentinel://[::1]:26379/main/4",
    "etcd+http://127.0.0.1:2379": "etcd+http://127.0.0.1:2379",
    "etcd+https://name:secretword@one,two:7,[::1]/": "etcd+https://one:2379,two:7,[::1]:2379",
}
#: Others, and a part of what is said of them.
WRONG = {
    "": "begins with redis://",
    "valkey:6379": "begins with redis://",
    "mysql://x": "redis://, rediss:// (with TLS), redis+sentinel:// or etcd+https://",
    "http://etcd:2379": "etcd+http://",
    "etcd://etcd:2379": "whether etcd has TLS",
    "sentinel://one/main": "redis+sentinel://",
    "redis://": "names no server",
    "redis://a b": "a space",
    "redis://\u00fc": "not ASCII",
    "redis://host:0": "from 1 to 65535",
    "redis://host:65536": "from 1 to 65535",
    "redis://host:port": "from 1 to 65535",
    "redis://::1": "names no server",
    "redis://host/zero": "number of a database",
    "redis://host/0/1": "number of a database",
    "redis://host?db=1": "has a ?",
    "redis://secretword@host": "no password",
    "redis://:secret@word@host": "write %40",
    "redis://one,two": "redis+sentinel://",
    "redis+sentinel://one": "does not name what the Sentinels watch",
    "etcd+http://one/path": "leave it out",
    f"etcd+http://{','.join(['host'] * 17)}": "more than 16",
    f"redis://{'h' * 3000}": "more than 2000",
}


class EngineAddressTests(SynchronousTestCase):
    """What ``cluster.engine`` may be."""

    def test_right(self) -> None:
        """Each is read, and shown to people without user and password."""
        for text, shown in RIGHT.items():
            address = read_engine(text)
            self.assertEqual(str(address), shown)
            self.assertNotIn("secret", f"{address} {address!r}", text)

    def test_parts(self) -> None:
        """What a program is told of it."""
        self.assertEqual(
            read_engine("rediss://na%3Ame:pass%40word%2f@valkey:1/3"),
            EngineAddress(REDIS, "rediss", (("valkey", 1),), True, "na:me", "pass@word/", "", 3),
        )
        self.assertEqual(
            read_engine("redis+sentinel://:word@one,[::1]:7/main/4"),
            EngineAddress(
                SENTINEL, "redis+sentinel", (("one", 26379), ("::1", 7)), False, "", "word", "main", 4
            ),
        )
        self.assertEqual(
            read_engine("etcd+https://name:word@one"),
            EngineAddress(ETCD, "etcd+https", (("one", 2379),), True, "name", "word"),
        )

    def test_wrong(self) -> None:
        """Each is refused with a remedy, and without a word of it that may be secret."""
        for text, said in WRONG.items():
            error = self.assertRaises(ValueError, read_engine, text)
            self.assertIn(said, str(error), text)
            self.assertNotIn("secret", str(error))
