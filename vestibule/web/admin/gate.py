#!/usr/bin/env python3
"""The admin page that explains what the rules of the gate decide."""

from typing import Any

from flask import Response

from vestibule.accounts.gate import explained
from vestibule.accounts.permissions import Action
from vestibule.core.access_settings import GATE_RULES
from vestibule.db.models.user import User
from vestibule.http.access import authorize
from vestibule.http.request import current_request
from vestibule.web.i18n import gettext
from vestibule.web.routes import ADMIN_GATE, pages
from vestibule.web.templating import page

#: Characters of a field that are looked at.
MAX_FIELD_LENGTH = 2_048
_FIELDS = ("url", "user", "method", "address")


@pages.get(ADMIN_GATE)
def explain_gate() -> Response:
    """Show the decision about the request that the form describes."""
    authorize(Action.SEE_ADMIN_PAGES)
    given = current_request().args
    values = {
        name: given.get(name, "").strip()[:MAX_FIELD_LENGTH]
        for name in _FIELDS
    }
    errors: dict[str, str] = {}
    decision: dict[str, Any] | None = None
    user = _user(values["user"], errors)
    if values["url"] and "://" not in values["url"]:
        errors["url"] = gettext("Enter the whole address, with https://.")
    elif values["url"] and not errors:
        method = values["method"] or "GET"
        decision = explained(values["url"], method, values["address"], user)
    return page(
        "admin_gate.html",
        400 if errors else 200,
        values=values,
        errors=errors,
        decision=decision,
        has_rules=GATE_RULES.read() is not None,
    )


def _user(text: str, errors: dict[str, str]) -> User | None:
    """Return the user with this email or id; note an unknown one."""
    if not text:
        return None
    found = User.get(text) or next(iter(User.search({"email": text})), None)
    if found is None:
        errors["user"] = gettext("There is no such user.")
    return found
