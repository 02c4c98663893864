"""What obstore is opened with."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.settings import S3Settings, Secret
from chatlog.store.object_store import ObjectStore, open_s3, open_url
from chatlog.store.store import EXISTS, REFUSED, StoreError
from tests.s3_server import ScriptedS3, fails

KEY_ID = "AKIAMADEUPMADEUP0001"
SECRET = "made/up+secret+of+a+bucket+and+no+other0"


class StoreCase(SynchronousTestCase):
    """A server, and an environment without anything for S3 in it."""

    def setUp(self) -> None:
        self.s3 = self.server()
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            self.addCleanup(os.environ.__setitem__, name, os.environ.pop(name))

    def server(self) -> ScriptedS3:
        server = ScriptedS3()
        self.addCleanup(server.close)
        return server

    def environ(self, **values: str) -> None:
        """Set what the library reads by itself."""
        for name, value in values.items():
            os.environ[name] = value
            self.addCleanup(os.environ.pop, name, None)

    def settings(self, endpoint: str | None, region: str = "us-east-1", prefix: str = "") -> S3Settings:
        return S3Settings("bucket", region, endpoint, Secret(KEY_ID), Secret(SECRET), prefix)

    def lands(self, store: ObjectStore, server: ScriptedS3) -> bool:
        """Whether an object that is put comes to this server."""
        store.put_new("probe", b"1", {})
        return list(server.objects) == ["probe"]


class EndpointTests(StoreCase):
    """Which store it is, is decided by the settings; the environment is asked when they say nothing."""

    def test_settings_go_first(self) -> None:
        """An endpoint of the settings is used whatever the environment says."""
        other = self.server()
        for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
            self.s3.objects.clear()
            self.environ(**{name: other.endpoint, "AWS_ALLOW_HTTP": "true"})
            store = open_s3(self.settings(self.s3.endpoint), 1000)
            self.assertTrue(self.lands(store, self.s3), name)
            self.assertEqual(store.describe(), f"the bucket bucket at {self.s3.endpoint[7:]}")
        self.assertEqual(other.requests, [])

    def test_environment(self) -> None:
        """Without one in the settings, the one of the environment is used, as fly.io sets it, and said."""
        other = self.server()
        for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
            self.s3.objects.clear()
            self.environ(**{name: self.s3.endpoint})
            store = open_s3(self.settings(None), 1000)
            self.assertTrue(self.lands(store, self.s3), name)
            self.assertEqual(store.describe(), f"the bucket bucket at {self.s3.endpoint[7:]}")
        self.environ(AWS_ENDPOINT_URL=other.endpoint)
        self.s3.objects.clear()
        self.assertTrue(self.lands(open_s3(self.settings(None), 1000), self.s3))
        self.assertEqual(other.requests, [])

    def test_address_of_a_bucket(self) -> None:
        """An address s3://bucket/prefix goes to the same place with the credentials of the environment."""
        self.environ(
            AWS_ENDPOINT_URL_S3=self.s3.endpoint, AWS_ACCESS_KEY_ID=KEY_ID, AWS_SECRET_ACCESS_KEY=SECRET
        )
        store = open_url("s3://bucket/chat/logs/", 1000)
        store.put_new("a", b"1", {})
        self.assertEqual(list(self.s3.objects), ["chat/logs/a"])
        self.assertEqual([head.key for head in store.list()], ["a"])
        self.assertEqual(b"".join(store.read("a")), b"1")

    def test_empty_environment(self) -> None:
        """A variable that is set to nothing is as good as one that is not set, not the end of the thread."""
        self.environ(AWS_ENDPOINT_URL_S3="", AWS_ENDPOINT_URL="", AWS_ENDPOINT="")
        self.assertEqual(
            open_s3(self.settings(None, "eu-north-1"), 1000).describe(),
            "the bucket bucket at AWS, eu-north-1",
        )
        self.assertTrue(self.lands(open_s3(self.settings(self.s3.endpoint), 1000), self.s3))

    def test_environment_without_sense(self) -> None:
        """An endpoint that is no address is refused with the variable's name."""
        self.environ(AWS_ENDPOINT_URL="store.example.net")
        error = self.assertRaises(StoreError, open_s3, self.settings(None), 1000)
        self.assertEqual(error.kind, REFUSED)
        self.assertIn("AWS_ENDPOINT_URL", str(error))

    def test_conditions_stay_on(self) -> None:
        """The environment cannot take away that nothing is replaced, nor that what is sent is signed."""
        self.environ(AWS_CONDITIONAL_PUT="disabled", AWS_UNSIGNED_PAYLOAD="true")
        store = open_s3(self.settings(self.s3.endpoint), 1000)
        store.prepare()
        store.put_new("a", b"1", {})
        error = self.assertRaises(StoreError, store.put_new, "a", b"2", {})
        self.assertEqual((error.kind, self.s3.objects), (EXISTS, {"a": b"1"}))
        self.assertEqual(len(self.s3.headers["a"]["x-amz-content-sha256"]), 64)

    def test_session_token(self) -> None:
        """A session token of the environment goes with the environment's key, and with no other."""
        self.environ(AWS_ACCESS_KEY_ID="another", AWS_SECRET_ACCESS_KEY="x", AWS_SESSION_TOKEN="token")
        open_s3(self.settings(self.s3.endpoint), 1000).put_new("a", b"1", {})
        self.assertNotIn("x-amz-security-token", self.s3.headers["a"])
        self.assertIn(f"Credential={KEY_ID}/", self.s3.headers["a"]["authorization"])
        self.environ(AWS_ACCESS_KEY_ID=KEY_ID)
        open_s3(self.settings(self.s3.endpoint), 1000).put_new("b", b"1", {})
        self.assertEqual(self.s3.headers["b"]["x-amz-security-token"], "token")

    def test_region(self) -> None:
        """The region is part of what is signed."""
        store = open_s3(self.settings(self.s3.endpoint, "auto"), 1000)
        store.put_new("a", b"1", {})
        signed = self.s3.headers["a"]["authorization"]
        self.assertIn("/auto/s3/aws4_request", signed)

    def test_prefix(self) -> None:
        """A prefix is in front of every key in the store and of none here."""
        store = open_s3(self.settings(self.s3.endpoint, prefix="chat/logs"), 1000)
        store.put_new("2025/a", b"1", {})
        self.s3.objects["other/b"] = b"2"
        self.assertEqual(sorted(self.s3.objects), ["chat/logs/2025/a", "other/b"])
        self.assertEqual([head.key for head in store.list()], ["2025/a"])
        self.assertEqual([head.key for head in store.list("2025/a")], ["2025/a"])
        self.assertEqual([head.key for head in store.list("2025/b")], [])


class RightsTests(StoreCase):
    """Stores that do not allow everything, or change their mind."""

    def test_no_right_to_delete(self) -> None:
        """Who may not delete, as in an archive for ever, may store all the same."""
        store = open_s3(self.settings(self.s3.endpoint), 1000)

        def refuse(key: str) -> None:
            raise StoreError("403 AccessDenied", REFUSED)

        store.delete = refuse  # type: ignore[method-assign]
        store.prepare()
        store.prepare()
        store.put_new("a", b"1", {})
        self.assertEqual(self.s3.objects["a"], b"1")

    def test_conditions_no_longer_known(self) -> None:
        """A store that answers 501 to a condition it knew when it was asked gets the object without, after
        a look at whether the key is taken."""
        store = open_s3(self.settings(self.s3.endpoint), 1000)
        store.prepare()
        self.s3.script = [fails(501, "NotImplemented")]
        store.put_new("a", b"1", {})
        self.assertEqual(self.s3.objects, {"a": b"1"})
        error = self.assertRaises(StoreError, store.put_new, "a", b"2", {})
        self.assertEqual((error.kind, self.s3.objects), (EXISTS, {"a": b"1"}))

    def test_no_right_to_look(self) -> None:
        """If an object may not be inspected, the refusal names the missing rights."""
        store = open_s3(self.settings(self.s3.endpoint), 1000)
        self.s3.heads = [fails(403, "AccessDenied")]
        self.s3.gets = [fails(403, "AccessDenied")]
        error = self.assertRaises(StoreError, store.head, "a")
        self.assertEqual(error.kind, REFUSED)
        self.assertIn("s3:GetObject and s3:ListBucket", str(error))


class AddressTests(StoreCase):
    """Other stores than S3, by their addresses."""

    def test_google(self) -> None:
        """A bucket of Google's is opened without asking anybody."""
        self.assertEqual(open_url("gs://bucket/logs", 1000).describe(), "gs://bucket/logs")

    def test_azure(self) -> None:
        """A container needs its account, and says so."""
        error = self.assertRaises(StoreError, open_url, "az://container/logs", 1000)
        self.assertEqual(error.kind, REFUSED)
        self.assertIn("archive.url", str(error))
        self.assertIn("Account", str(error))
        self.environ(AZURE_STORAGE_ACCOUNT_NAME="account", AZURE_STORAGE_ACCOUNT_KEY="c2VjcmV0c2VjcmV0")
        self.assertEqual(open_url("az://container/logs", 1000).describe(), "az://container/logs")

    def test_unknown(self) -> None:
        """An address of something else is refused by its key."""
        error = self.assertRaises(StoreError, open_url, "ftp://host/logs", 1000)
        self.assertEqual(error.kind, REFUSED)
        self.assertIn("archive.url", str(error))
