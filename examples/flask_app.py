#!/usr/bin/env python3
"""A Flask application whose users sign in at a Vestibule.

Run it by `granian --interface wsgi --port 8000 examples.flask_app:app`.
"""

import os

from flask import Flask

from vestibule.protect.flask import (
    Vestibule,
    current_user,
    login_required,
    role_required,
)

app = Flask(__name__)
Vestibule(app, os.environ.get("VESTIBULE_URL", "http://127.0.0.1:5000"))


@app.get("/me")
@login_required
def me() -> dict[str, str]:
    """Greet the signed-in user."""
    return {"name": current_user.name}


@app.get("/admin")
@role_required("admin")
def admin() -> dict[str, str]:
    """Answer admins only."""
    return {"role": current_user.role}
