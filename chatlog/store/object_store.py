"""S3 and its compatibles, Google Cloud Storage and Azure, through obstore.

The library's own retries are off: how a failure is met is decided in one place, by its kind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError
from obstore.store import S3Store, from_url

from chatlog import __version__
from chatlog.config.settings import S3Settings
from chatlog.store.explained import clean, explained
from chatlog.store.store import EXISTS, MISCONFIGURED, MISSING, REFUSED, UNSUPPORTED, Head, StoreError

#: A key, below the prefix, by which is found out what the store can do. Removed again.
PROBE = "chatlog-probe"
_CHUNK = 4 << 20
_CONNECT_WITHIN = 10
#: Seconds for a request, and bytes a second that an upload must come to at least.
_ANSWER_WITHIN = 60
_SLOWEST = 200_000
_LONGEST = 300


class ObjectStore:
    """A bucket or container, and a prefix in it."""

    def __init__(self, store: Any, name: str, secrets: tuple[str, ...] = ()) -> None:
        """``name`` is for people; ``secrets`` never appear in an error. Keys are below the prefix of
        ``store``, in both directions."""
        self._store = store
        self._name = name
        self._secrets = tuple(secret for secret in secrets if secret)
        self._creates = True

    def describe(self) -> str:
        return self._name

    def prepare(self) -> None:
        """See whether the store takes objects, and whether it refuses to replace one: not all that
        call themselves compatible do."""
        try:
            self._creates = True
            self._put(PROBE, b"chatlog", {})
            self._put(PROBE, b"chatlog", {})
        except StoreError as error:
            if error.kind == UNSUPPORTED:
                self._creates = False
                self._put(PROBE, b"chatlog", {})
            elif error.kind != EXISTS:
                raise
        else:
            self._creates = False
        try:
            self.delete(PROBE)
        except StoreError as error:
            # Whoever may not delete may well store. The probe stays, and serves the next start.
            if error.kind == MISCONFIGURED:
                raise

    def put_new(self, key: str, data: bytes, attributes: Mapping[str, str]) -> None:
        if self._creates:
            try:
                self._put(key, data, attributes)
                return
            except StoreError as error:
                if error.kind != UNSUPPORTED:
                    raise
                # It could when it was asked, and has changed its mind.
                self._creates = False
        if self.head(key) is not None:
            raise StoreError(f"{key} is there already", EXISTS)
        self._put(key, data, attributes)

    def _put(self, key: str, data: bytes, attributes: Mapping[str, str]) -> None:
        mode: Any = "create" if self._creates else "overwrite"
        try:
            obstore.put(self._store, key, data, attributes=dict(attributes), mode=mode, use_multipart=False)
        except (BaseError, OSError, ValueError) as error:
            # Without an ETag in the answer the library gives up, though all may be well: head tells.
            if "MissingEtag" not in str(error):
                told = self._error(error)
                if told.kind == MISSING:
                    # Nothing can be missing where something new is put.
                    told.kind = MISCONFIGURED
                raise told from None

    def head(self, key: str) -> Head | None:
        try:
            meta = obstore.head(self._store, key)
        except FileNotFoundError as error:
            if self._is_bucket_missing(error):
                raise self._error(error) from None
            return None
        except PermissionDeniedError as error:
            # An answer to HEAD has no words of its own.
            told = self._error(error)
            text = f"{told}: {key} may not be looked at; s3:GetObject and s3:ListBucket are needed"
            raise StoreError(text, told.kind, told.code, told.remedy) from None
        except (BaseError, OSError, ValueError) as error:
            raise self._error(error) from None
        return Head(key, int(meta["size"]), (meta.get("e_tag") or "").strip('"').lower())

    def read(self, key: str) -> Iterator[bytes]:
        try:
            for chunk in obstore.get(self._store, key).stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)
        except FileNotFoundError as error:
            if self._is_bucket_missing(error):
                raise self._error(error) from None
            raise StoreError(f"there is no {key}", MISSING) from None
        except (BaseError, OSError, ValueError) as error:
            raise self._error(error) from None

    def list(self, prefix: str = "") -> Iterator[Head]:
        # The library lists whole path segments only.
        folder = prefix.rpartition("/")[0]
        try:
            for batch in obstore.list(self._store, folder or None):
                for meta in batch:
                    key = str(meta["path"])
                    if key.startswith(prefix):
                        etag = (meta.get("e_tag") or "").strip('"').lower()
                        yield Head(key, int(meta["size"]), etag, meta["last_modified"].timestamp())
        except FileNotFoundError as error:
            raise self._error(error) from None
        except (BaseError, OSError, ValueError) as error:
            raise self._error(error) from None

    def delete(self, key: str) -> None:
        try:
            with suppress(FileNotFoundError):
                obstore.delete(self._store, key)
        except (BaseError, OSError, ValueError) as error:
            raise self._error(error) from None

    @staticmethod
    def _is_bucket_missing(error: Exception) -> bool:
        return "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error)

    def _error(self, error: Exception) -> StoreError:
        return explained(error, self._secrets)


def _client(rotate_size: int, allow_http: bool, longest: float | None = None) -> dict[str, Any]:
    longest = longest or min(_ANSWER_WITHIN + rotate_size // _SLOWEST, _LONGEST)
    return {
        "client_options": {
            "allow_http": allow_http,
            "connect_timeout": timedelta(seconds=_CONNECT_WITHIN),
            "timeout": timedelta(seconds=longest),
            "user_agent": f"chatlog/{__version__}",
        },
        "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=longest)},
    }


def _config(endpoint: str) -> dict[str, Any]:
    """What every S3 is opened with. The library takes what is left out from the environment, where an
    endpoint of S3's own goes before any other and an empty one ends in a panic; so nothing is left out."""
    return {
        "aws_endpoint_url_s3": endpoint,
        "conditional_put": "etag",
        "unsigned_payload": False,
        "disable_bulk_delete": True,
    }


def _amazon(region: str, bucket: str = "") -> str:
    """Amazon's endpoint of a region, or of a bucket in it."""
    return f"https://{bucket + '.' if bucket else ''}s3.{region}.amazonaws.com"


def _endpoint_from_environment() -> str:
    """Another store than Amazon's that the environment names, ``""`` if it names none. Raises StoreError."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        if value := os.environ.get(name, "").strip():
            if not value.startswith(("https://", "http://")):
                raise StoreError(f"{name} in the environment is no address with https:// in front", REFUSED)
            return value
    return ""


def open_s3(settings: S3Settings, rotate_size: int, longest: float | None = None) -> ObjectStore:
    """The bucket of the settings. A request may take ``longest`` seconds; None: as long as a file of
    ``rotate_size`` needs on a slow line. Raises StoreError."""
    endpoint = settings.endpoint or _endpoint_from_environment()
    # Names with dots do not fit the certificate of a host of their own.
    hosted = not endpoint and "." not in settings.bucket
    config = _config(endpoint or _amazon(settings.region, settings.bucket if hosted else ""))
    config |= {"region": settings.region, "virtual_hosted_style_request": hosted}
    keys = {
        name: secret.reveal()
        for name, secret in (
            ("access_key_id", settings.access_key_id),
            ("secret_access_key", settings.secret_access_key),
        )
        if secret is not None
    }
    config |= _credentials(keys)
    secrets = [*keys.values(), *_from_environment()]
    allow_http = endpoint.startswith("http://")
    try:
        store = S3Store(
            settings.bucket,
            prefix=settings.prefix or None,
            **config,
            **_client(rotate_size, allow_http, longest),
        )
    except (BaseError, ValueError, OSError) as error:
        raise StoreError(f"s3: {clean(str(error).partition(chr(10))[0])}", REFUSED) from None
    where = urlsplit(endpoint).netloc if endpoint else f"AWS, {settings.region}"
    return ObjectStore(store, f"the bucket {settings.bucket} at {where}", tuple(secrets))


def _credentials(keys: dict[str, str]) -> dict[str, Any]:
    """How the library gets to know the keys of the settings. A session token of the environment would go
    along with them, and it belongs to the environment's key alone."""
    other = keys.get("access_key_id") != os.environ.get("AWS_ACCESS_KEY_ID")
    if len(keys) < 2 or not other or not os.environ.get("AWS_SESSION_TOKEN"):
        return dict(keys)
    return {"credential_provider": lambda: {**keys, "token": None, "expires_at": None}}


def open_url(url: str, rotate_size: int) -> ObjectStore:
    """The bucket or container of an address; its path is the prefix of all keys. Raises StoreError."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        prefix = unquote(parts.path).strip("/")
        return open_s3(S3Settings(parts.netloc, region=region, prefix=prefix), rotate_size)
    try:
        store = from_url(url, **_client(rotate_size, allow_http=False))
    except (BaseError, ValueError, OSError) as error:
        raise StoreError(f"archive.url: {clean(str(error).partition(chr(10))[0])}", REFUSED) from None
    return ObjectStore(store, url, tuple(_from_environment()))


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
