#!/usr/bin/env python3
"""The overview page: what an administrator looks at first.

Each figure leads to the list that has its rows. All of them come from the
hourly counts and from bounded queries, however many rows there are.
"""

from datetime import timedelta
from typing import NamedTuple

from flask import Response

from vestibule.accounts.permissions import Action
from vestibule.admin.cursor import list_events
from vestibule.api.views.sessions import current_mechanism_and_user
from vestibule.audit.log import EventType
from vestibule.core import clock, settings
from vestibule.db import hourly_counts, outgoing_mails
from vestibule.db.event_search import count_accounts
from vestibule.db.events import EventFilter
from vestibule.db.hourly_counts import hour_of
from vestibule.db.models.user import User
from vestibule.db.outgoing_mails import FAILED, QUEUED
from vestibule.db.user_search import (
    UserFilter,
    count_users,
    count_users_with_factor,
)
from vestibule.http.access import authorize
from vestibule.mail.notices import is_mail_on
from vestibule.metrics import multiprocess
from vestibule.web.activity import ALARMING, describe_event, device_label
from vestibule.web.admin.lists import user_names
from vestibule.web.i18n import gettext, zone
from vestibule.web.routes import (
    ADMIN,
    ADMIN_EVENTS,
    ADMIN_MAILS,
    ADMIN_OVERVIEW,
    ADMIN_SESSIONS,
    own_url,
    pages,
)
from vestibule.web.templating import page

#: The newest events on the page.
MAX_EVENTS_SHOWN = 10


class Figure(NamedTuple):
    """A number, and the address of its list; `None` has no list."""

    label: str
    number: int
    url: str | None = None
    is_alarming: bool = False


@pages.get(ADMIN_OVERVIEW)
def show_overview() -> Response:
    """Show the figures of now and of today, and the newest events."""
    authorize(Action.SEE_FIGURES)
    newest = list_events(EventFilter(), "", MAX_EVENTS_SHOWN, "").events
    return page(
        "admin_overview.html",
        now=_figures_of_now(),
        today=_figures_of_today(),
        events=newest,
        names=user_names(
            id for event in newest for id in (event.user_id, event.by_id)
        ),
        here=own_url(ADMIN_OVERVIEW),
        days_kept=settings.EVENTS_KEPT.read(),
        describe_event=describe_event,
        device_label=device_label,
        alarming=ALARMING,
    )


def _figures_of_now() -> list[Figure]:
    """Return how many users, sessions and throttled accounts there are."""
    store = current_mechanism_and_user()[0].store
    disabled = count_users(UserFilter(disabled=True))
    figures = [
        Figure(gettext("Users"), User.count(), own_url(ADMIN)),
        Figure(
            gettext("Disabled users"),
            disabled.number,
            own_url(f"{ADMIN}?disabled=yes"),
        ),
        Figure(
            gettext("Active sessions"), store.count(), own_url(ADMIN_SESSIONS)
        ),
        Figure(
            gettext("Users with a second factor"), count_users_with_factor()
        ),
    ]
    exits = multiprocess.exit_count()
    if exits is not None:
        figures.append(
            Figure(
                gettext("Unexpected worker exits since the start"),
                exits,
                own_url(f"{ADMIN_EVENTS}?kind={EventType.WORKER_EXITED}"),
                exits > 0,
            )
        )
    if is_mail_on():
        mails = outgoing_mails.queue_state()
        figures += (
            Figure(label, number, own_url(f"{ADMIN_MAILS}?state={state}"), bad)
            for label, number, state, bad in (
                (gettext("Queued emails"), mails.queued, QUEUED, False),
                (
                    gettext("Failed emails"),
                    mails.failed,
                    FAILED,
                    mails.failed > 0,
                ),
            )
        )
    return figures


def _figures_of_today() -> list[Figure]:
    """Return how often some things happened since midnight.

    The day begins in the zone of the pages, at a full hour.
    """
    midnight = (
        clock.now()
        .astimezone(zone())
        .replace(hour=0, minute=0, second=0, microsecond=0)
    )
    first = hour_of(midnight + timedelta(minutes=59))
    sums: dict[str, int] = {}
    for bucket, amount in hourly_counts.fetch_since(first).items():
        sums[bucket.name] = sums.get(bucket.name, 0) + amount
    since = midnight.replace(tzinfo=None).isoformat(timespec="minutes")

    def figure(label: str, number: int, kind: EventType) -> Figure:
        """Return a figure that leads to the events of a kind."""
        url = own_url(f"{ADMIN_EVENTS}?kind={kind.value}&since={since}")
        return Figure(label, number, url, kind in ALARMING and number > 0)

    figures = [
        figure(label, sums.get(kind, 0), kind)
        for label, kind in (
            (gettext("Sign-ins"), EventType.LOGIN),
            (gettext("Failed attempts"), EventType.LOGIN_FAILED),
            (gettext("New users"), EventType.USER_ADDED),
        )
    ]
    throttled = count_accounts(EventType.THROTTLED, midnight)
    figures.insert(
        2,
        figure(gettext("Throttled accounts"), throttled, EventType.THROTTLED),
    )
    return figures
