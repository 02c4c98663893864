"""Real engines on loopback: Redis and etcd, with a directory and ports of their own. Whoever starts them ends
them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Seconds until a server has to answer.
_STARTS_WITHIN = 20.0
#: The highest port at which Redis can be a cluster: it takes the one 10,000 above as well.
_HIGHEST = 55_535


def free_port() -> int:
    """A port on which nothing listens."""
    while True:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port: int = sock.getsockname()[1]
            if port <= _HIGHEST:
                return port


class Server(ABC):
    """One server that can be paused, killed and started again with what it has on its disk."""

    #: Its program, as it is called on the PATH, and the address of the engine without its servers.
    PROGRAM = ""
    SCHEME = ""

    def __init__(self, home: Path, port: int = 0, **options: Any) -> None:
        self.home = home
        self.port = port or free_port()
        self.options = options
        self._popen: subprocess.Popen[bytes] | None = None
        home.mkdir(parents=True, exist_ok=True)

    @classmethod
    def missing(cls) -> str:
        """Why it cannot be started here, "" if it can."""
        return "" if shutil.which(cls.PROGRAM) else f"{cls.PROGRAM} is not installed"

    @property
    def address(self) -> str:
        """What ``cluster.engine`` has to be."""
        return f"{self.SCHEME}://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._popen is not None
        return self._popen.pid

    @abstractmethod
    def command(self) -> list[str]:
        """How it is started."""

    def launch(self, environ: Mapping[str, str] | None = None) -> None:
        """Start it, without waiting."""
        with open(self.home / "log", "ab") as log:
            self._popen = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env=None if environ is None else dict(environ),
            )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.launch()
        self.wait()

    def wait(self) -> None:
        """Wait until it answers. Raises AssertionError if it does not."""
        end = time.monotonic() + _STARTS_WITHIN
        while not self.answers():
            assert self._popen is not None
            if self._popen.poll() is not None or time.monotonic() > end:
                log = (self.home / "log").read_text("utf-8", "replace")
                raise AssertionError(f"{self.PROGRAM} does not start: {log[-2000:]}")
            time.sleep(0.02)

    @abstractmethod
    def answers(self) -> bool:
        """Whether it can be asked."""

    def pause(self) -> None:
        """Nothing is answered from now on, and no connection ends."""
        assert self._popen is not None
        self._popen.send_signal(signal.SIGSTOP)
        # A server of many threads may answer once more until all of them have stopped.
        os.waitpid(self._popen.pid, os.WUNTRACED)

    def proceed(self) -> None:
        """Go on after a pause."""
        assert self._popen is not None
        self._popen.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it without a word."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()

    def forget(self) -> None:
        """Lose what is on the disk. It must not run."""
        shutil.rmtree(self.home)
        self.home.mkdir()

    def empty(self) -> None:
        """Lose everything, and answer afterwards."""
        self.kill()
        self.forget()
        self.start()


class RedisServer(Server):
    """redis-server. ``options``: lines of its configuration, with _ for -. It saves nothing by itself."""

    PROGRAM = "redis-server"
    SCHEME = "redis"

    def command(self) -> list[str]:
        """See Server."""
        lines = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", **self.options}
        options = [
            str(each) for name, value in lines.items() for each in (f"--{name.replace('_', '-')}", value)
        ]
        return [self.PROGRAM, *options]

    def answers(self) -> bool:
        """See Server."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as sock:
                if "tls_port" in self.options:
                    return True
                sock.sendall(b"PING\r\n")
                # Whoever wants a password answers as well.
                return sock.recv(100)[:1] != b"-" or "requirepass" in self.options
        except OSError:
            return False

    def empty(self) -> None:
        """See Server; no connection breaks."""
        self.say("FLUSHALL")

    def say(self, *command: str) -> bytes:
        """Send a command, and return the beginning of the answer."""
        with socket.create_connection(("127.0.0.1", self.port), 5.0) as sock:
            sock.sendall(" ".join(command).encode("ascii") + b"\r\n")
            return sock.recv(1000)


class EtcdServer(Server):
    """etcd. ``options``: its flags, with _ for -. Leases can be as short as a second."""

    PROGRAM = "etcd"
    SCHEME = "etcd+http"

    def __init__(self, home: Path, port: int = 0, **options: Any) -> None:
        super().__init__(home, port, **options)
        self.peer_port = free_port()

    def command(self) -> list[str]:
        """See Server."""
        peers, clients = f"http://127.0.0.1:{self.peer_port}", f"http://127.0.0.1:{self.port}"
        flags = {
            "name": "one",
            "data-dir": str(self.home / "data"),
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"one={peers}",
            "listen-client-urls": clients,
            "advertise-client-urls": clients,
            "heartbeat-interval": 50,
            "election-timeout": 250,
            "unsafe-no-fsync": "true",
            **{name.replace("_", "-"): value for name, value in self.options.items()},
        }
        return [self.PROGRAM, *(f"--{name}={value}" for name, value in flags.items())]

    def answers(self) -> bool:
        """See Server."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as sock:
                sock.sendall(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
                sock.settimeout(1.0)
                said = b""
                while part := sock.recv(1000):
                    said += part
                return b'"health":"true"' in said
        except OSError:
            return False
