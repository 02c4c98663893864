"""``chatlog demo``: the recorder with the simulator's servers, as one command in the foreground."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chatlog.counted import many
from chatlog.one_value import Command

if TYPE_CHECKING:
    from chatlog.commands.troupe import Troupe

#: The usual ports: those of demo.yaml, and those of the page and the archive server.
PORTS = {"twitch": 16697, "kick": 16698, "page": 8080, "served": 8081}
#: The http.token of the demo. It may be public: only this machine reaches the page, and the chat is invented.
TOKEN = "demo"
#: Seconds until the simulator must listen, and until the page must answer.
WITHIN = 30.0
#: Seconds between two checks that all programs run.
EVERY = 0.1
#: The simulator's words if it cannot have a port.
_TAKEN = "Couldn't listen on"
#: The simulator stops by itself; this is longer than any demo.
_A_YEAR = 31_536_000

_CONFIG = """\
# Written anew by every `chatlog demo`. demo.yaml of the source is the same, for two terminals.
twitch:
  server: ircs://127.0.0.1:{twitch}
  ca_file: {ca}
  channels: [pixelharbor, moonlit_kitchen, speedforest]
kick:
  server: ws://127.0.0.1:{kick}/app/demo
  lookup: http://127.0.0.1:{kick}/api/v2/channels/{{slug}}
  channels: [copper-fox, tide_watch]
recorder:
  directory: {data}
  rotate_interval: 20s            # so that there is something to see; the default is 1h
archive:
  directory: {archive}
  listen: 127.0.0.1:{served}           # what was recorded, over HTTP
uploader:
  compression: zstd
http:
  listen: 127.0.0.1:{page}
  token: {token}                     # for `chatlog rooms` and "Change rooms" on the page
"""


@click.command(cls=Command)
@click.option(
    "-d",
    "--directory",
    default="demo",
    show_default=True,
    type=click.Path(file_okay=False),
    help="Where everything is written.",
)
@click.option("--duration", type=click.FloatRange(min=0), help="End after so many seconds, not at Ctrl-C.")
def demo(directory: str, duration: float | None) -> None:
    """Record invented chat, to try Chatlog out without an account and without a network.

    Starts servers like those of Twitch and Kick on this machine, and a recorder for them. Shows the
    recorder's log, the address of the page and the place of the objects. Ctrl-C ends everything. If a port
    is taken, another one is used. The recordings stay in the directory, and the next demo continues there.
    """
    from chatlog.commands.troupe import Troupe

    if "${" in directory:
        raise click.BadParameter("a configuration takes ${ for a variable; choose another directory")
    home = Path(directory)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with Troupe(home) as troupe:
            if not (_run(troupe, home, duration) or troupe.asked_to_end):
                raise click.exceptions.Exit(1)
    except BlockingIOError:
        raise click.ClickException(
            f"a demo is running in {directory} already; end it, or take another --directory"
        ) from None
    except OSError as error:
        raise click.ClickException(f"{directory} cannot be used: {error.strerror}") from None
    click.echo(f"The demo has ended. In {home / 'archive'}: {many(len(objects(home)), 'object')}.")


def _run(troupe: Troupe, home: Path, duration: float | None) -> bool:
    """Run for the duration, or until a signal. Returns whether all went well."""
    began = time.monotonic()
    seen: set[Path] | None = objects(home)
    if not _start(troupe, home):
        return False
    while not troupe.asked_to_end and (duration is None or time.monotonic() - began < duration):
        if seen is not None and (new := objects(home) - seen):
            seen = None
            click.echo(f"The first objects are there. To read one: zstdcat {min(new)} | jq .")
        time.sleep(EVERY)
        if not troupe.all_alive():
            return False
    return True


def _start(troupe: Troupe, home: Path) -> bool:
    """Start the simulator and, when it listens, the recorder. Returns whether both run."""
    ports = simulated(troupe, home, {name: troupe.port(port) for name, port in PORTS.items()})
    if ports is None:
        return False
    taken = [f"{PORTS[name]} ({ports[name]} in its place)" for name in PORTS if ports[name] != PORTS[name]]
    if taken:
        click.echo(f"Ports that are taken already: {', '.join(taken)}.")
    path = home / "demo.yaml"
    path.write_text(configuration(home, ports), "utf-8")
    click.echo(
        f"Page: http://127.0.0.1:{ports['page']}/   objects: {home / 'archive'}, five more every 20 seconds"
        "   end: Ctrl-C\n"
        f"What was recorded: http://127.0.0.1:{ports['served']}/rooms/twitch/pixelharbor\n"
        f"In another terminal: chatlog status --config {shlex.quote(str(path))}   "
        f'{TOKEN} is the token that "Change rooms" on the page asks for'
    )
    arguments = ["-n", "--pidfile=", "chatlog", "--config", str(path)]
    troupe.start("recorder", "twisted.scripts.twistd:run", arguments, program="twistd")
    return True


def simulated(troupe: Troupe, home: Path, ports: dict[str, int]) -> dict[str, int] | None:
    """Start the simulator at its ports, or at others if another program has taken one of them meanwhile.
    Returns the ports with those that it has, None if it does not listen."""
    ports_file = home / "ports.json"
    ports_file.unlink(missing_ok=True)
    files = ["--ca", str(home / "ca.pem"), "--ports", str(ports_file), "--duration", str(_A_YEAR)]

    def start(twitch: int, kick: int) -> None:
        servers = ["--twitch-port", str(twitch), "--kick-port", str(kick)]
        # With 0 the system chooses, and no other program can take the port first.
        instead = again if twitch or kick else None
        log = home / "simulator.log"
        troupe.start("simulator", "chatlog.simulator", [*servers, *files], log, instead=instead)

    def again(words: str) -> bool:
        if _TAKEN not in words:
            return False
        start(0, 0)
        return True

    start(ports["twitch"], ports["kick"])
    if not troupe.wait_for(ports_file.exists, "the look-alike servers do not listen", WITHIN):
        return None
    return ports | dict(json.loads(ports_file.read_text("utf-8")))


def configuration(home: Path, ports: dict[str, int]) -> str:
    """The configuration of a recorder that keeps everything in this directory."""
    paths = {"ca": "ca.pem", "data": "data", "archive": "archive"}
    written = {key: json.dumps(str(home / name)) for key, name in paths.items()}
    return _CONFIG.format(**ports, **written, token=TOKEN)


def objects(home: Path) -> set[Path]:
    """The recordings in the archive."""
    return set(home.glob("archive/[0-9]*/[0-9]*/[0-9]*/*/*/*.jsonl.zst"))
