#!/usr/bin/env python3
"""Counters of threads, forked processes and files."""

import _thread
import os
import tempfile
import threading
from pathlib import Path

import pytest

from tests.threads import FailingThreadStart
from vestibule.core import clock
from vestibule.core.errors import ConfigurationError
from vestibule.metrics import multiprocess
from vestibule.metrics.counters import DURATION_BUCKETS, Counters, counters

KEY = ("GET", "/x", "200")


def times(counted: Counters) -> float:
    """Return the number of counted responses."""
    return sum(sums[0] for sums in counted.totals().values())


def test_counts_of_all_threads_are_summed() -> None:
    """Counts of ended threads are kept."""
    counted = Counters()

    def work() -> None:
        """Count a request as a server thread would."""
        for _ in range(500):
            counted.count_response(*KEY, clock.monotonic())

    for _ in range(3):
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    work()
    assert times(counted) == 13 * 500
    # The twelve ended threads left one sum.
    assert len(counted._threads) <= 5


def test_counts_of_foreign_threads_are_kept() -> None:
    """Python did not start the threads of the server."""
    counted, ended = Counters(), threading.Semaphore(0)

    class Last:
        """An object that is destroyed last in its thread."""

        def __del__(self) -> None:
            """Report that the thread has ended."""
            ended.release()

    def work() -> None:
        """Count one request, and end."""
        counted.count_response(*KEY, clock.monotonic())
        counted._own.last = Last()

    for _ in range(50):
        _thread.start_new_thread(work, ())
    for _ in range(50):
        assert ended.acquire(timeout=20)
    work()
    assert times(counted) == 51
    assert len(counted._threads) == 1


@pytest.mark.parametrize(
    ("seconds", "bound"), [(0, 0), (0.002, 1), (99, len(DURATION_BUCKETS))]
)
def test_duration_is_counted_in_its_bucket(
    monkeypatch: pytest.MonkeyPatch, seconds: float, bound: int
) -> None:
    """It is the first bucket whose bound is not below the duration."""
    monkeypatch.setattr(clock, "monotonic", lambda: 100.0)
    counted = Counters()
    counted.count_response(*KEY, 100.0 - seconds)
    assert counted.totals() == {(*KEY, bound): [1, pytest.approx(seconds)]}


def test_forked_child_starts_at_zero() -> None:
    """Counts of the parent are not counted twice."""
    counters().count_event("login")
    child = os.fork()
    if child == 0:
        os._exit(0 if counters().totals() == {} else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert counters().totals() == {("login",): [1, 0.0]}


def test_scrape_sums_counts_of_all_workers(tmp_path: Path) -> None:
    """The worker's own current counts are included."""
    with multiprocess.shared_counts(2):
        assert multiprocess._folder is not None
        other = multiprocess._folder / "9-dead.json"
        other.write_text(
            '[[["login"], [2, 0.0]], [["GET", "/x", "200", 1], [3, 0.5]]]'
        )
        multiprocess.start_sharing()
        for number in (1, 2):
            counters().count_event("login")
            found = multiprocess.server_counts()
            assert found.workers == 2
            assert found.totals[("login",)] == [2 + number, 0.0]
            assert found.totals[("GET", "/x", "200", 1)] == [3, 0.5]
        folder = multiprocess._folder
    assert not folder.exists()
    assert multiprocess._folder is None


def test_scrape_during_first_request_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker creates one file, however many threads start at once."""
    begun, second = threading.Event(), threading.Event()
    made: list[multiprocess.CountsFile] = []

    class Slow(multiprocess.CountsFile):
        """A file whose first user prepares it slowly."""

        def __init__(self, folder: Path) -> None:
            """Wait for another thread, if this is the first."""
            super().__init__(folder)
            made.append(self)
            if len(made) > 1:
                second.set()
            else:
                begun.set()
                second.wait(0.5)

    monkeypatch.setattr(multiprocess, "CountsFile", Slow)
    counters().count_event("login")
    with multiprocess.shared_counts(2):
        beginning = threading.Thread(target=multiprocess.start_sharing)
        beginning.start()
        assert begun.wait(20)
        found = multiprocess.server_counts()
        beginning.join(20)
        assert len(made) == 1
        assert found == ({("login",): [1, 0.0]}, 1)


def test_refused_writer_thread_is_started_by_next_scrape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The request still succeeds, and no count is lost."""
    counters().count_event("login")
    with multiprocess.shared_counts(2):
        FailingThreadStart(monkeypatch)
        multiprocess.start_sharing()
        before = threading.enumerate()
        assert multiprocess.server_counts() == ({("login",): [1, 0.0]}, 1)
        (started,) = set(threading.enumerate()) - set(before)
        assert started.name == "metrics"


def test_fork_during_first_request_does_not_block_child() -> None:
    """The child has its own file and waits for no lock of its parent."""
    with multiprocess.shared_counts(2):
        with multiprocess._files_lock:
            child = os.fork()
            if child == 0:
                multiprocess.start_sharing()
                os._exit(0 if len(multiprocess._files) == 1 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert multiprocess._files == {}


def test_single_worker_writes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no other worker to read it."""
    with multiprocess.shared_counts(1):
        multiprocess.start_sharing()
        counters().count_event("login")
        assert multiprocess.server_counts() == ({("login",): [1, 0.0]}, 1)
        assert multiprocess._folder is None


def test_unchanged_counts_are_not_written(tmp_path: Path) -> None:
    """Idle workers write nothing."""
    share = multiprocess.CountsFile(tmp_path)
    share.write()
    assert not share.path.exists()
    counters().count_event("login")
    share.write()
    share.path.unlink()
    share.write()
    assert not share.path.exists()


def test_failed_counter_write_is_repeated(tmp_path: Path) -> None:
    """No request fails for it."""
    folder = tmp_path / "late"
    share = multiprocess.CountsFile(folder)
    counters().count_event("login")
    share.write()
    folder.mkdir()
    share.write()
    assert share.path.exists()


def test_folder_of_counts_that_cannot_be_made_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names TMPDIR; without metrics no folder is made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with (
        pytest.raises(ConfigurationError, match="TMPDIR: must be a writable"),
        multiprocess.shared_counts(2),
    ):
        pass
    monkeypatch.setenv("METRICS", "off")
    with multiprocess.shared_counts(2) as folder:
        assert folder is None
