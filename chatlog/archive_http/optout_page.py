"""The page on which people get the code to opt out with. It needs no script."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from types import MappingProxyType

from chatlog.http.answers import Answer
from chatlog.http.documents import Documents
from chatlog.http.guard import POLICY, policy

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_FORM = (
    "<p>Get a code, and write it in the chat of any room that is recorded here, from the account that is to "
    "be left out.</p>"
    '<form method="post" action="/optout"><button type="submit" class="main">Get a code</button></form>'
)
_ASK = (
    "<p>Ask whoever runs this archive. Name the platform and the account, and be ready to show that it is "
    "yours.</p>"
)
_CODE = (
    '<p role="status">Write this in the chat of any <a href="/">room that is recorded here</a>, within two '
    'minutes, from the account that is to be left out:</p><p class="code"><code>{command}</code></p>'
    "<p>A minute later you are no longer recorded. The code works once, and for whoever writes it: give it "
    "to nobody. It counts for the platform on which it is written; for another one, get another code.</p>"
    '<form method="post" action="/optout"><button type="submit">Get another code</button></form>'
)


class OptOutPage:
    """``has_codes``: whether recorders take codes from chat."""

    def __init__(self, documents: Documents, has_codes: bool) -> None:
        self._head, _, self._foot = documents.page("optout.html").body.decode("utf-8").partition("{how}")
        self._has_codes = has_codes

    def asking(self) -> Answer:
        """The page that explains opting out."""
        return self._page(_FORM if self._has_codes else _ASK)

    def code(self, code: str) -> Answer:
        """The page with a code, and how to use it."""
        return self._page(_CODE.replace("{command}", escape(f"!chatlog optout {code}")))

    def trouble(self, status: int, text: str, headers: Mapping[str, str]) -> Answer:
        """The page that says why there is no code."""
        how = f'<p role="alert">{escape(text[:1].upper() + text[1:])}.</p>'
        return self._page(how + (_FORM if self._has_codes else _ASK), status, headers)

    def _page(self, how: str, status: int = 200, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
        body = f"{self._head}{how}{self._foot}".encode()
        more = {POLICY: policy(form="'self'"), **headers}
        return Answer(status, body, "text/html; charset=utf-8", more)
