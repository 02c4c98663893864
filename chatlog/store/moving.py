"""Moves an object to another storage class, and finds out its class: requests that the object-store library
has no call for.

S3 and compatible stores: a copy of an object onto itself in another class, within the store. Google: the
same. Azure: the request Set Blob Tier, with an address that the library signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import obstore
from obstore.store import AzureStore, GCSStore

from chatlog.store.plain_http import answered
from chatlog.store.store import UNSUPPORTED, StoreError

_SIGNED_FOR = timedelta(minutes=10)
#: The headers with the class of an object; S3 sends none for the first class.
AMAZON, GOOGLE = "x-amz-storage-class", "x-goog-storage-class"
_HEADERS = (AMAZON, GOOGLE, "x-ms-access-tier")
#: A version of Azure's API that knows all tiers.
_AZURE_VERSION = "2023-11-03"


def copying_into(storage_class: str) -> dict[str, Any]:
    """The settings of an S3 client that copies into a class.

    S3 wants this header signed, and the library signs none of a client's own. So the class goes as the header
    of copies that are "not to replace an object", which may be any header."""
    return {"copy_if_not_exists": f"header: {AMAZON}: {storage_class}"}


def move(clients: Callable[[Mapping[str, str]], Any], key: str, storage_class: str) -> None:
    """Move an object. ``clients`` returns the client that has these headers. Raises StoreError, and what the
    library raises."""
    client = clients({})
    if isinstance(client, AzureStore):
        headers = {"x-ms-access-tier": storage_class, "x-ms-version": _AZURE_VERSION}
        answered("PUT", f"{_signed(client, 'PUT', key)}&comp=tier", headers)
    elif isinstance(client, GCSStore):
        obstore.copy(clients({GOOGLE: storage_class}), key, key)
    else:
        obstore.copy(clients({AMAZON: storage_class}), key, key, overwrite=False)


def class_of(client: Any, key: str) -> str | None:
    """The class of an object, ``""`` if the store does not say; None if there is no object. Raises
    StoreError."""
    headers = answered("HEAD", _signed(client, "HEAD", key), {})
    if headers is None:
        return None
    return next((value for name in _HEADERS if (value := headers.get(name))), "")


def _signed(client: Any, method: Any, key: str) -> str:
    try:
        return str(obstore.sign(client, method, key, _SIGNED_FOR))
    except Exception as error:
        # Credentials without a key of their own cannot sign an address.
        words = "these credentials cannot sign an address, which is needed to ask for storage classes"
        raise StoreError(words, UNSUPPORTED) from error
