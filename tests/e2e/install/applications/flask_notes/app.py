#!/usr/bin/env python3
"""Notes in Flask."""

import os

from flask import Flask, render_template

from api import api
from models import NOTES
from vestibule.protect.flask import (
    Vestibule,
    fresh_login_required,
    login_required,
    role_required,
)

app = Flask(__name__)
URL = os.environ["VESTIBULE_URL"]
Vestibule(app, URL, pages=os.environ.get("PAGES_URL", URL))
app.register_blueprint(api)
app.add_url_rule("/", "home", lambda: render_template("page.html"))


@app.get("/notes")
@login_required
def notes():
    """Show the user's notes."""
    return render_template("page.html", notes=NOTES)


@app.get("/admin/")
@role_required("admin")
def admin():
    """Show the number of notes of each user."""
    return render_template("page.html", counts=NOTES)


@app.get("/export")
@fresh_login_required
def export():
    """Export all notes of the user."""
    return NOTES
