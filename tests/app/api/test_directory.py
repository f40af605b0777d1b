#!/usr/bin/env python3
"""What applications read of users: names by ids, and a user's own access."""

import re

import pytest

from tests.app.api.conftest import Build
from tests.app.api.service import WITH_SESSIONS, stored_user
from tests.serving import ME, ROOT, USERS
from vestibule.admin.filters import MAX_FILTER_LENGTH, MAX_IDS
from vestibule.db.models.user import User

ACCESS = f"{ME}/access"


def named(first: str | None, last: str | None) -> User:
    """Store a user with these names."""
    user = stored_user()
    user.first_name, user.last_name = first, last
    user.save()
    return user


def test_member_reads_names_by_ids(build: Build) -> None:
    """The answer is in the order of the ids, and has no email."""
    client = build("session_db_auth", DIRECTORY="names").client_for(
        stored_user()
    )
    amy, bob, bare = named("Amy", "Lee"), named(None, "Ray"), stored_user()
    bob.disabled_at = bob.created_at
    bob.save()
    gone = stored_user()
    gone.remove()
    ids = [bob.id, "unknown", amy.id, gone.id, bare.id, bob.id, ""]
    answer = client.get(USERS, query_string={"ids": ",".join(ids)})
    assert answer.get_json() == [
        {"id": bob.id, "first_name": None, "last_name": "Ray", "name": "Ray"},
        {
            "id": amy.id,
            "first_name": "Amy",
            "last_name": "Lee",
            "name": "Amy Lee",
        },
        {"id": bare.id, "first_name": None, "last_name": None, "name": ""},
    ]
    assert "@" not in answer.text
    repeated = client.get(f"{USERS}?ids={bob.id}&ids={amy.id}").get_json()
    assert [one["id"] for one in repeated] == [bob.id, amy.id]


def test_documented_answer_is_returned(build: Build) -> None:
    """The page shows the answer byte for byte."""
    text = (ROOT / "docs/application-data.md").read_text()
    (block,) = re.findall(r"```directory\n(.*?)```", text, re.DOTALL)
    request, _, shown = block.partition("\n")
    method, path = request.split()
    (known,) = re.findall("ids=([0-9a-f-]+)", path)
    User(id=known, email="bob@example.com", first_name="Bob").save()
    client = build("session_db_auth", DIRECTORY="names").client_for(
        stored_user()
    )
    assert client.open(path, method=method).text == shown


@pytest.mark.parametrize("policy", ["open", "self"])
@pytest.mark.parametrize("directory", ["off", "names"])
def test_names_are_for_admins_or_by_the_setting(
    build: Build, policy: str, directory: str
) -> None:
    """An anonymous client never reads them, under any policy."""
    service = build(
        "session_db_auth", DIRECTORY=directory, AUTHZ_POLICY=policy
    )
    amy = named("Amy", None)
    path = f"{USERS}?ids={amy.id}"
    member = service.client_for(stored_user()).get(path)
    assert member.status_code == (200 if directory == "names" else 403)
    admin = service.client_for(stored_user("admin")).get(path)
    assert admin.get_json()[0]["name"] == "Amy"
    assert service.client().get(path).status_code == 401


def test_without_authentication_names_are_closed(build: Build) -> None:
    """A service whose routes are all open shows no directory by ids."""
    service = build(None, DIRECTORY="names")
    assert service.client().get(f"{USERS}?ids=a").status_code == 403


@pytest.mark.parametrize(
    "ids",
    [
        ",".join(str(number) for number in range(MAX_IDS + 1)),
        "a" * (MAX_FILTER_LENGTH + 1),
        "a,\x00",
        "\ud800",
    ],
    ids=["many", "long", "null", "surrogate"],
)
def test_impossible_ids_are_refused(build: Build, ids: str) -> None:
    """They cost no query."""
    client = build("session_db_auth", DIRECTORY="names").client_for(
        stored_user()
    )
    query = {"ids": ids.encode(errors="surrogatepass")}
    answer = client.get(USERS, query_string=query)
    if ids == "\ud800":
        # Werkzeug replaces what is no UTF-8, and there is no such user.
        assert answer.get_json() == []
        return
    assert answer.status_code == 400
    assert answer.get_json() == {"error": "Wrong format", "field": "ids"}


def test_as_many_ids_as_allowed_are_answered(build: Build) -> None:
    """The limit itself is allowed, and no id is answered with an empty
    list.
    """
    client = build("session_db_auth", DIRECTORY="names").client_for(
        stored_user()
    )
    ids = ",".join(str(number) for number in range(MAX_IDS))
    assert client.get(f"{USERS}?ids={ids}").get_json() == []
    assert client.get(f"{USERS}?ids=").get_json() == []
    assert client.get(f"{USERS}?ids=,,").get_json() == []


@pytest.mark.parametrize("mechanism", WITH_SESSIONS)
@pytest.mark.parametrize("role", ["member", "admin"])
def test_access_shows_role_and_groups(
    build: Build, mechanism: str, role: str
) -> None:
    """The six keys of `/users/me` stay; the role has a route of its own."""
    user = stored_user(role)
    client = build(mechanism).client_for(user)
    assert client.get(ACCESS).get_json() == {
        "id": user.id,
        "role": role,
        "groups": [role],
    }
    assert len(client.get(ME).get_json()) == 6


def test_access_shows_a_changed_role_at_once(build: Build) -> None:
    """A cached session does not keep the role of before."""
    user = stored_user()
    client = build("session_db_auth").client_for(user)
    assert client.get(ACCESS).get_json()["role"] == "member"
    user.role = "admin"
    user.save()
    assert client.get(ACCESS).get_json()["groups"] == ["admin"]


def test_access_needs_a_user(build: Build) -> None:
    """401 without a credential; 404 without authentication."""
    assert build("session_db_auth").client().get(ACCESS).status_code == 401
    assert build(None).client().get(ACCESS).status_code == 404
