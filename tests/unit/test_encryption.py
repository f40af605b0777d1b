#!/usr/bin/env python3
"""The key ring: what it encrypts, what it refuses, and what it never shows."""

import base64
import re
from pathlib import Path

import pytest

from vestibule.checks.settings import check_secrets_key
from vestibule.checks.startup import check_settings
from vestibule.core import crypto
from vestibule.core.crypto import (
    DecryptionFailed,
    KeyRing,
    Place,
    key_ring,
    new_key,
    parse_keys,
)
from vestibule.core.errors import ConfigurationError

PLACE = Place("factors", "secret", "1")
CLEAR = b"the seed of an authenticator app"


@pytest.fixture(autouse=True)
def fresh_keys(clean_settings: None) -> None:
    """Forget the key files of other tests."""
    crypto.forget_keys()


def ring_of(*keys: str) -> KeyRing:
    """Return a ring of these keys."""
    return KeyRing(parse_keys(" ".join(keys), "SECRETS_KEY"))


def test_value_is_encrypted_and_decrypted() -> None:
    """The text has the id of the key in front, and not the clear text."""
    ring = ring_of(new_key())
    stored = ring.encrypt(CLEAR, PLACE)
    assert re.fullmatch(rf"k1\.{ring.key_ids[0]}\.[\w=-]+", stored)
    assert CLEAR not in base64.urlsafe_b64decode(stored.split(".")[2])
    assert ring.decrypt(stored, PLACE) == CLEAR


def test_each_encryption_has_its_own_nonce() -> None:
    """A hundred values of the same text differ, in their nonces too."""
    ring = ring_of(new_key())
    stored = {ring.encrypt(CLEAR, PLACE) for _ in range(100)}
    nonces = {
        base64.urlsafe_b64decode(one.split(".")[2])[:12] for one in stored
    }
    assert len(stored) == len(nonces) == 100


def test_first_key_encrypts_and_all_decrypt() -> None:
    """A ring with a new key in front reads what the old one wrote."""
    old, new = new_key(), new_key()
    stored = ring_of(old).encrypt(CLEAR, PLACE)
    both = ring_of(new, old)
    assert both.decrypt(stored, PLACE) == CLEAR
    fresh = both.encrypt(CLEAR, PLACE)
    assert ring_of(new).decrypt(fresh, PLACE) == CLEAR
    with pytest.raises(DecryptionFailed, match="no key of SECRETS_KEY"):
        ring_of(new).decrypt(stored, PLACE)


@pytest.mark.parametrize(
    "other",
    [
        Place("factors", "secret", "2"),
        Place("factors", "name", "1"),
        Place("other", "secret", "1"),
        Place('factors", "secret', "", "1"),
    ],
)
def test_value_of_another_place_is_refused(other: Place) -> None:
    """A seed that was copied to another user's row does not decrypt."""
    ring = ring_of(new_key())
    with pytest.raises(DecryptionFailed):
        ring.decrypt(ring.encrypt(CLEAR, PLACE), other)


def test_changed_value_is_refused() -> None:
    """Each changed byte, a cut and a text of another form are refused."""
    ring = ring_of(new_key())
    stored = ring.encrypt(CLEAR, PLACE)
    head, _, encoded = stored.rpartition(".")
    raw = base64.urlsafe_b64decode(encoded)
    changed = [
        bytes(byte ^ (place == at) for at, byte in enumerate(raw))
        for place in range(len(raw))
    ]
    texts = [
        f"{head}.{base64.urlsafe_b64encode(one).decode()}"
        for one in [*changed, raw[:-1], raw[:12], b""]
    ]
    texts += ["", "k1", "k1..", f"{head}.é", stored.replace("k1", "k2")]
    for text in texts:
        with pytest.raises(DecryptionFailed) as refused:
            ring.decrypt(text, PLACE)
        assert refused.value.__context__ is None or (
            refused.value.__suppress_context__
        )


def test_key_is_in_no_repr_and_no_error() -> None:
    """Neither the ring nor a refusal shows a key."""
    text = new_key()
    ring = ring_of(text)
    shown = f"{ring!r} {ring} {parse_keys(text, 'x')!r}"
    with pytest.raises(ConfigurationError) as refused:
        parse_keys(f"{text} {text[:-3]}", "SECRETS_KEY")
    shown += str(refused.value)
    assert "SECRETS_KEY, key 2" in str(refused.value)
    assert text[:8] not in shown
    assert ring.key_ids[0] in shown


@pytest.mark.parametrize("text", ["", "# only a comment", "short", "é" * 43])
def test_invalid_keys_are_refused(text: str) -> None:
    """A ring without a valid key is no ring."""
    with pytest.raises(ConfigurationError, match="SECRETS_KEY"):
        parse_keys(text, "SECRETS_KEY")


def test_keys_come_from_the_setting_or_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both at once are refused, and neither one names the command."""
    with pytest.raises(ConfigurationError, match="vestibule secrets new"):
        key_ring()
    one, two = new_key(), new_key()
    monkeypatch.setenv("SECRETS_KEY", f"{one}, {two}")
    assert len(key_ring().key_ids) == 2
    file = tmp_path / "keys"
    file.write_text(f"# ours\n{two}\n")
    monkeypatch.setenv("SECRETS_KEY_FILE", str(file))
    with pytest.raises(ConfigurationError, match="must be unset"):
        key_ring()
    monkeypatch.delenv("SECRETS_KEY")
    assert key_ring().key_ids == ring_of(two).key_ids
    monkeypatch.setenv("SECRETS_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        check_settings(None)


def findings() -> set[str]:
    """Return the ids of what the check of the keys finds."""
    return {found.id for found in check_secrets_key(None)}


def test_check_complains_of_folder_and_mode(
    on_sqlite: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The key must not lie with the database, nor be readable by others."""
    outside = tmp_path / "keys"
    inside = tmp_path / "data" / "deep" / "key"
    inside.parent.mkdir(parents=True)
    monkeypatch.setenv(
        "DATABASE_URL", f"sqlite:///{tmp_path}/data/vestibule.db"
    )
    for file in (outside, inside):
        file.write_text(new_key())
        file.chmod(0o600)
    monkeypatch.setenv("SECRETS_KEY_FILE", str(outside))
    assert findings() == set()
    outside.chmod(0o640)
    assert findings() == {"secrets.key_mode"}
    monkeypatch.setenv("SECRETS_KEY_FILE", str(inside))
    assert findings() == {"secrets.key_folder"}
    # A link counts by where it leads to.
    link = tmp_path / "link"
    link.symlink_to(inside)
    monkeypatch.setenv("SECRETS_KEY_FILE", str(link))
    assert findings() == {"secrets.key_folder"}


def test_check_complains_of_a_key_in_the_env_file_beside_the_database(
    on_sqlite: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file of settings is copied with the folder, too."""
    file = tmp_path / "settings"
    file.write_text(f"SECRETS_KEY={new_key()}\n")
    file.chmod(0o600)
    monkeypatch.setenv("ENV_FILE", str(file))
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/v.db")
    assert findings() == {"secrets.env_file"}
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/data/v.db")
    assert findings() == set()
