#!/usr/bin/env python3
"""The request: who sends it, and its body, cookies and client.

A body that does not match its declared type counts as absent. It is never
guessed at or repaired.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import IO, Any, cast
from urllib.parse import quote

from flask import Request
from flask.globals import request_ctx
from werkzeug.datastructures import LanguageAccept, MIMEAccept
from werkzeug.exceptions import LengthRequired
from werkzeug.http import parse_accept_header
from werkzeug.wsgi import LimitedStream

from vestibule.accounts.permissions import Actor
from vestibule.core import page_settings, request_headers
from vestibule.core.client_info import ClientInfo, clean_user_agent
from vestibule.core.errors import InvalidValue
from vestibule.core.redirects import accept_header, prefers_page
from vestibule.db.models.user import User
from vestibule.http.body import ChunkedBody, TimedBody
from vestibule.mechanisms.session_cache import CachedSession
from vestibule.mechanisms.session_mechanism import (
    SessionMechanism,
    sessions_of,
)
from vestibule.sessions.session import Session
from vestibule.sessions.store import SessionStore

#: Headers that proxies add to a request that they forward.
FORWARDING_HEADERS = frozenset(
    {"HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA"}
)
#: The key of our request in the environment of another application.
_OWN_REQUEST = "vestibule.request"


class VestibuleRequest(Request):
    """A request, and what its authentication found."""

    #: The authenticated user, once the filter has let the request pass.
    current_user: User | None = None
    #: The mechanism that authenticates it: an `Auth`, an object of an
    #: application's own, or `None`.
    mechanism: Any = None
    #: The cache entry of its session, if there is one.
    cached_session: CachedSession | None = None
    #: Why the session of its cookie ended, if it is refused for that.
    session_ended: str | None = None

    @cached_property
    def sessions(self) -> SessionMechanism:
        """Return the sessions of its mechanism."""
        return sessions_of(self.mechanism)

    @cached_property
    def session(self) -> Session | None:
        """Return the session of its cookie, or `None`.

        Authentication sets it if it loads the session on the way;
        otherwise the store is asked once.
        """
        session_id = self.sessions.session_cookie(self)
        return (
            None
            if session_id is None
            else self.sessions.store.find(session_id)
        )

    @property
    def is_secure(self) -> bool:
        """Return True if the client's connection is encrypted."""
        return request_headers.is_tls(self.environ)

    @cached_property
    def accept_mimetypes(self) -> MIMEAccept:
        """Return the media types that the client accepts."""
        return parse_accept_header(
            accept_header(self.environ, "HTTP_ACCEPT"), MIMEAccept
        )

    @cached_property
    def accept_languages(self) -> LanguageAccept:
        """Return the languages that the client prefers."""
        return parse_accept_header(
            accept_header(self.environ, "HTTP_ACCEPT_LANGUAGE"),
            LanguageAccept,
        )

    @property
    def prefers_page(self) -> bool:
        """Return True if the client prefers HTML to JSON."""
        return prefers_page(self.environ)

    @property
    def mount_path(self) -> str:
        """Return `SCRIPT_NAME`, which includes `BASE_PATH`, for links."""
        path = quote(self.root_path)
        # Browsers would read `//` as the beginning of another host.
        return "" if path.startswith("//") else path

    @cached_property
    def base_path(self) -> str:
        """Return the path below which the client reaches the service.

        It begins each link, and is empty at the root. Without a mount path
        it is the prefix that a trusted proxy states.
        """
        return self.mount_path or request_headers.forwarded_prefix(
            self.environ
        )

    @cached_property
    def request_id(self) -> str:
        """Return a unique id of this request."""
        return str(uuid.uuid4())

    @cached_property
    def client_address(self) -> str:
        """Return the IP address of the client."""
        return request_headers.address_of_client(self.environ)

    @property
    def client_program(self) -> str | None:
        """Return the client's `User-Agent`, shortened to one line."""
        return clean_user_agent(self.environ.get("HTTP_USER_AGENT"))

    @cached_property
    def cookies(self) -> Any:
        """Return the cookies by name, without those in conflict.

        Werkzeug's parser takes as long as looking up a session does.
        """
        return request_headers.cookies_of(self.environ.get("HTTP_COOKIE", ""))

    @cached_property
    def stream(self) -> IO[bytes]:
        """Return the body's stream, which fails if the body is cut short.

        A server that terminates the stream also terminates it when the
        client disconnects, so a body shorter than its length is a 400. A
        late body is a 408. A body in chunks, without a length, is a 411: if
        a chunk is broken or the connection ends, granian passes on what it
        has as the whole body.
        """
        if self.content_length is None and (
            "HTTP_TRANSFER_ENCODING" in self.environ
        ):
            raise LengthRequired
        self.environ["wsgi.input"] = TimedBody(self.environ)
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

        Duplicate keys are refused, because two parsers may use different
        ones. So are encodings other than UTF-8 (RFC 8259, section 8.1),
        which `json.loads` would guess from the bytes.
        """
        return self._json_object

    @cached_property
    def _json_object(self) -> dict[str, Any] | None:
        """Return the same; the body can be read once."""
        if not self.is_json:
            return None
        try:
            text = self.get_data(cache=False).decode("utf-8-sig")
            body = json.loads(text, object_pairs_hook=_object)
        except (ValueError, RecursionError):
            return None
        return body if isinstance(body, dict) else None

    def text_fields(self) -> Mapping[str, str]:
        """Return the fields of a form, or those of a JSON object.

        JSON that is not one object has no fields. Raise `InvalidValue` for
        a value that is not text.
        """
        if not self.is_json:
            return self.form
        fields = self.json_object() or {}
        for name, value in fields.items():
            if not isinstance(value, str | None):
                raise InvalidValue(name, "must be a string", code="invalid")
        return {name: value for name, value in fields.items() if value}


def public_url(path: str) -> str:
    """Return the whole URL of a page, to be handed to another person.

    It begins with `PUBLIC_URL`, or else with the address by which this
    request came. `path` has no prefix, and may have a fragment.
    """
    address = page_settings.PUBLIC_URL.read()
    if address is not None:
        return address.rstrip("/") + path
    request = current_request()
    path = request.base_path + path
    hosts = request_headers.own_hosts(request.environ)
    if not hosts:
        return path
    return f"{'https' if request.is_secure else 'http'}://{hosts[0]}{path}"


def below_base_path(
    application: Callable[..., Iterable[bytes]], prefix: str
) -> Callable[..., Iterable[bytes]]:
    """Return `application` as it is reached below the path `prefix`.

    A path without the prefix is served too: some proxies remove it, and
    health checks do not pass the proxy. If a server mounts the application
    and sets `SCRIPT_NAME`, that is kept.
    """

    def answering(
        environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Move the prefix from the path to `SCRIPT_NAME` (PEP 3333)."""
        if not environ.get("SCRIPT_NAME"):
            environ["SCRIPT_NAME"] = prefix
            path = environ["PATH_INFO"]
            if f"{path}/".startswith(f"{prefix}/"):
                environ["PATH_INFO"] = path.removeprefix(prefix) or "/"
        return application(environ, start_response)

    return answering


def is_client_within(networks: request_headers.Networks) -> bool:
    """Return True if the client is on this machine or in `networks`.

    A proxy that is not trusted may forward requests from anywhere, so its
    own address does not count.
    """
    request = current_request()
    forwarded = not FORWARDING_HEADERS.isdisjoint(request.environ)
    if forwarded and not request_headers.is_from_proxy(request.environ):
        return False
    return request_headers.is_within(request.client_address, networks)


def client_info(environ: dict[str, Any]) -> ClientInfo:
    """Return the client's IP address and user agent."""
    return ClientInfo(
        request_headers.address_of_client(environ),
        clean_user_agent(environ.get("HTTP_USER_AGENT")),
    )


def preferred_language(
    environ: dict[str, Any], languages: Sequence[str]
) -> str | None:
    """Return the first of the client's languages that is in `languages`.

    `None` if the header `Accept-Language` is absent or names none of them.
    """
    header = accept_header(environ, "HTTP_ACCEPT_LANGUAGE")
    for tag, quality in parse_accept_header(header, LanguageAccept):
        if quality > 0 and (base := tag.partition("-")[0]) in languages:
            return base
    return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a dict of `pairs`; raise `ValueError` on a duplicate key."""
    parsed = dict(pairs)
    if len(parsed) < len(pairs):
        raise ValueError("duplicate key")
    return parsed


def current_actor() -> Actor:
    """Return the user of the request, if it has one, and its address."""
    request = current_request()
    # A mechanism of an application's own may have users of another kind.
    user = request.current_user
    return Actor(
        getattr(user, "id", None),
        getattr(user, "role", None),
        request.client_address,
    )


def current_store() -> SessionStore:
    """Return the store of the request's mechanism; it may be empty."""
    return current_request().sessions.store


def current_request() -> VestibuleRequest:
    """Return the request that is being answered.

    In a Flask application of others it is one of ours beside theirs, made
    from the same environment. The body stays with theirs.
    """
    # The proxy would look the context up, and then its attribute.
    context = request_ctx._get_current_object()  # type: ignore[attr-defined]
    request = context.request
    if isinstance(request, VestibuleRequest):
        return request
    environ = request.environ
    own: VestibuleRequest | None = environ.get(_OWN_REQUEST)
    if own is None:
        own = VestibuleRequest(environ, populate_request=False)
        environ[_OWN_REQUEST] = own
    return own
