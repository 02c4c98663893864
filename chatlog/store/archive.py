"""Opens the store that the settings name."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from chatlog.config.masking import masked_address
from chatlog.config.settings import Settings
from chatlog.config.storage_classes import Family, family_of
from chatlog.store.store import MISCONFIGURED, Store, StoreError

#: The schemes of store addresses.
SCHEMES = ("s3", "gs", "az", "file")


def check_address(url: str) -> None:
    """Check an address that a user typed. Raises StoreError if it cannot be a store's."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        shown = masked_address(url)
        words = f"{shown!r} is not a store; write a directory, s3://BUCKET, gs://BUCKET or az://CONTAINER"
        raise StoreError(words, MISCONFIGURED, "address")
    if not parts.netloc and parts.scheme != "file":
        raise StoreError(
            f"{masked_address(url)!r} names no bucket; write {parts.scheme}://NAME", MISCONFIGURED, "address"
        )


def family_in(settings: Settings) -> Family:
    """The kind of the store that the settings name, with its storage classes."""
    endpoint = None if settings.s3 is None else settings.s3.endpoint
    return family_of(settings.s3 is not None, endpoint, settings.archive.url)


def open_store(settings: Settings) -> Store:
    """The store that the settings name. Makes no connection. Raises StoreError if the settings can never
    work."""
    url = settings.archive.url
    if settings.s3 is None and (url is None or url.startswith("file://")):
        from chatlog.store.directory_store import DirectoryStore

        return DirectoryStore(settings.archive.directory if url is None else unquote(urlsplit(url).path))
    # Imported only if needed: it takes some MB of memory.
    from chatlog.store.object_store import open_s3, open_url

    size = settings.recorder.rotate_size
    storage_class = family_in(settings).spelled(settings.uploader.storage_class)
    if settings.s3 is not None:
        return open_s3(settings.s3, size, storage_class=storage_class)
    assert url is not None
    return open_url(url, size, storage_class)
