"""Selects the proxy for a server by the usual environment variables: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY,
NO_PROXY. Their lower-case forms take precedence. No I/O.

HTTPS_PROXY is for servers with TLS (``https``, ``wss``, ``ircs``), HTTP_PROXY for ``http``, ALL_PROXY for
schemes without a proxy of their own. A server on this machine is reached directly if the proxy is on another
machine. A proxy on this machine is used for it if the server has TLS, or if it speaks ``http`` and HTTP_PROXY
is set.

NO_PROXY is a list, separated by commas or spaces, of ``*``, names, addresses and networks (``10.0.0.0/8``),
each with or without a port. ``example.com``, ``.example.com`` and ``*.example.com`` all mean that name and
every name that ends in it.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from chatlog.printable import printable

#: The schemes of servers with TLS, and of all others.
WITH_TLS = frozenset({"https", "wss", "ircs"})
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})\Z")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy. ``authorization`` is the value of Proxy-Authorization (``""`` for none), which is a secret.
    ``variable`` is the environment variable that names the proxy."""

    host: str
    port: int
    tls: bool
    variable: str
    authorization: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class _Exception:
    """One entry of NO_PROXY: everything, names that end in ``suffix``, or a network; for one port or all."""

    everything: bool = False
    suffix: str = ""
    network: _Network | None = None
    port: int | None = None

    def covers(self, host: str, address: _Address | None, port: int) -> bool:
        if self.port is not None and self.port != port:
            return False
        if self.everything:
            return True
        if self.network is not None:
            return address is not None and address in self.network
        return host == self.suffix or host.endswith(f".{self.suffix}")


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies of an environment."""

    https: Proxy | None = None
    http: Proxy | None = None
    all: Proxy | None = None
    exceptions: tuple[_Exception, ...] = ()

    def between(self, scheme: str, host: str, port: int) -> Proxy | None:
        """The proxy for a server; None if it is reached directly."""
        here = is_here(host)
        if scheme in WITH_TLS:
            proxy = self.https or self.all
        elif scheme == "http" and self.http is not None:
            proxy = self.http
        else:
            proxy = None if here else self.all
        if proxy is None or (here and not is_here(proxy.host)):
            return None
        host = host.lower().rstrip(".")
        address = _address(host)
        if any(exception.covers(host, address, port) for exception in self.exceptions):
            return None
        return proxy

    def describe(self) -> list[str]:
        """Sentences that name the proxies in use."""
        found = []
        if proxy := self.https or self.all:
            found.append(f"Servers with TLS are reached through the proxy {proxy} ({proxy.variable}).")
        if proxy := self.http or self.all:
            found.append(f"Servers without TLS are reached through the proxy {proxy} ({proxy.variable}).")
        return found


#: No proxy.
DIRECT = Proxies()


def is_here(host: str) -> bool:
    """Whether a server is on this machine, as far as its name shows."""
    name = host.lower().rstrip(".")
    address = _address(name)
    return name == "localhost" or name.endswith(".localhost") or (address is not None and address.is_loopback)


def proxies_in(environ: Mapping[str, str]) -> tuple[Proxies, list[str], list[str]]:
    """The proxies that an environment names, then problems and warnings as sentences. No sentence contains a
    password."""
    problems: list[str] = []
    warnings: list[str] = []
    found: dict[str, Proxy | None] = {}
    for scheme in ("https", "http", "all"):
        variable, text = _named(environ, f"{scheme}_proxy")
        try:
            found[scheme] = _proxy(variable, text) if text else None
        except _Unusable as error:
            found[scheme] = None
            if scheme == "all" and error.socks:
                warnings.append(
                    f"{variable} names a SOCKS proxy, which Chatlog cannot use; servers without another "
                    "proxy are reached directly"
                )
            else:
                problems.append(f"{variable}: {error}")
    _, exempt = _named(environ, "no_proxy")
    variable = "NO_PROXY"
    exceptions = []
    for entry in re.split(r"[,\s]+", exempt):
        if entry:
            try:
                exceptions.append(_exception(entry))
            except ValueError:
                warnings.append(
                    f"{variable}: {printable(entry, 80)!r} is neither a name nor an address nor a network; "
                    "it is ignored"
                )
    return Proxies(found["https"], found["http"], found["all"], tuple(exceptions)), problems, warnings


class _Unusable(Exception):
    """A proxy that cannot be used."""

    def __init__(self, why: str, socks: bool = False) -> None:
        super().__init__(why)
        self.socks = socks


def _named(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """The variable that is used, and its value."""
    for variable in (name, name.upper()):
        text = environ.get(variable, "").strip()
        if text:
            return variable, text
    return name.upper(), ""


def _proxy(variable: str, text: str) -> Proxy:
    if "://" not in text:
        text = f"http://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise _Unusable("it cannot be read as an address; write http://HOST:PORT") from None
    scheme = parts.scheme.lower()
    if scheme.startswith("socks"):
        raise _Unusable("it names a SOCKS proxy; Chatlog wants an HTTP proxy, http://HOST:PORT", socks=True)
    if scheme not in ("http", "https"):
        raise _Unusable("it is not the address of an HTTP proxy; write http://HOST:PORT")
    if not host or port == 0 or (_address(host) is None and _NAME.match(host) is None):
        raise _Unusable("it names no server; write http://HOST:PORT")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise _Unusable("it has something behind the port; write http://HOST:PORT")
    authorization = ""
    if parts.username is not None:
        user, password = unquote(parts.username), unquote(parts.password or "")
        if ":" in user or any(character < " " for character in user + password):
            raise _Unusable("its user name or password holds a character that it cannot hold")
        words = base64.b64encode(f"{user}:{password}".encode())
        authorization = f"Basic {words.decode('ascii')}"
    tls = scheme == "https"
    return Proxy(host, port or (443 if tls else 80), tls, variable, authorization)


def _exception(entry: str) -> _Exception:
    """Raises ValueError."""
    text, port = entry.lower(), None
    if match := re.fullmatch(r"(\[[^\]]*\]|[^:]*):([0-9]{1,5})", text):
        text, port = match[1], int(match[2])
    text = text.removeprefix("[").removesuffix("]")
    if text == "*":
        return _Exception(everything=True, port=port)
    try:
        return _Exception(network=ipaddress.ip_network(text, strict=False), port=port)
    except ValueError:
        pass
    suffix = text.removeprefix("*").strip(".")
    if _NAME.match(suffix) is None:
        raise ValueError(entry)
    return _Exception(suffix=suffix, port=port)


def _address(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
