"""Names of rooms for shell completion."""

from __future__ import annotations

from chatlog.commands.api_client import ApiClient
from chatlog.status.natural import natural

#: The most names that are offered.
MOST = 200


def names(api: ApiClient, incomplete: str) -> list[str]:
    """The rooms of the recorder whose names, with or without their platform, begin with the text. Raises
    ApiError."""
    begun = incomplete.lower()
    whole = sorted((f"{room.get('platform')}/{room.get('name')}" for room in api.rooms()), key=natural)
    return [name for name in whole if name.startswith(begun)][:MOST]
