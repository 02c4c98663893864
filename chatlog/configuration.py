"""chatlog.yaml for the platforms that Chatlog records: see ``config.config``, which knows none of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from chatlog.config import config, effective
from chatlog.config.config import ConfigError, local, read_file, read_for
from chatlog.config.platform import Registry
from chatlog.config.settings import Settings
from chatlog.platforms import PLATFORMS

__all__ = ["ConfigError", "check_directories", "describe", "load", "local", "parse", "read_for"]

check_directories = effective.check_directories


def load(
    path: str,
    environ: Mapping[str, str] = os.environ,
    read: Callable[[str], bytes] = read_file,
    platforms: Registry = PLATFORMS,
) -> Settings:
    """The settings in the file that is read for ``path``. Raises ConfigError."""
    return config.load(path, environ, platforms, read)


def parse(
    data: bytes, environ: Mapping[str, str], name: str = "chatlog.yaml", platforms: Registry = PLATFORMS
) -> Settings:
    """The settings in a file's bytes; errors call the file ``name``. Raises ConfigError."""
    return config.parse(data, environ, platforms, name)


def describe(settings: Settings, platforms: Registry = PLATFORMS) -> str:
    """The settings as YAML with all defaults, and what they mean in sentences."""
    return effective.describe(settings, platforms)
