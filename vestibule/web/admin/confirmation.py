#!/usr/bin/env python3
"""The confirmation page of every action of an admin, and the way back.

After an action and after Cancel, the admin is at the page that `back`
names: the same place of the list, with the same filter.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from vestibule.db.models.user import User
from vestibule.http.flask_app import MinimalResponse
from vestibule.http.request import current_actor
from vestibule.web import messages
from vestibule.web.forms import FormErrors, render_form
from vestibule.web.i18n import gettext
from vestibule.web.messages import Message
from vestibule.web.routes import back_url
from vestibule.web.templating import redirect_to


class Target(NamedTuple):
    """A user or session that an action is about."""

    text: str
    badge: str = ""


class Confirmation(NamedTuple):
    """What a confirmation page asks; the texts are translated already."""

    question: str
    consequence: str
    button: str
    #: The URL to which the form is sent.
    action: str
    #: The path of the page to go back to if the request names none.
    home: str
    targets: Sequence[Target] = ()
    #: Names and values of further fields.
    hidden: Sequence[tuple[str, str]] = ()
    is_dangerous: bool = True
    #: What was typed as the name of the service; `None` does not ask.
    typed_name: str | None = None
    #: The lifetimes of an invitation to choose from; without any, no choice.
    lifetimes: Sequence[tuple[str, str]] = ()
    valid_hours: str = ""


def confirmation_page(
    asked: Confirmation,
    problem: FormErrors | None = None,
    is_reauthenticated: bool = False,
) -> MinimalResponse:
    """Return the page that asks to confirm an action."""
    return render_form(
        "admin_confirm.html",
        problem,
        is_reauthenticated,
        back=back_url(asked.home),
        **{
            name: value
            for name, value in asked._asdict().items()
            if name != "home"
        },
    )


def go_back(home: str, message: Message | None = None) -> MinimalResponse:
    """Return a redirect to the page that the request names, or `home`."""
    response = redirect_to(back_url(home))
    if message is not None:
        messages.flash(response, message)
    return response


def user_targets(users: Iterable[User]) -> list[Target]:
    """Return users as targets; the admin's own account is marked."""
    own = current_actor().id
    return [
        Target(
            user.email or user.display_name() or user.id,
            gettext("You") if user.id == own else "",
        )
        for user in users
    ]
