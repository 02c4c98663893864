"""A recorder that gets less processor time than its chat needs: what it loses has to be in gap records.

    python -m bench.overload [--rooms 300] [--rate 1500] [--cpu 3] [--ways drop,stop,kill]

The recorder runs in a control group (root is needed) and falls behind by tens of seconds. Then the servers
drop half of its connections and close the others; or it is stopped; or it is killed. After that it gets a
whole core and goes on for a minute. Whatever was sent and is in no file must be in a gap record: chat that
waited unread when a connection ended was sent long before that. About ten minutes for all ways.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from bench.daemon import Limits, delays_in, even_chat
from tests.processes import Failed, Process, Stage, wait_for

#: What the servers do while the recorder is behind, at seconds after their start.
_DROPS = (
    {"at": 100, "what": "drop", "which": 0.5},
    {"at": 130, "what": "close", "which": 0.5},
    {"at": 150, "what": "reconnect", "which": 0.5},
)
#: Seconds that it falls behind, those in which the servers' faults happen, and those after it.
_BEHIND, _FAULTS, _AFTER = 100.0, 60.0, 75.0
#: The most faults of one kind that are printed.
_SHOWN = 10
DROP, STOP, KILL = "drop", "stop", "kill"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__.split("\n")[0])
    parser.add_argument("--rooms", type=int, default=300, help="rooms of Twitch (300)")
    parser.add_argument("--rate", type=float, default=1500, help="messages a second over all rooms (1500)")
    parser.add_argument("--cpu", type=float, default=3, help="percent of a core that the recorder gets (3)")
    parser.add_argument("--memory", type=int, default=256, help="MB that it gets (256)")
    parser.add_argument("--keep", default="", help="a directory to work in, and to keep")
    parser.add_argument("--ways", default=f"{DROP},{STOP},{KILL}", help="how it is disturbed (all)")
    return parser.parse_args()


class Trial:
    """One disturbance of a recorder that is behind."""

    def __init__(self, way: str, options: argparse.Namespace) -> None:
        self._way = way
        self._options = options
        self._stage = Stage(f"{options.keep}/{way}" if options.keep else "")
        self._limits = Limits(options.cpu, options.memory)
        self._recording = rf"recording {options.rooms} of {options.rooms}"

    def close(self) -> None:
        """End everything."""
        self._stage.close()
        self._limits.close()

    def run(self) -> dict[str, Any]:
        """Do it; what the judge says, and ``late``: the most seconds from sending to reading."""
        simulator = self._simulator()
        recorder = self._disturbed()
        recorder.says(self._recording, 120)
        time.sleep(_AFTER)
        # What is sent until now is told of once it records again.
        recorder.end(limit=120)
        recorder = self._stage.daemon()
        recorder.says(self._recording, 120)
        time.sleep(5)
        recorder.end(limit=60)
        simulator.end()
        home = self._stage.home
        late = max(delays_in(home / "archive", home / "data"), default=0.0)
        # The last seconds came after its end, and no further start tells of them.
        return {**self._stage.judge(None, "--settle", "3"), "late": late}

    def _simulator(self) -> Process:
        stage, options = self._stage, self._options
        faults = stage.home / "faults.json"
        # JSON is YAML too.
        faults.write_text(json.dumps(_DROPS if self._way == DROP else []))
        simulator = even_chat(stage, options.rooms, options.rate, 900, faults=str(faults))
        rooms = [f"room{n}" for n in range(1, options.rooms + 1)]
        stage.config(
            {
                "twitch": {"channels": rooms, "joins_per_10s": 2000},
                "recorder": {"directory": str(stage.home / "data")},
            }
        )
        return simulator

    def _disturbed(self) -> Process:
        """A recorder that was behind, was disturbed, and has all the processor time that it needs by now."""
        recorder = self._stage.daemon(prefix=self._limits.prefix())
        recorder.says(self._recording, 120)
        time.sleep(_BEHIND)
        if self._way == DROP:
            time.sleep(_FAULTS)
            self._limits.lift()
            return recorder
        if self._way == KILL:
            recorder.popen.kill()
            wait_for("the end of the process", lambda: not recorder.alive, 30)
        else:
            recorder.end(limit=120)
        return self._stage.daemon()


def main() -> int:
    """Try every way and print what was found; 1 if anything is hidden, doubled or altered."""
    options, bad = arguments(), False
    for way in options.ways.split(","):
        trial = Trial(way, options)
        try:
            found = trial.run()
        except Failed as error:
            print(error, file=sys.stderr)
            return 2
        finally:
            trial.close()
        # The order is not judged: an event without id and time gets the time of reading, which is far off,
        # and the judge takes it for one that looks like it and was sent then.
        faults = {name: found[name] for name in ("hidden", "doubled", "altered")}
        missing = found["sent"] - found["recorded"]
        print(
            f"{way}: {found['sent']} sent, {found['recorded']} recorded, {missing} in gap records or lost; "
            f"up to {found['late']:.0f} s late; "
            + ", ".join(f"{name} {count}" for name, count in faults.items()),
            flush=True,
        )
        for each in [
            *(each for each in found["missing"] if each["hidden"]),
            *(each for each in found["examples"] if "order" not in each),
        ][:_SHOWN]:
            print(f"  {each}")
        bad = bad or any(faults.values())
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
