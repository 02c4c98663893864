"""The archive that the settings name, opened."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from chatlog.config.settings import Settings
from chatlog.store.store import Store


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
