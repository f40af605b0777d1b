#!/usr/bin/env python3
"""The log: one line for each event, and no forged lines."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from vestibule.audit.log import MAX_FIELD_LENGTH, EventType, log
from vestibule.core import clock
from vestibule.core import logging as logs
from vestibule.core.errors import ConfigurationError


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[logging.Logger]:
    """Restore the root logger after the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    alembic = logging.getLogger("alembic").level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("alembic").setLevel(alembic)


def test_event_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Moment in UTC, level, name and message, on standard error."""
    logs.configure_logging()
    logging.getLogger("a.b").warning("it is %s", "so")
    captured = capsys.readouterr()
    assert captured.out == ""
    when, rest = captured.err.split(" ", 1)
    assert rest == "WARNING a.b: it is so\n"
    assert len(when) == len("2026-03-29T02:30:00.123Z")
    assert (when[10], when[19], when[-1]) == ("T", ".", "Z")


def test_client_text_cannot_start_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ends of lines and control characters are made visible."""
    logs.configure_logging()
    forged = "a\nb\r\nc\x1b[31m\u2028\u202e\ud800\0 \u00e9"
    logging.getLogger("a").error("path %s", forged)
    error = capsys.readouterr().err
    assert error.endswith(
        "path a\\nb\\r\\nc\\x1b[31m\\u2028\\u202e\\ud800\\x00 \u00e9\n"
    )
    assert error.count("\n") == 1


def test_traceback_follows_its_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only a defect has more than one line."""
    logs.configure_logging()
    try:
        raise KeyError("x")
    except KeyError:
        logging.getLogger("a").exception("it failed")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("ERROR a: it failed")
    assert lines[1].startswith("Traceback")
    assert lines[-1] == "KeyError: 'x'"


def test_log_level_bounds_what_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`LOG_LEVEL` is the lowest level; configuring twice adds nothing."""
    for level, shown in [("debug", 3), ("info", 2), ("error", 0)]:
        monkeypatch.setenv("LOG_LEVEL", level)
        logs.configure_logging()
        log = logging.getLogger("a")
        log.debug("d")
        log.info("i")
        log.warning("w")
        assert len(capsys.readouterr().err.splitlines()) == shown
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(ConfigurationError):
        logs.configure_logging()


def test_alembic_info_is_not_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Alembic's own events are not shown, its warnings are."""
    logs.configure_logging()
    logging.getLogger("alembic.runtime").info("thinking")
    logging.getLogger("alembic.runtime").warning("odd")
    assert capsys.readouterr().err.count("alembic") == 1


def test_security_line_is_sorted_ascii_json(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Programs read these lines, so their bytes do not change."""
    moment = datetime(2026, 3, 29, 0, 30, 0, 1999, tzinfo=timezone.utc)
    monkeypatch.setattr(clock, "now", lambda: moment)
    security = logging.getLogger(logs.AUDIT_LOGGER)
    monkeypatch.setattr(security, "handlers", [caplog.handler])
    monkeypatch.setattr(security, "propagate", False)
    caplog.set_level(logging.INFO, logs.AUDIT_LOGGER)
    log(EventType.LOGIN_FAILED, user=None, handle='a"\n\u00e9\u2028', count=2)
    assert caplog.messages == [
        '{"count": 2, "event": "login_failed",'
        ' "handle": "a\\"\\n\\u00e9\\u2028",'
        ' "time": "2026-03-29T00:30:00.001+00:00"}'
    ]


def test_field_of_a_security_line_is_cut_off(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A client may send a path of 60,000 characters, as often as it likes."""
    logs.configure_logging()
    path = "/" + "x" * 60_000
    log(EventType.ACCESS_DENIED, path=path, count=3)
    line = json.loads(capsys.readouterr().err)
    assert line["path"] == path[:MAX_FIELD_LENGTH]
    assert line["count"] == 3
