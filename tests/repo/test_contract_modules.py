#!/usr/bin/env python3
"""The modules at the contract's paths lead to their definitions."""

import importlib
import sys
from pathlib import Path

import pytest

from tests.repo.repository import product_modules
from tests.serving import ROOT, run_python

#: Each module that the contract names, and where it is defined.
DEFINITIONS = {
    "api.v1.app": "vestibule.api.app",
    "api.v1.auth.auth": "vestibule.mechanisms.auth",
    "api.v1.auth.basic_auth": "vestibule.mechanisms.basic_auth",
    "api.v1.auth.session_auth": "vestibule.mechanisms.session_auth",
    "api.v1.auth.session_db_auth": "vestibule.mechanisms.session_db_auth",
    "api.v1.auth.session_exp_auth": "vestibule.mechanisms.session_exp_auth",
    "api.v1.views.index": "vestibule.api.views.index",
    "api.v1.views.session_auth": "vestibule.api.views.session_auth",
    "api.v1.views.users": "vestibule.api.views.users",
    "models.base": "vestibule.db.models.base",
    "models.user": "vestibule.db.models.user",
    "models.user_session": "vestibule.db.models.user_session",
}
PACKAGES = {"api", "api.v1", "api.v1.auth", "api.v1.views", "models"}
REPLACE_AUTH = """
import api.v1.app
from api.v1.app import app, auth
from api.v1.auth.auth import Auth
from vestibule.api import app as definition

assert app is api.v1.app.app is definition.app
assert auth is api.v1.app.auth is definition.auth is None
client = app.test_client()
print(client.get("/api/v1/users").status_code)
api.v1.app.auth = Auth()
assert definition.auth is api.v1.app.auth
print(client.get("/api/v1/users").status_code)
"""


def test_contract_paths_have_no_other_module() -> None:
    """Only the modules of the contract are outside of `vestibule`."""
    outside = {
        name
        for name in product_modules()
        if name.partition(".")[0] != "vestibule"
    }
    assert outside == DEFINITIONS.keys() | PACKAGES


@pytest.mark.parametrize(("name", "definition"), DEFINITIONS.items())
def test_contract_module_is_its_definition(name: str, definition: str) -> None:
    """Both names import the same module object."""
    defined = importlib.import_module(definition)
    assert importlib.import_module(name) is defined
    assert sys.modules[name] is defined


def test_views_package_has_the_blueprint() -> None:
    """`api.v1.views.app_views` is the blueprint of the product."""
    contract = importlib.import_module("api.v1.views")
    defined = importlib.import_module("vestibule.api.views")
    assert contract.app_views is defined.app_views


@pytest.mark.slow
def test_replaced_auth_counts_in_application(tmp_path: Path) -> None:
    """A mechanism that a script sets at `api.v1.app.auth` filters requests.

    Importing `app` and `auth` again returns the same objects.
    """
    printed = run_python(REPLACE_AUTH, tmp_path, {"PYTHONPATH": str(ROOT)})
    assert printed.split() == ["200", "401"]
