#!/usr/bin/env python3
"""Flask-Login over Flask-Session on Redis, users in SQLite.

Sessions as Flask-Session's documents show them for Redis, users as Flask's
own documents keep them, passwords by Werkzeug's default hash: neither
library brings one.
"""

import sys
from typing import Any

import peer_settings
from flask import Flask, request
from flask_login import (
    LoginManager,
    UserMixin,
    current_user,
    login_required,
    login_user,
)
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from redis import Redis
from sqlalchemy import select
from werkzeug.security import check_password_hash, generate_password_hash

app = Flask(__name__)
app.config.update(
    SECRET_KEY=peer_settings.SECRET,
    SESSION_TYPE="redis",
    SESSION_REDIS=Redis.from_url(peer_settings.REDIS),
    SQLALCHEMY_DATABASE_URI=f"sqlite:///{peer_settings.sqlite('flask_login')}",
)
Session(app)
db = SQLAlchemy(app)
logins = LoginManager(app)


class User(UserMixin, db.Model):
    """A user who can log in."""

    id = db.Column(db.Integer, primary_key=True)
    email = db.Column(db.String, unique=True, nullable=False)
    password = db.Column(db.String, nullable=False)


@logins.user_loader
def user_of(user_id: str) -> User | None:
    """Return the user whose id a session has."""
    return db.session.get(User, int(user_id))


@app.post("/login")
def login() -> tuple[dict[str, Any], int]:
    """Begin a session for who knows the password."""
    user = db.session.scalar(
        select(User).where(User.email == request.form["email"])
    )
    if user is None or not check_password_hash(
        user.password, request.form["password"]
    ):
        return {"error": "no"}, 401
    login_user(user)
    return {"id": user.id, "email": user.email}, 200


@app.get("/whoami")
@login_required
def whoami() -> dict[str, Any]:
    """Return the email of the authenticated user."""
    return {"id": current_user.id, "email": current_user.email}


def prepare() -> None:
    """Make the tables and the users."""
    with app.app_context():
        db.create_all()
        hashed = generate_password_hash(peer_settings.PASSWORD)
        db.session.add_all(
            User(email=email, password=hashed)
            for email in peer_settings.EMAILS
        )
        db.session.commit()
        print(hashed.rpartition("$")[0].rpartition("$")[0])


if __name__ == "__main__" and sys.argv[1:] == ["prepare"]:
    prepare()
