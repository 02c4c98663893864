"""DuckDB, which is an extra: writes rows as Parquet, and reads them back.

DuckDB is used as a library for local files only. It loads no extension, and reads nothing from the network.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from chatlog.config.units import rough_size
from chatlog.parquet.columns import COLUMNS, IDENTIFIER, TIME
from chatlog.parquet.sorting import sort
from chatlog.parquet.staging import END, selected_columns, source_columns, staged

#: Rows of a row group: one hit costs the reading of one row group.
ROW_GROUP = 20_480
#: Bytes that Python and DuckDB need beside the memory that DuckDB is given, and the least memory in all.
BESIDE = 110_000_000
LEAST = BESIDE + 50_000_000
_FETCHED = 1_000
#: COLUMNS as ``columns.record_of`` takes them.
SELECTED = [
    f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%gZ')" if kind is TIME
    else (f"{name}::VARCHAR" if kind is IDENTIFIER else name)
    for name, kind in COLUMNS.items()
]  # fmt: skip
#: Bytes of JSON for which DuckDB is prepared in each row, unless a row is longer.
LONGEST = 1 << 20


class NoDuckDB(Exception):
    """DuckDB is not installed. The text is a sentence for people."""


class Unreadable(Exception):
    """The file is no Parquet of ours, or is damaged. The text says why."""


class TooLittleMemory(Exception):
    """The memory that was given is not enough. The text is a sentence for people."""


def connect(memory: int, directory: Path) -> Any:
    """A connection that uses about ``memory`` bytes in all, and ``directory`` for data that does not fit.
    Raises NoDuckDB, and TooLittleMemory if ``memory`` is less than LEAST."""
    try:
        import duckdb
    except ImportError:
        raise NoDuckDB(
            "this needs DuckDB, which is not installed; install it with: pip install 'chatlog[archive]'"
        ) from None
    if memory < LEAST:
        raise TooLittleMemory(
            f"{rough_size(memory)} of memory are not enough: Python and DuckDB need {rough_size(LEAST)} or "
            "more (--memory)"
        )
    return duckdb.connect(
        ":memory:",
        config={
            "threads": 1,
            "memory_limit": f"{(memory - BESIDE) // 1_000_000}MB",
            "temp_directory": str(directory),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )


@contextlib.contextmanager
def clear_errors() -> Iterator[None]:
    """Turns DuckDB's errors in a ``with`` block into TooLittleMemory, OSError or Unreadable."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException:
        raise TooLittleMemory("the memory that was given is not enough; give more with --memory") from None
    except duckdb.IOException as error:
        # Such as a full disk.
        raise OSError(str(error).partition("\n")[0]) from None
    except duckdb.Error as error:
        raise Unreadable(str(error).partition("\n")[0]) from None


def write(
    lines: Iterable[bytes], target: Path, metadata: Callable[[], Mapping[str, Any]], connection: Any
) -> int:
    """Write records' lines, which are in the order of their times, to the new file ``target``, sorted by
    person and time; returns how many.

    ``metadata()`` is called once all lines were read; its values become the file's own metadata, as JSON. The
    same lines and metadata give the same bytes with the same DuckDB. Raises OSError and TooLittleMemory.
    """
    unsorted = target.with_suffix(".jsonl")
    count = longest = 0
    try:
        with unsorted.open("wb") as file:
            for line in sort(staged(lines), target.parent):
                longest = max(longest, file.write(line[line.index(END) + 1 :]))
                count += 1
        columns = ", ".join(f"{name}: '{kind}'" for name, kind in source_columns().items())
        known = ", ".join(
            f"{quoted(key)}: {quoted(orjson.dumps(value).decode())}" for key, value in metadata().items()
        )
        source = (
            f"read_json({quoted(str(unsorted))}, format='newline_delimited', columns={{{columns}}}, "
            f"maximum_object_size={max(LONGEST, longest + 1)})"
        )
        if not count:
            nulls = ", ".join(f"NULL::{kind} AS {name}" for name, kind in source_columns().items())
            source = f"(SELECT {nulls} WHERE false)"
        # Bloom filters help to choose among row groups. To a file with a single group they only add bytes and
        # work.
        filters = "true" if count > ROW_GROUP else "false"
        with clear_errors():
            connection.execute(
                f"COPY (SELECT {', '.join(selected_columns())} FROM {source}) TO {quoted(str(target))} "
                f"(FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, WRITE_BLOOM_FILTER {filters}, "
                f"ROW_GROUP_SIZE {ROW_GROUP}, KV_METADATA {{{known}}})"
            )
    finally:
        with contextlib.suppress(FileNotFoundError):
            unsorted.unlink()
    return count


def rows(path: Path, connection: Any) -> Iterator[dict[str, Any]]:
    """The rows of a file in the order of their times, as ``columns.record_of`` takes them. Raises
    TooLittleMemory, Unreadable, and OSError."""
    names = list(COLUMNS)
    with clear_errors():
        cursor = connection.cursor().execute(
            f"SELECT {', '.join(SELECTED)} FROM read_parquet({quoted(str(path))}) "
            "ORDER BY read_parquet.timestamp NULLS FIRST, tie"
        )
        while found := cursor.fetchmany(_FETCHED):
            for values in found:
                yield dict(zip(names, values, strict=True))


def metadata(path: Path, connection: Any) -> dict[str, Any]:
    """The metadata that ``write`` put into a file. Raises Unreadable, and OSError."""
    with clear_errors():
        found = _metadata(path, connection)
    result = {}
    for key, value in found:
        with contextlib.suppress(orjson.JSONDecodeError):
            result[key] = orjson.loads(value)
    return result


def _metadata(path: Path, connection: Any) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = connection.execute(
        f"SELECT decode(key), decode(value) FROM parquet_kv_metadata({quoted(str(path))})"
    ).fetchall()
    return found


def quoted(text: str) -> str:
    """The text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
