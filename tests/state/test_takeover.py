"""State of the version before, taken over at the first start."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.spool.spool import Spool, SpoolError
from chatlog.state.lines import encode
from chatlog.takeover import take_over
from tests.fakes import MemoryFiles


class RefusalTests(SynchronousTestCase):
    """A spool that cannot be taken over."""

    def test_later_version(self) -> None:
        """State of a later version is refused, and nothing is touched, neither is what is older."""
        files = MemoryFiles()
        files.put("/data/state/rooms", encode(0, {"state": "rooms", "version": 2}))
        files.put("/data/names", b"20251229_1030 1 1\n")
        before = {path: bytes(inode.data) for path, inode in files.tree.items()}
        error = self.assertRaises(SpoolError, take_over, Spool("/data", files))
        self.assertIn("later version", str(error))
        self.assertEqual({path: bytes(inode.data) for path, inode in files.tree.items()}, before)
        self.assertEqual(files.calls, 0)
