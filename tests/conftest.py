#!/usr/bin/env python3
"""Fixtures: real databases and real servers."""

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import psycopg
import pytest
from argon2 import PasswordHasher

from tests.backends import PgBouncer, PostgreSQL, missing
from tests.clocks import SetClock
from tests.serving import Server, setting_names
from vestibule.audit import log
from vestibule.audit.writer import audit_writer
from vestibule.core import passwords, setting_types, settings
from vestibule.core.client_info import LOCAL_CLIENT, set_client
from vestibule.db import engine, migrate
from vestibule.db.migrate import VERSION_TABLE
from vestibule.sessions.sweeper import Sweeper, touch_writer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Serve = Callable[..., Server]
#: The service's schema, where an application has the default one.
SCHEMA = "accounts"
#: The folders of the tests that start no servers.
IN_PROCESS = frozenset({"app", "stores", "unit"})
#: The costs of password hashes there. They differ from each other, so that
#: a login with another `PASSWORD_PROFILE` replaces a hash.
FAST_PROFILES = {
    "owasp": PasswordHasher(time_cost=1, memory_cost=8, parallelism=1),
    "rfc9106": PasswordHasher(time_cost=2, memory_cost=8, parallelism=1),
}

# Test processes share the cores with servers and browsers, so the time
# that Hypothesis needs for an example shows nothing about the code.
hypothesis.settings.register_profile(
    "shared",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
# What `make quick` uses: a fifth of the examples.
hypothesis.settings.register_profile(
    "quick", hypothesis.settings.get_profile("shared"), max_examples=20
)
hypothesis.settings.load_profile("shared")


# A shell starts background jobs with SIGINT ignored. The programs that
# tests start and interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Fixtures of several tests start before `clean_settings`. They must not see
# the settings of the developer who runs the tests.
for _name in setting_names():
    os.environ.pop(_name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test that needs PostgreSQL, which `make quick` leaves out."""
    for item in items:
        parameters = item.name.partition("[")[2]
        if "postgresql" in getattr(item, "fixturenames", ()) or any(
            kind in parameters
            for kind in ("postgresql", "pgbouncer", "schema")
        ):
            item.add_marker("postgresql")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL server for the tests of this process."""
    if PostgreSQL.find() is None:
        missing("PostgreSQL")
    server = PostgreSQL()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def pgbouncer(postgresql: PostgreSQL) -> Iterator[PgBouncer]:
    """Run a pooler before the server of `postgresql`."""
    if not PgBouncer.find():
        missing("PgBouncer")
    pooler = PgBouncer(postgresql)
    yield pooler
    pooler.stop()


def _upgrade(url: str, schema: str = "") -> str:
    """Migrate the database at `url`; return its address."""
    with pytest.MonkeyPatch.context() as given:
        given.setenv("DATABASE_URL", url)
        given.setenv("DATABASE_SCHEMA", schema)
        fresh = engine.configured_database()
        migrate.upgrade(fresh)
        fresh.close()
    return url


@pytest.fixture(scope="session")
def pattern(postgresql: PostgreSQL) -> str:
    """Return the address of an empty database with the current schema."""
    return _upgrade(postgresql.fresh_url())


@pytest.fixture(scope="session")
def pattern_with_application(postgresql: PostgreSQL) -> str:
    """Return the address of a database that an application uses too.

    The application has tables of the same names, which are others.
    """
    url = postgresql.fresh_url()
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        for name in ("users", "user_sessions", "events", VERSION_TABLE):
            connection.execute(f"CREATE TABLE {name} (theirs int)".encode())
    return _upgrade(url, SCHEMA)


@pytest.fixture(scope="session")
def pattern_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty SQLite file with the current schema.

    Copying it takes a thirtieth of the time of the migrations.
    """
    file = tmp_path_factory.mktemp("pattern") / "vestibule.db"
    _upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """Run Chromium for the tests of this process."""
    # Most test processes need no browser, and Playwright loads slowly.
    from tests.chromium import running

    with running() as browser:
        yield browser


@pytest.fixture(autouse=True)
def clean_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Give each test the default settings and an SQLite file of its own.

    A fixture of several tests must not leave a setting in the environment:
    all later ones of this process would run with it.
    """
    left = setting_names() & os.environ.keys()
    assert not left, f"a fixture left these settings: {sorted(left)}"
    before = {**os.environ}
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/vestibule.db")
    monkeypatch.setenv("ENV_FILE", "none")
    monkeypatch.setattr(setting_types, "_given", {})
    yield
    # Remove what an .env file set.
    os.environ.clear()
    os.environ.update(before)
    # An application of the test may have opened the audit log.
    log.set_listener(None)
    log.begin_request(None)
    set_client(LOCAL_CLIENT)
    audit_writer().close()
    audit_writer.cache_clear()
    touch_writer().close()
    touch_writer.cache_clear()
    engine.close()


@pytest.fixture(autouse=True)
def fast_hashes(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hash passwords at the smallest cost, except in marked tests.

    The hashes are argon2id as always. A third of the time of the tests
    without servers went into them.
    """
    folder = request.path.relative_to(Path(__file__).parent).parts[0]
    if folder in IN_PROCESS and not request.node.get_closest_marker(
        "real_hashes"
    ):
        for name, hasher in FAST_PROFILES.items():
            monkeypatch.setitem(passwords.PROFILES, name, hasher)


@pytest.fixture(autouse=True)
def own_sweepers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stop each sweeper after the test whose application started it.

    It would sweep the database of another test, or open its own.
    """
    started: set[Sweeper] = set()
    start_sweeper = Sweeper.ensure_running

    def recording(sweeper: Sweeper) -> None:
        """Start the sweeper and record it."""
        started.add(sweeper)
        start_sweeper(sweeper)

    monkeypatch.setattr(Sweeper, "ensure_running", recording)
    yield
    for sweeper in started:
        sweeper.stop()
    for thread in threading.enumerate():
        if thread.name == "sweeper":
            thread.join(30)


@pytest.fixture
def on_sqlite(clean_settings: None, tmp_path: Path, pattern_file: Path) -> str:
    """Run the test on a fresh SQLite file; return its address."""
    shutil.copy(pattern_file, tmp_path / "vestibule.db")
    return settings.DATABASE_URL.read()


@pytest.fixture
def on_postgresql(
    clean_settings: None,
    postgresql: PostgreSQL,
    pattern: str,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """Run the test on a fresh PostgreSQL database; return its address."""
    url = postgresql.fresh_url(like=pattern)
    monkeypatch.setenv("DATABASE_URL", url)
    return url


@pytest.fixture
def on_pgbouncer(
    on_postgresql: str, pgbouncer: PgBouncer, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Run the test on a fresh database behind PgBouncer."""
    url = pgbouncer.url(on_postgresql)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DATABASE_POOLER", "transaction")
    return url


@pytest.fixture
def on_schema(
    clean_settings: None,
    postgresql: PostgreSQL,
    pattern_with_application: str,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """Run the test in a schema beside an application; return the address."""
    url = postgresql.fresh_url(like=pattern_with_application)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DATABASE_SCHEMA", SCHEMA)
    return url


@pytest.fixture
def on_pooled_schema(
    on_schema: str, pgbouncer: PgBouncer, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Run the test in such a schema behind PgBouncer."""
    url = pgbouncer.url(on_schema)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DATABASE_POOLER", "transaction")
    return url


@pytest.fixture(
    params=[
        "sqlite",
        "postgresql",
        pytest.param("pgbouncer", marks=pytest.mark.torture),
    ]
)
def any_database(request: pytest.FixtureRequest) -> str:
    """Run the test on each kind of database; return the address."""
    url: str = request.getfixturevalue(f"on_{request.param}")
    return url


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Return a function that starts a server in this test's folder."""
    started: list[Server] = []

    def start(**given: str) -> Server:
        """Start a server with these settings."""
        server = Server(tmp_path, **given).start()
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Return the product's clock, which stands still until a test moves it."""
    return SetClock().install(monkeypatch)
