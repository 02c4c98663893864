"""A recorder without ``cluster:`` loads nothing of it."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.test_layering import ROOT

_COMPOSE = """
import sys
from twisted.internet.testing import MemoryReactorClock
from chatlog.configuration import parse
from chatlog.environment import Environment
from chatlog.files import OsFiles
from chatlog.store.archive import open_store
from chatlog.tap import Uploads, compose
text = "instance: a\\ntwitch: {channels: [ann]}\\nkick: {channels: [{slug: bob, chatroom_id: 1}]}\\n"
text += "recorder: {directory: %(home)s/data}\\narchive: {directory: %(home)s/archive}\\n"
settings = parse(text.encode(), {})
from types import SimpleNamespace
threads = SimpleNamespace(run=print)
environment = Environment(MemoryReactorClock(), lambda: 0.0, OsFiles(), threads)
compose(settings, {"config": "x"}, environment, Uploads(open_store, lambda count: threads))
print([name for name in sys.modules if name.startswith("chatlog.cluster") or name == "txredisapi"])
"""


class AbsentTests(SynchronousTestCase):
    """What is imported."""

    def test_nothing_is_imported(self) -> None:
        """The whole recorder is put together without a module of the cluster."""
        done = subprocess.run(
            [sys.executable, "-c", _COMPOSE % {"home": self.mktemp()}],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
            timeout=60,
        )
        self.assertEqual(done.stdout.strip(), "[]", done.stderr[-2000:])
