"""The objects of a real server, reached past the recorder: what was stored is read, and changed, with other
code than that which stored it, where there is such code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import urllib.request
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any, Protocol

import obstore
from obstore.store import AzureStore, GCSStore

from bench.stores.servers import ACCOUNT, ACCOUNT_KEY, BUCKET, Place, Server, google_key

_AZURE_VERSION = "2023-11-03"


class Bucket(Protocol):
    """The bucket or container that the recorder stores into. Every method raises OSError or an error of the
    library."""

    def make(self) -> None:
        """Make it."""

    def all_keys(self) -> Iterator[str]:
        """The keys of all objects."""

    def get(self, key: str) -> bytes:
        """The bytes of an object."""

    def put(self, key: str, data: bytes) -> None:
        """Replace an object."""


class S3Bucket:
    """An S3, through boto3."""

    def __init__(self, endpoint: str, keys: tuple[str, str]) -> None:
        import boto3  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]

        config = Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"total_max_attempts": 2},
        )
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            config=config,
        )

    def make(self) -> None:
        self._client.create_bucket(Bucket=BUCKET)

    def all_keys(self) -> Iterator[str]:
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            yield from (entry["Key"] for entry in page.get("Contents", ()))

    def get(self, key: str) -> bytes:
        return bytes(self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def put(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=BUCKET, Key=key, Body=data)


class _Opened:
    """A container through the library that the recorder uses too, with settings of its own."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def all_keys(self) -> Iterator[str]:
        for batch in obstore.list(self._store):
            yield from (str(entry["path"]) for entry in batch)

    def get(self, key: str) -> bytes:
        return bytes(obstore.get(self._store, key).bytes())

    def put(self, key: str, data: bytes) -> None:
        obstore.put(self._store, key, data, use_multipart=False)


class AzureBucket(_Opened):
    """A container of Azure's Blob Storage."""

    def __init__(self, endpoint: str, authority: Path) -> None:
        self._endpoint = endpoint
        self._authority = authority
        options: Any = {"root_certificate": authority.read_bytes()}
        super().__init__(
            AzureStore(
                BUCKET,
                account_name=ACCOUNT,
                account_key=ACCOUNT_KEY,
                endpoint=endpoint,
                client_options=options,
            )
        )

    def make(self) -> None:
        """The library makes no containers: one request, signed with the key of the account."""
        sent = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": _AZURE_VERSION}
        headers = "".join(f"{name}:{value}\n" for name, value in sorted(sent.items()))
        # Behind the method stand eleven headers that are not sent; Content-Length is empty where it is 0.
        signed = f"PUT{chr(10) * 12}{headers}/{ACCOUNT}/{ACCOUNT}/{BUCKET}\nrestype:container"
        digest = hmac.new(base64.b64decode(ACCOUNT_KEY), signed.encode(), hashlib.sha256).digest()
        sent["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
        _send("PUT", f"{self._endpoint}/{BUCKET}?restype=container", b"", sent, self._authority)


class GoogleBucket(_Opened):
    """A bucket of Google's Cloud Storage."""

    def __init__(self, endpoint: str, authority: Path) -> None:
        self._endpoint = endpoint
        self._authority = authority
        options: Any = {"root_certificate": authority.read_bytes()}
        super().__init__(GCSStore(BUCKET, service_account_key=google_key(endpoint), client_options=options))

    def make(self) -> None:
        body = json.dumps({"name": BUCKET}).encode()
        headers = {"Content-Type": "application/json"}
        _send("POST", f"{self._endpoint}/storage/v1/b?project=chatlog", body, headers, self._authority)


def open_bucket(server: Server, place: Place) -> Bucket:
    """The bucket of a server that runs."""
    endpoint = server.endpoint(place)
    if server.dialect == "azure":
        return AzureBucket(endpoint, place.authority)
    if server.dialect == "gcs":
        return GoogleBucket(endpoint, place.authority)
    return S3Bucket(endpoint, server.keys)


def _send(method: str, url: str, body: bytes, headers: dict[str, str], authority: Path) -> None:
    request = urllib.request.Request(url, body or None, headers, method=method)
    context = ssl.create_default_context(cafile=str(authority))
    with urllib.request.urlopen(request, timeout=20, context=context) as answer:
        answer.read()
