#!/usr/bin/env python3
"""Counting in threads, in forked processes and in files."""

import _thread
import os
import threading
from pathlib import Path

import pytest

from tests.threads import FailingThreadStart
from vestibule.core import clock
from vestibule.metrics import multiprocess
from vestibule.metrics.counters import DURATION_BUCKETS, Counters, counters

KEY = ("GET", "/x", "200")


def times(counted: Counters) -> float:
    """Return how many answers were counted."""
    return sum(sums[0] for sums in counted.totals().values())


def test_threads_count_for_themselves() -> None:
    """Nothing is lost, of threads that ended neither."""
    counted = Counters()

    def work() -> None:
        """Count as a thread of a server does."""
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
    # The twelve that ended left one sum.
    assert len(counted._threads) <= 5


def test_threads_that_python_did_not_start_end_too() -> None:
    """A server's threads are such, and leave one sum as others do."""
    counted, ended = Counters(), threading.Semaphore(0)

    class Last:
        """What goes with a thread after all else of it."""

        def __del__(self) -> None:
            """Tell that the thread has ended."""
            ended.release()

    def work() -> None:
        """Count once, and end."""
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
def test_durations_fall_into_classes(
    monkeypatch: pytest.MonkeyPatch, seconds: float, bound: int
) -> None:
    """The first whose bound is not below; the last has none."""
    monkeypatch.setattr(clock, "monotonic", lambda: 100.0)
    counted = Counters()
    counted.count_response(*KEY, 100.0 - seconds)
    assert counted.totals() == {(*KEY, bound): [1, pytest.approx(seconds)]}


def test_a_forked_child_begins_anew() -> None:
    """What the parent counted is not counted twice."""
    counters().count_event("login")
    child = os.fork()
    if child == 0:
        os._exit(0 if counters().totals() == {} else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert counters().totals() == {("login",): [1, 0.0]}


def test_workers_add_up(tmp_path: Path) -> None:
    """A worker reads what all have left, its own counts of now too."""
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


def test_a_scrape_beside_the_first_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker has one file, whatever comes at once; it counts once."""
    begun, second = threading.Event(), threading.Event()
    made: list[multiprocess.CountsFile] = []

    class Slow(multiprocess.CountsFile):
        """A file that is prepared slowly by whoever comes first."""

        def __init__(self, folder: Path) -> None:
            """Give another a while to come, if it is the first."""
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


def test_a_thread_that_the_system_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The request goes on; the next scrape starts it, and tells of all."""
    counters().count_event("login")
    with multiprocess.shared_counts(2):
        FailingThreadStart(monkeypatch)
        multiprocess.start_sharing()
        before = threading.active_count()
        assert multiprocess.server_counts() == ({("login",): [1, 0.0]}, 1)
        assert threading.active_count() == before + 1


def test_a_fork_beside_the_first_request() -> None:
    """A child waits for no thread of its parent's, and has its own file."""
    with multiprocess.shared_counts(2):
        with multiprocess._files_lock:
            child = os.fork()
            if child == 0:
                multiprocess.start_sharing()
                os._exit(0 if len(multiprocess._files) == 1 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert multiprocess._files == {}


def test_one_worker_writes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nobody to leave anything for."""
    with multiprocess.shared_counts(1):
        multiprocess.start_sharing()
        counters().count_event("login")
        assert multiprocess.server_counts() == ({("login",): [1, 0.0]}, 1)
        assert multiprocess._folder is None


def test_an_unchanged_file_is_left_alone(tmp_path: Path) -> None:
    """Idle workers write nothing."""
    share = multiprocess.CountsFile(tmp_path)
    share.write()
    assert not share.path.exists()
    counters().count_event("login")
    share.write()
    share.path.unlink()
    share.write()
    assert not share.path.exists()


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """It is tried again; nobody's request fails for it."""
    folder = tmp_path / "late"
    share = multiprocess.CountsFile(folder)
    counters().count_event("login")
    share.write()
    folder.mkdir()
    share.write()
    assert share.path.exists()
