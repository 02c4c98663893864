"""Tests of the files in deploy/: a unit for systemd, a Compose file, a configuration for it and fly.io."""

from __future__ import annotations

import http.server
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from typing import Any, ClassVar

import yaml
from twisted.trial.unittest import SynchronousTestCase

from chatlog import configuration as config
from chatlog.config.settings import RecorderSettings, Secret
from chatlog.config.units import parse_size
from tests.test_layering import ROOT

#: A use of a variable in a configuration or in the Compose file: name, and what follows it.
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z0-9_]+)([^}]*)\}")
#: What `fly storage create` sets, in its own form.
TIGRIS = {
    "BUCKET_NAME": "polished-thunder-5646",
    "AWS_REGION": "auto",
    "AWS_ENDPOINT_URL_S3": "https://fly.storage.tigris.dev",
    "AWS_ACCESS_KEY_ID": "tid_aBcDeF",
    "AWS_SECRET_ACCESS_KEY": "tsec_gHi+jKl/mNo_",
}
FLY = {"FLY_APP_NAME": "my-chatlog", "FLY_MACHINE_ID": "148ed127b5e089", **TIGRIS}


def read(name: str) -> str:
    """A file of the checkout."""
    text: str = (ROOT / name).read_text("utf-8")
    return text


def worker() -> list[str]:
    """The words of the Procfile's command, without the path of the configuration."""
    return shlex.split(read("Procfile").partition(": ")[2])[:-1]


def uncommented(name: str) -> str:
    """A YAML file without its comments."""
    return re.sub(r"(?m)(^|\s)#.*$", "", read(name))


class ConfigurationTests(SynchronousTestCase):
    """deploy/config/chatlog.yaml."""

    def setUp(self) -> None:
        self.text = read("deploy/config/chatlog.yaml").encode()
        self.fly = tomllib.loads(read("fly.toml"))

    def test_tigris(self) -> None:
        """The variables of `fly storage create` are understood as they come, and those of fly.toml; the
        machine's name is in the names of files."""
        settings = config.parse(self.text, {**self.fly["env"], **FLY})
        assert settings.s3 is not None and settings.s3.secret_access_key is not None
        self.assertEqual(settings.s3.bucket, "polished-thunder-5646")
        self.assertEqual((settings.s3.region, settings.s3.endpoint), ("auto", TIGRIS["AWS_ENDPOINT_URL_S3"]))
        self.assertEqual(settings.s3.access_key_id, Secret("tid_aBcDeF"))
        self.assertEqual(settings.s3.secret_access_key.reveal(), "tsec_gHi+jKl/mNo_")
        self.assertEqual(settings.instance, "148ed127b5e089")
        self.assertEqual(settings.recorder.directory, "/data/spool")
        self.assertEqual(settings.http.listen, "[::]:8080")
        self.assertEqual(settings.uploader.compression, "zstd")

    def test_shown(self) -> None:
        """The output of --check names the bucket and no key."""
        shown = config.describe(config.parse(self.text, FLY))
        self.assertIn("bucket: polished-thunder-5646", shown)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            self.assertNotIn(TIGRIS[name], shown)

    def test_without_a_bucket(self) -> None:
        """Where the bucket was not made, each missing variable is named, all at once."""
        error = self.assertRaises(config.ConfigError, config.parse, self.text, {})
        missing = {name for name in TIGRIS if any(name in problem for problem in error.problems)}
        # Tigris has but one region.
        self.assertEqual(missing, set(TIGRIS) - {"AWS_REGION"})

    def test_anonymous_or_not(self) -> None:
        """Without an account it reads anonymously, with one it logs in, and half of one is an error."""
        anonymous = config.parse(self.text, {**FLY, "TWITCH_USERNAME": "", "TWITCH_OAUTH": ""}).platforms[
            "twitch"
        ]
        account = {"TWITCH_USERNAME": "chatlog_bot", "TWITCH_OAUTH": "oauth:abc"}
        named = config.parse(self.text, {**FLY, **account}).platforms["twitch"]
        assert anonymous is not None and named is not None
        self.assertEqual((anonymous.username, anonymous.oauth), (None, None))
        self.assertEqual((named.username, named.oauth), ("chatlog_bot", Secret("abc")))
        half = {**FLY, "TWITCH_OAUTH": "oauth:abc"}
        self.assertRaises(config.ConfigError, config.parse, self.text, half)

    def test_the_page(self) -> None:
        """Without a token the page only shows; elsewhere than on fly.io only this machine sees it."""
        plain = config.parse(self.text, TIGRIS)
        self.assertEqual((plain.http.listen, plain.http.token), ("127.0.0.1:8080", None))
        self.assertEqual(plain.instance, "")
        given = config.parse(self.text, {**FLY, "CHATLOG_TOKEN": "t0ken"})
        self.assertEqual(given.http.token, Secret("t0ken"))

    def test_fly_looks_where_it_listens(self) -> None:
        """Check and metrics of fly.toml ask at the port that is listened on, on all addresses; a
        platform that is down makes no deploy fail."""
        listen = config.parse(self.text, {**FLY, **self.fly["env"]}).http.listen
        [check] = self.fly["checks"].values()
        self.assertEqual((check["type"], check["path"]), ("http", "/healthz"))
        self.assertEqual(self.fly["metrics"]["path"], "/metrics")
        for port in (check["port"], self.fly["metrics"]["port"]):
            self.assertEqual(listen, f"[::]:{port}")


class ComposeTests(SynchronousTestCase):
    """deploy/compose.yaml."""

    def setUp(self) -> None:
        self.compose: dict[str, Any] = yaml.safe_load(read("deploy/compose.yaml"))
        self.services: dict[str, Any] = self.compose["services"]
        self.chatlog: dict[str, Any] = self.services["chatlog"]

    def environment(self) -> dict[str, str]:
        """The recorder's environment, with the secrets filled in."""
        secrets = {"AWS_ACCESS_KEY_ID": "chatlog", "AWS_SECRET_ACCESS_KEY": "a-password"}
        filled = {}
        for name, value in self.chatlog["environment"].items():
            filled[name] = VARIABLE.sub(lambda match: secrets.get(match[1], ""), value)
        return filled

    def test_every_variable_is_set(self) -> None:
        """Each variable that the configuration uses, and has no default for, is set; each that is set is
        used by it."""
        uses = dict(VARIABLE.findall(uncommented("deploy/config/chatlog.yaml")))
        needed = {name for name, rest in uses.items() if not rest.startswith(":-")}
        environment = set(self.chatlog["environment"])
        self.assertEqual(needed - environment, set())
        self.assertEqual(environment - set(uses), set())

    def test_the_configuration_is_understood(self) -> None:
        """With this environment the configuration is right: the store is the one beside it, the spool on
        the volume, and the page on the port that is let out."""
        settings = config.parse(read("deploy/config/chatlog.yaml").encode(), self.environment())
        assert settings.s3 is not None
        self.assertEqual(settings.s3.endpoint, "http://minio:9000")
        self.assertIn("minio", self.services)
        volumes = dict(volume.split(":", 1) for volume in self.chatlog["volumes"])
        self.assertTrue(settings.recorder.directory.startswith(volumes["spool"] + "/"))
        [port] = self.chatlog["ports"]
        self.assertEqual(settings.http.listen, f"0.0.0.0:{port.rpartition(':')[2]}")

    def test_the_command(self) -> None:
        """It runs what the Procfile runs, with the configuration of the directory that is mounted."""
        *command, path = self.chatlog["command"]
        self.assertEqual(command, worker())
        volumes = dict(volume.split(":", 1) for volume in self.chatlog["volumes"])
        inside, _, mode = volumes["./config"].partition(":")
        self.assertEqual((os.path.dirname(path), mode), (inside, "ro"))
        self.assertTrue((ROOT / "deploy/config" / os.path.basename(path)).is_file())
        self.assertTrue((ROOT / "deploy" / self.chatlog["build"] / "Dockerfile").is_file())

    def test_the_bucket(self) -> None:
        """The bucket that is created is the recorder's, and is created once."""
        [script] = self.services["bucket"]["command"]
        self.assertIn(f"mc mb --ignore-existing store/{self.chatlog['environment']['BUCKET_NAME']}\n", script)
        self.assertIn("http://minio:9000", script)
        self.assertEqual(self.services["bucket"]["restart"], "on-failure")
        self.assertEqual(self.services["bucket"]["depends_on"], {"minio": {"condition": "service_healthy"}})
        self.assertIn("healthcheck", self.services["minio"])
        # Recording waits for no store.
        self.assertNotIn("depends_on", self.chatlog)

    def test_images(self) -> None:
        """Foreign images are pinned to a release, from the registry that has them."""
        for name in ("minio", "bucket"):
            self.assertRegex(self.services[name]["image"], r"^quay\.io/minio/m[a-z]+:RELEASE\.\d{4}-\S+Z$")
        for name in ("prometheus", "grafana"):
            self.assertRegex(self.services[name]["image"], r"^docker\.io/[a-z]+/[a-z]+:v?\d+\.\d+\.\d+$")

    def test_monitoring(self) -> None:
        """Prometheus and Grafana come only when they are asked for; they find the recorder, each other, the
        rules and the dashboard."""
        for name in ("prometheus", "grafana"):
            service = self.services[name]
            self.assertEqual(service["profiles"], ["monitoring"])
            for volume in service["volumes"]:
                if volume.startswith("./"):
                    self.assertTrue((ROOT / "deploy" / volume.split(":")[0]).is_file(), volume)
        scraping = yaml.safe_load(read("deploy/monitoring/prometheus.yml"))
        [port] = self.chatlog["ports"]
        [job] = scraping["scrape_configs"]
        alone = yaml.safe_load(read("deploy/prometheus.yml"))["scrape_configs"]
        self.assertEqual(job["job_name"], alone[0]["job_name"])
        self.assertEqual(job["static_configs"], [{"targets": [f"chatlog:{port.rpartition(':')[2]}"]}])
        inside = [volume.split(":")[1] for volume in self.services["prometheus"]["volumes"]]
        for path in scraping["rule_files"]:
            self.assertIn(path, inside)
        [source] = yaml.safe_load(read("deploy/monitoring/datasource.yml"))["datasources"]
        self.assertEqual(source["url"], "http://prometheus:9090")
        [provider] = yaml.safe_load(read("deploy/monitoring/dashboards.yml"))["providers"]
        shown = [volume.split(":")[1] for volume in self.services["grafana"]["volumes"]]
        home = self.services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
        self.assertIn(home, shown)
        self.assertEqual(os.path.dirname(home), provider["options"]["path"])

    def test_lasts(self) -> None:
        """What has to last is on volumes that are declared, everything is started again, the recorder has
        time to stop, and logs do not fill the disk."""
        for name in ("chatlog", "minio"):
            service = self.services[name]
            self.assertEqual(service["restart"], "unless-stopped")
            self.assertEqual(service["logging"]["options"]["max-size"], "10m")
            named = [volume.split(":")[0] for volume in service["volumes"] if volume[0] not in "./"]
            self.assertEqual(len(named), 1)
            self.assertIn(named[0], self.compose["volumes"])
        self.assertGreaterEqual(int(self.chatlog["stop_grace_period"].removesuffix("s")), 5)

    def test_closed(self) -> None:
        """Only this machine reaches the ports; the recorder may write its volume and /tmp, has no
        rights, and as much memory as on fly.io."""
        for service in self.services.values():
            self.assertIn("no-new-privileges:true", service["security_opt"])
            for port in service.get("ports", []):
                self.assertTrue(port.startswith("127.0.0.1:"), port)
        self.assertIs(self.chatlog["read_only"], True)
        self.assertEqual(self.chatlog["cap_drop"], ["ALL"])
        self.assertEqual(self.chatlog["mem_limit"], "256m")

    def test_secrets(self) -> None:
        """No secret is in the file: each comes from deploy/.env, without the required ones nothing
        starts, and deploy/env.example lists them all."""
        example = set(re.findall(r"(?m)^#?([A-Z_]+)=", read("deploy/env.example")))
        uses = VARIABLE.findall(uncommented("deploy/compose.yaml"))
        self.assertEqual({name for name, _ in uses}, example)
        for name, rest in uses:
            required = name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
            self.assertTrue(rest.startswith(":?" if required else ":-"), name)
        self.assertIn("AWS_SECRET_ACCESS_KEY=\n", read("deploy/env.example"))
        self.assertIn("\n.env\n", read(".gitignore"))
        self.assertIn(".env", read("MANIFEST.in").splitlines()[-1].split())

    def test_healthcheck(self) -> None:
        """The check passes where /healthz answers 200, and fails where it answers 503 or not at all."""
        kind, python, option, code = self.chatlog["healthcheck"]["test"]
        self.assertEqual((kind, python, option), ("CMD", "python", "-c"))
        self.assertIn("http://127.0.0.1:8080/healthz", code)
        for status, passes in ((200, True), (503, False)):
            with Answering(status) as server:
                here = code.replace("127.0.0.1:8080", f"127.0.0.1:{server.server_port}")
                ran = subprocess.run([sys.executable, "-c", here], capture_output=True, timeout=30)
            self.assertEqual(ran.returncode == 0, passes, ran.stderr)
            self.assertEqual(server.asked, ["/healthz"])
        ran = subprocess.run([sys.executable, "-c", here], capture_output=True, timeout=30)
        self.assertNotEqual(ran.returncode, 0)


class Answering(http.server.HTTPServer):
    """A server on loopback that gives every request the same status, in a thread while it is entered."""

    def __init__(self, status: int) -> None:
        asked: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = asked
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Answering:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class UnitTests(SynchronousTestCase):
    """deploy/chatlog.service."""

    def setUp(self) -> None:
        self.values: dict[str, list[str]] = {}
        for line in read("deploy/chatlog.service").splitlines():
            if "=" in line and not line.startswith("#"):
                key, _, value = line.partition("=")
                self.values.setdefault(key, []).append(value)

    def one(self, key: str) -> str:
        """The only value of a key."""
        [value] = self.values[key]
        return value

    def test_the_command(self) -> None:
        """It runs what the Procfile runs, from an environment of its own, and reads the configuration
        again on a reload."""
        *command, path = shlex.split(self.one("ExecStart"))
        self.assertEqual(command, ["/opt/chatlog/bin/twistd", *worker()[1:]])
        self.assertEqual(path, "/etc/chatlog/chatlog.yaml")
        self.assertEqual(self.one("ExecReload"), "/bin/kill -HUP $MAINPID")

    def test_always_runs(self) -> None:
        """However it ended, it is started again, without end; a stop is no failure and has time."""
        self.assertEqual((self.one("Restart"), self.one("RestartSec")), ("always", "2"))
        self.assertEqual(self.one("StartLimitIntervalSec"), "0")
        self.assertEqual(self.one("SuccessExitStatus"), "143")
        self.assertGreaterEqual(int(self.one("TimeoutStopSec")), 5)

    def test_closed(self) -> None:
        """It is not root, can become nobody else, and writes nothing but its state directory; secrets
        are read by systemd, not by it, and may be missing."""
        self.assertEqual(self.one("User"), "chatlog")
        self.assertEqual(self.one("StateDirectory"), "chatlog")
        self.assertEqual(self.one("EnvironmentFile"), "-/etc/chatlog/secrets.env")
        self.assertEqual(self.one("CapabilityBoundingSet"), "")
        expected = {"ProtectSystem": "strict", "ProtectHome": "yes", "NoNewPrivileges": "yes"}
        self.assertEqual({key: self.one(key) for key in expected}, expected)
        self.assertNotIn("ReadWritePaths", self.values)

    def test_room(self) -> None:
        """It has fly.io's memory, and descriptors for thousands of rooms."""
        self.assertEqual(self.one("MemoryMax"), "256M")
        self.assertEqual(self.one("LimitNOFILE"), "65536")

    def test_the_configuration_that_comes_with_it(self) -> None:
        """chatlog.yaml as it is keeps everything in the state directory, and so does the one for S3."""
        environ = dict(value.split("=", 1) for value in self.values["Environment"])
        environ = {name: value.replace("%S", "/var/lib") for name, value in environ.items()}
        plain = config.parse(read("chatlog.yaml").encode(), environ)
        self.assertEqual(plain.recorder.directory, "/var/lib/chatlog/spool")
        self.assertEqual(plain.archive.directory, "/var/lib/chatlog/archive")
        stored = config.parse(read("deploy/config/chatlog.yaml").encode(), {**environ, **TIGRIS})
        self.assertEqual(stored.recorder.directory, "/var/lib/chatlog/spool")


class PageTests(SynchronousTestCase):
    """docs/deploy.md."""

    def setUp(self) -> None:
        self.page = read("docs/deploy.md")

    def test_files(self) -> None:
        """Every file of the checkout that its commands name is there."""
        commands = "\n".join(re.findall(r"```sh\n(.*?)```", self.page, re.DOTALL))
        named = set(re.findall(r"(?<![\w/.])(deploy/[\w./-]+|chatlog\.yaml|fly\.toml)", commands))
        self.assertGreaterEqual(len(named), 5)
        own = {name for name in named if ".local." in name} | {"deploy/.env"}
        for name in named - own:
            self.assertTrue((ROOT / name).exists(), name)

    def test_what_fly_sets(self) -> None:
        """It tells the names that `fly storage create` sets, and the size of the volume is above the
        spool's."""
        for name in TIGRIS:
            self.assertIn(name, self.page)
        [size] = re.findall(r"--size ([0-9]+)", self.page)
        self.assertGreater(parse_size(f"{size}GB"), RecorderSettings().max_size)

    def test_the_script(self) -> None:
        """What is checked by programs of others can be called, and CI calls it."""
        self.assertTrue(os.access(ROOT / "deploy/units-check", os.X_OK))
        self.assertIn("deploy/units-check", read(".ci/run"))


class ClusterTests(SynchronousTestCase):
    """deploy/cluster.yaml, deploy/kubernetes.yaml and the configuration that they share."""

    ENVIRONMENT: ClassVar[dict[str, str]] = {
        "BUCKET_NAME": "chatlog",
        "AWS_ENDPOINT_URL_S3": "https://s3.example.org",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "REDIS_PASSWORD": "c",
        "CHATLOG_TOKEN": "d",
    }

    def setUp(self) -> None:
        self.compose: dict[str, Any] = yaml.safe_load(read("deploy/cluster.yaml"))
        self.kubernetes = {
            (each["kind"], each["metadata"]["name"]): each
            for each in yaml.safe_load_all(read("deploy/kubernetes.yaml"))
        }

    def test_compose(self) -> None:
        """Each recorder has a name, a spool and a port of its own, the engine is the one beside them, and
        there is time to hand over."""
        recorders = {name: each for name, each in self.compose["services"].items() if name != "valkey"}
        for key in ("ports", "volumes"):
            self.assertEqual(len({str(each[key][0]) for each in recorders.values()}), 3, key)
        for name, each in recorders.items():
            environment = {**self.ENVIRONMENT, "CHATLOG_INSTANCE": each["environment"]["CHATLOG_INSTANCE"]}
            settings = config.parse(read("deploy/config/cluster.yaml").encode(), environment)
            assert settings.cluster is not None
            self.assertEqual(settings.instance, name)
            self.assertEqual(settings.cluster.engine.servers, (("valkey", 6379),))
            self.assertGreater(int(each["stop_grace_period"].removesuffix("s")), settings.cluster.drain)
            self.assertEqual(os.path.basename(each["command"][-1]), "cluster.yaml")

    def test_secrets(self) -> None:
        """No secret is in the file, and deploy/cluster.env.example lists what it takes."""
        example = set(re.findall(r"(?m)^#?([A-Z_]+[A-Z0-9_]*)=", read("deploy/cluster.env.example")))
        uses = {name for name, _ in VARIABLE.findall(uncommented("deploy/cluster.yaml"))}
        self.assertEqual(uses, example)

    def test_kubernetes(self) -> None:
        """A pod's name becomes the instance, one pod may be away at a time, and there is time to hand
        over."""
        text = self.kubernetes["ConfigMap", "chatlog"]["data"]["chatlog.yaml"]
        settings = config.parse(text.encode(), {**self.ENVIRONMENT, "HOSTNAME": "chatlog-0"})
        assert settings.cluster is not None
        self.assertEqual(settings.instance, "chatlog0")
        self.assertIn(("Service", settings.cluster.engine.servers[0][0]), self.kubernetes)
        stateful = self.kubernetes["StatefulSet", "chatlog"]["spec"]
        pod = stateful["template"]["spec"]
        self.assertGreater(pod["terminationGracePeriodSeconds"], settings.cluster.drain)
        self.assertEqual(pod["containers"][0]["command"][:-1], worker())
        budget = self.kubernetes["PodDisruptionBudget", "chatlog"]["spec"]
        self.assertEqual(budget["maxUnavailable"], 1)
        for spec in (budget, stateful):
            self.assertEqual(spec["selector"]["matchLabels"], stateful["template"]["metadata"]["labels"])
        mounts = {each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
        self.assertIn("/" + settings.recorder.directory.split("/")[1], mounts)
