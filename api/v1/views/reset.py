#!/usr/bin/env python3
"""A forgotten password: set a new one with the code that an admin gave."""

from flask import Response, request

from api.v1.answers import answer
from api.v1.entry import FORM_LIMIT
from api.v1.request import current_request
from api.v1.views.blueprint import app_views
from vestibule.accounts.reset import set_forgotten_password
from vestibule.errors import InvalidValue


@app_views.post("/auth_session/reset")
def reset_password() -> Response:
    """Set the password of the form's email, if the code is right.

    Nobody is logged in by it, and every session of the user ends.
    """
    request.max_content_length = FORM_LIMIT
    form = request.form
    for field in ("email", "code", "new_password"):
        if not form.get(field):
            return answer({"error": f"{field} missing"}, 400)
    store = getattr(current_request().mechanism, "store", None)
    try:
        set_forgotten_password(
            form["email"], form["code"], form["new_password"], store
        )
    except InvalidValue as error:
        return answer({"error": str(error)}, 400)
    return answer({})
