"""The address of an engine, as ``cluster.engine`` has it.

- ``redis://valkey:6379/0``: Redis or Valkey; ``rediss://`` with TLS; ``valkey://`` and ``valkeys://`` too
- ``redis://user:password@valkey``: as a user; without one, ``redis://:password@valkey``
- ``redis+sentinel://one,two:26379/mymaster/0``: the server that the Sentinels name; ``rediss+sentinel://``
- ``etcd+https://user:password@one:2379,two:2379``: etcd; ``etcd+http://`` without TLS
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

REDIS, SENTINEL, ETCD = "redis", "sentinel", "etcd"

#: The kind, whether it has TLS, and the port by default, by scheme.
_SCHEMES = {
    "redis": (REDIS, False, 6379),
    "rediss": (REDIS, True, 6379),
    "valkey": (REDIS, False, 6379),
    "valkeys": (REDIS, True, 6379),
    "redis+sentinel": (SENTINEL, False, 26379),
    "rediss+sentinel": (SENTINEL, True, 26379),
    "etcd+http": (ETCD, False, 2379),
    "etcd+https": (ETCD, True, 2379),
}
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})\Z|\[[0-9A-Fa-f:.]{2,45}\]\Z")
_PORT = re.compile(r"[0-9]{1,5}\Z")
_MASTER = re.compile(r"[A-Za-z0-9._-]{1,100}\Z")
_MOST_HOSTS = 16
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """The address of an engine. ``kind``: REDIS, SENTINEL or ETCD. ``servers``: hosts with ports; of several,
    any one will do. ``master``: the name that Sentinels know the server by. ``database``: the number of
    Redis' database. ``password`` is a secret."""

    kind: str
    scheme: str
    servers: tuple[tuple[str, int], ...]
    tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    master: str = ""
    database: int = 0

    def __str__(self) -> str:
        """The address without user and password."""
        servers = ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.servers
        )
        if self.kind == ETCD:
            return f"{self.scheme}://{servers}"
        master = f"/{self.master}" if self.master else ""
        return f"{self.scheme}://{servers}{master}/{self.database}"


def read_engine(text: str) -> EngineAddress:
    """Read an address. Raises ValueError: the error's text is the second half of a sentence that begins with
    the value, and repeats nothing of it that may be secret."""
    if len(text) > _LONGEST:
        raise ValueError(f"has more than {_LONGEST} characters")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("holds a space or a character that is not ASCII; write it as %20 and the like")
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise ValueError(_other_scheme(scheme if separator else ""))
    kind, tls, port = _SCHEMES[scheme]
    if "?" in rest or "#" in rest:
        raise ValueError("has a ? or # part; in a password, write %3F for ? and %23 for #")
    rest, _, path = rest.partition("/") if "@" not in rest else _behind_login(rest)
    login, at, hosts = rest.rpartition("@")
    user, _, password = login.partition(":")
    if at and not password:
        raise ValueError(f"has a user and no password; write {scheme}://user:password@host")
    if "@" in login:
        raise ValueError("holds a second @; in a password, write %40")
    servers = tuple(_server(each, port) for each in hosts.split(","))
    if len(servers) > _MOST_HOSTS:
        raise ValueError(f"names more than {_MOST_HOSTS} servers")
    if kind == REDIS and len(servers) > 1:
        raise ValueError("names several servers; for those of Sentinel write redis+sentinel://")
    master, database = _path(kind, scheme, path)
    return EngineAddress(kind, scheme, servers, tls, unquote(user), unquote(password), master, database)


def _behind_login(rest: str) -> tuple[str, str, str]:
    """The login and the servers, and the path. A password may hold a slash that is not written as %2F."""
    login, _, behind = rest.rpartition("@")
    servers, slash, path = behind.partition("/")
    return f"{login}@{servers}", slash, path


def _other_scheme(scheme: str) -> str:
    if scheme in ("http", "https"):
        return f"is not an engine's address; for etcd write etcd+{scheme}://"
    if scheme == "etcd":
        return "does not say whether etcd has TLS; write etcd+https:// or etcd+http://"
    if scheme in ("sentinel", "redis-sentinel"):
        return "is not an engine's address; for Sentinel write redis+sentinel://"
    return (
        "is not an engine's address, which begins with redis://, rediss:// (with TLS), redis+sentinel:// or "
        "etcd+https://"
    )


def _server(text: str, port: int) -> tuple[str, int]:
    host, colon, number = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, number = text, str(port)
    if not _PORT.match(number) or not 0 < int(number) <= 65535:
        raise ValueError("has a port that is none; a port is a number from 1 to 65535")
    if not _HOST.match(host):
        raise ValueError("names no server that could exist; write an IPv6 address as [::1]:6379")
    return host.strip("[]").lower(), int(number)


def _path(kind: str, scheme: str, path: str) -> tuple[str, int]:
    """The name of the master and the number of the database."""
    parts = path.split("/") if path else []
    if kind == ETCD:
        if parts and parts != [""]:
            raise ValueError("has something behind the server; leave it out")
        return "", 0
    master = ""
    if kind == SENTINEL:
        if not parts or not _MASTER.match(parts[0]):
            raise ValueError(f"does not name what the Sentinels watch; write {scheme}://host/NAME")
        master = parts.pop(0)
    number = parts.pop(0) if parts else ""
    if parts or not re.fullmatch(r"[0-9]{0,6}", number):
        raise ValueError("has something behind the server that is no number of a database, such as /0")
    return master, int(number or 0)
