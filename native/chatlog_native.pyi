"""Twitch's chat messages as records, in Rust. See src/lib.rs."""

__version__: str

def chat_record(line: bytes, received: str, full: bool) -> tuple[str, bytes] | None:
    """(channel, encoded record) of an ordinary chat message; None for everything else. ``received`` is the
    time of the read, RFC 3339. ``full``: a record with all keys; else one with the five of basic detail."""
