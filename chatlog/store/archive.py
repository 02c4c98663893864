"""The archive that the settings name, opened."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from chatlog.config.settings import Settings
from chatlog.store.store import MISCONFIGURED, Store, StoreError

#: What the address of a store begins with.
SCHEMES = ("s3", "gs", "az", "file")


def look_at_address(url: str) -> None:
    """Raises StoreError for an address that can be no store's, as somebody typed it."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        words = f"{url!r} is not a store; write a directory, s3://BUCKET, gs://BUCKET or az://CONTAINER"
        raise StoreError(words, MISCONFIGURED, "address")
    if not parts.netloc and parts.scheme != "file":
        raise StoreError(f"{url!r} names no bucket; write {parts.scheme}://NAME", MISCONFIGURED, "address")


def open_store(settings: Settings) -> Store:
    """The store that the settings name. Nothing is connected to. Raises StoreError for what can never
    work."""
    url = settings.archive.url
    if settings.s3 is None and (url is None or url.startswith("file://")):
        from chatlog.store.directory_store import DirectoryStore

        return DirectoryStore(settings.archive.directory if url is None else unquote(urlsplit(url).path))
    # Imported only where it is needed: it weighs some MB.
    from chatlog.store.object_store import open_s3, open_url

    if settings.s3 is not None:
        return open_s3(settings.s3, settings.recorder.rotate_size)
    assert url is not None
    return open_url(url, settings.recorder.rotate_size)
