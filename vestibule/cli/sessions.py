#!/usr/bin/env python3
"""`sessions`: list those in the database, and drop the expired ones.

Its law: the mechanism that serves them says which are expired, and
neither a session id nor its digest is ever shown.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

import click

from api.v1.auth.session_db_auth import SessionDBAuth
from models.user import User
from models.user_session import UserSession
from vestibule.cli.terminal import show_table
from vestibule.cli.user_argument import named_user
from vestibule.sessions.lifetime import why_dead


@click.group()
def sessions() -> None:
    """Work with the sessions of session_db_auth."""


@sessions.command("list")
@click.option(
    "--user",
    "email_or_id",
    metavar="EMAIL_OR_ID",
    help="Only the sessions of this user.",
)
def list_sessions(email_or_id: str | None) -> None:
    """List the sessions, oldest first.

    The id is that of the row, which opens nothing.
    """
    wanted = {}
    if email_or_id is not None:
        wanted["user_id"] = named_user(email_or_id).id
    show_table(
        ("id", "user", "created (UTC)", "expired"),
        _described(chain.from_iterable(UserSession.pages(wanted))),
    )


@sessions.command()
def purge() -> None:
    """Drop the sessions that are expired by the present SESSION_DURATION.
    """
    mechanism = SessionDBAuth()
    dropped = mechanism.purge_expired()
    why = ": they never expire" if mechanism.limits().endless else ""
    click.echo(f"dropped {dropped} expired sessions{why}")


def _described(
    found: Iterable[UserSession],
) -> Iterator[tuple[str | None, ...]]:
    """Yield a row of the table for each session."""
    mechanism = SessionDBAuth()
    names: dict[str | None, str | None] = {}
    for session in found:
        owner = session.user_id
        if owner not in names:
            user = User.get(owner)
            names[owner] = owner if user is None else user.email or owner
        dead = why_dead(session, mechanism.limits(), mechanism.now())
        yield (
            session.id,
            names[owner],
            session.to_json()["created_at"],
            dead or "no",
        )
