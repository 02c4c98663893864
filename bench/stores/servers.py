"""The real servers of ``bench.stores``: where each comes from, how it is started, and how the recorder is
told of it. Whoever adds a server adds a row to SERVERS."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Where a server comes from: the tests' own environment, or the registries that these programs install from.
PIP, NPM, GO, CARGO = "pip", "npm", "go", "cargo"
#: What is stored into on every server, and the credentials that the servers are started with.
BUCKET, PREFIX = "chatlog", "recordings"
ACCESS_KEY, SECRET_KEY = "chatlogtesting", "chatlog-testing-secret"
#: Azure's account keys are base64.
ACCOUNT, ACCOUNT_KEY = "chatlogtest", "Y2hhdGxvZy10ZXN0aW5nLWFjY291bnQta2V5LTAxMjM0NQ=="


@dataclass(frozen=True, slots=True)
class Place:
    """What a server is started with: its directory, its ports (as many as it asks for), and the files of a
    certificate for loopback (with its key) and of the authority that signed it."""

    home: Path
    ports: tuple[int, ...]
    certificate: Path
    authority: Path

    @property
    def port(self) -> int:
        """The port of its S3, Azure or Google interface."""
        return self.ports[0]


@dataclass(frozen=True, slots=True)
class Server:
    """A store that can be started here. ``package`` is what the registry calls it, ``program`` the file that
    is started. ``command`` gives the arguments behind the program, ``environ`` what it needs beside."""

    name: str
    source: str
    package: str
    program: str
    command: Callable[[Place], list[str]]
    dialect: str = "s3"
    environ: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, str] = (ACCESS_KEY, SECRET_KEY)
    ports: int = 1
    #: Options of ``cargo install``.
    features: tuple[str, ...] = ()
    #: Why it is no use to start it: what is the server's own fault, for the table.
    unfit: str = ""

    @property
    def tls(self) -> bool:
        """Whether it speaks TLS: the recorder reaches S3 alone without."""
        return self.dialect != "s3"

    def endpoint(self, place: Place) -> str:
        """Its address, without a bucket."""
        scheme = "https" if self.tls else "http"
        account = f"/{ACCOUNT}" if self.dialect == "azure" else ""
        return f"{scheme}://127.0.0.1:{place.port}{account}"

    def settings(self, place: Place) -> dict[str, Any]:
        """The sections of ``chatlog.yaml`` that name the archive."""
        if self.dialect == "azure":
            return {"archive": {"url": f"az://{BUCKET}/{PREFIX}"}}
        if self.dialect == "gcs":
            return {"archive": {"url": f"gs://{BUCKET}/{PREFIX}"}}
        access, secret = self.keys
        keys = {"access_key_id": access, "secret_access_key": secret}
        return {"s3": {"bucket": BUCKET, "endpoint": self.endpoint(place), "prefix": PREFIX, **keys}}

    def recorder_environ(self, place: Place) -> dict[str, str]:
        """What the recorder's environment says of the store."""
        if self.dialect == "s3":
            return {}
        trust = {"SSL_CERT_FILE": str(place.authority)}
        if self.dialect == "azure":
            return trust | {
                "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
                "AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY,
                "AZURE_STORAGE_ENDPOINT": self.endpoint(place),
            }
        return trust | {"GOOGLE_SERVICE_ACCOUNT_KEY": google_key(self.endpoint(place))}


def google_key(endpoint: str) -> str:
    """A service account that sends the client to ``endpoint``, without a login."""
    return json.dumps(
        {
            "gcs_base_url": endpoint,
            "disable_oauth": True,
            "client_email": "",
            "private_key": "",
            "private_key_id": "",
        }
    )


def _moto(place: Place) -> list[str]:
    return ["-m", "moto.server", "-H", "127.0.0.1", "-p", str(place.port)]


def _azurite(place: Place) -> list[str]:
    listen = ["--blobHost", "127.0.0.1", "--blobPort", str(place.port), "--location", str(place.home)]
    tls = ["--cert", str(place.certificate), "--key", str(place.certificate)]
    return [*listen, *tls, "--silent", "--disableTelemetry", "--skipApiVersionCheck"]


def _versitygw(place: Place) -> list[str]:
    keys = ["--access", ACCESS_KEY, "--secret", SECRET_KEY]
    return [*keys, "--port", f"127.0.0.1:{place.port}", "posix", str(place.home)]


def _minio(place: Place) -> list[str]:
    return ["server", "--quiet", "--address", f"127.0.0.1:{place.port}", str(place.home)]


def _seaweedfs(place: Place) -> list[str]:
    config = place.home / "s3.json"
    keys = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "chatlog", "credentials": keys, "actions": actions}
    config.write_text(json.dumps({"identities": [identity]}))
    listening = ("s3", "filer", "volume", "master")
    flags = [f"{name}.port{more}" for name in listening for more in ("", ".grpc")]
    ports = [f"-{flag}={port}" for flag, port in zip(flags, place.ports, strict=True)]
    more = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.volumeSizeLimitMB=64", f"-s3.config={config}"]
    return ["server", f"-dir={place.home}", "-s3", *ports, *more]


def _gofakes3(place: Place) -> list[str]:
    return ["-backend", "memory", "-host", f"127.0.0.1:{place.port}"]


def _s3rver(place: Place) -> list[str]:
    return ["-d", str(place.home), "-a", "127.0.0.1", "-p", str(place.port), "-s", "--no-vhost-buckets"]


def _s3s(place: Place) -> list[str]:
    keys = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]
    return ["--host", "127.0.0.1", "--port", str(place.port), *keys, str(place.home)]


def _google(place: Place) -> list[str]:
    listen = ["-scheme", "https", "-host", "127.0.0.1", "-port", str(place.port)]
    names = ["-public-host", f"127.0.0.1:{place.port}", "-external-url", f"https://127.0.0.1:{place.port}"]
    tls = ["-cert-location", str(place.certificate), "-private-key-location", str(place.certificate)]
    return [*listen, *names, *tls, "-backend", "memory", "-log-level", "warn"]


SERVERS = (
    Server("moto", PIP, "moto", "python", _moto),
    Server(
        "Azurite",
        NPM,
        "azurite",
        "azurite/dist/src/blob/main.js",
        _azurite,
        dialect="azure",
        environ={"AZURITE_ACCOUNTS": f"{ACCOUNT}:{ACCOUNT_KEY}"},
    ),
    Server(
        "MinIO",
        GO,
        "github.com/minio/minio",
        "minio",
        _minio,
        environ={"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_BROWSER": "off"},
    ),
    Server("versitygw", GO, "github.com/versity/versitygw/cmd/versitygw", "versitygw", _versitygw),
    Server("SeaweedFS", GO, "github.com/seaweedfs/seaweedfs/weed", "weed", _seaweedfs, ports=8),
    Server("gofakes3", GO, "github.com/johannesboyne/gofakes3/cmd/gofakes3", "gofakes3", _gofakes3),
    Server("s3rver", NPM, "s3rver", "s3rver/bin/s3rver.js", _s3rver, keys=("S3RVER", "S3RVER")),
    Server("s3s-fs", CARGO, "s3s-fs", "s3s-fs", _s3s, features=("--features", "binary")),
    Server(
        "fake-gcs-server",
        GO,
        "github.com/fsouza/fake-gcs-server",
        "fake-gcs-server",
        _google,
        dialect="gcs",
        unfit="answers 400 to a PUT of the XML interface, by which Google's store takes objects",
    ),
)
