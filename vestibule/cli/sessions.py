#!/usr/bin/env python3
"""`sessions`: list stored sessions, end them, and delete expired ones.

The mechanism decides which sessions are expired. Neither a session id nor
its digest is ever shown.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import click

from vestibule.accounts.revocation import revoke, revoke_all
from vestibule.cli.arguments import current_actor, find_user, require_database
from vestibule.cli.commands import CommandError
from vestibule.cli.output import (
    format_time,
    json_option,
    show_json,
    show_result,
    show_table,
)
from vestibule.core.client_info import device_name
from vestibule.core.command_line import command_line
from vestibule.core.text import escape_control_characters
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession
from vestibule.mechanisms.session_db_auth import SessionDBAuth
from vestibule.sessions.lifetime import expires_at, expiry_reason


@click.group()
def sessions() -> None:
    """Work with stored sessions."""


@sessions.command("list")
@click.option(
    "--user",
    "email_or_id",
    metavar="EMAIL_OR_ID",
    help="List only the sessions of this user.",
)
@json_option
def list_sessions(email_or_id: str | None, as_json: bool) -> None:
    """List the sessions, oldest first.

    The id is that of the row; it is no credential.
    """
    require_database()
    attributes = {}
    if email_or_id is not None:
        attributes["user_id"] = find_user(email_or_id).id
    found = _session_objects(
        chain.from_iterable(UserSession.search_pages(attributes))
    )
    if as_json:
        show_json(found)
        return
    show_table(
        ("id", "user", "created (UTC)", "expired"),
        (
            (
                one["id"],
                one["email"] or one["user_id"],
                one["created_at"],
                one["expired"] or "no",
            )
            for one in found
        ),
    )


@sessions.command()
@click.argument("session_id", nargs=-1)
@click.option(
    "--user",
    "email_or_id",
    metavar="EMAIL_OR_ID",
    help="End all sessions of this user.",
)
@click.option(
    "--all", "everything", is_flag=True, help="End the sessions of all users."
)
@json_option
def end(
    session_id: tuple[str, ...],
    email_or_id: str | None,
    everything: bool,
    as_json: bool,
) -> None:
    """End the sessions with these ids, those of a user, or all.

    The ids are those that `sessions list` shows.
    """
    chosen = (bool(session_id), email_or_id is not None, everything)
    if chosen.count(True) != 1:
        raise click.UsageError("give the ids of sessions, --user, or --all")
    require_database()
    store, unknown = SessionDBAuth().store, []
    if session_id:
        unknown = [
            each
            for each in session_id
            if not revoke(store, each, current_actor())
        ]
        ended = len(session_id) - len(unknown)
    else:
        user_id = None if everything else find_user(email_or_id or "").id
        ended = revoke_all(store, user_id, current_actor())
    show_result(
        {"ended": ended, "unknown": unknown},
        f"ended {ended} sessions",
        as_json,
    )
    if unknown:
        shown = escape_control_characters(", ".join(unknown))
        raise CommandError(
            f"there is no session with the id {shown}; see:"
            f" {command_line('sessions list')}"
        )


@sessions.command()
@json_option
def purge(as_json: bool) -> None:
    """Delete the sessions that are expired by the current settings."""
    require_database()
    mechanism = SessionDBAuth()
    deleted = mechanism.purge_expired()
    reason = ": they never expire" if mechanism.limits().endless else ""
    show_result(
        {"deleted": deleted},
        f"deleted {deleted} expired sessions{reason}",
        as_json,
    )


def _session_objects(found: Iterable[UserSession]) -> Iterator[dict[str, Any]]:
    """Yield each session as an object without secrets."""
    mechanism = SessionDBAuth()
    limits = mechanism.limits()
    emails: dict[str | None, str | None] = {}
    for session in found:
        owner = session.user_id
        if owner not in emails:
            user = User.get(owner)
            emails[owner] = None if user is None else user.email
        yield {
            "id": session.id,
            "user_id": owner,
            "email": emails[owner],
            "created_at": format_time(session.created_at),
            "last_seen_at": format_time(session.last_seen_at),
            "expires_at": format_time(expires_at(session, limits)),
            "expired": expiry_reason(session, limits, mechanism.now()),
            "ip": session.ip,
            "user_agent": session.user_agent,
            "device": device_name(session.user_agent),
            "method": session.method,
        }
