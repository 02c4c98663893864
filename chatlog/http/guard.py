"""Access checks: host names, requests from other sites' pages, the token."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from chatlog.config.settings import HttpSettings

POLICY = "Content-Security-Policy"


def policy(origin: str = "", form: str = "'none'") -> str:
    """The policy of a page: it loads, runs and frames nothing from elsewhere, even if a text contains HTML.
    Its scripts may send requests to their own server and to ``origin``; its forms may be sent to ``form``."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"connect-src 'self'{origin and ' '}{origin}; img-src 'self' data:; "
        "frame-ancestors 'none'; base-uri 'none'; "
        f"form-action {form}"
    )


#: Headers of every answer.
HEADERS: Mapping[str, str] = {
    POLICY: policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def listen_host(listen: str) -> str:
    """The host in ``host:port``, without brackets."""
    host = listen.rpartition(":")[0]
    return host.removeprefix("[").removesuffix("]")


def is_loopback(listen: str) -> bool:
    """Whether only this machine can reach the address."""
    host = listen_host(listen)
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def is_our_name(host: str, settings: HttpSettings) -> bool:
    """Whether a Host header names this server. Another site can make a browser connect to any address under
    the site's own name (DNS rebinding), but not under an IP address or one of our names."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if _is_address(name):
        return True
    ours = "localhost", listen_host(settings.listen or ""), *settings.hosts
    return name in {each.lower() for each in ours}


def beside(host: str, listen: str | None) -> str:
    """The origin of the other server, which listens at ``listen``, under the host name of a Host header.
    ``""`` if there is no such server, or if it cannot be reached by that name."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
    port = (listen or "").rpartition(":")[2]
    if not name or port in ("", "0") or (is_loopback(listen or "") and not is_loopback(f"{name}:0")):
        return ""
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_cross_site(host: str, origin: str | None, fetch_site: str | None) -> bool:
    """Whether the browser's headers say that another site's page sent the request."""
    if fetch_site is not None and fetch_site not in ("same-origin", "none"):
        return True
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        return True


def has_token(authorization: str | None, settings: HttpSettings) -> bool:
    """Whether the Authorization header carries the configured token."""
    if settings.token is None or authorization is None:
        return False
    scheme, _, given = authorization.partition(" ")
    expected = settings.token.reveal().encode()
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), expected)
