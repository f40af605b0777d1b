#!/usr/bin/env python3
"""Requests: what the service reads from one, cheaply and strictly.

Its law: a body that is not what it says it is counts as no body; nothing
of it is guessed or repaired.
"""

import json
import uuid
from functools import cached_property
from typing import IO, Any, cast

from flask import Request
from flask.globals import request_ctx
from werkzeug.datastructures import LanguageAccept, MIMEAccept
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_accept_header
from werkzeug.wsgi import LimitedStream

from vestibule.accounts.permissions import Actor
from vestibule.core import network, settings
from vestibule.core.client_info import clean_user_agent
from vestibule.db.models.user import User
from vestibule.sessions.cookie import cookies_of
from vestibule.sessions.store import SessionStore

#: Characters of a header that says what a client prefers; browsers send
#: some hundred.
LONGEST_WISH = 1000


class ChunkedBody(LimitedStream):
    """A body of unknown length that is refused when it is too long.

    Werkzeug would cut it off and take its beginning for the whole.
    """

    def readall(self) -> bytes:
        """Return the whole body; raise 413 if there is more of it."""
        body = super().readall()
        if self.is_exhausted and self._stream.read(1):
            raise RequestEntityTooLarge
        return body


class VestibuleRequest(Request):
    """A request of the API, with the user it comes from."""

    #: The principal, once the filter has let the request pass.
    current_user: User | None = None
    #: The mechanism that judges it.
    mechanism: Any = None
    #: Why the session of its cookie ended, if it is refused for that.
    session_ended: str | None = None

    @property
    def is_secure(self) -> bool:
        """Tell whether the client's connection is encrypted."""
        return is_tls(self.environ)

    @cached_property
    def accept_mimetypes(self) -> MIMEAccept:
        """Return the kinds of content that the client takes."""
        return parse_accept_header(self._wish("HTTP_ACCEPT"), MIMEAccept)

    @cached_property
    def accept_languages(self) -> LanguageAccept:
        """Return the languages that the client's person reads."""
        return parse_accept_header(
            self._wish("HTTP_ACCEPT_LANGUAGE"), LanguageAccept
        )

    def _wish(self, name: str) -> str | None:
        """Return a header of preferences; one that is absurd says nothing.

        To read 200 kB of them takes a third of a second.
        """
        header: str | None = self.environ.get(name)
        return header if header and len(header) <= LONGEST_WISH else None

    @property
    def prefers_page(self) -> bool:
        """Tell whether the client would rather have HTML than JSON.

        Browsers name it; programs that take anything get JSON.
        """
        best = self.accept_mimetypes.best_match(
            ["application/json", "text/html"]
        )
        return best == "text/html"

    @cached_property
    def request_id(self) -> str:
        """Return a name for this request that no other has."""
        return str(uuid.uuid4())

    @cached_property
    def client_address(self) -> str:
        """Return the address from which the request comes."""
        return network.client_address(
            self.environ.get("REMOTE_ADDR"),
            self.environ.get("HTTP_X_FORWARDED_FOR"),
            settings.TRUSTED_PROXIES.read(),
        )

    @property
    def client_program(self) -> str | None:
        """Return the program that sends the request, in its own words."""
        return clean_user_agent(self.environ.get("HTTP_USER_AGENT"))

    @cached_property
    def cookies(self) -> Any:
        """Return the cookies by name, those tossed in twice left out.

        Werkzeug's parser takes as long as the look-up of a session.
        """
        return cookies_of(self.environ.get("HTTP_COOKIE", ""))

    @cached_property
    def stream(self) -> IO[bytes]:
        """Return the body to read from: all of it, or an error.

        A server that ends the stream by itself also ends it where the
        client hung up; a body short of its length is a 400 then.
        """
        stream = super().stream
        if "wsgi.input_terminated" not in self.environ:
            return stream
        source, whole = self.environ["wsgi.input"], None
        if self.content_length is not None:
            whole = LimitedStream(source, self.content_length)
        elif self.max_content_length is not None:
            whole = ChunkedBody(source, self.max_content_length, is_max=True)
        return stream if whole is None else cast(IO[bytes], whole)

    def json_object(self) -> dict[str, Any] | None:
        """Return the body if it is one JSON object, else `None`.

        Doubled keys are refused: two readers may take different ones. So
        are encodings other than UTF-8 (RFC 8259, section 8.1), which
        `json.loads` would guess from the bytes.
        """
        if not self.is_json:
            return None
        try:
            text = self.get_data(cache=False).decode("utf-8-sig")
            body = json.loads(text, object_pairs_hook=_object)
        except (ValueError, RecursionError):
            return None
        return body if isinstance(body, dict) else None


def is_tls(environ: dict[str, Any]) -> bool:
    """Tell whether the client of this request came by TLS.

    To this server, or to a trusted proxy in front of it.
    """
    if environ["wsgi.url_scheme"] == "https":
        return True
    forwarded = environ.get("HTTP_X_FORWARDED_PROTO")
    return forwarded is not None and network.is_secure(
        environ.get("REMOTE_ADDR"),
        forwarded,
        settings.TRUSTED_PROXIES.read(),
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of `pairs`; raise `ValueError` on a doubled key."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands twice")
    return made


def current_actor() -> Actor:
    """Return the user of the request, if it has one, and its address."""
    request = current_request()
    # A mechanism defined elsewhere may have users of another kind.
    user = request.current_user
    return Actor(
        getattr(user, "id", None),
        getattr(user, "role", None),
        request.client_address,
    )


def current_store() -> SessionStore | None:
    """Return the sessions of the request's mechanism, if it has a store."""
    store: SessionStore | None = getattr(
        current_request().mechanism, "store", None
    )
    return store


def current_request() -> VestibuleRequest:
    """Return the request that is being answered."""
    return cast(VestibuleRequest, request_ctx.request)
