#!/usr/bin/env python3
"""The servers that tests start have no settings but their own."""

from pathlib import Path

import pytest

from tests.serving import Server, environment, setting_names

#: The settings that each child process gets.
GIVEN = {"DATABASE_URL", "ENV_FILE"}


def test_child_process_inherits_no_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the environment of the tests sets, by either name."""
    for name in setting_names():
        monkeypatch.setenv(name, "inherited")
    env = environment(tmp_path, MAIL_URL="file:///given")
    found = {name: env[name] for name in setting_names() & env.keys()}
    assert found.keys() == GIVEN | {"MAIL_URL"}
    assert "inherited" not in found.values()
    assert "inherited" not in Server(tmp_path).env.values()


def test_names_of_settings_include_the_prefixed_ones() -> None:
    """A setting counts by both of its names."""
    assert {"MAIL_URL", "VESTIBULE_MAIL_URL"} <= setting_names()
