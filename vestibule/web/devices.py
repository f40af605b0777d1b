#!/usr/bin/env python3
"""Programs and systems in words: "Firefox on Linux", in the language.

Its law: it says what `vestibule.sessions.device` recognized, no more.
"""

from vestibule.sessions.device import recognized
from vestibule.web.language import gettext, marked

#: Programs that are no names.
_WORDS = {"an Android app": marked("Android app")}


def device(user_agent: str | None) -> str:
    """Return in words what a user agent tells."""
    program, system = recognized(user_agent)
    if program is None:
        program = gettext("Unknown program")
    elif program in _WORDS:
        program = gettext(_WORDS[program])
    if system is None:
        return program
    return gettext("%(program)s on %(system)s") % {
        "program": program, "system": system,
    }
