#!/usr/bin/env python3
"""Flask-Security-Too with Flask-SQLAlchemy, as its quick start has it.

Its login takes JSON; tokens against cross-site requests are off, so that
one request logs in.
"""

import sys
import uuid
from typing import Any

import peer_settings
from flask import Flask
from flask_security import (
    Security,
    SQLAlchemyUserDatastore,
    auth_required,
    current_user,
    hash_password,
)
from flask_security.models import fsqla_v3
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config.update(
    SECRET_KEY=peer_settings.SECRET,
    SECURITY_PASSWORD_SALT="146585145368132386173505678016728509634",
    SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},
    SESSION_COOKIE_SAMESITE="strict",
    REMEMBER_COOKIE_SAMESITE="strict",
    WTF_CSRF_ENABLED=False,
    SQLALCHEMY_DATABASE_URI=(
        peer_settings.POSTGRESQL
        or f"sqlite:///{peer_settings.sqlite('flask_security')}"
    ),
)
db = SQLAlchemy(app)
fsqla_v3.FsModels.set_db_info(db)


class Role(db.Model, fsqla_v3.FsRoleMixin):
    """What a user may be, as the library wants it."""


class User(db.Model, fsqla_v3.FsUserMixin):
    """A user, as the library requires it."""


datastore = SQLAlchemyUserDatastore(db, User, Role)
app.security = Security(app, datastore)


@app.get("/whoami")
@auth_required("session")
def whoami() -> dict[str, Any]:
    """Return the email of the authenticated user."""
    return {"id": current_user.fs_uniquifier, "email": current_user.email}


def prepare() -> None:
    """Make the tables and the users."""
    with app.app_context():
        db.create_all()
        hashed = hash_password(peer_settings.PASSWORD)
        for email in peer_settings.EMAILS:
            datastore.create_user(
                email=email, password=hashed, fs_uniquifier=uuid.uuid4().hex
            )
        db.session.commit()
        print(hashed)


if __name__ == "__main__" and sys.argv[1:] == ["prepare"]:
    prepare()
