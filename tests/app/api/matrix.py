#!/usr/bin/env python3
"""The authorization matrix of docs/authorization.md."""

import re
from typing import NamedTuple

from tests.serving import ROOT
from vestibule.api.app import create_app
from vestibule.http import verify

PAGE = ROOT / "docs/authorization.md"
POLICIES = ("open", "self")
#: The actor, and the owner of the account, in the order of the columns.
COLUMNS = (
    ("anonymous", "other"),
    ("member", "self"),
    ("member", "other"),
    ("admin", "self"),
    ("admin", "other"),
)


class Cell(NamedTuple):
    """One request and the status of its answer."""

    policy: str
    method: str
    path: str
    actor: str
    target: str
    status: int


def cells() -> list[Cell]:
    """Return the cells of the page's matrix."""
    (block,) = re.findall(
        r"```authorization\n(.*?)```", PAGE.read_text(), re.DOTALL
    )
    found = []
    for line in block.splitlines():
        if line.startswith("#"):
            continue
        policy, method, path, *statuses = line.split()
        for (actor, target), status in zip(COLUMNS, statuses, strict=True):
            found += [
                Cell(each, method, path, actor, target, int(status))
                for each in (POLICIES if policy == "both" else (policy,))
                if status != "-"
            ]
    return found


def routes() -> set[tuple[str, str]]:
    """Return the methods and paths that the service has."""
    return {
        (method, rule.rule)
        for rule in create_app(None).url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }


def required_cells() -> set[tuple[str, str, str, str, str]]:
    """Return all cells that the page must have, without their status.

    A path that names no account is always about the user's own.
    """
    return {
        (policy, method, path, actor, target)
        for policy in POLICIES
        # The verify endpoint responds before Flask and is not a route.
        for method, path in routes() | {("GET", verify.PATH)}
        for actor, target in COLUMNS
        if "<" in path
        or (actor, target) not in (("member", "other"), ("admin", "other"))
    }
