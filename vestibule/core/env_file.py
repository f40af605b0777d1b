#!/usr/bin/env python3
r"""The `.env` file of settings: read once at the start, written by `init`.

A line has the value that a POSIX shell would give it, or is rejected. The
environment takes precedence. A file that other users can write is rejected,
because it selects the database and the trusted proxies. No message repeats
a value, which may be a secret.

python-dotenv 1.2.4 is no replacement: it drops a value that joins quoted
pieces (`'it'\''s'`), expands `\n` in double quotes, accepts `A =x`,
`A=x y` and `A=$HOME`, and skips a malformed line without an error.
"""

import os
import re
import stat
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from vestibule.core import settings
from vestibule.core.errors import ConfigurationError
from vestibule.core.setting_types import set_missing

#: Bytes of a file; a longer one is not a file of settings.
MAX_FILE_BYTES = 262_144

_NAME = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
#: Characters that a shell takes literally: no quotes, no expansions.
_PLAIN = r"[^\s'\"\\$`;&|<>()~]+"
_PIECE = re.compile(
    rf"'([^']*)'|\"((?:[^\"\\$`]|\\.)*)\"|\\(.)|({_PLAIN})", re.DOTALL
)
_END = re.compile(r"\s*(?:\s#.*)?", re.DOTALL)
_ESCAPED = re.compile(r"\\([\"\\$`])")
_NEEDS_NO_QUOTES = re.compile(r"[\w./:,@%+*#=-]*", re.ASCII)


def load() -> set[str]:
    """Set the settings of the file; return the names it has besides them.

    Do nothing if there is no `.env`. Raise `ConfigurationError` if the file is
    not safe or cannot be read, or if `ENV_FILE` names a missing file.
    """
    name = settings.ENV_FILE.read()
    if not name:
        return set()
    try:
        found = parse(_read(name), name)
    except (FileNotFoundError, IsADirectoryError):
        # `.env` may also be the folder of a virtual environment.
        if name == settings.ENV_FILE.default:
            return set()
        raise ConfigurationError(
            "ENV_FILE", f"there is no file {name}"
        ) from None
    known = {each.name for each in settings.ALL} - {settings.ENV_FILE.name}
    set_missing({key: found[key] for key in known & found.keys()})
    return found.keys() - known


def is_readable_by_others() -> bool:
    """Return True if there is a file that other users may read."""
    try:
        mode = os.stat(settings.ENV_FILE.read() or "").st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & (stat.S_IRGRP | stat.S_IROTH))


def has_name(name: str) -> bool:
    """Return True if there is a file, and it has this name."""
    file = settings.ENV_FILE.read()
    try:
        return bool(file) and name in parse(_read(file or ""), file or "")
    except (FileNotFoundError, IsADirectoryError):
        return False


def parse(content: str, name: str) -> dict[str, str]:
    """Return the values by name; the last line of a name counts.

    Raise `ConfigurationError` with the `name` of the file and the number
    of a malformed line.
    """
    values = {}
    for number, line in enumerate(content.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        try:
            key, value = _assignment(line)
        except ValueError as error:
            raise ConfigurationError(
                f"{name}, line {number}", str(error)
            ) from None
        values[key] = value
    return values


def template(chosen: Mapping[str, str]) -> str:
    """Return a file with all settings, their descriptions and defaults.

    The `chosen` settings have these values; the others are comments.
    """
    return "\n".join(_template(chosen))


def _template(chosen: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of the file."""
    yield "# The settings of Vestibule, read in the folder where it starts."
    yield "# The environment takes precedence. Lines with `#` are comments."
    for setting in settings.ALL:
        if setting is settings.ENV_FILE:
            continue
        yield ""
        yield from textwrap.wrap(
            setting.meaning,
            77,
            initial_indent="# ",
            subsequent_indent="# ",
            break_on_hyphens=False,
        )
        for profile, default in (
            ("standard", setting.standard),
            ("hardened", setting.hardened),
        ):
            if default is not None:
                yield f"# Default of SECURITY_PROFILE={profile}: {default}"
        if setting.name in chosen:
            yield f"{setting.name}={quote(chosen[setting.name])}"
        else:
            yield f"#{setting.name}={quote(setting.default or '')}"
    yield ""


def quote(value: str) -> str:
    """Return a value quoted so that a shell and this module read it back."""
    if _NEEDS_NO_QUOTES.fullmatch(value):
        return value
    return "'" + value.replace("'", "'\\''") + "'"


def _assignment(line: str) -> tuple[str, str]:
    """Return the name and the value of a line; raise `ValueError`."""
    match = _NAME.fullmatch(line)
    if match is None:
        raise ValueError("must be NAME=VALUE, or a comment after #")
    name, rest = match.groups()
    value, position = "", 0
    while piece := _PIECE.match(rest, position):
        single, double, escaped, plain = piece.groups()
        if double is not None:
            value += _ESCAPED.sub(r"\1", double)
        else:
            value += single or escaped or plain or ""
        position = piece.end()
    if not _END.fullmatch(rest, position) or "\0" in value:
        raise ValueError(
            "the value must be in single quotes, because a shell would"
            " interpret it"
        )
    return name, value


def _read(name: str) -> str:
    """Return the text of a file that no other user can have written."""
    try:
        with open(name, "rb") as file:
            _check_owner(name, os.fstat(file.fileno()))
            return file.read(MAX_FILE_BYTES + 1)[:MAX_FILE_BYTES].decode()
    except UnicodeDecodeError:
        raise ConfigurationError(name, "is not text in UTF-8") from None
    except (FileNotFoundError, IsADirectoryError):
        raise
    except OSError as error:
        raise ConfigurationError(
            name, f"cannot be read: {error.strerror}"
        ) from None


def _check_owner(name: str, status: os.stat_result) -> None:
    """Raise `ConfigurationError` if another user could change the file."""
    path = Path(name)
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
        raise ConfigurationError(name, "is not a file of settings")
    if status.st_uid not in (0, os.geteuid()):
        raise ConfigurationError(
            name,
            "belongs to another user, who could change the settings;"
            f" if that is intended: chown {os.geteuid()} {path}",
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(
            name,
            "other users may write to it and change the settings:"
            f" chmod 600 {path}",
        )
