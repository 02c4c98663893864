"""Explains to the author of a file why a YAML parser failed.

The explanation comes from the text and not from the parser's message: the message changes between releases,
differs between the parsers in C and in Python, and may quote the file, which may contain secrets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

#: Where YAML breaks lines (YAML 1.1, 5.4).
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_KEY = re.compile(r"[^\s#][^#]*?:(\s|$)")
_KEY_WITHOUT_SPACE = re.compile(r"\s*(- +)?[\w.-]+:[^\s/]")
#: Characters with a meaning at the start of a value (YAML 1.1, 5.3); a text that begins with one needs
#: quotes.
_SPECIAL = "@`%&*!|>"
_CLOSING = {"]": "[", "}": "{"}


def explain(text: str, row: int, column: int, max_depth: int) -> tuple[int, str]:
    """The line (from 1) and what is wrong there. ``row`` and ``column`` (from 0) are where the parser failed.
    The text never quotes the file."""
    lines = LINE_BREAK.split(text)
    if row >= len(lines):
        # The parser in C calls the end of the text a line of its own.
        row, column = len(lines) - 1, len(lines[-1])
    column = min(column, len(lines[row]))
    line, words = _Place(lines, row, column, max_depth).meaning()
    where = f" (column {column + 1})" if line == row else ""
    return line + 1, f"this is not YAML{where}: {words}"


@dataclass(slots=True)
class _Open:
    """The brackets and the quote that are open at a place, with their lines."""

    brackets: list[tuple[str, int]] = field(default_factory=list)
    deepest: int = 0
    quote: str = ""
    since: int = 0
    # Whether a text without quotes is being read.
    plain: bool = False

    def read(self, number: int, line: str) -> None:
        """Read a whole line, or its beginning."""
        self.plain = self.plain and bool(self.brackets)
        at = 0
        while at < len(line):
            at += self._take(number, line, at)

    def _take(self, number: int, line: str, at: int) -> int:
        sign = line[at]
        if self.quote:
            if self.quote == '"' and sign == "\\":
                return 2
            if sign == self.quote:
                if sign == "'" and line[at + 1 : at + 2] == "'":
                    return 2
                self.quote, self.plain = "", True
        elif sign == "#" and (not at or line[at - 1].isspace()):
            return len(line)
        elif sign in "[{" and (self.brackets or not self.plain):
            self.brackets.append((sign, number))
            self.deepest = max(self.deepest, len(self.brackets))
            self.plain = False
        elif sign in _CLOSING and self.brackets:
            self.brackets.pop()
            self.plain = True
        elif sign == "," and self.brackets:
            self.plain = False
        elif sign in "'\"" and not self.plain:
            self.quote, self.since = sign, number
        elif sign in ":-?" and (at + 1 == len(line) or line[at + 1].isspace()):
            self.plain = self.plain and sign != ":"
        elif not sign.isspace():
            self.plain = True
        return 1


class _Place:
    """The place where the parser failed. Each rule returns a line and a text, or None if it does not
    apply."""

    def __init__(self, lines: list[str], row: int, column: int, max_depth: int) -> None:
        self._lines, self._row, self._max_depth = lines, row, max_depth
        self._before, self._sign = lines[row][:column], lines[row][column : column + 1]
        self._rest = lines[row][column:]
        self._open = _Open()
        for number in range(row):
            self._open.read(number, lines[number])
        self._open.read(row, self._before)
        above = [number for number in range(row) if lines[number].split("#")[0].strip()]
        self._above = above[-1] if above else None

    def meaning(self) -> tuple[int, str]:
        rules = (self._depth, self._tab, self._quote, self._bracket, self._special)
        for rule in (*rules, self._colon, self._list, self._behind, self._no_colon):
            found = rule()
            if found is not None:
                return found
        if self._above is not None and self._lines[self._above].rstrip() == "...":
            return self._row, "a second YAML document begins here; there can be only one"
        return self._row, f"the indentation does not fit the lines above{self._columns()}"

    def _columns(self) -> str:
        """Where a line may begin here: the columns of the blocks that are open."""
        spaces = _indentation(self._lines[self._row])
        open_at: list[int] = []
        for number in range(self._row):
            line = self._lines[number]
            if line.strip() and not line.lstrip().startswith(("#", "---")):
                here = _indentation(line)
                open_at = [*(column for column in open_at if column < here), here]
        if not open_at or spaces in open_at:
            return ""
        wanted = " or ".join(map(str, open_at[-4:]))
        return f": it begins with {_spaces(spaces)}, and those above it with {wanted}"

    def _depth(self) -> tuple[int, str] | None:
        # A parser reads ahead in brackets, so it may reach its own limit before it reports the first bracket.
        if self._open.deepest <= self._max_depth:
            return None
        return self._row, f"more than {self._max_depth} levels of nesting"

    def _tab(self) -> tuple[int, str] | None:
        return (self._row, "there is a tab; use spaces") if "\t" in self._before + self._sign else None

    def _quote(self) -> tuple[int, str] | None:
        if not self._open.quote:
            return None
        if self._open.quote == '"' and (self._sign == "\\" or "\\" in self._before) and self._rest:
            return self._row, "in double quotes a backslash has a meaning; use single quotes"
        return self._open.since, "a quote that is never closed"

    def _bracket(self) -> tuple[int, str] | None:
        if not self._open.brackets:
            return None
        if "${" in self._lines[self._row]:
            return self._row, 'inside [ ] and { } a variable must be quoted: ["${NAME}"]'
        if self._sign == "," and self._before.rstrip()[-1:] in ("[", "{", ","):
            return self._row, "a value is missing before this comma"
        sign, line = self._open.brackets[-1]
        since = "" if line == self._row else f" since line {line + 1}"
        return self._row, f"a comma or a closing bracket is missing ({sign} is open{since})"

    def _special(self) -> tuple[int, str] | None:
        if self._lines[self._row].startswith("%YAML"):
            return self._row, "only YAML 1.x is read"
        # The value begins after the last mark that can precede a value.
        value = re.split(r"(?:^|(?<=\s))[-?]\s+|:\s+", self._before)[-1].lstrip() + self._rest
        if value[:1] in tuple(_SPECIAL):
            return self._row, f"a value that begins with {value[0]} must be quoted"
        if self._sign and self._sign in ",]}":
            if self._before.rstrip()[-1:] in (":", "-", ""):
                return self._row, f"a value that begins with {self._sign} must be quoted"
            return self._row, "a closing bracket that nothing opened, or text behind one; quote the value"
        return None

    def _colon(self) -> tuple[int, str] | None:
        if self._sign != ":":
            return None
        if not self._before.strip(" -?"):
            return self._row, "there is no key before this colon"
        above = "" if self._above is None else self._lines[self._above]
        if not _KEY.search(self._before + " "):
            if _KEY_WITHOUT_SPACE.match(above):
                return self._above or 0, "the space after the colon is missing"
            if _indentation(self._before) > _indentation(above):
                return self._row, (
                    "the indentation does not fit the lines above: this is further in than a line that has a "
                    "value already"
                )
        return self._row, "a colon where none can be; quote the value"

    def _list(self) -> tuple[int, str] | None:
        if self._sign in ("-", "?") and self._before.strip(" -"):
            return self._row, "a list begins on a line of its own, or is written [a, b]"
        return None

    def _behind(self) -> tuple[int, str] | None:
        if self._sign and self._before.rstrip()[-1:] in ("'", '"', "]", "}"):
            return self._row, "there is text behind a closing quote or bracket; quote the value as a whole"
        return None

    def _no_colon(self) -> tuple[int, str] | None:
        """The wrong line is the present one, or the one above if the parser had reached its end."""
        number = self._row if self._before.strip() else self._above
        if number is None:
            return None
        line = self._lines[number].strip()
        if line.startswith(("- ", "#", "...", "---")) or line == "-" or _KEY.match(line):
            return None
        return number, "a colon is missing, or the space after it"


def _spaces(number: int) -> str:
    return "no space" if number == 0 else "1 space" if number == 1 else f"{number} spaces"


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
