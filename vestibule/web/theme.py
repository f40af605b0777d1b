#!/usr/bin/env python3
"""Derives readable colours from `BRAND_COLOR`.

For every colour, text on it and text in it have a contrast of at least
4.5 to 1 (WCAG 2.2, 1.4.3), in light and in dark mode.
"""

from typing import NamedTuple

#: WCAG 2.2, 1.4.3 demands 4.5; the rest covers rounding.
MIN_CONTRAST = 4.6
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
#: The darkest background of light mode, and the lightest of dark mode, on
#: which text has the brand colour; both are in `pages.css`.
LIGHT_BACKGROUND, DARK_BACKGROUND = (240, 243, 248), (36, 41, 51)

RGB = tuple[int, int, int]


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
