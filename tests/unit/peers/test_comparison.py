#!/usr/bin/env python3
"""The comparison: the fastest peer, the ratio, and its lines."""

from dataclasses import dataclass, field

import pytest

from bench.peers.comparison import Best, compared, fastest, markdown


@dataclass
class Measured:
    """What rounds said of a server, without any server."""

    name: str
    rates: list[float]
    costs: list[float] = field(default_factory=lambda: [1.0, 1.0, 1.0])


def test_fastest_peer_is_chosen_for_each_round() -> None:
    """Ours beside two that take turns is no more than by each."""
    one = Measured("one", [200, 100, 100], [5, 6, 7])
    other = Measured("other", [100, 210, 190], [1, 2, 3])
    assert fastest([one, other]) == Best(
        "one or other", [200, 210, 190], [5, 2, 3]
    )
    assert fastest([other]) == Best("other", [100, 210, 190], [1, 2, 3])


def test_without_peers_none_is_the_fastest() -> None:
    """Where no peer could be measured, none is named."""
    assert fastest([]) is None


def test_rates_are_compared_within_a_round() -> None:
    """A round that was slow for both says as much as a fast one."""
    ours = Measured("ours", [1000, 10, 900])
    other = Measured("other", [100, 1, 100])
    row = compared("ours : other", ours, other, 9.5)
    assert list(row.values) == [10, 10, 9]
    assert row.measured == 10
    assert row.reached == "yes"


@pytest.mark.parametrize(
    ("bound", "reached"), [(9.9, "yes"), (10.1, "no"), (None, "")]
)
def test_line_says_whether_the_goal_is_reached(
    bound: float | None, reached: str
) -> None:
    """The line says whether the median keeps to the bound, if any."""
    row = compared("w", Measured("a", [50]), Measured("b", [5]), bound)
    assert row.reached == reached


def test_line_shows_the_medians_of_the_ratio() -> None:
    """The medians of both stand there, with their units."""
    ours = Measured("ours", [900, 800, 1000], [0.2, 0.1, 0.3])
    row = compared("w", ours, Measured("other", [90, 90, 90]), None, "a/s")
    assert row.seen == "900 : 90 a/s; 0.2 : 1 ms each"


def test_markdown_has_a_line_for_each_row() -> None:
    """What the README takes has headings, a rule and all lines."""
    row = compared("w", Measured("a", [50]), Measured("b", [5]), 7)
    head, rule, line = markdown(
        ("what", "goal", "measured", "rounds", "reached", "seen"), [row]
    ).splitlines()
    assert head == "| what | goal | measured | rounds | reached | seen |"
    assert rule == "| --- | --- | --- | --- | --- | --- |"
    assert line.startswith("| w | at least 7 | 10 |  | yes | 50 : 5 answ")
