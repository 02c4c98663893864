"""A server that seems far away: connections to it are passed on, and every request waits before it is."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress


class Delay:
    """Passes connections to ``port`` of a loopback address on to a server; what a client sends waits for
    ``seconds`` first, so a request that fits one packet takes that much longer. ``close`` ends it."""

    def __init__(self, host: str, port: int, seconds: float) -> None:
        self._server = (host, port)
        self._seconds = seconds
        self._socket = socket.create_server((host, 0))
        self.port = int(self._socket.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._run(self._accept)

    def close(self) -> None:
        """Close all connections and listen no more."""
        # A thread that waits in accept does not notice that the socket is closed.
        for each in [self._socket, *self._open]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _run(self, function: object, *given: object) -> None:
        threading.Thread(target=function, args=given, daemon=True).start()  # type: ignore[arg-type]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                server = socket.create_connection(self._server)
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open |= {client, server}
                self._run(self._pass, client, server, self._seconds)
                self._run(self._pass, server, client, 0.0)

    def _pass(self, source: socket.socket, target: socket.socket, wait: float) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if wait:
                    time.sleep(wait)
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
            self._open.discard(each)
