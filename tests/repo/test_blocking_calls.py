#!/usr/bin/env python3
"""No wait without a bound: each call that may block is known, with its bound.

The calls are found in the syntax tree, by their names. A new one fails the
test until it has a bound and an entry in the table.
"""

import ast
from collections.abc import Iterator

import pytest

from tests.repo.repository import product_files

#: Names of functions and methods that may wait.
_ALWAYS = frozenset(
    {
        *("accept", "acquire", "call", "check_call", "check_output"),
        *("communicate", "connect", "create_connection", "flock", "lockf"),
        *("getaddrinfo", "gethostbyname", "getresponse", "input"),
        *("open_connection", "poll", "Popen", "prompt", "read1", "readinto"),
        *("readline", "recv", "recv_into", "recvfrom", "sendall", "sleep"),
        *("urlopen", "urlretrieve", "wait", "wait_for"),
    }
)
#: Names of methods that wait if they get no argument but a timeout; with
#: one, they are methods of strings and dicts.
_WITHOUT_ARGUMENT = frozenset({"get", "join", "result"})
#: What these names belong to if they wait.
_OF = {
    "read": ("response", "error", "file", "_source", "_stream", "stdin"),
    "request": ("connection",),
    "run": ("subprocess",),
    "select": ("select",),
    "put": ("answers", "queue"),
    "confirm": ("click",),
    "serve": ("server",),
}

#: Bounds that several calls have.
MEMORY = "the lock guards memory only; its holders wait for nothing"
ALONE = "a thread of its own: no request waits for it"
COMMAND = "a command that a person runs and can interrupt"
WEBSOCKET = "a task of its own, until the client or the session ends"
DATABASE = "DATABASE_TIMEOUT, as each connection and query"

#: Each call that may wait, and what bounds the wait.
BOUNDS = {
    "accounts.authentication:HashQueue.turn: self._places.acquire": (
        "does not block: ServiceBusy instead"
    ),
    "accounts.authentication:HashQueue.turn: with self._turns": (
        "places in the queue: a few hashes, each at most MAX_WAIT_SECONDS"
    ),
    "accounts.imports:_store_next: prepared.result": (
        f"MAX_WAIT_SECONDS of a hash, then ServiceBusy; {COMMAND}"
    ),
    "accounts.password_policy:is_breached: _slots.acquire": (
        "does not block: no check instead"
    ),
    "accounts.password_policy:is_breached: answers.get": "MAX_LOOK_UP_SECONDS",
    "accounts.password_policy:_look_up: urllib.request.urlopen": (
        f"TIMEOUT_SECONDS for each read; a slot; {ALONE}"
    ),
    "accounts.password_policy:_look_up: response.read": (
        f"MAX_RESPONSE_BYTES; TIMEOUT_SECONDS for each read; {ALONE}"
    ),
    "accounts.password_policy:_look_up: answers.put": "a queue without end",
    "audit.log:log: _request.get": "a context variable",
    "audit.writer:AuditWriter.enqueue: with self._changed": MEMORY,
    "audit.writer:AuditWriter.write_pending: with self._changed": MEMORY,
    "audit.writer:AuditWriter.flush: with self._changed": MEMORY,
    "audit.writer:AuditWriter.flush: self._changed.wait_for": "its timeout",
    "audit.writer:AuditWriter.close: with self._changed": MEMORY,
    "audit.writer:AuditWriter.close: self._thread.join": (
        "CLOSE_TIMEOUT_SECONDS"
    ),
    "audit.writer:AuditWriter._queue_sums: with self._changed": MEMORY,
    "audit.writer:AuditWriter._wait_for_work: with self._changed": MEMORY,
    "audit.writer:AuditWriter._wait_for_work: self._changed.wait": ALONE,
    "audit.writer:AuditWriter._run: self._closed.wait": "RETRY_SECONDS",
    "audit.writer:purge: time.sleep": "BATCH_PAUSE_SECONDS",
    "cli.arguments:read_new_password: click.prompt": COMMAND,
    "cli.arguments:read_new_password: sys.stdin.buffer.readline": COMMAND,
    "cli.arguments:confirm: click.confirm": COMMAND,
    "cli.demo:_end_with_parent: time.sleep": "half a second",
    "core.client_info:current_client: _current.get": "a context variable",
    "core.crypto:read_key_file: file.read": "MAX_KEY_FILE_BYTES",
    "core.env_file:_read: file.read": "MAX_FILE_BYTES of a regular file",
    "core.gate_rules_file:configured_rules: file.read": "MAX_FILE_BYTES",
    "core.passwords:_run_in_hash_thread: hashing.result": (
        "MAX_WAIT_SECONDS, then ServiceBusy"
    ),
    "core.passwords:HashTimer.add: with self._lock": MEMORY,
    "core.passwords:HashTimer.take: with self._lock": MEMORY,
    "core.threads:claim_process: time.sleep": "MAX_CLAIM_WAIT_SECONDS",
    "core.threads:Once.__call__: with self._lock": (
        "the one call that makes the value, which waits for nothing"
    ),
    "core.threads:Wakeups.wait: self._unseen.get": (
        "the main thread of the server, which serves no request"
    ),
    "db.backup:_copy_sqlite.copy: drivers.sqlite_driver().connect": COMMAND,
    "db.backup:_copy_backup: driver.connect": COMMAND,
    "db.backup:_dump_postgresql: subprocess.run": COMMAND,
    "db.backup:_require_unused: driver.connect": COMMAND,
    "db.engine:Database._connect: self.engine.connect": DATABASE,
    "db.engine:Database._hold_write_lock: self._write_lock.acquire": DATABASE,
    "db.engine:database: _open_lock.acquire": DATABASE,
    "db.migrate:upgrade: with _upgrade_lock": (
        "held by the thread that migrates, which holds _open_lock too"
    ),
    "db.postgresql:BoundedConnection.wait: super().wait": DATABASE,
    "db.postgresql:CircuitBreaker._probe: self._probe_lock.acquire": (
        "does not block: ServiceBusy instead"
    ),
    "db.postgresql:CircuitBreaker._timed: connect": DATABASE,
    "db.postgresql:create_postgresql_engine.connect: breaker.connect": (
        DATABASE
    ),
    "db.postgresql:create_postgresql_engine.connect:"
    " connection_class.connect": (
        f"{DATABASE}; the system's resolver bounds the look-up of a name"
    ),
    "db.session_touches:PendingTouches.add: with self._lock": MEMORY,
    "db.session_touches:PendingTouches.write: with self._lock": MEMORY,
    "db.session_queries:_delete_in_batches: time.sleep": "its argument",
    "db.statements:delete_in_batches: time.sleep": "BATCH_PAUSE_SECONDS",
    "db.wal_index:WalIndex.header: with self._map_lock": MEMORY,
    "http.body:BodyReads.reading: with self._changed": MEMORY,
    "http.body:BodyReads._await_turn: self._changed.wait": (
        "SLOW_READ_SECONDS"
    ),
    "http.body:BodyReads.slow: with self._changed": MEMORY,
    "http.body:TimedBody._read: self._source.read": (
        "BODY_TIMEOUT; half of the threads"
    ),
    "http.body:ChunkedBody.readall: self._stream.read": (
        "BODY_TIMEOUT; half of the threads"
    ),
    "identity.keys:KeyRing._known: self._reading.acquire": DATABASE,
    "mechanisms.session_auth:SessionAuth._keep: with self._memory.lock": (
        MEMORY
    ),
    "mechanisms.session_exp_auth:SessionExpAuth.create_session:"
    " with self._memory.lock": MEMORY,
    "mechanisms.session_cache:RecentEntries.put: with self._lock": MEMORY,
    "metrics.counters:Counters.totals: with self._threads_lock": MEMORY,
    "metrics.counters:Counters._register_thread: with self._threads_lock": (
        MEMORY
    ),
    "metrics.multiprocess:CountsFile.write: with self._writing": (
        "one small file is written"
    ),
    "metrics.multiprocess:CountsFile._write_at_intervals: pause.wait": (
        "WRITE_INTERVAL_SECONDS"
    ),
    "metrics.multiprocess:_file_in: with _files_lock": MEMORY,
    "metrics.multiprocess:count_exit: with _counting": MEMORY,
    "protect.websockets:WatchedWebSocket.receive: asyncio.wait": WEBSOCKET,
    "protect.websockets:WatchedWebSocket.receive: message.result": (
        "called once the message is there"
    ),
    "protect.websockets:WatchedWebSocket.receive: self._ended.wait": WEBSOCKET,
    "protect.websockets:close_at_end: asyncio.sleep": "MAX_CHECK_SECONDS",
    "protect.websockets:run_watched: asyncio.wait": "MAX_CLOSE_SECONDS",
    "protect.async_backends:AsyncTokenVerifier._fetch: with self._fetching": (
        "one request, the client's timeout: others see its attempt"
    ),
    "protect.backends:TokenVerifier._fetch: with self._fetching": (
        "one request, the client's timeout: others see its attempt"
    ),
    "protect.backends:HTTPClient._send: self._pool.urlopen": (
        "the client's timeout"
    ),
    "protect.backends:HTTPClient._read_body: response.read1": (
        "the client's timeout"
    ),
    "server.connections:address_of: socket.getaddrinfo": (
        "the resolver's own timeout, at start only"
    ),
    "server.connections:check_port: time.sleep": "PORT_WAIT_SECONDS",
    "server.granian:_Server._drain: time.sleep": "DRAIN_DELAY",
    "server.granian:_Server._watch: worker.inner.join": ALONE,
    "server.granian:_run: server.serve": "the life of the server",
    "server.granian:Announcement.run: self.withdrawn.wait": (
        "a fiftieth of a second"
    ),
    "server.granian:Announcement._is_answering: connection.request": (
        f"five seconds; {ALONE}"
    ),
    "server.granian:Announcement._is_answering: connection.getresponse": (
        f"five seconds; {ALONE}"
    ),
    "server.worker:Watch.run: time.sleep": "WATCH_INTERVAL_SECONDS",
    **{
        f"sessions.memory:MemoryStore.{method}: with self._memory.lock": (
            MEMORY
        )
        for method in (
            "add",
            "find_by_handle",
            "rotate",
            "end",
            "end_by_handle",
            "end_all",
            "purge",
            "_first_seen",
        )
    },
    "sessions.facts:current_facts: _current.get": "a context variable",
    "mail.outbox:MailSender._run: self._closed.wait": "PAUSE_SECONDS",
    "mail.outbox:MailSender._run: self._due.wait": (
        "5 s, `POLL_SECONDS`, in a thread of its own"
    ),
    "mail.outbox:MailSender.ensure_running: with self._starting": MEMORY,
    "mail.outbox:MailSender.close: self._thread.join": (
        "10 s, `CLOSE_TIMEOUT_SECONDS`"
    ),
    "mail.transport:_connect: connection.connect": (
        "10 s a step and 40 s in all, `MAX_DELIVERY_SECONDS`"
    ),
    "mail.transport:_Watch._run: self._changed.wait": (
        "40 s, `MAX_DELIVERY_SECONDS`, in a thread of its own"
    ),
    "mail.transport:_Watch._run: with self._changed": MEMORY,
    "mail.transport:_Watch._set_deadline: with self._changed": MEMORY,
    "mail.transport:_Watch.close: with self._changed": MEMORY,
    "sessions.sweeper:TouchWriter._run: self._closed.wait": (
        "TOUCH_DELAY_SECONDS"
    ),
    "sessions.sweeper:TouchWriter._run: self._due.wait": ALONE,
    "sessions.sweeper:TouchWriter._start: with self._starting": MEMORY,
    "sessions.sweeper:TouchWriter.close: self._thread.join": (
        "CLOSE_TIMEOUT_SECONDS"
    ),
    "sessions.sweeper:Sweeper.ensure_running: with self._starting": MEMORY,
    "sessions.sweeper:Sweeper._run: self._stopping.wait": (
        f"SESSION_PURGE_INTERVAL; {ALONE}"
    ),
}


def _waits(node: ast.AST) -> Iterator[str]:
    """Yield what may wait in one node: a call, or a lock that is taken."""
    if isinstance(node, ast.With | ast.AsyncWith):
        for item in node.items:
            # A call makes a context of its own; a name is a lock.
            if isinstance(item.context_expr, ast.Attribute) or (
                isinstance(item.context_expr, ast.Name)
                and item.context_expr.id.startswith("_")
            ):
                yield f"with {ast.unparse(item.context_expr)}"
    if not isinstance(node, ast.Call):
        return
    name, owner = node.func, ""
    if isinstance(name, ast.Attribute):
        owner = ast.unparse(name.value).rpartition(".")[2]
        called = name.attr
    elif isinstance(name, ast.Name):
        called = name.id
    else:
        return
    if (
        (called in _ALWAYS)
        or (called in _WITHOUT_ARGUMENT and not node.args)
        or owner in _OF.get(called, ())
    ):
        yield ast.unparse(name)


def blocking_calls(text: str) -> Iterator[str]:
    """Yield the calls in a module's `text` that may wait, with function."""

    def visit(node: ast.AST, names: tuple[str, ...]) -> Iterator[str]:
        """Yield those below `node`, in the function of these `names`."""
        for child in ast.iter_child_nodes(node):
            inner = names
            if isinstance(
                child,
                ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
            ):
                inner = *names, child.name
            for found in _waits(child):
                yield f"{'.'.join(inner)}: {found}"
            yield from visit(child, inner)

    yield from visit(ast.parse(text), ())


def found_calls() -> set[str]:
    """Return the blocking calls of `vestibule`, `api` and `models`."""
    return {
        f"{_module(file.path)}:{call}"
        for file in product_files()
        for call in blocking_calls(file.text)
    }


def _module(path: str) -> str:
    """Return the name of a module, without `vestibule`."""
    inner = path.removeprefix("vestibule/").removesuffix(".py")
    return inner.removesuffix("/__init__").replace("/", ".")


@pytest.mark.slow
def test_every_blocking_call_has_bound() -> None:
    """The table names each one of the product, and nothing else."""
    assert {file.path.partition("/")[0] for file in product_files()} == {
        "api",
        "models",
        "vestibule",
    }
    found = found_calls()
    assert sorted(found - BOUNDS.keys()) == []
    assert sorted(BOUNDS.keys() - found) == []
    assert all(BOUNDS.values())


@pytest.mark.parametrize(
    "statement",
    [
        "thread.join()",
        "thread.join(timeout=5)",
        "event.wait()",
        "lock.acquire()",
        "queue.get()",
        "queue.get(timeout=1)",
        "queue.put(1)",
        "future.result()",
        "wire.recv(9)",
        "wire.connect(('a', 1))",
        "socket.create_connection(('a', 1))",
        "urlopen('http://a')",
        "urllib.request.urlopen('http://a')",
        "subprocess.run(['a'])",
        "select.select([], [], [])",
        "psycopg.connect('', connect_timeout=3)",
        "with self._lock: pass",
        "with _lock: pass",
    ],
)
def test_blocking_call_is_found(statement: str) -> None:
    """A wait in a method is reported with the names around it."""
    text = f"class A:\n    def b(self):\n        {statement}\n"
    (found,) = blocking_calls(text)
    assert found.startswith("A.b: ")


@pytest.mark.parametrize(
    "statement",
    ["', '.join(names)", "table.get('a')", "with open('a') as b: pass"],
)
def test_other_calls_are_not_found(statement: str) -> None:
    """Methods of strings and dicts wait for nothing."""
    assert list(blocking_calls(statement)) == []
