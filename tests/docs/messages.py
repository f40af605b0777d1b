#!/usr/bin/env python3
"""All messages that the API, the command line and the server can print.

They are found in the code by the calls that produce them; only messages of
other libraries are listed. A value that is filled in at run time becomes `<>`.

`python -m tests.docs.messages` prints rows for messages that docs/errors.md
lacks.
"""

import ast
import re
from collections.abc import Iterator

from werkzeug.exceptions import default_exceptions

from tests.docs.usage import OF_QUESTIONS, OF_USAGE
from tests.repo.repository import product_files
from tests.serving import ROOT

PAGE = ROOT / "docs/errors.md"
#: Errors and functions whose first argument is the message.
_ONE_TEXT = frozenset(
    {
        "BadParameter",
        "ClickException",
        "CommandError",
        "DatabaseUnavailable",
        "ReauthenticationRequired",
        "RecordGone",
        "SchemaMismatch",
        "ServiceBusy",
        "UsageError",
        "VestibuleError",
        "WrongPassword",
        "exit",
    }
)
#: Modules whose `ValueError` explains an invalid setting.
_OF_SETTINGS = (
    "vestibule/core/host_types.py",
    "vestibule/core/setting_types.py",
    "vestibule/identity/keys.py",
    "vestibule/web/assets.py",
)
#: Modules that define errors and their messages.
_OF_ERRORS = ("vestibule/core/errors.py", "vestibule/http/login.py")
_LOGGED = frozenset({"warning", "error", "exception", "critical"})
_FILLED = "<>"
#: Statuses whose message is Werkzeug's name for them.
_BY_NAME = (400, 401, 403, 405, 408, 413)


def texts_of(node: ast.expr) -> list[str]:
    """Return the texts that an expression can have, or `<>` for any."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [re.sub(r"%[sdr]", _FILLED, node.value)]
    if isinstance(node, ast.JoinedStr):
        return [
            "".join(
                str(part.value) if isinstance(part, ast.Constant) else _FILLED
                for part in node.values
            )
        ]
    if isinstance(node, ast.IfExp):
        return [*texts_of(node.body), *texts_of(node.orelse)]
    return [_FILLED]


def _pairs(first: ast.expr, second: ast.expr, glue: str) -> list[str]:
    """Return the texts of two expressions, joined by `glue`."""
    return [
        f"{one}{glue}{two}"
        for one in texts_of(first)
        for two in texts_of(second)
    ]


def _messages_of_call(call: ast.Call, path: str) -> list[str]:
    """Return the messages that a call produces."""
    function, arguments = call.func, call.args
    name = getattr(function, "attr", getattr(function, "id", ""))
    if not arguments:
        return []
    if name in ("InvalidValue", "ConfigurationError") and len(arguments) > 1:
        glue = " " if name == "InvalidValue" else ": "
        return _pairs(arguments[0], arguments[1], glue)
    if name == "Interrupted":
        return [f"interrupted; {text}" for text in texts_of(arguments[0])]
    if name in _ONE_TEXT:
        return texts_of(arguments[0])
    if name == "CheckResult" and "GOOD" not in ast.dump(arguments[1]):
        return texts_of(arguments[2])
    if name in _LOGGED and "_log" in ast.dump(function):
        return texts_of(arguments[0])
    if name == "ValueError" and path in _OF_SETTINGS:
        return [f"{_FILLED}: {text}" for text in texts_of(arguments[0])]
    if name == "__init__" and path in _OF_ERRORS:
        return (
            _pairs(arguments[0], arguments[1], " ")
            if len(arguments) > 1
            else texts_of(arguments[0])
        )
    return []


def _messages_of_node(node: ast.AST, path: str) -> list[str]:
    """Return the messages that a node of the syntax tree produces."""
    if isinstance(node, ast.Call):
        return _messages_of_call(node, path)
    if isinstance(node, ast.Dict):
        return [
            text
            for key, value in zip(node.keys, node.values, strict=True)
            if key is not None and texts_of(key) == ["error"]
            for text in texts_of(value)
        ]
    if (
        isinstance(node, ast.Return)
        and node.value
        and path == "vestibule/core/command_line.py"
    ):
        return texts_of(node.value)
    if (
        isinstance(node, ast.AnnAssign | ast.Assign)
        and node.value
        and path == _OF_ERRORS[0]
        # A code is for programs and is no message.
        and "id='code'" not in ast.dump(node)
    ):
        return texts_of(node.value)
    return []


def messages() -> Iterator[tuple[str, str]]:
    """Yield each message and the file that produces it."""
    for status in _BY_NAME:
        yield (
            str(default_exceptions[status]().name),
            "vestibule/http/responses.py",
        )
    for text in (*OF_USAGE, *OF_QUESTIONS):
        yield text, "vestibule/cli/__init__.py"
    for file in product_files():
        for node in ast.walk(ast.parse(file.text)):
            for text in _messages_of_node(node, file.path):
                # A text of placeholders only belongs to another call.
                if re.search(r"[a-z]", text.replace(_FILLED, "")) and (
                    text != f"vestibule: {_FILLED}"
                ):
                    yield text, file.path


def documented() -> list[str]:
    """Return the messages of the page's tables as in the code."""
    rows = re.findall(r"^\| (`+)(.+?)\1 \| ", PAGE.read_text(), re.MULTILINE)
    return [re.sub(r"<[^>]*>", _FILLED, row) for _, row in rows]


def missing() -> dict[str, str]:
    """Return the messages that the page lacks, with their files."""
    told = set(documented())
    return {text: path for text, path in messages() if text not in told}


if __name__ == "__main__":
    for message, where in sorted(missing().items()):
        print(f"| `{message}` | ({where}) | |")
