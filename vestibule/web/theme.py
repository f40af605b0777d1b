#!/usr/bin/env python3
"""The house's own colour, made readable: pure arithmetic.

Its law: whatever colour is set, text on it and text in it have a contrast
of 4.5 to 1 at least (WCAG 2.2, 1.4.3), in light and in dark.
"""

from typing import NamedTuple

#: What text has to reach (WCAG 2.2, 1.4.3), with a little to spare.
MIN_CONTRAST = 4.6
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
#: The darkest ground in light that the colour is written on, and the
#: lightest in dark; `pages.css` has both.
LIGHT_GROUND, DARK_GROUND = (240, 243, 248), (36, 41, 51)

RGB = tuple[int, int, int]


class Palette(NamedTuple):
    """The colours that a page needs, as CSS writes them."""

    button: str
    on_button: str
    in_light: str
    in_dark: str


def palette(color: str) -> Palette:
    """Return what a page needs of `color`, six hex digits after a `#`."""
    own = (int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16))
    on_own = max(_WHITE, _BLACK, key=lambda ink: contrast(ink, own))
    return Palette(
        color,
        _css(on_own),
        _css(_towards(_BLACK, own, LIGHT_GROUND)),
        _css(_towards(_WHITE, own, DARK_GROUND)),
    )


def contrast(one: RGB, other: RGB) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: RGB) -> float:
    """Return how bright a colour is, from 0 to 1 (WCAG 2.2)."""
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (part / 255 for part in color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _towards(end: RGB, color: RGB, ground: RGB) -> RGB:
    """Return the nearest mixture of `color` and `end` to read on `ground`."""
    for share in range(101):
        red, green, blue = (
            round(part + (last - part) * share / 100)
            for part, last in zip(color, end, strict=True)
        )
        if contrast((red, green, blue), ground) >= MIN_CONTRAST:
            return red, green, blue
    return end


def _css(color: RGB) -> str:
    """Return a colour as CSS writes it."""
    return "#" + "".join(f"{part:02x}" for part in color)
