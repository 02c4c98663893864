"""The programs that are compared. Each is a few lines of ours around a library, and takes the arguments
``HOST:PORT CA_FILE ROOMS SECONDS OUTPUT``."""

from __future__ import annotations

from typing import NamedTuple

GO, CARGO, NPM, PIP = "go", "cargo", "npm", "pip"


class Client(NamedTuple):
    """A program: the library it is named for, the tool that builds it, and its file below the build."""

    name: str
    tool: str
    program: str


CLIENTS = (
    Client("tmi", CARGO, "release/tmi"),
    Client("twitch-irc", CARGO, "release/twitch_irc"),
    Client("go-twitch-irc", GO, "peers"),
    Client("tmi.js", NPM, "tmi_js.cjs"),
    Client("twurple", NPM, "twurple.js"),
    Client("irc", PIP, "irc"),
)
#: The recorder itself.
OURS = "chatlog"
#: Where the sources of a tool's programs are, beside this module.
SOURCES = {GO: "go", CARGO: "rust", NPM: "npm"}
#: What pip installs; the program is a module of this package.
PIP_PACKAGE = "irc==20.5.0"
