#!/usr/bin/env python3
"""`gate explain`: which rule counts, and which fact is missing."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run, run
from vestibule.db.models.user import User

__all__ = ["run"]
pytestmark = pytest.mark.usefixtures("on_sqlite")
URL = "https://shop.example.com/payments/7?x"
RULES = """\
[[rule]]
host = "shop.example.com"
path = "/payments"
role = "admin"
level = 2
fresh = 300

[[rule]]
path = "/payments"
network = "10.0.0.0/8"
access = "open"
"""


@pytest.fixture(autouse=True)
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store a file of rules, and an admin."""
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    monkeypatch.setenv("GATE_RULES", str(file))
    user = User(email="bob@example.com")
    user.role = "admin"
    user.save()


def explained(run: Run, *options: str) -> tuple[object, ...]:
    """Return the line of the rule, the answer, and what is missing."""
    done = run("gate", "explain", URL, "--json", *options)
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    line = told["rule"] and told["rule"]["line"]
    return line, told["answer"], told["missing"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", (None, "sign-in", ["signed-in"])),
        ("--from 10.1.2.3", (8, "anonymous", [])),
        ("--as BOB", (1, "step-up", ["level"])),
        ("--as BOB --age 301", (1, "step-up", ["level", "fresh"])),
        ("--as BOB --level 2", (1, "pass", [])),
        (
            "--as BOB --level 2 --age 301",
            (1, "step-up", ["fresh"]),
        ),
    ],
)
def test_rule_and_missing_facts_are_named(
    run: Run, options: str, expected: tuple[object, ...]
) -> None:
    """By the user, the address and the session."""
    assert (
        explained(run, *options.replace("BOB", "bob@example.com").split())
        == expected
    )


def test_required_factor_makes_the_user_anonymous(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As verify does, after the days of grace."""
    monkeypatch.setenv("REQUIRE_MFA", "admins")
    bob = "--as", "bob@example.com"
    assert explained(run, *bob)[1] == "step-up"
    monkeypatch.setenv("MFA_GRACE", "0")
    assert explained(run, *bob)[1] == "sign-in"
    text = run("gate", "explain", URL, *bob).stdout
    assert "the user counts as anonymous" in text


def test_text_is_for_people(run: Run) -> None:
    """It names the line of the rule, and what it asks for."""
    done = run("gate", "explain", URL, "--as", "bob@example.com")
    assert done.stdout == (
        "rule:    number 1, line 1\n"
        "asks:    level = 2, fresh = 300\n"
        "answer:  step-up\n"
        "missing: level\n"
    )
    odd = run("gate", "explain", "https://a.example/a/../b")
    assert "ambiguous" in odd.stdout
    assert run("gate", "explain", "shop.example.com/x").exit_code == 1
