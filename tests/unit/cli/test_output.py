#!/usr/bin/env python3
"""Lists: tables, lines and JSON of the same rows."""

import io
import json
import signal

import click
import pytest

from tests.unit.cli.conftest import Run
from vestibule.cli import output
from vestibule.db.models.user import User
from vestibule.db.models.user_session import UserSession

COLUMNS = ("id", "email", "name", "created (UTC)")
ROW = (
    "33ca0894-f8bd-4b54-8775-b41c18caa828",
    "bob@example.com",
    "Bob Dy",
    "2026-11-23 23:12:33",
)


class FakeTerminal(io.StringIO):
    """A stream that counts as a terminal."""

    def isatty(self) -> bool:
        """Return True, as for a terminal."""
        return True


def terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> FakeTerminal:
    """Replace standard output by a terminal of this width."""
    shown = FakeTerminal()
    monkeypatch.setattr("sys.stdout", shown)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    return shown


def test_wide_terminal_gets_one_line_a_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where there is room a row is a line, and stays one."""
    shown = terminal(monkeypatch, 100)
    output.show_table(COLUMNS, [ROW])
    _, line = click.unstyle(shown.getvalue()).splitlines()
    assert line.split("  ") == list(ROW)


@pytest.mark.parametrize("width", [0, -1, 1, 30, *range(60, 151, 3), 10_000])
def test_words_stay_whole_at_each_width(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """Ids and addresses can be copied, and no cell is left out."""
    shown = terminal(monkeypatch, width)
    address = "2001:db8:1234:5678:9abc:def0:1234:5678"
    row = (*ROW, "-", address)
    output.show_table((*COLUMNS, "by", "address"), [row])
    words = click.unstyle(shown.getvalue()).split()
    assert sorted(words) == sorted(
        " ".join((*COLUMNS, "by", "address", *row)).split()
    )


def test_narrow_terminal_gets_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a table has no room, each cell is on a line of its own."""
    shown = terminal(monkeypatch, 70)
    output.show_table(COLUMNS, [ROW, ROW])
    lines = [
        f"{name}  {cell}" for name, cell in zip(COLUMNS, ROW, strict=True)
    ]
    assert shown.getvalue().splitlines() == [*lines, "", *lines, ""]


def test_very_long_word_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """One long email does not make the whole list one of records."""
    shown = terminal(monkeypatch, 120)
    email = "x" * 254
    output.show_table(("id", "email"), [(ROW[0], email)])
    lines = click.unstyle(shown.getvalue()).splitlines()
    assert max(map(len, lines)) <= 120
    assert "".join(lines).count("x") == 254
    assert ROW[0] in lines[1]


@pytest.mark.parametrize(
    "name",
    [
        "\u0646\u0645\u06cc\u200c\u062f\u0627\u0646\u0645",
        "\u0915\u094d\u200d\u0937",
        "\U0001f469\u200d\U0001f680",
        "\U0001f3f4\U000e0067\U000e0062"
        "\U000e0065\U000e006e\U000e0067\U000e007f",
        "\u5c71\u7530\u3000\u592a\u90ce",
        "Jean\xa0Paul",
        "\U0001fae8",
        "\ue000",
    ],
    ids=ascii,
)
def test_name_is_shown_as_it_is(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Joiners, spaces of all kinds, and new characters belong to names."""
    shown = terminal(monkeypatch, 100)
    output.show_table(("name",), [(name,)])
    assert name in click.unstyle(shown.getvalue())


@pytest.mark.parametrize(
    "character",
    ["\x1b", "\x9b", "\n", "\u2028", "\u202e", "\u2066", "\u200f", "\ufeff"],
    ids=ascii,
)
def test_control_character_in_a_name_is_escaped(
    monkeypatch: pytest.MonkeyPatch, character: str
) -> None:
    """A name neither controls the terminal nor reorders its line."""
    shown = terminal(monkeypatch, 100)
    output.show_table(("name",), [(f"A{character}B",)])
    assert f"A{ascii(character)[1:-1]}B" in click.unstyle(shown.getvalue())


def test_long_list_repeats_its_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The names of the columns come again, and no row is left out."""
    shown = terminal(monkeypatch, 100)
    count = 2 * output.PAGE_ROWS
    output.show_table(("n",), ((str(n),) for n in range(count)))
    words = click.unstyle(shown.getvalue()).split()
    assert words.count("n") == 2
    assert [w for w in words if w != "n"] == [str(n) for n in range(count)]


@pytest.mark.parametrize("wanted", ["1", ""])
def test_no_color_turns_colours_off(
    monkeypatch: pytest.MonkeyPatch, wanted: str, run: Run
) -> None:
    """`NO_COLOR` takes the colours off, unless it is empty."""
    from vestibule.cli.setup import doctor

    shown = terminal(monkeypatch, 100)
    monkeypatch.setenv("NO_COLOR", wanted)
    assert doctor.callback is not None
    with pytest.raises(SystemExit):
        doctor.callback(None, False)
    assert ("\x1b[33m" in shown.getvalue()) is not bool(wanted)


@pytest.mark.parametrize(
    "command", ["users", "sessions", "identity", "events"]
)
def test_empty_list_is_an_empty_json_array(run: Run, command: str) -> None:
    """An empty list is an array too."""
    User.count()
    assert json.loads(run(command, "list", "--json").stdout) == []


def test_users_json_has_the_fields_of_the_api(
    any_database: str, run: Run
) -> None:
    """The fields that admins see are there too."""
    user = User(email="ζωή\x9b@example.com", first_name="Zoë")
    user.save()
    done = run("users", "list", "--json")
    assert json.loads(done.stdout) == [
        user.to_json() | {"role": "member", "disabled": False}
    ]
    assert done.stdout.isascii()


def test_sessions_json_has_user_expiry_and_device(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has its user, its end and its device."""
    monkeypatch.setenv("SESSION_DURATION", "60")
    User(id="1", email="bob@example.com").save()
    session = UserSession(
        user_id="1",
        session_id="s3cret",
        created_at="2020-01-02T03:04:05",
        ip="192.0.2.7",
        user_agent="Mozilla (X11; Linux) Firefox/140",
        method="password",
    )
    session.save()
    done = run("sessions", "list", "--json")
    assert json.loads(done.stdout) == [
        {
            "id": session.id,
            "user_id": "1",
            "email": "bob@example.com",
            "created_at": "2020-01-02 03:04:05",
            "last_seen_at": None,
            "expires_at": "2020-01-02 03:05:05",
            "expired": "expired",
            "ip": "192.0.2.7",
            "user_agent": "Mozilla (X11; Linux) Firefox/140",
            "device": "Firefox on Linux",
            "method": "password",
        }
    ]
    assert "s3cret" not in done.output


def test_doctor_json_has_the_results_of_checks(run: Run) -> None:
    """`doctor --json` prints the checks' results; the exit code stays."""
    done = run("doctor", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert {"id", "level", "message", "hint"} == set(found[0])
    assert any("AUTH_TYPE" in one["hint"] for one in found)


class InterruptedAtItsEnd:
    """An object whose destructor gets Ctrl-C, and so drops the error."""

    def __del__(self) -> None:
        """Send the signal, and let Python handle it."""
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_job_ends_after_an_interrupt_that_python_dropped() -> None:
    """The next step raises it, and the handler of before is back."""
    with (
        pytest.raises(KeyboardInterrupt),
        output.progress_bar("adding") as bar,
    ):
        bar.advance()
        InterruptedAtItsEnd()
        bar.advance()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
