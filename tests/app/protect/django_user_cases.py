#!/usr/bin/env python3
"""Django: how the users of Vestibule become users of a project."""

import threading

import pytest

from tests.app.protect.django_project import (  # isort: skip
    ID_FIELD,
    IS_CUSTOM,
    User,
    _database,
    fake,
    local,
    stored,
)
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from vestibule.protect.testing import FakeVestibule

__all__ = ["_database", "fake"]


def test_user_is_mirrored_by_id(fake: FakeVestibule) -> None:
    """The project's user follows the names, the email and the role."""
    client = Client()
    assert client.get("/whoami").json()["user"] is None
    bob = fake.sign_in_as(client, "bob@example.com", first_name="Bob")
    shown = client.get("/whoami").json()
    assert shown["user"] == "bob@example.com"
    assert shown["principal"] == bob.id
    first = stored(bob)
    assert (first.is_staff, first.has_usable_password()) == (False, False)
    assert [group.name for group in first.groups.all()] == ["member"]
    fake.sign_in_as(client, "robert@example.com", role="admin", user_id=bob.id)
    client.get("/whoami")
    second = stored(bob)
    assert (second.pk, second.email) == (first.pk, "robert@example.com")
    assert (second.is_staff, second.is_superuser) == (True, False)
    assert [group.name for group in second.groups.all()] == ["admin"]
    assert User.objects.count() == 1


def test_unchanged_user_is_only_read(fake: FakeVestibule) -> None:
    """Further requests write nothing."""
    client = Client()
    fake.sign_in_as(client)
    client.get("/whoami")
    with CaptureQueriesContext(connection) as queries:
        client.get("/whoami")
    statements = [query["sql"].split()[0] for query in queries]
    assert set(statements) == {"SELECT"}
    assert len(statements) == 2


def test_existing_user_of_same_email_is_not_taken_over(
    fake: FakeVestibule,
) -> None:
    """An email is not confirmed, so it identifies no account."""
    owner = local("bob@example.com", is_superuser=True, is_staff=True)
    client = Client()
    fake.sign_in_as(client, "bob@example.com")
    response = client.get("/whoami")
    if IS_CUSTOM:
        # The email is unique there.
        assert response.status_code == 403
        assert User.objects.count() == 1
    else:
        assert response.json()["id"] != owner.pk
    owner.refresh_from_db()
    assert owner.is_superuser
    assert owner.check_password("correct horse battery")


def test_local_account_with_id_of_user_is_refused(
    fake: FakeVestibule,
) -> None:
    """Its password would open the account of the user."""
    client = Client()
    bob = fake.sign_in_as(client, "bob@example.com")
    local("other@example.com", **{ID_FIELD: bob.id})
    assert client.get("/whoami").status_code == 403


def test_local_user_keeps_own_session(fake: FakeVestibule) -> None:
    """A user of Vestibule in the same browser takes precedence."""
    owner = local()
    client = Client()
    client.force_login(
        owner, backend="django.contrib.auth.backends.ModelBackend"
    )
    assert client.get("/whoami").json()["id"] == owner.pk
    bob = fake.sign_in_as(client, "bob@example.com")
    assert client.get("/whoami").json()["principal"] == bob.id
    fake.end_sessions()
    assert client.get("/whoami").json()["id"] == owner.pk


def test_inactive_user_is_refused(fake: FakeVestibule) -> None:
    """The project can lock a user out."""
    client = Client()
    bob = fake.sign_in_as(client)
    client.get("/whoami")
    User.objects.filter(**{ID_FIELD: bob.id}).update(is_active=False)
    assert client.get("/whoami").status_code == 403


def test_two_first_requests_at_once_create_one_user(
    fake: FakeVestibule,
) -> None:
    """The later one finds the user of the earlier one."""
    client, statuses = Client(), []
    bob = fake.sign_in_as(client)
    barrier = threading.Barrier(4)

    def ask() -> None:
        """Send one of the requests."""
        own = Client()
        own.cookies = client.cookies
        barrier.wait(30)
        statuses.append(own.get("/whoami").status_code)
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == [200] * 4
    assert stored(bob)
    assert User.objects.count() == 1


@pytest.mark.parametrize("name", ["email", "first_name", "nothing"])
def test_id_field_must_be_unique(name: str, fake: FakeVestibule) -> None:
    """Two users of one account, or a user by email, would be one."""
    client = Client()
    fake.sign_in_as(client)
    with (
        override_settings(VESTIBULE_ID_FIELD=name),
        pytest.raises(ImproperlyConfigured, match="VESTIBULE_ID_FIELD"),
    ):
        client.get("/whoami")


@pytest.mark.skipif(not IS_CUSTOM, reason="the project has its own backend")
def test_own_backend_sets_own_fields(fake: FakeVestibule) -> None:
    """The hooks of a subclass are called."""
    client = Client()
    bob = fake.sign_in_as(client, "bob@example.com", role="admin")
    client.get("/whoami")
    assert stored(bob).title == "admin at Vestibule"
    assert stored(bob).greeted
