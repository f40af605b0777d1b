#!/usr/bin/env python3
"""The style sheet, the script and the logo of the pages.

A file name contains a digest of the content, so browsers may cache the
file permanently. The script is deferred and does not block rendering.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from flask import Response, abort

from vestibule.core import settings
from vestibule.core.errors import ConfigurationError
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.request import current_request
from vestibule.web.routes import pages, public
from vestibule.web.theme import palette

#: Not `/assets`: behind a proxy, another application of the same host may
#: use that path.
URL_PREFIX = "/vestibule/assets"
_STATIC = Path(__file__).parent / "static"
_MIME_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
}
#: Bytes; a page with all its files is to stay below 60,000.
MAX_LOGO_BYTES = 20_000
_COLOR_CSS = """:root{{--brand:{0};--on-brand:{1};--accent:{2};\
--accent-hover:{2}}}
@media (prefers-color-scheme:dark){{:root{{--accent:{3};\
--accent-hover:{3}}}}}
"""
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Vary": "Accept-Encoding",
    # An SVG logo that is opened directly must not run scripts.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none';"
    " sandbox",
}


class AssetFile(NamedTuple):
    """A file: its MIME type and its content."""

    mime_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """Return the beginning of the content's SHA-256, in hex."""
        return hashlib.sha256(self.content).hexdigest()[:16]


class Bundle:
    """The files that every page loads."""

    def __init__(self) -> None:
        """Read the files, and the colour and logo from the settings.

        Raise `ConfigurationError` for a logo that cannot be served.
        """
        self.files: dict[str, AssetFile] = {}
        sheet = "".join(
            (_STATIC / name).read_text("utf-8")
            for name in ("simple.min.css", "pages.css")
        )
        sheet += _COLOR_CSS.format(*palette(settings.BRAND_COLOR.read()))
        self.style = self._add("pages", ".css", sheet.encode())
        self.script = self._add(
            "pages", ".js", (_STATIC / "pages.js").read_bytes()
        )
        self.logo = self._add("logo", *_logo())

    def _add(self, name: str, suffix: str, content: bytes) -> str:
        """Add a file and return its URL path."""
        asset = AssetFile(_MIME_TYPES[suffix], content)
        full = f"{name}-{asset.digest}{suffix}"
        self.files[full] = asset
        return f"{URL_PREFIX}/{full}"


@cache
def bundle() -> Bundle:
    """Return the files of this process; the first call reads them."""
    return Bundle()


@pages.get(f"{URL_PREFIX}/<name>")
@public
def asset(name: str) -> Response:
    """Return a file, or 304 if the browser has it already."""
    found = bundle().files.get(name)
    if found is None:
        abort(404)
    response = MinimalResponse(
        found.content, headers=_HEADERS, mimetype=found.mime_type
    )
    response.set_etag(found.digest)
    if current_request().if_none_match.contains(found.digest):
        response.status_code = 304
        response.set_data(b"")
    return response


def _default_logo() -> bytes:
    """Return the built-in logo in the colour of the settings."""
    colors = palette(settings.BRAND_COLOR.read())
    svg = (_STATIC / "logo.svg").read_text("utf-8")
    return (
        svg.replace("#1f5fae", colors.button)
        .replace("#fff", colors.on_button)
        .encode()
    )


def _logo() -> tuple[str, bytes]:
    """Return the suffix and the content of the logo."""
    name = settings.BRAND_LOGO.read()
    if name is None:
        return ".svg", _default_logo()
    path = Path(name)
    suffix = path.suffix.lower().replace(".jpeg", ".jpg")
    if suffix not in _MIME_TYPES or suffix in (".css", ".js"):
        raise ConfigurationError(
            "BRAND_LOGO", "must be an SVG, PNG, JPEG or WebP file"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            "BRAND_LOGO", f"cannot be read: {error.strerror}"
        ) from None
    if len(content) > MAX_LOGO_BYTES:
        raise ConfigurationError(
            "BRAND_LOGO", f"must have at most {MAX_LOGO_BYTES} bytes"
        )
    return suffix, content
