"""What is said of engines that cannot be used as they are, asked of real servers with such settings."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trustme
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from chatlog.cluster.engine import Engine, EngineAway
from chatlog.cluster.engines import open_engine
from chatlog.cluster.etcd_check import check
from chatlog.cluster.etcd_link import EtcdLink
from chatlog.cluster.redis_check import troubles
from chatlog.cluster.redis_scripts import netstrings
from chatlog.cluster.redis_words import refusal
from chatlog.commands.engine_check import engine_check
from chatlog.config.engine_address import read_engine
from chatlog.config.settings import ClusterSettings
from chatlog.network.dialing import Network
from chatlog.rooms.visit import Steps, VisitFailed
from tests.cluster.servers import EtcdServer, RedisServer, Server, free_port

#: What Chatlog asks for in its own sentence about permissions.
_RIGHTS = "~chatlog:* +@scripting +@read +@write +@hash +@string +time +info +role +select +ping"


class Servers(TestCase):
    """Servers for each test, and what a check says of them."""

    def started(self, kind: type[Server], wait: bool = True, **options: Any) -> Any:
        """A server that ends with the test."""
        if kind.missing():
            raise SkipTest(kind.missing())
        server = kind(Path(self.mktemp()).resolve(), **options)
        self.addCleanup(server.kill)
        server.launch()
        if wait:
            server.wait()
        return server

    def engine(self, address: str, ca_file: str | None = None) -> Engine:
        found = open_engine(read_engine(address), "main", Network(reactor), ca_file)
        self.addCleanup(found.close)
        return found

    async def said(self, address: str, *parts: str, ca_file: str | None = None) -> None:
        """The check finds one thing, and says where it is, what it is and what to do. It holds no secret. The
        calls fail with the same reason."""
        engine = self.engine(address, ca_file)
        found = await engine.check()
        self.assertEqual(len(found), 1, f"{address}: {found}")
        self.assertEqual(found[0].partition(": ")[0], engine.place)
        for part in ("; ", *parts):
            self.assertIn(part, found[0])
        self.assertNotIn("s3cret", found[0])

    async def fine(self, address: str, ca_file: str | None = None) -> None:
        """The check finds nothing, and lines are put and read."""
        engine = self.engine(address, ca_file)
        self.assertEqual(await engine.check(), [])
        await engine.put("a", "id1", 1, "line", 60.0)
        self.assertEqual((await engine.read()).lines, {"a": "line"})
        await engine.leave("a", "id1", 2, 60.0)

    def certificate(self) -> dict[str, str]:
        """The files of an authority of our own, and of a certificate for loopback with its key."""
        home = Path(self.mktemp()).resolve()
        home.mkdir()
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        authority.cert_pem.write_to_path(str(home / "ca.pem"))
        issued.private_key_and_cert_chain_pem.write_to_path(str(home / "server.pem"))
        return {"ca": str(home / "ca.pem"), "server": str(home / "server.pem")}

    def after(self, seconds: float) -> Deferred[None]:
        return deferLater(reactor, seconds, lambda: None)


class RedisCheckTests(Servers):
    """Redis and Valkey."""

    async def test_password(self) -> None:
        """No password, a wrong one, an unknown user, and one that is not wanted are told apart."""
        at = f"127.0.0.1:{self.started(RedisServer, requirepass='s3cret').port}"
        await self.fine(f"redis://:s3cret@{at}")
        await self.fine(f"redis://default:s3cret@{at}/3")
        await self.said(f"redis://{at}", "wants a password", "redis://:password@host")
        await self.said(f"redis://:s3cretter@{at}", "refuses the user or the password", "cluster.engine")
        await self.said(f"redis://bob:s3cret@{at}", "refuses the user or the password", "cluster.engine")
        await self.said(f"redis://:s3cret@{at}/99", "no database of that number", "/0")
        error = await self.assertFailure(self.engine(f"redis://:s3cretter@{at}").read(), EngineAway)
        self.assertIn("refuses the user or the password", str(error))
        open_to_all = self.started(RedisServer)
        await self.said(f"redis://:s3cret@127.0.0.1:{open_to_all.port}", "has no password, and one is given")

    async def test_user(self) -> None:
        """A user with the rights that the sentence names is fine; others are told which they need."""
        server = self.started(RedisServer)
        server.say("ACL", "SETUSER", "able", "on", ">s3cret", *_RIGHTS.split())
        server.say("ACL", "SETUSER", "other", "on", ">s3cret", "~other:*", "+@all")
        server.say("ACL", "SETUSER", "weak", "on", ">s3cret", "~chatlog:*", "+get")
        at = f"127.0.0.1:{server.port}"
        await self.fine(f"redis://able:s3cret@{at}")
        await self.said(f"redis://other:s3cret@{at}", "may not do what is needed", _RIGHTS)
        await self.said(f"redis://weak:s3cret@{at}", "may not do what is needed", _RIGHTS)

    async def test_command(self) -> None:
        """``chatlog check --online`` says who is there, or what is wrong."""
        server = self.started(RedisServer, requirepass="s3cret")
        network = Network(reactor)
        address = f"redis://:s3cret@127.0.0.1:{server.port}"
        settings = ClusterSettings("main", read_engine(address))
        self.assertIn("; nobody is there now", await engine_check(settings, network, Steps()))
        await self.engine(address).put("a", "id1", 1, "line", 60.0)
        said = await engine_check(settings, network, Steps())
        self.assertIn("; 1 recorder of the cluster main is there now (a)", said)
        settings = ClusterSettings("main", read_engine(server.address))
        failure = await self.assertFailure(
            Deferred.fromCoroutine(engine_check(settings, network, Steps())), VisitFailed
        )
        self.assertIn("wants a password", str(failure))

    async def test_replica(self) -> None:
        """A replica is refused, also one that becomes so while it is used; as a primary it is used again."""
        primary, server = self.started(RedisServer), self.started(RedisServer)
        engine = self.engine(server.address)
        await engine.put("a", "id1", 1, "line", 60.0)
        server.say("REPLICAOF", "127.0.0.1", str(primary.port))
        await self.assertFailure(engine.put("a", "id1", 2, "line", 60.0), EngineAway)
        # What it shows is another server's, and late: it is not read any more.
        error = await self.assertFailure(engine.read(), EngineAway)
        self.assertIn("replica", str(error))
        await self.said(server.address, "is a replica", "name the primary")
        server.say("REPLICAOF", "NO", "ONE")
        await engine.put("a", "id1", 3, "line", 60.0)

    async def test_full(self) -> None:
        """A server that throws keys away, and one that takes nothing because its memory is full."""
        server = self.started(RedisServer, maxmemory="100mb", maxmemory_policy="allkeys-lru")
        await self.said(server.address, "maxmemory-policy allkeys-lru", "noeviction")
        server.say("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
        await self.fine(server.address)
        server.say("CONFIG", "SET", "maxmemory-policy", "noeviction")
        server.say("CONFIG", "SET", "maxmemory", "100kb")
        await self.said(server.address, "memory is full", "give it more memory")

    async def test_other_kinds(self) -> None:
        """A server in cluster mode, a Sentinel, and what is not Redis at all."""
        cluster = self.started(RedisServer, cluster_enabled="yes")
        await self.said(cluster.address, "Redis Cluster", "without cluster mode")
        await self.said(f"redis://127.0.0.1:{free_port()}", "connection refused", "start it")

    async def test_sentinel(self) -> None:
        """The server is found through whichever Sentinel answers. What they do not know is named."""
        server, port, home = self.started(RedisServer), free_port(), Path(self.mktemp()).resolve()
        home.mkdir()
        lines = f"port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {server.port} 1\n"
        (home / "sentinel.conf").write_text(lines)
        with open(home / "log", "wb") as log:
            sentinel = subprocess.Popen(
                ["redis-server", "sentinel.conf", "--sentinel"], cwd=home, stdout=log, stderr=log
            )
        self.addCleanup(sentinel.wait)
        self.addCleanup(sentinel.kill)
        address = f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{port}/main"
        for _ in range(100):
            if not await self.engine(address).check():
                break
            await self.after(0.05)
        await self.fine(address)
        await self.said(f"redis+sentinel://127.0.0.1:{port}/other", "knows the name other", "cluster.engine")
        await self.said(f"redis://127.0.0.1:{port}", "is a Sentinel", "redis+sentinel://")

    async def test_tls(self) -> None:
        """TLS with an authority of one's own; a certificate that is not trusted is named."""
        files = self.certificate()
        port = free_port()
        tls = {"tls_port": port, "tls_cert_file": files["server"], "tls_key_file": files["server"]}
        more = {"tls_ca_cert_file": files["ca"], "tls_auth_clients": "no"}
        server = RedisServer(Path(self.mktemp()).resolve(), port=port, **tls, **more)
        server.options["port"] = 0
        if server.missing():
            raise SkipTest(server.missing())
        self.addCleanup(server.kill)
        server.start()
        await self.fine(f"rediss://127.0.0.1:{port}", files["ca"])
        await self.said(f"rediss://127.0.0.1:{port}", "certificate is not trusted", "cluster.ca_file")
        await self.said(f"redis://127.0.0.1:{port}", "broke off", "rediss://")

    def test_fields(self) -> None:
        """What a server says of itself, and what is wrong with that. What a service does not show is not held
        against it."""
        bad: tuple[tuple[Mapping[str, str], str], ...] = (
            ({"redis_version": "6.0.16"}, "6.0.16"),
            ({"redis_version": "5.0.14"}, "too old"),
            ({"redis_version": "7.2.4", "role": "slave"}, "replica"),
            ({"redis_mode": "cluster"}, "Cluster"),
            ({"maxmemory_policy": "allkeys-random"}, "allkeys-random"),
        )
        for fields, part in bad:
            [(why, remedy)] = troubles(fields)
            self.assertIn(part, why)
            self.assertNotEqual(remedy, "")
        good: tuple[Mapping[str, str], ...] = (
            {},
            {"redis_version": "6.2.0", "role": "master", "redis_mode": "standalone"},
            {"redis_version": "7.2.4", "valkey_version": "8.1.0", "maxmemory_policy": "volatile-lru"},
            {"redis_version": "255.255.255", "maxmemory": "0", "maxmemory_policy": "allkeys-lru"},
            {"redis_version": "unknown"},
        )
        for fields in good:
            self.assertEqual(list(troubles(fields)), [], fields)


class WordsTests(SynchronousTestCase):
    """What answers mean."""

    def test_refusals(self) -> None:
        """A refusal is known with and without the words of a script around it; others are quoted."""
        for said in (
            "READONLY You can't write against a read only replica.",
            "ERR Error running script (call to f_0): @user_script:3: -READONLY You can't write",
        ):
            self.assertEqual(str(refusal(said)), "it is a replica, and nothing can be written to it")
        self.assertEqual(str(refusal("NEWS \x1b[31m")), "it answers with an error [NEWS \\x1b[31m]")

    def test_netstrings(self) -> None:
        """Answers of several parts are read, or refused as a whole."""
        self.assertEqual(netstrings(b"0:,3:a:b,2:\r\n,"), [b"", b"a:b", b"\r\n"])
        for wrong in (b"3:ab", b"1:a", b"x:a,", b"-1:a,", b":,", b"99999999999999:a,", b"1:a,1"):
            self.assertRaises(ValueError, netstrings, wrong)


class EtcdCheckTests(Servers):
    """etcd."""

    async def test_users(self) -> None:
        """A user with a role for the keys is fine, also after a restart that made the token void; others are
        told what is missing."""
        server = self.started(EtcdServer)
        await self.said(f"etcd+http://bob:s3cret@127.0.0.1:{server.port}", "knows no users", "cluster.engine")
        self.ask(server, "auth/user/add", name="root", password="s3cret")
        self.ask(server, "auth/role/add", name="root")
        self.ask(server, "auth/user/grant", user="root", role="root")
        self.ask(server, "auth/role/add", name="chatlog")
        key, end = (b64encode(each).decode() for each in (b"chatlog/", b"chatlog0"))
        permission = {"permType": "READWRITE", "key": key, "range_end": end}
        self.ask(server, "auth/role/grant", name="chatlog", perm=permission)
        for name in ("able", "weak"):
            self.ask(server, "auth/user/add", name=name, password="s3cret")
        self.ask(server, "auth/user/grant", user="able", role="chatlog")
        self.ask(server, "auth/enable")
        at = f"127.0.0.1:{server.port}"
        await self.fine(f"etcd+http://able:s3cret@{at}")
        await self.said(f"etcd+http://weak:s3cret@{at}", "may not do what is needed", "grant-permission")
        await self.said(f"etcd+http://able:s3cretter@{at}", "refuses the user or the password")
        await self.said(f"etcd+http://{at}", "wants a user and a password", "user:password@host")
        engine = self.engine(f"etcd+http://able:s3cret@127.0.0.1:{free_port()},{at}")
        await engine.put("a", "id1", 3, "line", 60.0)
        server.kill()
        await self.assertFailure(engine.read(), EngineAway)
        server.start()
        await engine.put("a", "id1", 4, "more", 60.0)
        self.assertEqual((await engine.read()).lines, {"a": "more"})

    async def test_history(self) -> None:
        """A server that never forgets what was is full in the end, and that is said in time."""
        server = self.started(EtcdServer)
        link = EtcdLink(read_engine(server.address), Network(reactor), None)
        self.addCleanup(lambda: Deferred.fromCoroutine(link.close()))
        for _ in range(10):
            self.assertEqual(await check(link, b"chatlog/main/", "etcd", 25), [])
        [said] = await check(link, b"chatlog/main/", "etcd", 20)
        self.assertIn("--auto-compaction-retention=1h", said)
        self.ask(server, "kv/compaction", revision="15")
        self.assertEqual(await check(link, b"chatlog/main/", "etcd", 20), [])

    async def test_no_quorum(self) -> None:
        """Of two servers one is gone: the other says so."""
        one, two = (EtcdServer(Path(self.mktemp()).resolve()) for _ in range(2))
        if one.missing():
            raise SkipTest(one.missing())
        for name, server in (("one", one), ("two", two)):
            peers = f"one=http://127.0.0.1:{one.peer_port},two=http://127.0.0.1:{two.peer_port}"
            server.options.update(name=name, initial_cluster=peers)
            self.addCleanup(server.kill)
            server.launch()
        one.wait()
        await self.fine(one.address)
        two.kill()
        for _ in range(100):
            if "quorum" in "".join(await self.engine(one.address).check()):
                break
            await self.after(0.05)
        await self.said(one.address, "no quorum", "start the others")

    async def test_tls(self) -> None:
        """TLS with an authority of one's own; a certificate that is not trusted is named."""
        files = self.certificate()
        server = EtcdServer(
            Path(self.mktemp()).resolve(), cert_file=files["server"], key_file=files["server"]
        )
        if server.missing():
            raise SkipTest(server.missing())
        address = f"https://127.0.0.1:{server.port}"
        server.options.update(listen_client_urls=address, advertise_client_urls=address)
        self.addCleanup(server.kill)
        server.launch()
        for _ in range(100):
            if not await self.engine(f"etcd+{address}", files["ca"]).check():
                break
            await self.after(0.05)
        await self.fine(f"etcd+{address}", files["ca"])
        await self.said(f"etcd+{address}", "certificate is not trusted", "cluster.ca_file")
        await self.said(f"etcd+http://127.0.0.1:{server.port}", "broke off", "TLS")

    def ask(self, server: Server, path: str, **body: Any) -> None:
        """Ask the server as its administrator."""
        data = json.dumps(body).encode("ascii")
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/v3/{path}", data, timeout=10).close()


class Parrot(Protocol):
    """A server that has one answer to everything."""

    answer = b""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(self.answer)


class NotAnEngineTests(TestCase):
    """Servers that are none."""

    #: Answers of other servers, of damaged ones and of hostile ones.
    ANSWERS = (
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"+" * 30_000,
        b"$99999999999\r\n",
        b"*99999999\r\n",
        b"*1\r\n*1\r\n*x\r\n",
        b"$abc\r\n",
        b"\xff\xfe\r\n",
        b"+OK\r\n" * 1000,
        b"$3\r\nabc\r\n" * 3,
        b"$-1\r\n",
        b":1\r\n",
        b"*0\r\n",
        b"-\r\n",
    )

    async def test_anything(self) -> None:
        """Whatever answers, a call fails with a reason within its time, and a check has one sentence."""
        for answer in self.ANSWERS:
            factory: Any = Factory.forProtocol(type("Parrot", (Parrot,), {"answer": answer}))
            factory.noisy = False
            listening: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")
            self.addCleanup(listening.stopListening)
            at = f"127.0.0.1:{listening.getHost().port}"
            for address in (f"redis://{at}", f"redis+sentinel://{at}/main", f"etcd+http://{at}"):
                engine = open_engine(read_engine(address), "main", Network(reactor))
                await self.assertFailure(engine.read(), EngineAway)
                found = await engine.check()
                self.assertEqual([each.startswith(engine.place) for each in found], [True], answer[:40])
                await engine.close()
