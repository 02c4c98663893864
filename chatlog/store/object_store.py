"""S3 and compatible stores, Google Cloud Storage and Azure, through obstore.

The library's own retries are off: the uploader decides when a request is repeated.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import S3Store, from_url

from chatlog import __version__
from chatlog.config.endpoint import AUTO, PATH, VIRTUAL, Door, doors_of
from chatlog.config.masking import masked_address
from chatlog.config.settings import S3Settings
from chatlog.store.explained import clean
from chatlog.store.moving import AMAZON, GOOGLE, copying_into
from chatlog.store.proof import PROBE, SHA256, Way, prove
from chatlog.store.requests import Clients, Requests
from chatlog.store.store import EXISTS, MISCONFIGURED, REFUSED, UNSUPPORTED, Head, StoreError

#: The attribute with the storage class, as the library calls it for all stores.
STORAGE_CLASS = "Storage-Class"
#: The beginning of the keys of objects that are stored to try out a store.
CHECK = "chatlog-check-"
#: The way to address a store that has only one.
ONE_WAY = Way(Door("", False))
_CONNECT_WITHIN = 10
#: Seconds that a request may take, plus those of an upload at the slowest allowed bytes a second.
_ANSWER_WITHIN = 60
_SLOWEST = 200_000
_LONGEST = 300


class ObjectStore:
    """A bucket or container, with a prefix for all keys."""

    def __init__(
        self,
        clients: Clients,
        name: str,
        ways: Sequence[Way] = (ONE_WAY,),
        secrets: tuple[str, ...] = (),
        storage_class: str = "",
    ) -> None:
        """``ways`` are the possible ways to address the bucket, ``name`` is for people, and ``secrets`` never
        appear in an error. Keys are relative to the prefix of the clients. Recordings get the
        ``storage_class``, if it is given."""
        self._asked = Requests(clients, secrets)
        self._name = name
        self._ways = list(ways)
        self._way = self._ways[0]
        self._storage_class = storage_class
        # Whether the address is known to be right.
        self._settled = len({way.door for way in self._ways}) == 1

    def describe(self) -> str:
        return self._name

    def prepare(self) -> str:
        """Prove that the store takes objects, returns them, and refuses to replace one: not every store that
        calls itself compatible does."""
        proof = prove(self._asked, self._ways)
        self._way, self._settled = proof.way, True
        return str(proof)

    def put_new(self, key: str, data: bytes, attributes: Mapping[str, str]) -> None:
        self._settle()
        if self._storage_class and _is_recording(key):
            attributes = {STORAGE_CLASS: self._storage_class, **attributes}
        unknown: StoreError | None = None
        for way in self._way.weaker():
            if not way.creates and self.head(key) is not None:
                raise StoreError(f"{key} is there already", EXISTS)
            try:
                self._asked.put(way, key, data, attributes)
            except StoreError as error:
                if error.kind != UNSUPPORTED:
                    raise
                # The store accepted this kind of request before, and does not any more.
                unknown = unknown or error
            else:
                self._way = replace(self._way, creates=way.creates, checksum=way.checksum)
                return
        assert unknown is not None
        raise unknown

    def head(self, key: str) -> Head | None:
        self._settle()
        return self._asked.head(self._way, key)

    def version_of(self, key: str) -> str:
        """The version of the object; ``""`` or ``null`` if the bucket keeps no versions of it. Raises
        StoreError."""
        self._settle()
        return self._asked.version(self._way, key)

    def read(self, key: str) -> Iterator[bytes]:
        self._settle()
        return self._asked.read(self._way, key)

    def read_range(self, key: str, offset: int, size: int) -> Iterator[bytes]:
        self._settle()
        return self._asked.read_range(self._way, key, offset, size)

    def list(self, prefix: str = "") -> Iterator[Head]:
        self._settle()
        return self._asked.list(self._way, prefix)

    def folders(self, prefix: str = "") -> Iterator[str]:
        self._settle()
        return self._asked.folders(self._way, prefix)

    def delete(self, key: str) -> None:
        self._settle()
        self._asked.delete(self._way, key)

    def class_of(self, key: str) -> str | None:
        self._settle()
        return self._asked.storage_class(self._way, key)

    def move(self, key: str, storage_class: str) -> None:
        self._settle()
        self._asked.move(self._way, key, storage_class)

    def _settle(self) -> None:
        """Find the way in which the store answers, without storing anything."""
        if self._settled:
            return
        for way in self._ways:
            try:
                self._asked.lists(way, PROBE)
            except StoreError:
                continue
            self._way, self._settled = way, True
            return


def _is_recording(key: str) -> bool:
    """Whether the object holds recordings (or tries out the store for them). Manifests, indexes and Parquet
    are small, or read again and again: they stay in the bucket's own class."""
    return key[:1].isdigit() or key.startswith(("bundle/", CHECK))


def _client(
    rotate_size: int,
    allow_http: bool,
    longest: float | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    longest = longest or min(_ANSWER_WITHIN + rotate_size // _SLOWEST, _LONGEST)
    return {
        "client_options": {
            "allow_http": allow_http,
            "connect_timeout": timedelta(seconds=_CONNECT_WITHIN),
            "timeout": timedelta(seconds=longest),
            "user_agent": f"chatlog/{__version__}",
        }
        | ({"default_headers": dict(headers)} if headers else {}),
        "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=longest)},
    }


def _config(endpoint: str) -> dict[str, Any]:
    """The settings of every S3 client. None may be left out: the library would take it from the environment,
    where AWS_ENDPOINT_URL_S3 takes precedence and an empty endpoint makes the library panic."""
    return {
        "aws_endpoint_url_s3": endpoint,
        "conditional_put": "etag",
        "unsigned_payload": False,
        "disable_bulk_delete": True,
    }


def _amazon(region: str) -> str:
    """Amazon's endpoint for a region."""
    return f"https://s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def _endpoint_from_environment() -> str:
    """The endpoint that the environment names; ``""`` if it names none. Raises StoreError."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        if value := os.environ.get(name, "").strip():
            if not value.startswith(("https://", "http://")):
                raise StoreError(
                    f"{name} in the environment is not an address that begins with https://", REFUSED
                )
            return value
    return ""


def open_s3(
    settings: S3Settings, rotate_size: int, longest: float | None = None, storage_class: str = ""
) -> ObjectStore:
    """The bucket of the settings. A request may take ``longest`` seconds; with None, as long as a file of
    ``rotate_size`` takes on a slow line. Recordings get the ``storage_class``. Raises StoreError."""
    endpoint = settings.endpoint or _endpoint_from_environment()
    try:
        doors = doors_of(endpoint or _amazon(settings.region), settings.bucket, _addressing(settings))
    except ValueError as error:
        shown = masked_address(endpoint)
        named = f"s3.endpoint: {shown}" if settings.endpoint else f"{shown} of the environment"
        raise StoreError(clean(f"{named} {error}"), MISCONFIGURED, "endpoint", of_all=True) from None
    keys = {
        name: secret.reveal()
        for name, secret in (
            ("access_key_id", settings.access_key_id),
            ("secret_access_key", settings.secret_access_key),
        )
        if secret is not None
    }
    secrets = [*keys.values(), *_from_environment()]
    fixed: dict[str, Any] = {"region": settings.region, "prefix": settings.prefix or None} | _credentials(
        keys
    )

    def make(way: Way, headers: Mapping[str, str]) -> Any:
        config = _config(way.door.url) | {"virtual_hosted_style_request": way.door.hosted}
        if AMAZON in headers:
            config |= copying_into(headers[AMAZON])
            headers = {}
        if way.checksum == SHA256:
            config["checksum_algorithm"] = "SHA256"
        client = _client(rotate_size, way.door.url.startswith("http://"), longest, headers)
        return S3Store(settings.bucket, **fixed, **config, **client)

    ways = [Way(door, settings.bucket, SHA256) for door in doors]
    where = urlsplit(endpoint).netloc if endpoint else f"AWS, {settings.region}"
    name = f"the bucket {settings.bucket} at {where}"
    return _opened(make, name, ways, secrets, "s3", storage_class)


def _opened(
    make: Clients,
    name: str,
    ways: Sequence[Way],
    secrets: Sequence[str],
    called: str,
    storage_class: str,
) -> ObjectStore:
    """A store whose clients are created once each. Raises StoreError if the settings can never work."""
    made: dict[tuple[Door, bool, str], Any] = {}

    def client(way: Way, headers: Mapping[str, str]) -> Any:
        storage_class = headers.get(AMAZON) or headers.get(GOOGLE) or ""
        if headers and not storage_class:
            return make(way, headers)
        which = way.door, way.checksum == SHA256, storage_class
        if which not in made:
            made[which] = make(way, headers)
        return made[which]

    try:
        client(ways[0], {})
    except (BaseError, ValueError, OSError) as error:
        words = clean(str(error).partition(chr(10))[0])
        raise StoreError(f"{called}: {words}", REFUSED, of_all=True) from None
    return ObjectStore(client, name, ways, tuple(secrets), storage_class)


def _addressing(settings: S3Settings) -> str:
    """How the bucket is addressed: as the settings say, or else the environment."""
    said = os.environ.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "").strip().lower()
    if settings.addressing == AUTO and said:
        return VIRTUAL if said in ("1", "true", "on", "yes", "y") else PATH
    return settings.addressing


def _credentials(keys: dict[str, str]) -> dict[str, Any]:
    """The client arguments for the keys of the settings. The library would add a session token from the
    environment, which belongs to the environment's key only; a credential provider prevents that."""
    other = keys.get("access_key_id") != os.environ.get("AWS_ACCESS_KEY_ID")
    if len(keys) < 2 or not other or not os.environ.get("AWS_SESSION_TOKEN"):
        return dict(keys)
    return {"credential_provider": lambda: {**keys, "token": None, "expires_at": None}}


def open_url(url: str, rotate_size: int, storage_class: str = "") -> ObjectStore:
    """The bucket or container of an address; the address's path is the prefix of all keys. Raises
    StoreError."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        prefix = unquote(parts.path).strip("/")
        found = S3Settings(parts.netloc, region=region, prefix=prefix)
        return open_s3(found, rotate_size, storage_class=storage_class)

    def make(way: Way, headers: Mapping[str, str]) -> Any:
        return from_url(url, **_client(rotate_size, allow_http=False, headers=headers))

    return _opened(make, masked_address(url), [ONE_WAY], _from_environment(), "archive.url", storage_class)


def _from_environment() -> list[str]:
    names = (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_ACCESS_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
    )
    return [value for name in names if len(value := os.environ.get(name, "")) > 5]
