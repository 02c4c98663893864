"""Bundles that are moved to a colder class, in an S3 server, and the rules that are printed."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from chatlog.cli import commands
from chatlog.config.storage_classes import AZURE, FAMILIES, S3, StorageClass
from chatlog.configuration import parse
from chatlog.store.store import REFUSED, TRANSIENT, StoreError
from chatlog.upkeep.lifecycle import rule_of
from chatlog.upkeep.tier import LEAST, Tiering, month_end
from tests.configurations import SHORT
from tests.store.test_s3 import KEYS, S3Case

DAY = 86400.0
NOW = datetime(2026, 6, 15, tzinfo=UTC).timestamp()
COLD = StorageClass("GLACIER_IR", "")


class TierCase(S3Case):
    """A bucket with bundles of several months, and a configuration that names it."""

    def setUp(self) -> None:
        super().setUp()
        self.large = {}
        for month in ("2025/12", "2026/02", "2026/05"):
            key = f"bundle/{month}/twitch/ann/twitch_ann_{month.replace('/', '')}.jsonl.zst"
            self.put(key, LEAST)
            self.large[month] = key
        self.put("bundle/2025/12/twitch/bob/twitch_bob_202512.jsonl.zst", LEAST - 1)
        self.put("2025/12/29/twitch/ann/twitch_ann_20251229_1000.jsonl.zst", 4 * LEAST)
        self.put("bundle/README", LEAST)

    def put(self, key: str, size: int) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=b"x" * size, Metadata={"lines": "1"})

    def classes(self) -> dict[str, str]:
        """The objects that are not in the standard class."""
        listed = self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]
        return {each["Key"]: each["StorageClass"] for each in listed if each["StorageClass"] != "STANDARD"}

    def config(self, more: str = "tier_after: 90d, tier_class: GLACIER_IR") -> str:
        path: str = self.mktemp()
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                f"{SHORT}s3: {{bucket: {self.bucket}, endpoint: '{self.endpoint}', access_key_id: {KEYS[0]}, "
                f"secret_access_key: {KEYS[1]}}}\narchive: {{{more}}}\n"
            )
        return path

    def call(self, *arguments: str, more: str = "tier_after: 90d, tier_class: GLACIER_IR") -> Result:
        result = CliRunner().invoke(commands, ["tier", "-c", self.config(more), *arguments])
        if result.exception is not None:
            self.assertIsInstance(result.exception, SystemExit, result.output)
        return result


class TierTests(TierCase):
    """What is moved, and what is not."""

    def tiering(self, after: float = 90 * DAY) -> Tiering:
        return Tiering(self.open(), COLD, after, NOW)

    def test_what_is_due(self) -> None:
        """Bundles whose month ended long enough ago; by itself, only those that became due lately."""
        due = [bundle.key for bundle in self.tiering().due()]
        self.assertEqual(
            due,
            [
                self.large["2025/12"],
                "bundle/2025/12/twitch/bob/twitch_bob_202512.jsonl.zst",
                self.large["2026/02"],
            ],
        )
        self.assertEqual(
            [bundle.key for bundle in self.tiering().due(recently=True)], [self.large["2026/02"]]
        )

    def test_moved(self) -> None:
        """Large bundles are moved, with their attributes; small ones and objects stay. A second run moves
        nothing."""
        tiering = self.tiering()
        found = tiering.run(list(tiering.due()))
        self.assertEqual((found.bundles, found.bytes, found.small, found.there), (2, 2 * LEAST, 1, 0))
        wanted = {self.large[month]: "GLACIER_IR" for month in ("2025/12", "2026/02")}
        self.assertEqual(self.classes(), wanted)
        head = self.s3.head_object(Bucket=self.bucket, Key=self.large["2025/12"])
        self.assertEqual((head["Metadata"], head["ContentLength"]), ({"lines": "1"}, LEAST))
        again = tiering.run(list(tiering.due()))
        self.assertEqual((again.bundles, again.there, again.left), (0, 2, []))

    def test_dry(self) -> None:
        """A dry run says the same and moves nothing."""
        tiering = self.tiering()
        self.assertEqual(tiering.run(list(tiering.due()), dry=True).bundles, 2)
        self.assertEqual(self.classes(), {})

    def test_one_that_fails(self) -> None:
        """A bundle that cannot be moved holds up no other; a store that refuses all of them ends it."""
        store = self.open()
        move, bad = store.move, self.large["2025/12"]

        def fails(key: str, storage_class: str) -> None:
            if key == bad:
                raise StoreError("500 InternalError", TRANSIENT)
            move(key, storage_class)

        store.move = fails  # type: ignore[method-assign]
        tiering = Tiering(store, COLD, 90 * DAY, NOW)
        found = tiering.run(list(tiering.due()))
        self.assertEqual((found.bundles, found.left), (1, [(bad, "500 InternalError")]))

        def refuses(key: str, storage_class: str) -> None:
            raise StoreError("400 InvalidStorageClass", REFUSED, of_all=True)

        store.move = refuses  # type: ignore[method-assign]
        self.assertRaises(StoreError, lambda: tiering.run(list(tiering.due())))

    def test_months(self) -> None:
        """The end of a month, also of a year, and keys without one."""
        for prefix, end in (
            ("bundle/2025/12/", datetime(2026, 1, 1, tzinfo=UTC).timestamp()),
            ("bundle/2026/01/", datetime(2026, 2, 1, tzinfo=UTC).timestamp()),
            ("bundle/2026/13/", None),
            ("bundle/2026/00/", None),
            ("bundle/x/01/", None),
        ):
            self.assertEqual(month_end(prefix), end, prefix)


class CommandTests(TierCase):
    """``chatlog tier`` as it is typed."""

    def test_moves(self) -> None:
        """It says what it would do, does it, and what was done."""
        dry = self.call("--dry-run")
        self.assertIn("3 bundles (393 KB) would be moved to GLACIER_IR", dry.stdout)
        self.assertIn("1 bundle below 128 KB stays", dry.stdout)
        result = self.call()
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("3 bundles (393 KB) were moved to GLACIER_IR", result.stdout)
        self.assertEqual(set(self.classes()), set(self.large.values()))
        self.assertIn("3 bundles are there already", self.call().stdout)
        self.assertEqual([key for key in self.keys() if "upkeep" in key], [])

    def test_versions(self) -> None:
        """Where the bucket keeps versions, nothing is moved, and what to do instead is said."""
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        self.put(self.large["2025/12"], LEAST)
        result = self.call()
        self.assertEqual((result.exit_code, self.classes()), (2, {}))
        self.assertIn("the bucket keeps versions", result.stderr)

    def test_not_set(self) -> None:
        """Without a time nothing is moved, and the key to set is named."""
        result = self.call(more="tier_class: GLACIER_IR")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("archive.tier_after says from when on", result.stderr)

    def test_print(self) -> None:
        """The rule is printed, without asking the store anything."""
        result = self.call("--print", more="tier_after: 90d, tier_class: STANDARD_IA")
        self.assertEqual(result.exit_code, 0)
        comments, _, rule = result.stdout.partition("\n{")
        self.assertIn(f"--bucket {self.bucket} --endpoint-url {self.endpoint} --lifecycle-", comments)
        [found] = json.loads("{" + rule)["Rules"]
        self.assertEqual(found["Transitions"], [{"Days": 90, "StorageClass": "STANDARD_IA"}])
        self.assertEqual(found["Filter"], {"Prefix": "bundle/"})


class RuleTests(SynchronousTestCase):
    """Lifecycle rules in the form of each store."""

    def setUp(self) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            self.addCleanup(os.environ.__setitem__, name, os.environ.pop(name))

    def rule(self, archive: str, storage: str, family: str) -> tuple[str, dict[str, object]]:
        settings = parse(f"{SHORT}{archive}\n".encode(), {})
        found = FAMILIES[family].find(storage)
        assert found is not None
        lines = list(rule_of(settings, found, 90 * DAY))
        comments = "\n".join(line for line in lines if line.startswith("#"))
        rest = "\n".join(line for line in lines if not line.startswith("#"))
        return comments, json.loads(rest) if rest else {}

    def test_amazon(self) -> None:
        """S3 moves bundles alone, and none that is billed as a larger one; boto3 takes the rule."""
        comments, rule = self.rule("s3: {bucket: logs, prefix: chat}", "GLACIER_IR", "S3")
        self.assertEqual(
            rule,
            {
                "Rules": [
                    {
                        "ID": "chatlog-tier",
                        "Status": "Enabled",
                        "Filter": {"And": {"Prefix": "chat/bundle/", "ObjectSizeGreaterThan": 131071}},
                        "Transitions": [{"Days": 90, "StorageClass": "GLACIER_IR"}],
                    }
                ]
            },
        )
        self.assertIn("aws s3api put-bucket-lifecycle-configuration --bucket logs --lifecycle-", comments)
        self.assertIn("takes the place of all rules", comments)

    def test_others(self) -> None:
        """R2, Tigris, Google and Azure, each in its own form; B2 has none."""
        r2 = "s3: {bucket: logs, endpoint: https://abc.r2.cloudflarestorage.com}"
        comments, rule = self.rule(r2, "STANDARD_IA", "R2")
        self.assertIn("--endpoint-url https://abc.r2.cloudflarestorage.com", comments)
        self.assertIn("bundle/", json.dumps(rule))
        tigris = "s3: {bucket: logs, endpoint: https://t3.storage.dev}"
        comments, rule = self.rule(tigris, "GLACIER_IR", "Tigris")
        self.assertIn("all objects of the bucket", comments)
        self.assertNotIn("Filter", json.dumps(rule))
        comments, rule = self.rule("archive: {url: 'gs://logs/chat'}", "COLDLINE", "GCS")
        self.assertIn("gcloud storage buckets update gs://logs --lifecycle-file=lifecycle.json", comments)
        self.assertEqual(
            rule,
            {
                "rule": [
                    {
                        "action": {"type": "SetStorageClass", "storageClass": "COLDLINE"},
                        "condition": {
                            "age": 90,
                            "matchesPrefix": ["chat/bundle/"],
                            "matchesStorageClass": ["STANDARD"],
                        },
                    }
                ]
            },
        )
        comments, rule = self.rule("archive: {url: 'az://logs'}", "Cold", "Azure")
        self.assertIn("az storage account management-policy create", comments)
        self.assertIn('"tierToCold": {"daysAfterModificationGreaterThan": 90}', json.dumps(rule))
        self.assertIn('"prefixMatch": ["logs/bundle/"]', json.dumps(rule))
        b2 = "s3: {bucket: logs, endpoint: https://s3.us-west-004.backblazeb2.com}"
        comments, rule = self.rule(b2, "STANDARD", "B2")
        self.assertEqual(
            (rule, comments), ({}, "# Backblaze B2 has no rule that moves objects to another class")
        )

    def test_all_have_a_way(self) -> None:
        """Every store with a colder class moves by request, and has a rule."""
        for family in FAMILIES.values():
            self.assertEqual(bool(family.coldest), bool(family.moves and family.rules), family.name)
        self.assertEqual((S3.moves, AZURE.moves), ("copy", "tier"))
