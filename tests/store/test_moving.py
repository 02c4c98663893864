"""The requests that move objects to other classes, as the servers of Google and Azure see them."""

from __future__ import annotations

import json

from obstore.store import AzureStore, GCSStore, MemoryStore
from twisted.trial.unittest import SynchronousTestCase

from chatlog.store import moving
from chatlog.store.store import ARCHIVED, UNSUPPORTED, StoreError
from tests.s3_server import ScriptedS3, fails


class MovingTests(SynchronousTestCase):
    """One request for an object."""

    def setUp(self) -> None:
        self.server = ScriptedS3()
        self.addCleanup(self.server.close)

    def headers(self) -> dict[str, str]:
        """Those of the only object that was put."""
        (found,) = self.server.headers.values()
        return found

    def google(self, **headers: str) -> GCSStore:
        account = {"client_email": "x", "private_key_id": "x", "private_key": "", "disable_oauth": True}
        account["gcs_base_url"] = self.server.endpoint
        options = {"allow_http": True, "default_headers": headers}
        return GCSStore("b", service_account_key=json.dumps(account), client_options=options)  # type: ignore[arg-type]

    def azure(self) -> AzureStore:
        where = f"{self.server.endpoint}/account"
        options = {"allow_http": True}
        return AzureStore(
            "c",
            account_name="account",
            account_key="a2V5",
            endpoint=where,
            client_options=options,  # type: ignore[arg-type]
        )

    def test_google(self) -> None:
        """An object is copied onto itself into the class."""
        moving.move(lambda headers: self.google(**headers), "bundle/a", "COLDLINE")
        sent = self.headers()
        self.assertEqual(sent["x-goog-storage-class"], "COLDLINE")
        self.assertEqual(sent["x-goog-copy-source"], "b/bundle%2Fa")

    def test_azure(self) -> None:
        """The tier of a blob is set; nothing is copied."""
        moving.move(lambda headers: self.azure(), "bundle/a", "Cold")
        sent = self.headers()
        self.assertEqual(sent["x-ms-access-tier"], "Cold")
        self.assertNotIn("x-ms-copy-source", sent)
        self.assertEqual([method for method, _ in self.server.requests], ["PUT"])

    def test_refusals(self) -> None:
        """What the store refuses is an error with its words."""
        self.server.script = [fails(409, "BlobBeingRehydrated")]
        with self.assertRaises(StoreError) as caught:
            moving.move(lambda headers: self.azure(), "bundle/a", "Cold")
        self.assertEqual(caught.exception.kind, ARCHIVED)

    def test_credentials_that_cannot_sign(self) -> None:
        """Where the class cannot be asked for, that is said."""
        with self.assertRaises(StoreError) as caught:
            moving.class_of(MemoryStore(), "bundle/a")
        self.assertEqual(caught.exception.kind, UNSUPPORTED)
        self.assertIn("cannot sign", str(caught.exception))
