"""Which names of files are taken in the store already: in bundles of the same hour, or by objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatlog.naming import BundleName, FileName
from chatlog.store.store import ARCHIVED, CLOCK, MISSING, REFUSED, TRANSIENT, Head, StoreError
from chatlog.uploader.bundle_table import Slice, table_bytes
from chatlog.uploader.taken import Taken
from tests.stores import MemoryStore

#: The bundle that is to be put, and when this process began.
BUNDLE = BundleName("20251229_1030")
SINCE = "20251229_1030"


def name(room: str = "ann", minute: str = "1031", n: int = 1, day: str = "29") -> FileName:
    """The name of a file of that minute."""
    return FileName("twitch", room, f"202512{day}_{minute}", n=n)


class ListedStore(MemoryStore):
    """Notes what is listed, and may refuse to."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: list[str] = []
        self.refuses: Callable[[str], str] = lambda prefix: ""

    def list(self, prefix: str = "") -> Iterator[Head]:
        self.listed.append(prefix)
        if kind := self.refuses(prefix):
            raise StoreError("no", kind, remedy="do this")
        return super().list(prefix)


class TakenTests(SynchronousTestCase):
    """A store in which others have put bundles and objects."""

    def setUp(self) -> None:
        self.store = ListedStore()
        self.taken = Taken(self.store, SINCE)

    def bundle(self, *names: FileName, minute: str = "20251229_1000", instance: str = "") -> str:
        """Another bundle in the store, with these files."""
        key = BundleName(minute, instance=instance).key(".zst")
        self.store.objects[key] = table_bytes([Slice(each.key(suffix=".zst"), "", 0, 0) for each in names])
        return key

    def own(self, *names: FileName) -> None:
        """Objects of their own."""
        for each in names:
            self.store.objects[each.key(suffix=".zst")] = b""

    def among(self, *names: FileName, bundle: BundleName = BUNDLE) -> list[FileName]:
        return self.taken.among(bundle, names, ".zst")

    def reads(self) -> list[str]:
        """What was read since the last call."""
        found = [key for operation, key in self.store.calls if operation == "read"]
        self.store.calls.clear()
        return found

    # -- in bundles ----------------------------------------------------------------------------------

    def test_in_bundles(self) -> None:
        """The names in the bundles of the hour are taken, those of other hours and instances are not looked
        at; a bundle is read once, and one that comes later is read too."""
        self.bundle(name("ann"), minute="20251229_0959")
        self.bundle(name("ann"), minute="20251229_1000", instance="left")
        first = self.bundle(name("bob"), minute="20251229_1001")
        self.assertEqual(self.among(name("ann"), name("bob"), name("cat")), [name("bob")])
        self.assertEqual(self.reads(), [first])
        second = self.bundle(name("cat"), minute="20251229_1059")
        self.assertEqual(self.among(name("ann"), name("bob"), name("cat")), [name("bob"), name("cat")])
        self.assertEqual(self.reads(), [second])
        for each, is_inside in ((name("ann"), False), (name("bob"), True), (name("bob", n=2), False)):
            self.assertEqual(self.taken.is_inside(BUNDLE, each), is_inside)
        self.assertEqual(self.taken.among(BundleName("20251229_1030", instance="left"), [], ".zst"), [])
        self.assertEqual(self.reads(), [])

    def test_damaged(self) -> None:
        """A bundle without a sound table hides no other, and is not read again; neither is what is no bundle,
        or went while it was looked at."""
        damaged, whole = self.bundle(minute="20251229_1001"), self.bundle(name(), minute="20251229_1003")
        going = self.bundle(name("bob"), minute="20251229_1002")
        self.store.objects[damaged] = b"damaged"
        self.store.objects["bundle/2025/12/29/10/notes.txt"] = b"of somebody"
        self.store.before = lambda operation, key: key == going and self.store.objects.pop(key)
        self.assertEqual(self.among(name(), name("bob")), [name()])
        self.assertEqual(self.reads(), [damaged, going, whole])
        self.assertEqual(self.among(name(), name("bob")), [name()])
        self.assertEqual(self.reads(), [])

    def test_unreadable(self) -> None:
        """As long as a bundle cannot be read nobody knows, and it is read again."""
        key = self.bundle(name())
        for kind in (TRANSIENT, REFUSED, CLOCK, ARCHIVED):
            self.store.before = lambda operation, _, kind=kind: self.refuse(kind)  # type: ignore[misc]
            error = self.assertRaises(StoreError, self.among, name())
            self.assertEqual((error.kind, self.reads()), (kind, [key]))
        self.store.before = lambda operation, key: None
        self.assertEqual(self.among(name()), [name()])

    def refuse(self, kind: str) -> None:
        raise StoreError("no", kind)

    def test_own_bundles(self) -> None:
        """A bundle that this process has put is not read. Its first names are nobody else's; its later ones
        are not given to any other file."""
        key = self.bundle(name(), name("bob", n=2))
        self.taken.put(key, [name(), name("bob", n=2)])
        self.assertEqual(self.among(name(), name("bob", n=2), name("bob", n=3)), [name("bob", n=2)])
        self.assertTrue(self.taken.is_inside(BUNDLE, name("bob", n=2)))
        self.assertEqual(self.reads(), [])

    def test_hours(self) -> None:
        """What the bundles of four hours hold is remembered, also while the latest is asked for again."""
        keys = [self.bundle(name(), minute=f"20251229_{hour:02d}00") for hour in range(5)]
        asked = [parse_hour(key) for key in keys]
        for bundle in (*asked[:4], *asked[:4]):
            self.among(name(), bundle=bundle)
        self.assertEqual(self.reads(), keys[:4])
        for bundle in (asked[4], asked[4], *asked[1:4]):
            self.assertEqual(self.among(name(), bundle=bundle), [name()])
        self.assertEqual(self.reads(), [keys[4]])
        self.among(name(), bundle=asked[0])
        self.assertEqual(self.reads(), [keys[0]])

    # -- by objects ----------------------------------------------------------------------------------

    def test_own_objects(self) -> None:
        """A name is taken by an object, except that the first name of a minute after the start is not looked
        up: nobody else uses it. A day without objects costs one listing, and one with objects a request for
        each name."""
        names = [
            *(name(minute="1029"), name(minute="1029", n=2)),
            *(name(minute="1030"), name(minute="1030", n=2)),
            *(name(minute="1031"), name(minute="1031", n=2)),
        ]
        kick = FileName("kick", "ann", "20251229_1029")
        self.assertEqual(self.among(*names, kick, name(day="30", n=2)), [])
        self.assertEqual(self.store.listed, ["bundle/2025/12/29/10/", "2025/12/29/", "2025/12/30/"])
        self.assertEqual(self.store.calls, [])
        self.taken = Taken(self.store, SINCE)
        self.own(*names)
        self.assertEqual(self.among(*names), [each for each in names if each != name(minute="1031")])
        self.assertEqual(len(self.store.calls), 5)
        self.assertEqual(self.among(name(minute="1029", n=3)), [])

    def test_given(self) -> None:
        """A name that a file is given, as its own was taken, is taken from then on: at once, and by its
        object when the hour is over, even if the day had no objects before."""
        self.assertEqual(self.among(name(n=2)), [])
        self.taken.give(BUNDLE, name(n=2))
        self.assertTrue(self.taken.is_inside(BUNDLE, name(n=2)))
        self.assertEqual(self.among(name(n=2), name(n=3)), [name(n=2)])
        self.own(name(n=2))
        for hour in range(4):
            self.among(bundle=BundleName(f"20251229_0{hour}00"))
        self.assertEqual(self.among(name(n=2), name(n=3)), [name(n=2)])

    # -- what the store does not say -----------------------------------------------------------------

    def test_listing_fails(self) -> None:
        """A listing that fails for now is an error, and nothing is remembered of it."""
        self.own(name(n=2))
        for kind in (TRANSIENT, CLOCK):
            for at in ("bundle/", "2025/"):
                self.store.refuses = lambda prefix, at=at, kind=kind: (  # type: ignore[misc]
                    kind if prefix.startswith(at) else ""
                )
                error = self.assertRaises(StoreError, self.among, name(n=2))
                self.assertEqual(error.kind, kind)
        self.store.refuses = lambda prefix: ""
        self.assertEqual(self.among(name(n=2), name(n=3)), [name(n=2)])

    def test_listing_refused(self) -> None:
        """Without the permission to list, bundles are not looked at, which is said once; the names of objects
        are looked up one by one."""
        for kind in (REFUSED, MISSING):
            self.setUp()
            self.bundle(name("bob"))
            self.own(name(n=2))
            self.store.refuses = lambda prefix, kind=kind: kind  # type: ignore[misc]
            with capturedLogs() as events:
                for _ in range(2):
                    self.assertEqual(self.among(name("bob"), name(n=2), name(n=3)), [name(n=2)])
            self.assertEqual([event["error"] for event in events], ["no; do this"])
            self.assertEqual(self.store.listed.count("2025/12/29/"), 1)


def parse_hour(key: str) -> BundleName:
    """A bundle of the same hour."""
    return BundleName(f"20251229_{key.split('/')[4]}30")
