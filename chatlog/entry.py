"""What ``twistd`` loads when its command is ``chatlog``: signals are answered from here on, also while all
the rest is still being imported. Nobody else imports this."""

from __future__ import annotations

from chatlog import signals

signals.begin()

from chatlog.tap import Options, makeService  # noqa: E402

__all__ = ["Options", "makeService"]
