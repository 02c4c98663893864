"""Reads addresses, host names and bucket names of the configuration.

If the text is wrong, a function raises ValueError; the error's text is the second half of a sentence that
begins with the value.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from chatlog.printable import printable

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})\Z")
#: The form of a label of a name in a certificate, and the schemes that need a certificate.
_LABEL = re.compile(r"(?:xn--|(?!..--))[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z|\Z")
_CERTIFIED = frozenset({"ircs", "wss"})
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,254}\Z")


def word(text: str) -> str:
    if " " in text or not text.isascii():
        raise ValueError("holds a space or a character that is not ASCII")
    return text


def read_bucket(text: str) -> str:
    if _BUCKET.match(text) is None or ".." in text:
        found = re.match(
            r"(?:[a-z0-9]+://|arn:aws[a-z-]*:s3:::)?([A-Za-z0-9][A-Za-z0-9._-]{2,62})(?:/|\Z)", text
        )
        remedy = f"; write {found[1]}" if found else ""
        behind = text[found.end() :].strip("/") if found else ""
        if behind:
            remedy += f", and {printable(behind, 40)} under prefix"
        raise ValueError(f"is not a bucket's name (3 to 255 of letters, digits, - . _){remedy}")
    return text


def split(text: str, *schemes: str) -> SplitResult:
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        wrong = "; a port is a number from 1 to 65535" if re.search(r":[^:/\]]+(/|\Z)", text[6:]) else ""
        raise ValueError(f"cannot be read as an address{wrong}") from None
    if parts.scheme not in schemes or "://" not in text:
        bare = re.match(r"(?:/*)((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?::[0-9]{1,5})?(?:/\S*)?)\Z", text)
        remedy = f"; write {schemes[0]}://{bare[1]}" if bare else ""
        raise ValueError(f"is not an address that begins with {wanted}{remedy}")
    if parts.netloc in ("https:", "http:", "https", "http") and parts.path.startswith("//"):
        raise ValueError(f"begins twice; write {schemes[0]}:{parts.path}")
    if "@" in parts.netloc:
        raise ValueError("holds a user name or a password; an address must not")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ValueError("has a ? or # part; leave it out")
    if port == 0:
        raise ValueError("has the port 0")
    return parts


def host_of(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not host.isascii():
        raise ValueError(f"has a server's name with letters that are not ASCII{_in_ascii(host)}")
    if not is_host(host):
        raise ValueError("names no server that could exist")
    if parts.scheme in _CERTIFIED and ":" not in host and not all(map(_LABEL.match, host.split("."))):
        raise ValueError("names a server by a name that no certificate can have; give it one without _")
    return host


def _in_ascii(host: str) -> str:
    try:
        return f"; write {host.encode('idna').decode('ascii')}"
    except UnicodeError:
        return ""


def is_host(host: str) -> bool:
    """Whether ``host`` has the form of a name or of an IP address."""
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            return False
        return True
    labels = host.split(".")
    return _HOST.match(host) is not None and ".." not in host and max(map(len, labels)) <= 63


def is_near(host: str) -> bool:
    """Whether ``host`` is this machine or one of a private network, as far as its name shows."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return address.is_loopback or address.is_private


def read_irc(text: str) -> tuple[str, int, bool]:
    parts = split(text, "ircs", "irc")
    if parts.path not in ("", "/"):
        raise ValueError("has a path; only a server and a port are wanted")
    tls = parts.scheme == "ircs"
    return host_of(parts), parts.port or (6697 if tls else 6667), tls


def show_irc(value: tuple[str, int, bool]) -> str:
    host, port, tls = value
    return f"{'ircs' if tls else 'irc'}://{f'[{host}]' if ':' in host else host}:{port}"


def read_lookup(text: str) -> str:
    if text.count("{slug}") != 1 or set(text.replace("{slug}", "")) & set("{}"):
        raise ValueError("is not an address with {slug} in it")
    host_of(split(word(text), "https", "http"))
    return text


def read_archive_url(text: str) -> str:
    if text.startswith("/"):
        raise ValueError(f"is a path and no address; write file://{text}, or archive.directory: {text}")
    if azure := re.match(r"https://[a-z0-9]+\.blob\.core\.windows\.net/([a-z0-9-]+)", text):
        raise ValueError(f"is an address of Azure; write az://{azure[1]}")
    parts = split(word(text), "s3", "gs", "az", "file")
    if parts.scheme == "file":
        if parts.netloc or len(parts.path) < 2:
            raise ValueError("does not have the form file:///directory")
    else:
        read_bucket(parts.netloc)
    if {"..", "."} & set(parts.path.split("/")):
        raise ValueError("has . or .. in its path")
    return text


def read_listen(text: str) -> str:
    """The ``host:port`` of a server of ours."""
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
    right = colon and re.match(r"[0-9]{1,5}\Z", port) and int(port) <= 65535
    if not right or not is_host(bare) or (":" in host and bare == host):
        raise ValueError(f"is not host:port{_meant_listen(text)}")
    return text


def _meant_listen(text: str) -> str:
    if text.lower() in ("false", "no", "off", "none"):
        return "; for no page leave the value empty"
    port = re.match(r"(?:\*|0)?:?([0-9]{1,5})\Z", text)
    if port and int(port[1]) <= 65535:
        this, everywhere = f"127.0.0.1:{port[1]}", f"0.0.0.0:{port[1]}"
        return f"; write {this} for this machine alone, or {everywhere} for all addresses"
    page = re.match(r"(?:https?://)?((?:[A-Za-z0-9._-]{1,25}|\[[0-9A-Fa-f:]+\]))(:[0-9]{1,5})?/?\Z", text)
    if page and int((page[2] or ":8080")[1:]) <= 65535:
        return f"; write {page[1]}{page[2] or ':8080'}"
    if re.search(r":[0-9]{5,}/?\Z", text):
        return "; a port is a number from 1 to 65535"
    return ", such as 127.0.0.1:8080, or [::]:8080 for all addresses"


def read_host(text: str) -> str:
    if not is_host(text):
        found = re.match(r"(?:[a-z]+://)?([A-Za-z0-9.-]+)(?::[0-9]+)?(?:/\S*)?\Z", text)
        remedy = f"; write {found[1].lower()}" if found and is_host(found[1]) else ""
        raise ValueError(f"is not a host name{remedy}")
    return text.lower()


def read_webhook(text: str) -> str:
    """The address of a webhook, which is a secret."""
    try:
        parts = urlsplit(word(text))
        host, fine = (parts.hostname or "").lower(), parts.port != 0
    except ValueError as error:
        raise ValueError(str(error) if "holds" in str(error) else "cannot be read as an address") from None
    if parts.scheme not in ("https", "http") or not is_host(host) or not fine:
        raise ValueError("is not an address that begins with https:// or http://")
    for service, beginning in (("discord.com", "/api/"), ("slack.com", "/services/")):
        # Slack's webhooks have a host of their own, and Slack's pages have other paths.
        if f".{host}".endswith(f".{service}") and not re.match(
            rf"{beginning}|/triggers/|/workflows/", parts.path
        ):
            name = service.partition(".")[0].capitalize()
            raise ValueError(
                f"is a page of {name} and no webhook; make one in the settings of the channel there"
            )
    return text
