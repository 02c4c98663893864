"""Proves that whoever is erased is gone: from objects, bundles, Parquet, indexes, caches, spools.

    python -m bench.erasure_proof --store versitygw
    python -m bench.erasure_proof --store MinIO --versions
    python -m bench.erasure_proof --live

The person has messages, old names, answers of others, deletions, bans, gifts, raids, pins, lines in base64
and whispers, on Twitch and on Kick, in two instances. A month of it is bundled and compacted; there are late
objects, a bundle of all rooms, and files of a recorder that has died. Then ``chatlog erase`` runs, and every
byte that is left is searched: objects unpacked, bundles slice by slice, base64 decoded, Parquet also cell by
cell. ``verify`` must say what was erased, and nothing else. With ``--versions`` the bucket keeps versions,
which has to be said. With ``--live`` somebody is erased who is being recorded, from what a simulated platform
sends at that moment. Servers are those of ``python -m bench.stores``. Exit status 1: something is left.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import yaml
import zstandard

from bench.stores.install import Cache, cache_directory
from bench.stores.servers import BUCKET, PREFIX, SERVERS, Place, Server
from chatlog import configuration
from chatlog.naming import BundleName, FileName, utc_minute
from chatlog.simulator.certificates import loopback_certificate
from chatlog.store.archive import open_store
from chatlog.store.store import Store
from chatlog.upkeep.bundle_put import Piece, put_bundle
from tests.processes import Failed, Process, Stage, wait_for
from tests.upkeep.people import HOUR, ID, NAME, TEN, TRACES, People, about, of_others, own, pinned

DAY = 86400.0
TOKEN = "a-token-of-this-proof"


class Left(Exception):
    """The proof has failed."""


def check(holds: bool, what: object) -> None:
    """Raise Left with ``what`` unless something holds."""
    if not holds:
        raise Left(str(what))


# -- what is left --------------------------------------------------------------------------------------


def texts(key: str, data: bytes) -> Iterator[bytes]:
    """Everything that is in an object or a file: as it is, and unpacked in every way."""
    yield data
    text = data
    if ".zst" in key:
        reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True)
        with suppress(zstandard.ZstdError):
            text = reader.read()
        yield text
    for whole in re.findall(rb'base64":"([^"]*)"', text):
        with suppress(ValueError):
            yield base64.b64decode(whole)
    if key.endswith(".parquet") and data[:4] == b"PAR1":
        yield from cells(data)


def cells(data: bytes) -> Iterator[bytes]:
    """All rows of a file of Parquet, and its metadata."""
    import duckdb

    path = Path(f"/tmp/chatlog-proof-{os.getpid()}.parquet")
    path.write_bytes(data)
    try:
        for query in ("select * from read_parquet(?)", "select * from parquet_kv_metadata(?)"):
            yield repr(duckdb.execute(query, [str(path)]).fetchall()).encode()
    finally:
        path.unlink()


def traces(found: Iterator[tuple[str, bytes]], of: tuple[str, ...]) -> tuple[list[str], int]:
    """Where the person is, and how many objects and files were searched."""
    where, count = [], 0
    for key, data in found:
        count += 1
        for text in (key.encode(), *texts(key, data)):
            folded = text.lower()
            where += [f"{trace} in {key}" for trace in of if trace.lower().encode() in folded]
    return sorted(set(where)), count


def files_below(*roots: Path) -> Iterator[tuple[str, bytes]]:
    """The files of directories."""
    for root in roots:
        for path in sorted(root.rglob("*")):
            if path.is_file():
                yield str(path), path.read_bytes()


def objects_of(store: Store) -> Iterator[tuple[str, bytes]]:
    """All objects of a store."""
    for head in list(store.list("")):
        yield head.key, b"".join(store.read(head.key))


# -- the archive ---------------------------------------------------------------------------------------


class Proof:
    """One proof in one store. ``home`` is its directory."""

    def __init__(self, home: Path, store: dict[str, Any], environ: dict[str, str]) -> None:
        self.home = home
        self.environ = {**os.environ, **environ, "HOME": str(home)}
        os.environ.update(environ)
        self.spool, self.cache = home / "spool", home / "cache"
        settings = {
            "recorder": {"directory": str(self.spool)},
            "twitch": {"channels": ["a"]},
            "http": {"listen": None},
            **store,
        }
        settings["archive"] = {**settings.get("archive", {}), "cache": str(self.cache)}
        self.config = home / "chatlog.yaml"
        self.config.write_text(yaml.safe_dump(settings))

    @property
    def store(self) -> Store:
        """The archive, as it is by now: commands remove directories that are empty."""
        return open_store(configuration.load(str(self.config), self.environ))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command, as a user runs it."""
        command = [sys.executable, "-m", "chatlog", *arguments, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=self.environ)

    def fill(self) -> None:
        """Everything: bundled and compacted, late, in a bundle of all rooms, and in the spool."""
        people = People()
        early = FileName("kick", "k", utc_minute(TEN + 5 * HOUR))
        row = people.put(early, pinned(TEN + 5 * HOUR))
        people.manifest(TEN + 6 * HOUR, TEN + 7 * HOUR, "", [row])
        self._put(people)
        for command in (("bundle", "--month", "2025-12"), ("compact",)):
            done = self.run(*command)
            print(f"chatlog {' '.join(command)}: {done.returncode}: {done.stdout.strip()}")
            check(done.returncode == 0, done.stdout + done.stderr)
        # Late: an object of its own, and a bundle of several rooms.
        late, at = People(()), TEN + DAY
        rows = [
            late.put(
                FileName("twitch", "a", utc_minute(TEN + DAY), "late"), own(TEN + DAY) + about(TEN + DAY)
            ),
            late.put(FileName("twitch", "a", utc_minute(TEN + DAY + HOUR), "late"), own(TEN + DAY + HOUR)),
            late.put(FileName("kick", "k", utc_minute(TEN + DAY + HOUR), "late"), pinned(TEN + DAY + HOUR)),
        ]
        # One bundle of several rooms.
        pieces = [Piece(row.key, late.store.objects.pop(row.key)) for row in rows[1:]]
        name = BundleName(utc_minute(TEN + DAY + HOUR), instance="late")
        bundled = put_bundle(late.store, name, ".zst", pieces)
        late.manifest(TEN + DAY, TEN + DAY + 3 * HOUR, "late", [*rows, *bundled])
        self._put(late)
        check(self.run("compact").returncode == 0, "compact")
        for area, hour in (("sealed", 20), ("open", 21)):
            at = TEN + DAY + hour * HOUR
            path = self.spool / area / str(FileName("twitch", "a", utc_minute(at)))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(own(at) + about(at) + of_others(at)))
        # Somebody looks, so that there is something in the cache.
        self.run("search", "farewell", "--since", "2025-12-28", "--until", "2026-01-02", "--json")
        self.run("user", f"twitch/id:{ID}", "--since", "2025-12-28", "--json")

    def _put(self, people: People) -> None:
        store = self.store
        for key, data in people.store.objects.items():
            store.put_new(key, data, {})

    def left(self, of: tuple[str, ...] = TRACES) -> list[str]:
        """Where the person is, in the store and in the directories of this machine."""
        found, count = traces(objects_of(self.store), of)
        more, files = traces(files_below(self.spool, self.cache), of)
        print(f"searched {count} objects and {files} files: {len(found) + len(more)} traces")
        return found + more

    def erase(self, who: str, *arguments: str) -> tuple[int, dict[str, Any]]:
        """The status and the receipt."""
        done = self.run("erase", who, "--json", *arguments)
        check(done.stdout.startswith("{"), done.stdout + done.stderr)
        receipt = json.loads(done.stdout)
        shown = {key: value for key, value in receipt.items() if key not in ("out_of_reach",)}
        print(f"erase: {done.returncode}: {json.dumps(shown)}")
        return done.returncode, receipt


def proven(proof: Proof, versions: bool) -> None:
    """Raise Left unless nothing is left."""
    proof.fill()
    before = proof.left()
    check(len(before) > 20, "there was nothing to begin with")
    for who in (f"twitch/{NAME}", f"kick/id:{ID}"):
        status, receipt = proof.erase(who)
        check(status == (3 if versions else 0), receipt)
        check(not any(trace in json.dumps(receipt) for trace in TRACES), "the receipt names the person")
        check(not receipt["left"] and not receipt["waiting"], receipt)
    check(not (found := proof.left()), found)
    verify = proof.run("verify")
    print(verify.stdout[-1500:])
    check(verify.returncode == 0, verify.stdout + verify.stderr)
    check("2 requests to be forgotten" in verify.stdout, verify.stdout)
    checked = proof.run("compact", "--check")
    print(f"compact --check: {checked.returncode}: {checked.stdout.strip()}")
    check(checked.returncode == 0, checked.stdout + checked.stderr)


# -- servers -------------------------------------------------------------------------------------------


def started(server: Server, home: Path, stack: ExitStack) -> Place:
    """Start a server that ends with this process; its place."""
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(server.ports)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = tuple(one.getsockname()[1] for one in sockets)
    authority = home / "ca.pem"
    loopback_certificate(str(authority))
    where = home / "server"
    where.mkdir()
    place = Place(where, ports, Path(f"{authority}.server"), authority)
    program = Cache(cache_directory()).program(server)
    command = ["timeout", "--kill-after=5", "900", *program, *server.command(place)]
    process = Process(server.name, command, home / "server.log", dict(server.environ))

    def end() -> None:
        process.popen.terminate()
        process.popen.wait()

    stack.callback(end)

    def listening() -> bool:
        with socket.socket() as probe:
            return process.alive and probe.connect_ex(("127.0.0.1", place.port)) == 0

    wait_for(f"{server.name} listens", listening, 60)
    return place


def make_bucket(server: Server, place: Place, versions: bool) -> Any:
    """The bucket, by boto3."""
    import boto3  # type: ignore[import-untyped]

    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint(place),
        region_name="us-east-1",
        aws_access_key_id=server.keys[0],
        aws_secret_access_key=server.keys[1],
    )
    client.create_bucket(Bucket=BUCKET)
    if versions:
        enabled = {"Status": "Enabled"}
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=enabled)
    return client


def in_a_server(name: str, versions: bool, home: Path) -> None:
    """The proof in one of the servers of ``bench.stores``."""
    server = next(each for each in SERVERS if each.name == name)
    with ExitStack() as stack:
        place = started(server, home, stack)
        client = make_bucket(server, place, versions)
        proof = Proof(home, server.settings(place), server.recorder_environ(place))
        proven(proof, versions)
        if versions:
            listed = client.list_object_versions(Bucket=BUCKET, Prefix=PREFIX)
            kept = [each["Key"] for each in listed.get("Versions", []) if not each["IsLatest"]]
            print(f"{len(kept)} old versions are there, and the command said so (exit status 3)")
            check(bool(kept), "no versions were kept")


# -- somebody who is being recorded ----------------------------------------------------------------------


def live(stage: Stage) -> None:
    """Erase somebody who talks while they are erased."""
    stage.simulator(rate=40, kick_share=0.0, channels=2, seed=5, duration=600)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = stage.config(
        {
            "twitch": {"channels": ["room1", "room2"]},
            "recorder": {"rotate_interval": "1h"},
            "http": {"listen": f"127.0.0.1:{port}", "token": TOKEN},
        }
    )
    stage.daemon().says(r"recording 2 of 2 rooms", 90)
    time.sleep(20)
    lines = [
        json.loads(line)
        for _, data in files_below(stage.home / "data" / "open")
        for line in data.splitlines()
        if b'"type":"message"' in line
    ]
    talks = [line["user_id"] for line in lines]
    person = max(set(talks), key=talks.count)
    name = next(line["username"] for line in lines if line["user_id"] == person)
    where = (f'"{person}"', f'"{name}"')
    roots = stage.home / "data", stage.home / "archive"
    before, _ = traces(files_below(*roots), where)
    print(f"a person with {talks.count(person)} messages in open files; traces in {len(before)} places")
    began = time.monotonic()
    command = [sys.executable, "-m", "chatlog", "erase", f"twitch/id:{person}", "--json"]
    done = subprocess.run(
        [*command, "--config", str(config)], capture_output=True, text=True, check=False, timeout=400
    )
    print(f"erase: {done.returncode} after {time.monotonic() - began:.0f} s: {done.stdout} {done.stderr}")
    check(done.returncode == 0, "not erased")
    for wait in (0, 15):
        time.sleep(wait)
        found, count = traces(files_below(*roots), where)
        print(f"searched {count} files: {len(found)} traces")
        check(not found, found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", default="directory", help="directory, versitygw, MinIO, ...")
    parser.add_argument("--versions", action="store_true", help="the bucket keeps versions")
    parser.add_argument("--live", action="store_true", help="erase somebody who is being recorded")
    options = parser.parse_args()
    stage = Stage()
    try:
        if options.live:
            live(stage)
        elif options.store == "directory":
            proven(Proof(stage.home, {"archive": {"directory": str(stage.home / "archive")}}, {}), False)
        else:
            in_a_server(options.store, options.versions, stage.home)
    except (Left, Failed) as error:
        print(f"NOT PROVEN: {error}")
        return 1
    finally:
        stage.close()
    print("PROVEN: nothing of the person is left")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
