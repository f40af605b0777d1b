#!/usr/bin/env python3
"""Identity tokens, as an application behind a proxy verifies them."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
)

from tests.app.protect.fake_server import FakeServer, answer, fake_server
from tests.clocks import SetClock
from tests.threads import at_once
from vestibule.core import clock
from vestibule.core.errors import VestibuleUnavailable
from vestibule.identity.header import COPY_MAX_AGE
from vestibule.identity.keys import Key
from vestibule.protect import identity
from vestibule.protect.async_backends import async_backend_for
from vestibule.protect.backends import backend_for
from vestibule.protect.identity import (
    MAX_CLOCK_SKEW_SECONDS,
    RETRY_PAUSE_SECONDS,
)
from vestibule.protect.verify_response import Principal

AUDIENCE = "app.example"
BOB = Principal("1", "bob@example.com", "member")
START = SetClock().moment
PRIVATE, OTHER = (Ed25519PrivateKey.generate() for _ in range(2))


def keys(*named: str) -> bytes:
    """Return the published form of one key under each of these names."""
    return json.dumps(
        {"keys": [Key(name, START, PRIVATE).public() for name in named]}
    ).encode()


def claims(**changed: Any) -> dict[str, Any]:
    """Return the claims about Bob, with some `changed`; `...` drops one."""
    now = int(START.timestamp())
    whole = {
        "iss": "vestibule",
        "sub": "1",
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 60,
        "email": "bob@example.com",
        "role": "member",
        **changed,
    }
    return {name: value for name, value in whole.items() if value is not ...}


def token(
    private: Any = PRIVATE,
    kid: Any = "one",
    alg: Any = "EdDSA",
    **changed: Any,
) -> str:
    """Return a token of Bob whose content was changed."""
    return jwt.encode(
        claims(**changed),
        private,
        alg,
        headers=None if kid is ... else {"kid": kid},
    )


def unsigned(**header: str) -> str:
    """Return an unsigned token of Bob."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"typ": "JWT", "kid": "one", **header}, claims())
    ]
    return b".".join([*parts, b""]).decode()


@pytest.fixture
def both_clocks(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Stop both clocks; the test moves them."""
    set_clock = SetClock().install(monkeypatch)
    monkeypatch.setattr(
        clock, "monotonic", lambda: set_clock.moment.timestamp()
    )
    return set_clock


@pytest.fixture
def published() -> Iterator[FakeServer]:
    """Run a server that publishes the keys."""
    with fake_server(answer(keys("one", "two"))) as there:
        yield there


@pytest.fixture
def find_user(
    open_backend: Any, published: FakeServer, both_clocks: SetClock
) -> Iterator[Any]:
    """Return a function that verifies tokens with these keys."""
    with open_backend(published.url, AUDIENCE, 30) as asking:
        yield asking


NOW = int(START.timestamp())
REFUSED = {
    "nothing": "",
    "no token": "bob",
    "three dots": "...",
    "alg none": unsigned(alg="none"),
    "alg None": unsigned(alg="NONE"),
    "no alg": unsigned(),
    "a signature of nothing": unsigned(alg="EdDSA"),
    "another key": token(OTHER),
    "the public key as a secret": token(
        PRIVATE.public_key().public_bytes_raw(), alg="HS256"
    ),
    "another kid": token(kid="three"),
    "no kid": token(kid=...),
    "an empty kid": token(kid=""),
    "another audience": token(aud="other.example"),
    "several audiences": token(aud=[AUDIENCE, "other.example"]),
    "another issuer": token(iss="other"),
    "expired": token(exp=NOW - MAX_CLOCK_SKEW_SECONDS - 1),
    "from the future": token(iat=NOW + MAX_CLOCK_SKEW_SECONDS + 1),
    "a time that is none": token(exp="never"),
    "a time that is true": token(exp=True),
    "a beginning that is true": token(iat=True),
    "an endless time": token(exp=float("inf"), iat=float("nan")),
    "an hour": token(exp=NOW + 3600),
    "a second more than a minute": token(exp=NOW + 61),
    "no time at all": token(exp=NOW),
    "an end before its beginning": token(iat=NOW + 1, exp=NOW),
    "a number that no clock has": token(iat=10**400, exp=10**400 + 60),
    "an id that is none": token(sub=""),
    "a role that is none": token(role=None),
    "an email that is none": token(email=1),
    "a confirmation that is a text": token(email_verified="true"),
    "a confirmation that is a number": token(email_verified=1),
    "a confirmation that is none": token(email_verified=None),
    **{
        f"no {name}": token(**{name: ...})
        for name in ("iss", "sub", "aud", "iat", "exp", "email", "role")
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_invalid_token_identifies_no_user(find_user: Any, name: str) -> None:
    """A token needs a current key, our audience and the right time."""
    for _ in range(2):
        assert find_user(REFUSED[name]) is None
    assert find_user(token()) == BOB


@pytest.mark.parametrize("told", [True, False])
def test_token_says_whether_the_email_is_confirmed(
    find_user: Any, told: bool
) -> None:
    """A token of an older Vestibule confirms nothing."""
    for given in (token(email_verified=told), token(email_verified=told)):
        assert find_user(given).email_verified is told
    assert find_user(token()).email_verified is False


def test_repeated_token_is_verified_once(
    find_user: Any, published: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds until the token expires."""
    given = token()
    assert find_user(given) == BOB
    monkeypatch.setattr(jwt, "decode", None)
    assert find_user(given) == BOB
    assert len(published.requests) == 1


def test_token_expires_whether_cached_or_not(
    find_user: Any, both_clocks: SetClock
) -> None:
    """It is valid for one minute."""
    given = token()
    assert find_user(given) == BOB
    both_clocks.advance(60 + MAX_CLOCK_SKEW_SECONDS - 1)
    assert find_user(given) == BOB
    both_clocks.advance(1)
    assert find_user(given) is None


def test_cached_token_is_refused_after_clock_moves_back(
    find_user: Any, both_clocks: SetClock
) -> None:
    """A token from the future is invalid, cached or not."""
    given = token()
    assert find_user(given) == BOB
    both_clocks.advance(-MAX_CLOCK_SKEW_SECONDS - 1)
    assert find_user(given) is None


def test_token_cache_is_bounded(
    find_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many tokens cannot fill the memory."""
    monkeypatch.setattr(identity, "MAX_CACHED_TOKENS", 2)
    for number in range(5):
        assert find_user(token(sub=str(number))) is not None


def test_new_key_is_fetched_when_first_used(
    open_backend: Any, both_clocks: SetClock
) -> None:
    """Unknown keys cannot cause a fetch on each request."""
    with (
        fake_server(answer(keys("one"))) as there,
        open_backend(there.url, AUDIENCE, 30) as find_user,
    ):
        assert find_user(token()) == BOB
        there._reply = answer(keys("two"))
        assert find_user(token(kid="two")) is None
        assert len(there.requests) == 1
        both_clocks.advance(RETRY_PAUSE_SECONDS)
        assert find_user(token(kid="two")) == BOB
        # The dropped key is invalid, used before or not.
        assert find_user(token()) is None
        assert find_user(token(jti="another")) is None
        for number in range(20):
            assert find_user(token(kid=str(number))) is None
        assert len(there.requests) == 2


def test_withdrawn_key_invalidates_cached_tokens(
    open_backend: Any, both_clocks: SetClock
) -> None:
    """A token that a thief signed ends with the cached keys."""
    stolen = token(exp=NOW + 10**9, role="admin")
    in_time = token(role="admin")
    with (
        fake_server(answer(keys("one"))) as there,
        open_backend(there.url, AUDIENCE, 30) as find_user,
    ):
        assert find_user(in_time) == Principal("1", "bob@example.com", "admin")
        assert find_user(stolen) is None
        there._reply = answer(keys("two"))
        both_clocks.advance(RETRY_PAUSE_SECONDS)
        assert find_user(token(kid="two")) == BOB
        assert find_user(in_time) is None
        assert find_user(stolen) is None


def test_replaced_key_with_same_id_invalidates_tokens(
    open_backend: Any, both_clocks: SetClock
) -> None:
    """A signature of the old key is invalid under the new one."""
    other = json.dumps({"keys": [Key("one", START, OTHER).public()]})
    with (
        fake_server(answer(keys("one"))) as there,
        open_backend(there.url, AUDIENCE, 30) as find_user,
    ):
        assert find_user(token()) == BOB
        there._reply = answer(other.encode())
        both_clocks.advance(RETRY_PAUSE_SECONDS)
        assert find_user(token(kid="two")) is None
        assert find_user(token()) is None
        assert find_user(token(OTHER)) == BOB


def test_cached_token_ends_with_expired_keys(
    find_user: Any, published: FakeServer, both_clocks: SetClock
) -> None:
    """If the keys cannot be fetched again, no user is identified."""
    assert find_user(token()) == BOB
    age = COPY_MAX_AGE.total_seconds()
    both_clocks.advance(age - 1)
    late = token(iat=NOW + age - 1, exp=NOW + age + 59)
    assert find_user(late) == BOB
    published._reply = answer(b"{}", status=b"500 Internal Server Error")
    both_clocks.advance(1)
    with pytest.raises(VestibuleUnavailable):
        find_user(late)
    published._reply = answer(keys("one"))
    both_clocks.advance(RETRY_PAUSE_SECONDS)
    assert find_user(late) == BOB


def test_expired_keys_are_fetched_again(
    find_user: Any, published: FakeServer, both_clocks: SetClock
) -> None:
    """If that fails, they are not used any more."""
    assert find_user(token()) == BOB
    age = COPY_MAX_AGE.total_seconds()
    both_clocks.advance(age - 1)
    later = {"iat": NOW + age, "exp": NOW + age + 60}
    assert find_user(token(**later)) == BOB
    assert len(published.requests) == 1
    both_clocks.advance(1)
    assert find_user(token(jti="a", **later)) == BOB
    assert len(published.requests) == 2
    published._reply = answer(b"{}", status=b"500 Internal Server Error")
    both_clocks.advance(age)
    for _ in range(3):
        with pytest.raises(VestibuleUnavailable):
            find_user(token(iat=NOW + 2 * age, exp=NOW + 2 * age + 60))
    assert len(published.requests) == 3
    published._reply = answer(keys("one"))
    both_clocks.advance(RETRY_PAUSE_SECONDS)
    assert find_user(token(iat=NOW + 2 * age, exp=NOW + 2 * age + 60)) == BOB


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [1, null]}',
        keys("one").replace(b"EdDSA", b"HS256"),
        keys("one").replace(b"Ed25519", b"Ed448"),
        keys("one").replace(b'"kid"', b'"kind"'),
        keys("one").replace(b'"x"', b'"y"'),
        b'{"keys": [{"kid": "one", "alg": "EdDSA", "kty": "oct", "k": "AA"}]}',
    ],
)
def test_unusable_key_set_makes_users_unknown(
    open_backend: Any, body: bytes
) -> None:
    """No user can be verified without a key of the right type."""
    with (
        fake_server(answer(body)) as there,
        open_backend(there.url, AUDIENCE, 30) as find_user,
        pytest.raises(VestibuleUnavailable),
    ):
        find_user(token())


def test_concurrent_coroutines_fetch_keys_once(
    published: FakeServer, both_clocks: SetClock
) -> None:
    """One coroutine fetches, and the others wait."""
    source = async_backend_for(published.url, AUDIENCE, 30)

    async def ask_at_once() -> list[Principal | None]:
        """Verify eight tokens concurrently."""
        try:
            return await asyncio.gather(
                *(source.principal(token()) for _ in range(8))
            )
        finally:
            await source.close()

    assert asyncio.run(ask_at_once()) == [BOB] * 8
    assert len(published.requests) == 1


def test_concurrent_threads_fetch_keys_once(
    published: FakeServer, both_clocks: SetClock
) -> None:
    """One thread fetches, and the others wait."""
    source = backend_for(published.url, AUDIENCE, 30)
    assert at_once(8, lambda _: source.principal(token())) == [BOB] * 8
    assert len(published.requests) == 1
    source.close()


def test_token_cache_has_bounded_memory(
    monkeypatch: pytest.MonkeyPatch, both_clocks: SetClock
) -> None:
    """The bound holds for any number of tokens."""
    monkeypatch.setattr(identity, "MAX_CACHED_TOKENS", 2)
    reader, copy = identity.TokenReader(AUDIENCE), identity.KeyCache()
    copy.replace(json.loads(keys("one")))
    key = copy.get("one")
    assert key is not None
    made = [token(sub=str(number)) for number in range(5)]
    for number, each in enumerate(made):
        assert reader.verify(each, key) is not None
        cached = [one for one in made if reader.cached_principal(one, copy)]
        assert len(cached) == number % 2 + 1
        assert each in cached
