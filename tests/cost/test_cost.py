"""Tests of the calculation of costs, with figures worked out by hand."""

from __future__ import annotations

import contextlib
import io
import math
import shlex
import tomllib

from twisted.trial.unittest import SynchronousTestCase

from bench import sizes as bench_sizes
from chatlog.config.units import parse_size
from chatlog.cost import __main__ as cost
from chatlog.cost import bill, bundles, sizes
from chatlog.cost.bill import Load, Month
from chatlog.cost.bundles import Plan
from chatlog.cost.prices import CLASSES, FLY, STORES, Prices, StorageClass
from chatlog.uploader.manifest_rows import BundledRow, ObjectRow, RoomRow, Row, encoded
from tests.test_layering import ROOT

S3, R2, TIGRIS, B2, GCS = STORES


def month(requests: float = 0.0, stored: float = 0.0) -> Month:
    """A month of so many objects and bytes."""
    return Month(requests, 0.0, stored, 1000.0, 1000.0)


class MonthTests(SynchronousTestCase):
    """Objects and bytes of a month of 30 days."""

    def test_an_object_an_hour(self) -> None:
        """A room makes an object an hour: 24 a day, 720 a month, and as many manifests whatever the
        rooms. 240 messages of 1000 bytes a day are 7.2 MB; a manifest has 270 bytes for each object and
        104 for each room."""
        found = bill.month_of(Load(rooms=1, messages=240, size=1000, compression="none"))
        self.assertEqual((found.objects, found.manifests, found.requests), (720, 720, 1440))
        self.assertAlmostEqual(found.stored, 7_200_000 + 720 * 270 + 720 * 104)
        self.assertAlmostEqual(found.packed, 1000)
        ten = bill.month_of(Load(rooms=10, messages=240, size=1000, compression="none"))
        self.assertEqual((ten.objects, ten.manifests), (7200, 720))
        self.assertAlmostEqual(ten.stored, 10 * found.stored)

    def test_rows_of_manifests(self) -> None:
        """The rows are as long as those that the recorder writes."""
        key = "2026/11/23/twitch/pixelharbor/twitch_pixelharbor_20261123_1100.jsonl.zst"
        times = ("2026-11-23T11:00:00.123Z", "2026-11-23T11:59:59.123Z")
        rows: tuple[Row, Row] = (
            ObjectRow(key, 45512, "a" * 64, 417, *times),
            RoomRow("twitch", "pixelharbor", 3600, 0, ""),
        )
        for row, written in zip(rows, (bill.OBJECT_ROW, bill.ROOM_ROW), strict=True):
            self.assertLess(abs(len(encoded(row)) - written), 10, row)

    def test_large_files(self) -> None:
        """An hour that is larger than rotate_size makes several files: 1000 messages of 100 KB are
        100 MB, four files of at most 32 MB."""
        found = bill.month_of(Load(rooms=1, messages=24_000, size=100_000))
        self.assertEqual(found.objects, 4 * 24 * 30)
        exactly = bill.month_of(Load(rooms=1, messages=24_000, size=32_000))
        self.assertEqual(exactly.objects, 24 * 30)

    def test_quiet_rooms(self) -> None:
        """A room without messages makes no file, and five messages a day make at most five."""
        self.assertEqual(bill.month_of(Load(rooms=1, messages=5)).objects, 5 * 30)
        silent = bill.month_of(Load(rooms=1, messages=0))
        self.assertEqual((silent.objects, silent.requests), (0, 720))

    def test_hours_and_intervals(self) -> None:
        """Files are made only in the hours with chat, and a longer interval makes fewer."""
        loads = {
            Load(rooms=1, hours=2): 2,
            Load(rooms=1, hours=1.5): 2,
            Load(rooms=1, rotate_interval=86400): 1,
            Load(rooms=1, rotate_interval=900): 96,
            Load(rooms=1, rotate_interval=86400, hours=2): 1,
        }
        for load, files in loads.items():
            self.assertEqual(bill.month_of(load).objects, files * 30, load)

    def test_bundles(self) -> None:
        """With uploader.bundle a recorder makes one object an hour of all rooms, or several where there is
        much: 1000 files, or 64 MiB before compression, in one. Each takes a LIST more, each file a row."""
        few = bill.month_of(Load(rooms=100, messages=2400, size=1000, bundle=300))
        self.assertEqual((few.objects, few.lists, few.requests), (720, 720, 1440))
        alone = bill.month_of(Load(rooms=100, messages=2400, size=1000))
        self.assertAlmostEqual(few.stored - alone.stored, 72_000 * 300)
        for load, count in {
            Load(rooms=100, messages=24 * 10_000, size=1000, bundle=300): 24 * 15,
            Load(rooms=5000, messages=24, size=1000, bundle=300): 24 * 5,
            Load(rooms=1, messages=24_000, rotate_interval=30, bundle=300): 288,
            Load(rooms=1, messages=3, bundle=300): 3,
            Load(rooms=1, messages=0, bundle=300): 0,
        }.items():
            self.assertEqual(bill.month_of(load).objects, count * 30, load)
        put, _ = bill.requests_cost(S3, few)
        self.assertAlmostEqual(put, (720 + 720 + 720) / 1000 * S3.put)

    def test_compression(self) -> None:
        """A message takes what was measured in files of that length: 100 a file. A size that is given is
        packed at the same ratio."""
        hundred = sizes.LENGTHS.index(100)
        whole, packed = (sizes.MEASURED["twitch", "full", name][hundred] for name in ("none", "zstd"))
        found = bill.month_of(Load(rooms=1, messages=2400, compression="zstd"))
        self.assertAlmostEqual(found.raw, whole)
        self.assertAlmostEqual(found.packed, packed)
        given = bill.month_of(Load(rooms=1, messages=2400, compression="zstd", size=2 * whole))
        self.assertAlmostEqual(given.packed, 2 * packed)
        self.assertEqual(given.raw, 2 * whole)


class BillTests(SynchronousTestCase):
    """From a month to dollars."""

    def test_requests(self) -> None:
        """730,000 objects a month, a file an hour of 1000 rooms; and four times as many."""
        cases = {
            730_000: {S3: (3.65, 0.292), R2: (0, 0), TIGRIS: (3.60, 0.315), B2: (0, 0)},
            2_920_000: {S3: (14.60, 1.168), R2: (9.00, 0), TIGRIS: (14.55, 1.41), B2: (0, 0)},
        }
        for requests, stores in cases.items():
            for prices, expected in stores.items():
                found = bill.requests_cost(prices, month(requests))
                for one, other in zip(found, expected, strict=True):
                    self.assertAlmostEqual(one, other, msg=f"{prices.name} {requests}")

    def test_whole_units(self) -> None:
        """R2 counts in whole millions and whole GB: one request above what is free costs 4.50, and
        0.1 GB above it a whole one."""
        self.assertEqual(bill.requests_cost(R2, month(1_000_000)), (0, 0))
        self.assertAlmostEqual(bill.requests_cost(R2, month(1_000_001))[0], 4.50)
        self.assertAlmostEqual(bill.storage_cost(R2, month(stored=20.2e9), 1), 0.015)
        self.assertAlmostEqual(bill.storage_cost(B2, month(stored=20.2e9), 1), 0.1 * 0.00695)

    def test_storage_grows(self) -> None:
        """What a month adds lies there for half of it on average, and whole in every later one."""
        prices = Prices("any", "", "", 0, 0, 0.02, gb=10**9)
        for number, gigabytes in {1: 50, 2: 150, 12: 1150}.items():
            self.assertAlmostEqual(bill.storage_cost(prices, month(stored=100e9), number), gigabytes * 0.02)

    def test_a_gb_of_aws(self) -> None:
        """S3 counts in GB of 2**30 bytes."""
        self.assertAlmostEqual(bill.storage_cost(S3, month(stored=200 * 2**30), 1), 100 * 0.023)

    def test_together(self) -> None:
        """A month's bill is requests and storage."""
        found = bill.total_cost(S3, month(1_000_000, 2 * 2**30), 1)
        self.assertAlmostEqual(found, 5.00 + 0.40 + 0.023)

    def test_host(self) -> None:
        """The machine, three GB of volume, and what is sent."""
        self.assertAlmostEqual(bill.host_cost(month(stored=10e9)), 2.02 + 0.45 + 0.20)
        with open(ROOT / "fly.toml", "rb") as file:
            [mount] = tomllib.load(file)["mounts"]
        self.assertEqual(parse_size(mount["initial_size"]), bill.VOLUME * 10**9)

    def test_least_sizes(self) -> None:
        """In a class with a least size a small object costs as much as one of that size; moving costs
        by the object."""
        small = StorageClass("any", "", 0.01, 0.02, 0, 1000, 30)
        prices = Prices("any", "", "", 0, 0, 0)
        self.assertEqual(bill.class_cost(small, prices, month(10**6, 10**8)), (20.0, 0.01))
        self.assertEqual(bill.class_cost(small, prices, month(10**6, 10**10)), (20.0, 0.1))

    def test_prices(self) -> None:
        """Every price says where it is published and when it was read there."""
        for place in (*STORES, FLY):
            self.assertRegex(place.source, r"^https://[a-z0-9./-]+$")
            self.assertRegex(place.read, r"^20[0-9]{2}-[01][0-9]$")
        self.assertEqual({storage.store for storage in CLASSES} - {prices.name for prices in STORES}, set())


class BundlesTests(SynchronousTestCase):
    """What bundles cost and save, by hand: 10 rooms with 720 objects each a month, 1000 MB of chat in all."""

    PRICES = Prices("any", "", "", 1.0, 0.1, 0.02)
    LOAD = Load(rooms=10, messages=10_000_000 / 30 / 10, size=100, compression="none")
    COLD = StorageClass("any", "", 0.005, 2.0, 0.0, 0, 90)

    def plan(self, storage: StorageClass | None = None, after: float = 3.0, load: Load = LOAD) -> Plan:
        return Plan(load, storage, after)

    def test_rows(self) -> None:
        """The rows about bundles are as long as those that are written."""
        key = "2026/11/23/twitch/pixelharbor/twitch_pixelharbor_20261123_1100.jsonl.zst"
        bundle = "bundle/2026/11/twitch/pixelharbor/twitch_pixelharbor_202611.jsonl.zst"
        row = BundledRow(key, bundle, 12_345_678, 45512, "a" * 64)
        self.assertLess(abs(len(encoded(row)) - bill.BUNDLED_ROW), 20)

    def test_bundling(self) -> None:
        """7200 objects are read, 10 bundles written, looked at and read back."""
        self.assertAlmostEqual(
            bundles.bundling_cost(self.plan(), self.PRICES), 7.2 * 0.1 + 0.02 * 0.1 + 0.01 * 1.0
        )
        # What a store gives for nothing goes to the recording first, and then to this.
        free = Prices("any", "", "", 1.0, 0.1, 0.02, free_heads=10_000)
        self.assertAlmostEqual(
            bundles.bundling_cost(self.plan(), free), (7220 - (10_000 - 7920)) / 1000 * 0.1 + 0.01
        )

    def test_moving(self) -> None:
        """Each month's ten bundles are moved once, the first after the time that was asked for."""
        plan = self.plan(self.COLD)
        self.assertAlmostEqual(bundles.moving_cost(plan), 0.02)
        self.assertEqual([plan.moves(n) for n in range(1, 7)], [0, 0, 0, 1, 1, 1])
        self.assertEqual([plan.moved(n) for n in range(1, 7)], [0, 0, 0, 0, 1, 2])
        half = self.plan(self.COLD, 1.5)
        self.assertEqual([half.moves(n) for n in range(1, 5)], [0, 0, 1, 1])
        self.assertEqual([half.moved(n) for n in range(1, 5)], [0, 0, 0.5, 1.5])

    def test_months(self) -> None:
        """A month costs its requests, what lies in each class, and what is bundled and moved in it."""
        plan = self.plan(self.COLD)
        requests = math.fsum(bill.requests_cost(self.PRICES, plan.month))
        gb = plan.stored / 10**9
        first = requests + 0.5 * gb * 0.02
        self.assertAlmostEqual(bundles.cost(plan, self.PRICES, 1), first)
        sixth = requests + 3.5 * gb * 0.02 + 2 * gb * 0.005 + 0.02
        sixth += bundles.bundling_cost(plan, self.PRICES)
        self.assertAlmostEqual(bundles.cost(plan, self.PRICES, 6), sixth)

    def test_when_it_pays(self) -> None:
        """The first month in which all that was saved is more than all that was paid for it, or none."""
        dear = Prices("any", "", "", 0.0, 0.0, 1.0)
        plan = self.plan(self.COLD)
        found = bundles.pays_in(plan, dear)
        assert found is not None
        saved = [
            math.fsum(
                bundles.plain(plan, dear, number) - bundles.cost(plan, dear, number)
                for number in range(1, last + 1)
            )
            for last in (found - 1, found)
        ]
        self.assertLess(saved[0], 0)
        self.assertGreater(saved[1], 0)
        self.assertIsNone(bundles.pays_in(self.plan(), dear))
        self.assertIsNone(bundles.pays_in(plan, Prices("any", "", "", 0.0, 0.0, 0.001)))

    def test_least_sizes(self) -> None:
        """A bundle that is smaller than the least size is billed as one of that."""
        large = StorageClass("any", "", 0.005, 2.0, 0.0, 10**9, 90)
        self.assertAlmostEqual(bundles.class_storage(self.plan(large), self.PRICES), 10 * 0.005)

    def test_deleted_early(self) -> None:
        """What is deleted before the least days are over is billed for the rest of them."""
        plan = self.plan(self.COLD)
        month_there = bundles.class_storage(plan, self.PRICES)
        for keep, months in ((2.0, 0.0), (3.0, 0.0), (4.0, 2.0), (5.5, 0.5), (6.0, 0.0), (12.0, 0.0)):
            self.assertAlmostEqual(bundles.early_cost(plan, self.PRICES, keep), months * month_there)

    def test_nothing_said(self) -> None:
        """Rooms without chat make no bundles, and cost nothing more."""
        silent = self.plan(self.COLD, load=Load(rooms=1, messages=0))
        self.assertEqual(bundles.class_storage(silent, self.PRICES), 0)
        self.assertEqual(bundles.bundling_cost(silent, self.PRICES), 0)


class SizeTests(SynchronousTestCase):
    """Bytes a record."""

    def test_between_lengths(self) -> None:
        """As measured at the lengths measured, in between in between, and beyond them no further."""
        key = ("twitch", "full", "zstd")
        one, ten, hundred, thousand, most = sizes.MEASURED[key]
        for length, expected in ((1, one), (10, ten), (100, hundred), (10_000, most), (10**7, most)):
            self.assertAlmostEqual(sizes.record_bytes(*key, length), expected)
        # Half way from 100 to 1000 on a logarithmic scale.
        self.assertAlmostEqual(sizes.record_bytes(*key, 10**2.5), (hundred + thousand) / 2)
        self.assertAlmostEqual(sizes.record_bytes(*key, 0.5), one)

    def test_every_choice(self) -> None:
        """Every platform, detail and compression was measured, at every length."""
        choices = [
            (platform, detail, compression)
            for platform in ("twitch", "kick")
            for detail in ("full", "basic")
            for compression in ("none", "gzip", "zstd")
        ]
        self.assertEqual(set(sizes.MEASURED), set(choices))
        self.assertEqual({len(figures) for figures in sizes.MEASURED.values()}, {len(sizes.LENGTHS)})
        self.assertEqual(sizes.LENGTHS, bench_sizes.LENGTHS)

    def test_measured(self) -> None:
        """The figures are those that the measurement gives today: a record that grows by a key, or a
        compression that changes, is noticed. Libraries of other versions pack a little differently."""
        for platform in ("twitch", "kick"):
            for detail in ("full", "basic"):
                found = bench_sizes.measured(platform, detail, 100)
                for compression, size in found.items():
                    written = sizes.record_bytes(platform, detail, compression, 100)
                    within = 0.001 if compression == "none" else 0.03
                    self.assertLess(abs(size / written - 1), within, (platform, detail, compression))


class CommandTests(SynchronousTestCase):
    """``python -m chatlog.cost``."""

    def refused(self, *arguments: str) -> str:
        """What the command says to options that it does not take."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            stopped = self.assertRaises(SystemExit, cost.report, arguments)
        self.assertEqual(stopped.code, 2)
        return said.getvalue().splitlines()[-1]

    def figures(self, *arguments: str) -> list[str]:
        """The rows of the table for ten rooms."""
        return [line for line in cost.report(["--rooms", "10", *arguments]).splitlines() if line[:1] == "|"]

    def test_one_and_many(self) -> None:
        """One number of rooms gives every part of the cost, several give a line each."""
        one = cost.report(["--rooms", "10"]).splitlines()
        self.assertIn("| PUT, a month | 0.04 | 0.00 | 0.00 | 0.00 | 0.01 |", one)
        many = cost.report(["--rooms", "10", "20"]).splitlines()
        self.assertEqual([line[:5] for line in many if line.startswith("| ")][2:], ["| 10 ", "| 20 "])
        self.assertEqual(cost.report([]), cost.report(["--rooms", "10", "100", "1000"]))

    def test_options(self) -> None:
        """Every option reaches the calculation."""
        plain = self.figures()
        options = (
            "--messages 20000",
            "--hours 3",
            "--bytes 500",
            "--platform kick",
            "--detail basic",
            "--compression none",
            "--rotate-interval 15m",
            "--rotate-size 64KB",
            "--months 24",
            "--classes",
            "--bundles",
        )
        for option in options:
            self.assertNotEqual(self.figures(*option.split()), plain, option)

    def test_wrong_options(self) -> None:
        """What cannot be is refused in a sentence that says what can."""
        cases = {
            ("--rooms", "0"): '"0" is not a number from 1 to 1e+06',
            ("--rooms", "nan"): '"nan" is not a number from 1 to 1e+06',
            ("--rooms", "2.5"): '"2.5" is not a whole number',
            ("--messages", "many"): '"many" is not a number from 0 to 1e+09',
            ("--hours", "25"): '"25" is not a number from 0.1 to 24',
            ("--rotate-interval", "2w"): '"2w" is not a duration such as 500ms, 1s, 5m, 1h or 1d',
            ("--rotate-interval", "2d"): '"2d" is not from 1s to 1d',
            ("--rotate-size", "1B"): '"1B" is not from 1KB to 4GB',
        }
        for arguments, sentence in cases.items():
            self.assertIn(sentence, self.refused(*arguments))

    def test_page(self) -> None:
        """docs/cost.md shows what the command prints today."""
        page = (ROOT / "docs/cost.md").read_text("utf-8")
        shown = page.split("```sh\npython -m chatlog.cost")[1:]
        self.assertGreater(len(shown), 3)
        for part in shown:
            arguments, _, rest = part.partition("\n```\n\n")
            printed = cost.report(shlex.split(arguments)).partition("\n\nPrices as published")[0]
            self.assertEqual(rest[: len(printed)], printed)
        self.assertIn("\n".join(cost.sources()), page)
