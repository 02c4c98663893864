"""The module that ``twistd`` loads for the command ``chatlog``. Signals are handled from here on, also while
the rest is being imported. Nothing else imports this module."""

from __future__ import annotations

from chatlog import signals

signals.begin()

from chatlog.tap import Options, makeService  # noqa: E402

__all__ = ["Options", "makeService"]
