"""Tests of chatlog.config.storage_classes, and of the settings that name a class."""

from __future__ import annotations

import os

from chatlog.config.storage_classes import (
    AZURE,
    B2,
    DIRECTORY,
    FAMILIES,
    GCS,
    OTHER,
    R2,
    S3,
    TIGRIS,
    family_of,
    remarks,
)
from chatlog.configuration import parse
from chatlog.store.archive import family_in
from tests.configurations import SHORT, ConfigTestCase
from tests.test_layering import ROOT

STORE = SHORT + "s3: {bucket: logs}\n"


class FamilyTests(ConfigTestCase):
    """Which store it is."""

    def setUp(self) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            self.addCleanup(os.environ.__setitem__, name, os.environ.pop(name))

    def test_by_address(self) -> None:
        """The store is known by its address, and any other with the API of S3 has classes of its own."""
        for endpoint, family in (
            (None, S3),
            ("https://s3.eu-west-1.amazonaws.com", S3),
            ("https://logs.s3.cn-north-1.amazonaws.com.cn", S3),
            ("https://abc.r2.cloudflarestorage.com", R2),
            ("https://abc.eu.r2.cloudflarestorage.com", R2),
            ("https://fly.storage.tigris.dev", TIGRIS),
            ("https://t3.storage.dev", TIGRIS),
            ("https://s3.us-west-004.backblazeb2.com", B2),
            ("https://storage.googleapis.com", GCS),
            ("http://127.0.0.1:9000", OTHER),
            ("https://notamazonaws.com", OTHER),
        ):
            self.assertIs(family_of(True, endpoint, None), family, endpoint)
        for url, family in (("gs://b", GCS), ("az://c/p", AZURE), ("s3://b", S3), (None, DIRECTORY)):
            self.assertIs(family_of(False, None, url), family, url)
        self.assertIs(family_of(False, None, "file:///srv"), DIRECTORY)

    def test_environment(self) -> None:
        """Without an endpoint in the settings, that of the environment says which store it is."""
        os.environ["AWS_ENDPOINT_URL_S3"] = "https://fly.storage.tigris.dev"
        self.addCleanup(os.environ.pop, "AWS_ENDPOINT_URL_S3")
        self.assertIs(family_of(True, None, None), TIGRIS)
        self.assertIs(family_of(True, "https://x.r2.cloudflarestorage.com", None), R2)

    def test_coldest(self) -> None:
        """What is moved can still be read at once, unless another class is named."""
        for family in FAMILIES.values():
            if family.coldest:
                found = family.find(family.coldest)
                assert found is not None
                self.assertTrue(found.at_once, family.name)

    def test_page(self) -> None:
        """docs/configuration.md has the table as it is in the code, and no other rows."""
        page = (ROOT / "docs" / "configuration.md").read_text()
        section = page.partition("### Storage classes")[2].partition("###")[0]
        rows = [line for line in section.splitlines() if line.startswith("| ") and "---" not in line][1:]
        expected = [
            f"| {family.name} | `{each.name}` | {each.title} | "
            f"{f'{each.least_bytes // 1024} KiB' if each.least_bytes else '-'} | {each.least_days or '-'} | "
            f"{'yes' if each.at_once else 'no'} |"
            for family in FAMILIES.values()
            for each in family.classes
        ]
        self.assertEqual(rows, expected)
        for family in FAMILIES.values():
            if family.coldest:
                self.assertIn(f"`{family.coldest}`", page.partition("`tier_class`")[2].partition("\n")[0])


class SettingsTests(ConfigTestCase):
    """The keys that name classes."""

    def setUp(self) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            self.addCleanup(os.environ.__setitem__, name, os.environ.pop(name))

    def test_read(self) -> None:
        """Classes are taken in upper and lower case, and sent as the store writes them."""
        text = STORE + "uploader: {storage_class: standard-ia}\narchive: {tier_after: 90d}\n"
        settings = parse(text.encode(), {})
        self.assertEqual(settings.archive.tier_after, 90 * 86400.0)
        self.assertEqual(family_in(settings).spelled(settings.uploader.storage_class), "STANDARD_IA")

    def test_wrong(self) -> None:
        """A class that the store does not have is one sentence with those that it has."""
        r2 = SHORT + "s3: {bucket: logs, endpoint: https://abc.r2.cloudflarestorage.com}\n"
        b2 = SHORT + "s3: {bucket: logs, endpoint: https://s3.us-west-004.backblazeb2.com}\n"
        other = SHORT + "s3: {bucket: logs, endpoint: https://store.example.net}\n"
        for text, *wanted in (
            (STORE + "uploader: {storage_class: COLD}", "storage_class: COLD is no class of Amazon S3", "IA"),
            (r2 + "uploader: {storage_class: GLACIER_IR}", "Cloudflare R2; it has STANDARD, STANDARD_IA"),
            (b2 + "archive: {tier_after: 90d}", "tier_after: Backblaze B2 has one storage class alone"),
            (b2 + "archive: {tier_class: GLACIER}", "tier_class: GLACIER is no class", "leave it out"),
            (other + "archive: {tier_after: 90d}", "name the class (archive.tier_class)"),
            (STORE + "uploader: {storage_class: DEEP_ARCHIVE}", "cannot be read before they were restored"),
            (STORE + "uploader: {storage_class: '10%'}", '"10%" is not the name of a storage class'),
            (SHORT + "uploader: {storage_class: STANDARD_IA}", "the archive is a directory; leave it out"),
            (SHORT + "archive: {tier_after: 90d}", "a directory has no storage classes"),
            (STORE + "archive: {tier_after: 1h}", '"1h" is not between 1d and 36500d'),
        ):
            (problem,) = self.problems(text)
            for words in wanted:
                self.assertIn(words, problem)

    def test_remarks(self) -> None:
        """What costs more than it saves, and what cannot be read at once, is said."""
        self.assertIn("at least 128 KiB and 30 days", "".join(remarks(S3, "STANDARD_IA", None)))
        self.assertIn("restored before anything can read it", "".join(remarks(S3, None, "DEEP_ARCHIVE")))
        self.assertEqual(list(remarks(R2, "STANDARD_IA", "STANDARD_IA")), [])
        self.assertEqual(list(remarks(OTHER, "COLD", "COLD")), [])
