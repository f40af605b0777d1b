#!/usr/bin/env python3
"""Passkeys over the API: enroll them, sign in, and use them as a factor."""

from pathlib import Path

import pytest

from tests.app.api.conftest import Build
from tests.app.api.factor_owner import CONTINUE, FACTORS, ME, facts
from tests.app.api.passkey_owner import (
    ENROLL,
    SIGN_IN,
    enroll,
    options,
    sign_in,
)
from tests.app.api.service import (
    PASSWORD,
    Service,
    basic,
    session_id_of,
    stored_user,
)
from tests.clocks import SetClock
from tests.mailbox import Mailbox
from tests.soft_authenticator import (
    BE,
    BS,
    EDDSA,
    ES256,
    ORIGIN,
    RS256,
    UP,
    UV,
    SoftAuthenticator,
)
from tests.threads import at_once
from vestibule.core import clock
from vestibule.db.models.user import User
from vestibule.mail.outbox import MailSender
from vestibule.sessions.facts import SessionFacts, amr_of, level_of

PROOF = f"{FACTORS}/proof"
REMOVE_PASSWORD = "/api/v1/users/me/password"


@pytest.fixture
def service(
    build: Build, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> Service:
    """Return a service with passkeys; the clock stands still."""
    return build("session_db_auth", PUBLIC_URL="http://localhost")


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_passkey_signs_in_without_a_password(
    service: Service, algorithm: int
) -> None:
    """It is both factors: level 2, phishing-resistant, no code after it."""
    user, device = stored_user(), SoftAuthenticator(algorithm)
    client = service.client_for(user)
    before = session_id_of(client)
    added = enroll(client, device)
    assert (added["kind"], added["name"]) == ("passkey", "laptop")
    assert len(added["recovery_codes"]) == 10
    assert session_id_of(client) != before
    assert level_of(facts(service, client)) == 2
    client = sign_in(service, device)
    assert client.get(ME).get_json() == user.to_json()
    now = clock.now()
    found = facts(service, client)
    assert found == SessionFacts(now, ("pop",), now, True, True, False)
    assert amr_of(found) == ["pop", "mfa"]
    (listed,) = client.get(FACTORS).get_json()["factors"]
    assert (listed["kind"], listed["last_used_at"] is None) == (
        "passkey",
        False,
    )
    (session,) = [
        one
        for one in client.get("/api/v1/auth_session/sessions").get_json()
        if one["current"]
    ]
    assert session["method"] == "passkey"


def test_passkey_is_a_second_factor_after_the_password(
    service: Service,
) -> None:
    """Without user verification too; Basic credentials are refused then."""
    user, device = stored_user(), SoftAuthenticator()
    enroll(service.client_for(user), device)
    device.flags = UP
    client, answer = service.log_in(user)
    assert answer.get_json() == {"error": "second factor required"}
    asked = options(client, CONTINUE)
    assert asked["userVerification"] == "preferred"
    assert [one["transports"] for one in asked["allowCredentials"]] == [
        ["hybrid", "internal"]
    ]
    given = device.get(asked)
    answer = client.post(CONTINUE, json={"passkey": given})
    assert answer.status_code == 200, answer.text
    found = facts(service, client)
    assert (found.methods, found.user_verified) == (("pwd", "pop"), False)
    assert level_of(found) == 2


def test_passkey_without_verification_signs_nobody_in_alone(
    service: Service,
) -> None:
    """A stolen security key without a PIN is one factor."""
    device = SoftAuthenticator()
    enroll(service.client_for(stored_user()), device)
    device.flags = UP
    client = service.client()
    asked = options(client, SIGN_IN)
    assert asked["userVerification"] == "required"
    assert asked["allowCredentials"] == []
    answer = client.post(SIGN_IN, json={"passkey": device.get(asked)})
    assert (answer.status_code, answer.get_json()) == (
        401,
        {"error": "passkey refused"},
    )
    assert service.mechanism.store.count() == 1


def test_answer_works_once(service: Service) -> None:
    """Of eight requests at once with the same answer, one signs in."""
    device = SoftAuthenticator(flags=UP | UV | BE)
    enroll(service.client_for(stored_user()), device)
    given = device.get(options(service.client(), SIGN_IN))

    def attempt(_: int) -> int:
        """Send the answer; return the status."""
        answer = service.client().post(SIGN_IN, json={"passkey": given})
        return answer.status_code

    statuses = at_once(8, attempt)
    assert sorted(statuses) == [200] + [401] * 7


def test_challenge_lives_for_five_minutes(
    service: Service, set_clock: SetClock
) -> None:
    """After that its answer is refused, and a sweep deletes it."""
    device = SoftAuthenticator()
    enroll(service.client_for(stored_user()), device)
    client = service.client()
    given = device.get(options(client, SIGN_IN))
    set_clock.advance(300)
    assert client.post(SIGN_IN, json={"passkey": given}).status_code == 401


def test_challenge_counts_for_its_purpose_and_user(service: Service) -> None:
    """One for a user's second factor does not sign a user in, and so on."""
    user, device = stored_user(), SoftAuthenticator()
    owner = service.client_for(user)
    enroll(owner, device)
    other = service.client_for(stored_user())
    for asking, path in (
        (owner, PROOF),
        (owner, ENROLL),
        (other, PROOF),
        (service.log_in(user)[0], CONTINUE),
    ):
        asked = options(asking, path)
        given = device.get(asked)
        answer = service.client().post(SIGN_IN, json={"passkey": given})
        assert answer.status_code == 401, path
        # The attempt used it up.
        answer = owner.post(PROOF, json={"passkey": device.get(asked)})
        assert answer.status_code == 401, path
    given = device.get(options(service.client(), SIGN_IN))
    assert owner.post(PROOF, json={"passkey": given}).status_code == 401
    given = device.get(options(other, PROOF))
    assert other.post(PROOF, json={"passkey": given}).status_code == 401


def test_passkey_confirms_a_session(
    service: Service, set_clock: SetClock
) -> None:
    """It is enough for changes of factors, as the password is."""
    device = SoftAuthenticator()
    client = service.client_for(stored_user())
    enroll(client, device)
    set_clock.advance(301)
    assert client.post(f"{ENROLL}/options").status_code == 403
    before = session_id_of(client)
    given = device.get(options(client, PROOF))
    assert client.post(PROOF, json={"passkey": given}).status_code == 200
    assert session_id_of(client) != before
    assert client.post(f"{ENROLL}/options").status_code == 200


def test_stolen_session_adds_no_passkey(
    service: Service, set_clock: SetClock
) -> None:
    """Enrolment asks for the password or a factor, at both steps."""
    client = service.client_for(stored_user())
    made = SoftAuthenticator().create(options(client, ENROLL))
    set_clock.advance(301)
    body = {"name": "x", "passkey": made}
    for path in (ENROLL, f"{ENROLL}/options"):
        answer = client.post(path, json=body)
        assert answer.get_json() == {"error": "Re-authentication required"}


def test_sign_count_must_grow(service: Service) -> None:
    """A copy of a passkey that cannot be copied is refused."""
    device = SoftAuthenticator(count=5)
    enroll(service.client_for(stored_user()), device)
    sign_in(service, device)
    for count in (4, 5, -1):
        device.count = count
        client = service.client()
        given = device.get(options(client, SIGN_IN))
        answer = client.post(SIGN_IN, json={"passkey": given})
        assert answer.status_code == 401, count
    device.count = 6
    sign_in(service, device)


def test_copied_passkey_is_told_by_mail(
    build: Build,
    tmp_path: Path,
    set_clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A refused count is mailed; a wrong signature is not."""
    monkeypatch.setattr(MailSender, "ensure_running", lambda self: None)
    mailbox = Mailbox(tmp_path / "mails")
    mailbox.configure(monkeypatch)
    own = {"PASSKEY_RP_ID": "localhost", "PASSKEY_ORIGINS": ORIGIN}
    service = build("session_db_auth", **mailbox.settings(), **own)
    device = SoftAuthenticator(count=5)
    enroll(service.client_for(stored_user()), device)
    mailbox.deliver()
    client = service.client()
    bad = device.get(options(client, SIGN_IN))
    bad["response"]["signature"] = "AAAA"
    assert client.post(SIGN_IN, json={"passkey": bad}).status_code == 401
    assert mailbox.deliver() == []
    device.count = 3
    given = device.get(options(client, SIGN_IN))
    assert client.post(SIGN_IN, json={"passkey": given}).status_code == 401
    (mail,) = mailbox.deliver()
    assert "A passkey" in mail["Subject"]


def test_sign_count_of_a_synced_passkey_is_ignored(service: Service) -> None:
    """Its copies share none; that of some authenticators stays 0."""
    device = SoftAuthenticator(flags=UP | UV | BE | BS, count=5)
    enroll(service.client_for(stored_user()), device)
    device.count = 1
    sign_in(service, device)
    still = SoftAuthenticator()
    enroll(service.client_for(stored_user()), still)
    for _ in range(2):
        still.count = -1
        sign_in(service, still)


def test_disabled_user_cannot_sign_in(service: Service) -> None:
    """The answer is that of any refused passkey."""
    user, device = stored_user(), SoftAuthenticator()
    enroll(service.client_for(user), device)
    user.disabled_at = clock.now()
    user.save()
    client = service.client()
    given = device.get(options(client, SIGN_IN))
    answer = client.post(SIGN_IN, json={"passkey": given})
    assert answer.get_json() == {"error": "passkey refused"}


def test_removed_passkey_signs_in_no_more(service: Service) -> None:
    """The password alone does again, and the recovery codes go."""
    user, device = stored_user(), SoftAuthenticator()
    client = service.client_for(user)
    added = enroll(client, device)
    assert service.client().get(
        ME, headers={"Authorization": basic(user)}
    ).status_code in (
        401,
        403,
    )
    assert client.delete(f"{FACTORS}/{added['id']}").status_code == 200
    asking = service.client()
    given = device.get(options(asking, SIGN_IN))
    assert asking.post(SIGN_IN, json={"passkey": given}).status_code == 401
    assert service.log_in(user)[1].status_code == 200


def test_user_has_at_most_twenty_passkeys(service: Service) -> None:
    """One more is refused, before the device makes it and after."""
    client = service.client_for(stored_user())
    asked = [options(client, ENROLL) for _ in range(21)]
    for one in asked[:20]:
        made = SoftAuthenticator(EDDSA).create(one)
        answer = client.post(ENROLL, json={"name": "x", "passkey": made})
        assert answer.status_code == 201
    made = SoftAuthenticator(EDDSA).create(asked[20])
    for path, body in (
        (f"{ENROLL}/options", {}),
        (ENROLL, {"name": "x", "passkey": made}),
    ):
        answer = client.post(path, json=body)
        assert answer.status_code == 400
        assert "at most 20 passkeys" in answer.get_json()["error"]


def test_known_id_is_refused(service: Service) -> None:
    """Neither the same user nor another one gets a passkey twice."""
    device = SoftAuthenticator()
    client = service.client_for(stored_user())
    enroll(client, device)
    for asking in (client, service.client_for(stored_user())):
        asked = options(asking, ENROLL)
        twin = SoftAuthenticator(credential_id=device.credential_id)
        made = twin.create(asked)
        answer = asking.post(ENROLL, json={"name": "x", "passkey": made})
        assert (answer.status_code, answer.get_json()) == (
            400,
            {"error": "passkey refused"},
        )
    sign_in(service, device)


def test_password_can_be_removed_with_two_passkeys(
    service: Service,
) -> None:
    """Or with one and recovery codes; the last passkey stays then."""
    user = stored_user()
    client = service.client_for(user)
    answer = client.delete(REMOVE_PASSWORD)
    assert answer.status_code == 400
    device, other = SoftAuthenticator(), SoftAuthenticator()
    added = [enroll(client, device)["id"], enroll(client, other)["id"]]
    assert client.delete(REMOVE_PASSWORD).status_code == 200
    assert service.log_in(user, PASSWORD)[1].status_code == 401
    client = sign_in(service, device)
    assert client.delete(f"{FACTORS}/{added[0]}").status_code == 200
    answer = client.delete(f"{FACTORS}/{added[1]}")
    assert answer.status_code == 409
    assert "last passkey" in answer.get_json()["error"]
    sign_in(service, other)
    stored = User.get(user.id)
    assert stored is not None
    assert not stored.has_password


def test_waiting_login_is_needed_for_its_options(service: Service) -> None:
    """Another browser gets none."""
    answer = service.client().post(f"{CONTINUE}/options")
    assert answer.status_code == 401


def test_without_a_public_url_there_are_no_passkeys(build: Build) -> None:
    """Every route is 404, and so is one of plain http."""
    for settings in ({}, {"PUBLIC_URL": "http://auth.example.com"}):
        service = build("session_db_auth", **settings)
        client = service.client_for(stored_user())
        for path in (SIGN_IN, ENROLL, PROOF, CONTINUE):
            assert client.post(f"{path}/options").status_code == 404, path


def test_passkey_is_renamed_and_signs_in_after_it(service: Service) -> None:
    """Its name is no part of what it signs."""
    user, device = stored_user(), SoftAuthenticator()
    client = service.client_for(user)
    made = enroll(client, device)
    answer = client.put(f"{FACTORS}/{made['id']}", json={"name": "key"})
    assert answer.status_code == 200
    assert (answer.get_json()["kind"], answer.get_json()["name"]) == (
        "passkey",
        "key",
    )
    assert sign_in(service, device).get(ME).get_json()["id"] == user.id
