#!/usr/bin/env python3
"""The style sheet, the script and the logo of the pages.

A file name contains a digest of the content, so browsers may cache the
file permanently. The script is deferred and does not block rendering.
Readable colours are derived from `BRAND_COLOR`.
"""

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from flask import Response, abort

from vestibule.core import page_settings
from vestibule.core.errors import ConfigurationError
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.request import current_request
from vestibule.web.routes import pages, public

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
@media (prefers-color-scheme:dark){{:root:not([data-theme="light"])\
{{--accent:{3};--accent-hover:{3}}}}}
:root[data-theme="dark"]{{--accent:{3};--accent-hover:{3}}}
"""
#: The dark colours of `pages.css`.
_DARK_COLORS = re.compile(r':root:not\(\[data-theme="light"\]\) \{([^}]*)\}')
_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
#: A string, or a character beside which CSS needs no space; before `}` it
#: needs no semicolon.
_CSS_SPACE = re.compile(
    r"""("[^"]*"|'[^']*')|(?: ?;)? ?(\}) ?| ?([{;]) ?|([:,]) """
)
#: What a line of a script does not need: its indentation, or all of it if it
#: is a comment. No text of a script has several lines.
_NEEDLESS_IN_SCRIPT = re.compile(r"^[ \t]*(?://.*)?\n|^[ \t]+", re.MULTILINE)
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Vary": "Accept-Encoding",
    # An SVG logo that is opened directly must not run scripts.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none';"
    " sandbox",
}
#: WCAG 2.2, 1.4.3 demands 4.5; the rest covers rounding.
MIN_CONTRAST = 4.6
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
#: The darkest background of light mode, and the lightest of dark mode, on
#: which text has the brand colour; both are in `pages.css`.
LIGHT_BACKGROUND, DARK_BACKGROUND = (240, 243, 248), (36, 41, 51)

RGB = tuple[int, int, int]


class AssetFile(NamedTuple):
    """A file: its MIME type and its content."""

    mime_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """Return the beginning of the content's SHA-256, in hex."""
        return hashlib.sha256(self.content).hexdigest()[:16]


class Bundle:
    """The files that the pages load."""

    def __init__(self) -> None:
        """Read the files, and the colour and logo from the settings.

        Raise `ConfigurationError` for a logo that cannot be served.
        """
        self.files: dict[str, AssetFile] = {}
        sheet = "".join(
            (_STATIC / name).read_text("utf-8")
            for name in ("simple.min.css", "pages.css")
        )
        for colors in _DARK_COLORS.findall(sheet):
            sheet += f':root[data-theme="dark"]{{{colors}}}\n'
        sheet += _COLOR_CSS.format(*palette(page_settings.BRAND_COLOR.read()))
        self.style = self._add("pages", ".css", compact_css(sheet).encode())
        admin_sheet = (_STATIC / "admin.css").read_text("utf-8")
        self.admin_style = self._add(
            "admin", ".css", compact_css(admin_sheet).encode()
        )
        self.script = self._add_script("pages")
        self.passkey_script = self._add_script("passkeys")
        self.chart_script = self._add_script("charts")
        self.logo = self._add("logo", *_logo())

    def _add_script(self, name: str) -> str:
        """Add a script without its comments; return its URL path."""
        script = (_STATIC / f"{name}.js").read_text("utf-8")
        return self._add(
            name, ".js", _NEEDLESS_IN_SCRIPT.sub("", script).encode()
        )

    def _add(self, name: str, suffix: str, content: bytes) -> str:
        """Add a file and return its URL path."""
        asset = AssetFile(_MIME_TYPES[suffix], content)
        full = f"{name}-{asset.digest}{suffix}"
        self.files[full] = asset
        return f"{URL_PREFIX}/{full}"


def compact_css(sheet: str) -> str:
    """Return a style sheet without comments and needless spaces.

    Its strings must have no line breaks and nothing that looks like a
    comment.
    """
    spaced = " ".join(_CSS_COMMENT.sub(" ", sheet).split())
    # One group of each match has text. A template takes four times as long.
    return _CSS_SPACE.sub(lambda found: found[found.lastindex or 0], spaced)


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
    colors = palette(page_settings.BRAND_COLOR.read())
    svg = (_STATIC / "logo.svg").read_text("utf-8")
    return (
        svg.replace("#1f5fae", colors.button)
        .replace("#fff", colors.on_button)
        .encode()
    )


def _logo() -> tuple[str, bytes]:
    """Return the suffix and the content of the logo."""
    name = page_settings.BRAND_LOGO.read()
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


class Palette(NamedTuple):
    """The colours of a page, in CSS notation."""

    button: str
    on_button: str
    in_light: str
    in_dark: str


def palette(color: str) -> Palette:
    """Return the colours derived from `color`, such as `#1f5fae`."""
    brand = (int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16))
    on_brand = max(_WHITE, _BLACK, key=lambda text: contrast(text, brand))
    return Palette(
        color,
        _css(on_brand),
        _css(_mix_until_readable(_BLACK, brand, LIGHT_BACKGROUND)),
        _css(_mix_until_readable(_WHITE, brand, DARK_BACKGROUND)),
    )


def contrast(one: RGB, other: RGB) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: RGB) -> float:
    """Return the relative luminance, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (part / 255 for part in color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mix_until_readable(end: RGB, color: RGB, background: RGB) -> RGB:
    """Mix `color` with as little of `end` as `background` needs."""
    for share in range(101):
        red, green, blue = (
            round(part + (last - part) * share / 100)
            for part, last in zip(color, end, strict=True)
        )
        if contrast((red, green, blue), background) >= MIN_CONTRAST:
            return red, green, blue
    return end


def _css(color: RGB) -> str:
    """Return a colour in CSS notation."""
    return "#" + "".join(f"{part:02x}" for part in color)
