#!/usr/bin/env python3
"""Each part of an authenticator's answer is changed, and refused."""

import copy
import struct
from collections.abc import Callable
from typing import Any

import pytest

from tests.app.api.conftest import Build
from tests.app.api.factor_owner import FACTORS
from tests.app.api.service import Service, stored_user
from tests.soft_authenticator import (
    AT,
    BE,
    BS,
    EDDSA,
    RS256,
    UP,
    UV,
    SoftAuthenticator,
    cbor,
    encoded,
)

SIGN_IN = "/api/v1/auth_session/passkey"
ENROLL = f"{FACTORS}/passkey"

Answer = dict[str, Any]


@pytest.fixture
def service(build: Build) -> Service:
    """Return a service with passkeys."""
    return build("session_db_auth", PUBLIC_URL="http://localhost")


def device(**changed: Any) -> SoftAuthenticator:
    """Return an authenticator of which a part is changed."""
    return SoftAuthenticator(**changed)


def spoiled(answer: Answer, path: str, value: Any) -> Answer:
    """Return an answer with another value at a path; `None` removes it."""
    made = copy.deepcopy(answer)
    *parents, last = path.split(".")
    place = made
    for parent in parents:
        place = place[parent]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return made


#: What the authenticator or the browser does, with a right signature.
DEVICES: dict[str, dict[str, Any]] = {
    "rp id": {"rp_id": "localhost.example"},
    "no user presence": {"flags": UV},
    "no user verification": {"flags": UP},
    "backup state without eligibility": {"flags": UP | UV | BS},
    "origin of a subdomain": {"origin": "http://a.localhost"},
    "origin with a port": {"origin": "http://localhost:81"},
    "origin with a slash": {"origin": "http://localhost/"},
    "origin of another scheme": {"origin": "https://localhost"},
    "no origin": {"client_data": {"origin": None}},
    "origin that is a list": {"client_data": {"origin": ["http://localhost"]}},
    "frame of another site": {"client_data": {"crossOrigin": True}},
    "crossOrigin as text": {"client_data": {"crossOrigin": "false"}},
    "top origin": {"client_data": {"topOrigin": "http://localhost"}},
    "type": {"client_data": {"type": "payment.get"}},
    "challenge": {"client_data": {"challenge": "A" * 43}},
    "challenge that is a number": {"client_data": {"challenge": 1}},
    "no challenge": {"client_data": {"challenge": None}},
}
#: What is changed on the way, in any answer.
ON_THE_WAY: dict[str, tuple[str, Any]] = {
    "no id": ("id", None),
    "id as a number": ("id", 1),
    "short id": ("id", encoded(b"x" * 15)),
    "long id": ("id", encoded(b"x" * 1_024)),
    "id with padding": ("id", encoded(b"x" * 16) + "=="),
    "raw id": ("rawId", encoded(b"x" * 32)),
    "credential type": ("type", "password"),
    "no response": ("response", None),
    "response as text": ("response", "x"),
    "no client data": ("response.clientDataJSON", None),
    "client data of 4 kB more": ("response.clientDataJSON", "e30" * 4_000),
    "client data that is a list": ("response.clientDataJSON", encoded(b"[]")),
    "client data in Latin-1": ("response.clientDataJSON", encoded(b'"\xe9"')),
    "deep client data": ("response.clientDataJSON", encoded(b"[" * 3_000)),
}


def test_changed_sign_in_is_refused(service: Service) -> None:
    """The right answer signs in afterwards, so each case is the reason."""
    user, own = stored_user(), SoftAuthenticator(count=1_000)
    client = service.client_for(user)
    made = own.create(client.post(f"{ENROLL}/options").get_json())
    body = {"name": "x", "passkey": made}
    assert client.post(ENROLL, json=body).status_code == 201
    cases: dict[str, Callable[[Any], Answer]] = {}
    for name, parts in DEVICES.items():
        changed = {"flags": own.flags} | parts
        cases[name] = _by_device(own, changed)
    for name, (path, value) in (ON_THE_WAY | _in_assertions(own)).items():
        cases[name] = _on_the_way(own, path, value)
    cases["backup eligibility"] = _by_device(own, {"flags": UP | UV | BE})
    cases["type of registrations"] = _by_device(
        own, {"client_data": {"type": "webauthn.create"}}
    )
    cases["key of another"] = _by_device(own, {"key": SoftAuthenticator().key})
    for extra in (b"x", cbor({}), cbor({"x": 1})):
        cases[f"{extra!r} after the data"] = _with_data(own, extra)
    cases["credential in an assertion"] = lambda options: own.get(
        options, own.data(AT, own.attested())
    )
    for name, make in cases.items():
        asking = service.client()
        options = asking.post(f"{SIGN_IN}/options").get_json()
        answer = asking.post(SIGN_IN, json={"passkey": make(options)})
        assert answer.status_code == 401, name
        assert answer.get_json() == {"error": "passkey refused"}, name
        assert "Set-Cookie" not in answer.headers, name
    asking = service.client()
    right = own.get(asking.post(f"{SIGN_IN}/options").get_json())
    assert asking.post(SIGN_IN, json={"passkey": right}).status_code == 200


def _in_assertions(own: SoftAuthenticator) -> dict[str, tuple[str, Any]]:
    """Return what is changed on the way to a sign-in."""
    data = "response.authenticatorData"
    return {
        "no handle": ("response.userHandle", None),
        "empty handle": ("response.userHandle", ""),
        "handle of another": ("response.userHandle", encoded(b"x" * 32)),
        "no data": (data, None),
        "short data": (data, encoded(own.data()[:36])),
        "long data": (data, encoded(own.data() + bytes(5_000))),
        "count": (data, encoded(own.data()[:33] + struct.pack(">I", 2_000))),
        "no signature": ("response.signature", None),
        "empty signature": ("response.signature", ""),
        "signature": ("response.signature", encoded(own.sign(b"x"))),
        "long signature": ("response.signature", encoded(bytes(1_025))),
        "unknown id": ("id", encoded(b"x" * 16)),
    }


def _by_device(
    own: SoftAuthenticator, changed: dict[str, Any]
) -> Callable[[Any], Answer]:
    """Return what answers with the device as it is changed."""

    def answer(options: Any) -> Answer:
        """Answer the options."""
        own.count += 1
        parts = vars(own) | changed
        return SoftAuthenticator(**parts).get(options)

    return answer


def _on_the_way(
    own: SoftAuthenticator, path: str, value: Any
) -> Callable[[Any], Answer]:
    """Return what answers, of which a part is changed on the way."""
    return lambda options: spoiled(own.get(options), path, value)


def _with_data(
    own: SoftAuthenticator, extra: bytes
) -> Callable[[Any], Answer]:
    """Return what answers with bytes after the authenticator data."""
    return lambda options: own.get(options, own.data(0, extra))


def test_changed_registration_is_refused(service: Service) -> None:
    """Neither a passkey nor a recovery code is stored."""
    client = service.client_for(stored_user())
    cases = {name: _new(parts) for name, parts in DEVICES.items()}
    for name, (path, value) in ON_THE_WAY.items():
        cases[name] = _new_on_the_way(path, value)
    faulty = _attestations() | _statements() | _keys()
    for name, raw in faulty.items():
        cases[name] = _new({"credential_id": ID}, raw)
    cases["type of sign-ins"] = _new({"client_data": {"type": "webauthn.get"}})
    for name, make in cases.items():
        options = client.post(f"{ENROLL}/options").get_json()
        body = {"name": "x", "passkey": make(options)}
        answer = client.post(ENROLL, json=body)
        assert answer.status_code == 400, name
        assert answer.get_json() == {"error": "passkey refused"}, name
    assert client.get(FACTORS).get_json() == {
        "factors": [],
        "recovery_codes": 0,
    }


def _new(
    parts: dict[str, Any], raw: bytes | None = None
) -> Callable[[Any], Answer]:
    """Return what registers a device of which parts are changed."""
    return lambda options: device(**parts).create(options, raw)


def _new_on_the_way(path: str, value: Any) -> Callable[[Any], Answer]:
    """Return what registers, of which a part is changed on the way."""
    return lambda options: spoiled(device().create(options), path, value)


#: The id of the passkey in the attestations below.
ID = b"i" * 32


def attested(data: bytes, fmt: str = "none", statement: Any = ()) -> bytes:
    """Return an attestation object."""
    return cbor([("fmt", fmt), ("attStmt", statement), ("authData", data)])


def _attestations() -> dict[str, bytes]:
    """Return faulty attestation objects."""
    own = device(credential_id=ID)
    good = own.data(AT, own.attested())

    deep = b"\xa1\x00" * 6 + b"\x00"
    return {
        "empty": b"",
        "one byte short": attested(good)[:-1],
        "one byte more": attested(good) + b"\x00",
        "10 kB": attested(good + bytes(10_000)),
        "no map": cbor("x"),
        "no data": cbor({"fmt": "none", "attStmt": {}}),
        "one entry more": cbor(
            {"fmt": "none", "attStmt": {}, "authData": good, "x": 1}
        ),
        "duplicate key": cbor(
            [
                ("fmt", "none"),
                ("attStmt", {}),
                ("authData", good),
                ("authData", good),
            ]
        ),
        "data as text": cbor({"fmt": "none", "attStmt": {}, "authData": "x"}),
        "deep statement": attested(
            good, statement=[("x", [("y", deep)])]
        ).replace(cbor(deep), deep),
        "indefinite length": b"\xbf" + attested(good)[1:] + b"\xff",
        "long length": attested(good).replace(cbor("fmt"), b"\x78\x03fmt", 1),
        "huge length": b"\xbb" + b"\xff" * 8,
        "tag": b"\xc0" + attested(good),
        "float": attested(good).replace(cbor("none"), b"\xf9\x00\x00", 1),
        "null": attested(good).replace(cbor("none"), b"\xf6", 1),
    }


def _statements() -> dict[str, bytes]:
    """Return attestation objects with faulty statements or data."""
    own = device(credential_id=ID)
    good = own.data(AT, own.attested())
    return {
        "unknown format": attested(good, "apple"),
        "statement of none": attested(good, statement={"x": 1}),
        "packed without signature": attested(good, "packed", {"alg": -7}),
        "packed with a wrong signature": attested(
            good, "packed", {"alg": -7, "sig": own.sign(good)}
        ),
        "packed with a certificate": attested(
            good, "packed", {"alg": -7, "sig": b"x", "x5c": b"x"}
        ),
        "no credential": attested(own.data()),
        "flag without credential": attested(own.data(AT)),
        "another id": attested(
            own.data(AT, device(credential_id=b"j" * 32).attested())
        ),
        "id longer than the data": attested(
            own.data(AT, bytes(16) + b"\xff\xff" + ID)
        ),
        "extensions that are no map": attested(
            good[:32] + bytes([0xC5]) + good[33:] + b"\x01"
        ),
        "bytes after the key": attested(good + b"\x00"),
    }


def _keys() -> dict[str, bytes]:
    """Return attestation objects with faulty keys."""
    own = device(credential_id=ID)
    start = bytes(16) + struct.pack(">H", 32) + ID

    def keyed(key: Any) -> bytes:
        """Return one with another public key."""
        return attested(own.data(AT, start + cbor(key)))

    key = own.cose_key()
    ed = device(algorithm=EDDSA).cose_key()
    rsa = device(algorithm=RS256).cose_key()
    return {
        "key that is no map": keyed(1),
        "key that is true": attested(own.data(AT, start + b"\xf5")),
        "key twice": keyed([*key.items(), (3, -7)]),
        "algorithm": keyed(key | {3: -35}),
        "algorithm of another": keyed(key | {3: -257}),
        "algorithm as text": keyed(key | {3: "ES256"}),
        "no algorithm": keyed({1: 2, -1: 1, -2: key[-2], -3: key[-3]}),
        "key type": keyed(key | {1: 1}),
        "curve": keyed(key | {-1: 2}),
        "point of no curve": keyed(key | {-3: bytes(32)}),
        "short coordinate": keyed(key | {-2: key[-2][1:]}),
        "coordinate as a number": keyed(key | {-2: 1}),
        "one parameter more": keyed(key | {-4: b"x"}),
        "short Ed25519 key": keyed(ed | {-2: ed[-2][1:]}),
        "Ed448": keyed(ed | {-1: 7}),
        "RSA of 1024 bits": keyed(rsa | {-1: rsa[-1][128:]}),
        "RSA of 8192 bits": keyed(rsa | {-1: rsa[-1] * 4}),
        "even exponent": keyed(rsa | {-2: b"\x02"}),
    }


def test_long_body_is_refused(service: Service) -> None:
    """Ten megabytes are not read."""
    client = service.client_for(stored_user())
    long = {"name": "x", "passkey": {"id": "x" * 10_000_000}}
    for path in (SIGN_IN, ENROLL):
        assert client.post(path, json=long).status_code == 413


def test_body_without_an_answer_is_refused(service: Service) -> None:
    """It is a 400 that names what is missing."""
    client = service.client_for(stored_user())
    for path in (SIGN_IN, ENROLL):
        bodies: list[Any] = [{}, {"passkey": "x"}, {"passkey": None}, []]
        for body in bodies:
            answer = client.post(path, json=body)
            assert answer.get_json() == {"error": "passkey missing"}
            assert answer.status_code == 400


def test_passkey_needs_a_name(service: Service) -> None:
    """It has 1 to 64 printable characters."""
    client = service.client_for(stored_user())
    for name in (None, 1, "", " ", "x" * 65, "a\x00b"):
        options = client.post(f"{ENROLL}/options").get_json()
        body = {"name": name, "passkey": device().create(options)}
        assert client.post(ENROLL, json=body).status_code == 400, name
