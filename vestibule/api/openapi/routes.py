#!/usr/bin/env python3
"""The routes of the OpenAPI document and of the page that shows it.

Nothing is built or read before the first request; the result is cached in
the form in which it is sent."""

import hashlib
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

from flask import Blueprint, Response

from vestibule.http.flask_app import MinimalResponse
from vestibule.http.request import current_request
from vestibule.http.responses import json_body
from vestibule.mechanisms.auth import Auth

_FOLDER = Path(__file__).parent / "viewer"
#: Documents that are kept; a trusted proxy may state any prefix.
MAX_BASE_PATHS = 4
#: The page may call this service and load its own two files only.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src"
    " 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
#: The files of the page: address, name and kind.
_FILES = (
    ("/docs", "viewer.html", "text/html"),
    ("/docs/viewer.css", "viewer.css", "text/css"),
    ("/docs/viewer.js", "viewer.js", "text/javascript"),
)


def openapi_routes(auth: Auth | None) -> Blueprint:
    """Return the routes that describe the API under `auth`."""
    routes = Blueprint("openapi", __name__)

    @lru_cache(MAX_BASE_PATHS)
    def document_bytes(base_path: str) -> bytes:
        """Return the document in JSON."""
        from vestibule.api.openapi.document import document

        return json_body(document(auth, base_path))

    @routes.get("/openapi.json")
    def show_description() -> Response:
        """Send the OpenAPI document."""
        content = document_bytes(current_request().base_path)
        return _cached_response(content, "application/json")

    for address, name, kind in _FILES:
        routes.add_url_rule(address, name.replace(".", "_"), _file(name, kind))
    return routes


def _file(name: str, kind: str) -> Callable[[], Response]:
    """Return the view of a file of the page."""

    @cache
    def content() -> bytes:
        """Return the content of the file."""
        return (_FOLDER / name).read_bytes()

    def linked(base_path: str) -> bytes:
        """Return the content with its links below `base_path`."""
        return content().replace(b'="/', f'="{base_path}/'.encode())

    def show_file() -> Response:
        """Send the file with the policy of the page."""
        response = _cached_response(linked(current_request().base_path), kind)
        response.headers["Content-Security-Policy"] = _POLICY
        # Else browsers hide the origin of the requests of the page.
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    return show_file


def _cached_response(content: bytes, kind: str) -> MinimalResponse:
    """Return a response that browsers cache and revalidate."""
    response = MinimalResponse(content, mimetype=kind)
    digest = hashlib.sha256(content).hexdigest()[:16]
    response.set_etag(digest)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Accept-Encoding"
    if current_request().if_none_match.contains(digest):
        response.status_code = 304
        response.set_data(b"")
        response.headers.pop("Content-Type")
    return response
