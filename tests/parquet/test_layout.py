"""Files of Parquet that were made before the columns changed are made again, and are not misread."""

from __future__ import annotations

import hashlib

import orjson
from twisted.trial.unittest import SynchronousTestCase

from chatlog.archive.parquet_sources import LAYOUT
from chatlog.parquet.columns import COLUMNS

#: By layout, the digest of its columns: their names, types and order. Never change a row; add one.
DIGESTS = {3: "de864f6c83cb74ee"}


class LayoutTests(SynchronousTestCase):
    def test_columns_of_the_layout(self) -> None:
        """Whoever changes the columns gives the layout another number. Without that, reading an old file
        fails for a column that it does not have, and nothing makes it again."""
        digest = hashlib.sha256(orjson.dumps(list(COLUMNS.items()))).hexdigest()[:16]
        sentence = (
            "the columns of Parquet (COLUMNS in chatlog/parquet/columns.py) are others than those of layout "
            f"{LAYOUT}: raise LAYOUT in chatlog/archive/parquet_sources.py, so that older files are made "
            f"again; add its number with {digest!r} to DIGESTS in {__name__}; and say in docs/records.md "
            "what the columns hold"
        )
        self.assertEqual(DIGESTS.get(LAYOUT), digest, sentence)
        self.assertEqual(max(DIGESTS), LAYOUT, sentence)
