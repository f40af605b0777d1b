#!/usr/bin/env python3
"""Exactly one function begins sessions; the syntax tree shows each caller.

A way in that began a session by itself would go round the second factor.
"""

import ast
from collections.abc import Iterator

from tests.app.api.test_ways_in import documented
from tests.repo.repository import product_files

#: Each call by which a session comes into being, and where it stands.
ALLOWED = {
    # The one function that takes proofs.
    ("http.login", "begin_session", "create_session"),
    # The methods of the mechanisms' contract, which it calls.
    ("mechanisms.session_exp_auth", "create_session", "create_session"),
    ("mechanisms.session_auth", "create_session", "_keep"),
    ("mechanisms.session_auth", "_keep", "MemoryStore.add"),
    ("mechanisms.session_db_auth", "create_session", "UserSession"),
    ("mechanisms.session_db_auth", "create_session", "insert_within_limit"),
    ("db.models.user_session", "insert_within_limit", "insert USER_SESSIONS"),
    # One more secret id of a session that exists, on an application's host.
    ("db.host_sessions", "_add_session", "insert HOST_SESSIONS"),
    ("db.host_sessions", "redeem_code", "_add_session"),
    # A throwaway database of `vestibule demo`.
    ("cli.demo_data", "_session", "UserSession"),
    # What begins a session, in the order of the calls.
    ("http.login", "log_in", "begin_session"),
    ("http.login", "continue_login", "begin_session"),
    ("http.login", "log_in_with_passkey", "begin_session"),
    ("http.login", "reset_factors_and_log_in", "begin_session"),
    ("web.sign_in", "log_in_and_redirect", "begin_session"),
}
#: The rows of docs/security.md for each function that logs a user in by one
#: of the functions above. A new way in, such as by a passkey, needs both.
WAYS_IN = {
    ("api.views.session_auth", "login"): {
        "login form of the API",
        "login of the API by JSON",
        "password in a trusted browser",
    },
    ("flask", "_routes"): {"login form of the API"},
    ("flask", "log_in"): {"login form of the API"},
    ("flask", "login"): {"login form of the API"},
    ("web.sign_in", "sign_in"): {"sign-in page"},
    ("api.views.factors", "give_second_factor"): {
        "password, then a code of an app",
        "password, then a passkey",
        "password, then a recovery code",
    },
    ("web.sign_in", "give_second_factor_page"): {
        "password, then a code of an app",
        "password, then a passkey",
        "password, then a recovery code",
    },
    ("api.views.factors", "reset_factors_by_code"): {
        "code that removes the factors, with the password"
    },
    ("web.sign_in", "reset_factors_page"): {
        "code that removes the factors, with the password"
    },
    ("api.views.factors", "log_in_by_passkey"): {"passkey alone"},
    ("web.sign_in", "_sign_in_with_passkey"): {"passkey alone"},
    ("web.new_password", "create_account"): {"registration page"},
    ("web.new_password", "reset_password"): {
        "reset code on the page",
        "invitation on the page",
    },
    ("web.new_password", "set_up"): {"code of the first run"},
}
#: Rows about ways that begin no session by these functions.
OTHER_WAYS = {
    "reset code",
    "invitation",
    "HTTP Basic",
    "signed identity",
    "`create_session` of the class, in process",
    "hand-over to an application's host",
}
_CALLS = {
    "create_session",
    "begin_session",
    "insert_within_limit",
    "_keep",
    "_add_session",
    "UserSession",
}
_TABLES = {"USER_SESSIONS", "HOST_SESSIONS"}


def _name(node: ast.expr) -> str:
    """Return the last name of what is called or given."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _found(call: ast.Call) -> str | None:
    """Return what a call does to begin a session, if it does."""
    name = _name(call.func)
    if name in _CALLS:
        return name
    given = [_name(argument) for argument in call.args]
    if name in ("insert", "insert_into") and _TABLES & set(given[:1]):
        return f"insert {given[0]}"
    if name == "add" and isinstance(call.func, ast.Attribute):
        owner = call.func.value
        if isinstance(owner, ast.Call) and _name(owner.func) == "MemoryStore":
            return "MemoryStore.add"
    return None


def _calls_in(source: str) -> Iterator[tuple[str, str]]:
    """Yield the function, and what it calls, for each such call."""

    def visit(node: ast.AST, function: str) -> Iterator[tuple[str, str]]:
        """Yield the calls below a node of a function."""
        for child in ast.iter_child_nodes(node):
            inner = function
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                inner = child.name
            if isinstance(child, ast.Call) and (what := _found(child)):
                yield inner, what
            yield from visit(child, inner)

    yield from visit(ast.parse(source), "")


def test_sessions_begin_in_one_function() -> None:
    """Another caller fails this test until it is that function's."""
    found = {
        (module, function, what)
        for file in product_files()
        for function, what in _calls_in(file.text)
        for module in [_module_of(file.path)]
        # Elsewhere it is another method.
        if what != "_keep" or module.startswith("mechanisms.")
    }
    assert found == ALLOWED


def _module_of(path: str) -> str:
    """Return the dotted name of a file below `vestibule`."""
    name = path.removesuffix(".py").replace("/", ".")
    return name.removeprefix("vestibule.")


def test_search_finds_each_form_of_a_call() -> None:
    """The test above would miss nothing that is written in these ways."""
    source = (
        "def f(a):\n"
        "    a.b.create_session('x')\n"
        "    c(insert(tables.USER_SESSIONS).values(1))\n"
        "    MemoryStore(1, 2).add('x', 1, 2)\n"
        "    g = lambda: models.UserSession(user_id='x')\n"
    )
    assert {what for _, what in _calls_in(source)} == {
        "create_session",
        "insert USER_SESSIONS",
        "MemoryStore.add",
        "UserSession",
    }


def _log_in_calls() -> set[tuple[str, str]]:
    """Return each function that calls one that begins a session."""
    begin = {name for _, name, what in ALLOWED if what == "begin_session"}
    found = set()
    for file in product_files():
        for node in ast.walk(ast.parse(file.text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                called = {
                    _name(call.func)
                    for call in ast.walk(node)
                    if isinstance(call, ast.Call)
                }
                if called & begin:
                    found.add((_module_of(file.path), node.name))
    return found


def test_each_way_in_has_its_row() -> None:
    """A new caller needs a row, which another test fills from what happens."""
    assert _log_in_calls() == set(WAYS_IN)
    rows = {row for named in WAYS_IN.values() for row in named}
    assert rows | OTHER_WAYS == {row[0] for row in documented()}
