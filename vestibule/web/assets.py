#!/usr/bin/env python3
"""What the pages load: one style sheet, one script, one logo.

Its law: a file's name has a digest of its content, so browsers keep it
for good and never see an old one; a page needs the style sheet alone to
be painted.
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

#: Behind a proxy another application may have the rest of the host, and
#: `/assets` for its own.
FOLDER = "/vestibule/assets"
_FOLDER = Path(__file__).parent / "static"
_KINDS = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
}
#: Bytes of a logo; the whole page is to stay below 60,000.
MAX_LOGO_BYTES = 20_000
_COLORS = """:root{{--brand:{0};--on-brand:{1};--accent:{2};\
--accent-hover:{2}}}
@media (prefers-color-scheme:dark){{:root{{--accent:{3};\
--accent-hover:{3}}}}}
"""
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Vary": "Accept-Encoding",
    # A logo that is opened by itself runs nothing, whatever it holds.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none';"
    " sandbox",
}


class AssetFile(NamedTuple):
    """A file: what it is and what is in it."""

    kind: str
    content: bytes

    @property
    def digest(self) -> str:
        """Return what names this content and no other."""
        return hashlib.sha256(self.content).hexdigest()[:16]


class Bundle:
    """The files that every page names."""

    def __init__(self) -> None:
        """Read them, with the colour and the logo of the settings.

        Raise `BadSetting` for a logo that cannot be served.
        """
        self.files: dict[str, AssetFile] = {}
        sheet = "".join(
            (_FOLDER / name).read_text("utf-8")
            for name in ("simple.min.css", "pages.css")
        )
        sheet += _COLORS.format(*palette(settings.BRAND_COLOR.read()))
        self.style = self._add("pages", ".css", sheet.encode())
        self.script = self._add(
            "pages", ".js", (_FOLDER / "pages.js").read_bytes()
        )
        self.logo = self._add("logo", *_logo())

    def _add(self, name: str, suffix: str, content: bytes) -> str:
        """Keep a file; return the path that it is served under."""
        asset = AssetFile(_KINDS[suffix], content)
        full = f"{name}-{asset.digest}{suffix}"
        self.files[full] = asset
        return f"{FOLDER}/{full}"


@cache
def bundle() -> Bundle:
    """Return the files of this process, read when they are first needed."""
    return Bundle()


@pages.get(f"{FOLDER}/<name>")
@public
def asset(name: str) -> Response:
    """Answer with a file, or say that the browser has it."""
    found = bundle().files.get(name)
    if found is None:
        abort(404)
    response = MinimalResponse(
        found.content, headers=_HEADERS, mimetype=found.kind
    )
    response.set_etag(found.digest)
    if current_request().if_none_match.contains(found.digest):
        response.status_code = 304
        response.set_data(b"")
    return response


def _own_logo() -> bytes:
    """Return the logo of who has none, in the house's colour."""
    colors = palette(settings.BRAND_COLOR.read())
    drawn = (_FOLDER / "logo.svg").read_text("utf-8")
    return (
        drawn.replace("#1f5fae", colors.button)
        .replace("#fff", colors.on_button)
        .encode()
    )


def _logo() -> tuple[str, bytes]:
    """Return the kind and the content of the logo."""
    name = settings.BRAND_LOGO.read()
    if name is None:
        return ".svg", _own_logo()
    path = Path(name)
    suffix = path.suffix.lower().replace(".jpeg", ".jpg")
    if suffix not in _KINDS or suffix in (".css", ".js"):
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
