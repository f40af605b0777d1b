#!/usr/bin/env python3
"""The list of mutants fits the code, and the verdicts on them are right."""

from pathlib import Path

import pytest

from tests.mutants.run import (
    Mutant,
    Result,
    Tree,
    Verdict,
    choose,
    read_mutants,
)
from tests.serving import ROOT

MUTANTS = read_mutants()

each_mutant = pytest.mark.parametrize(
    "mutant", MUTANTS, ids=lambda mutant: mutant.id
)


@each_mutant
def test_mutant_applies_at_one_place(mutant: Mutant) -> None:
    """The old code occurs exactly once, and the new code can be compiled."""
    source = (ROOT / mutant.path).read_text("utf-8")
    assert source.count(mutant.old) == 1
    changed = source.replace(mutant.old, mutant.new)
    assert changed != source
    compile(changed, mutant.path, "exec")


@each_mutant
def test_tests_of_mutant_exist(mutant: Mutant) -> None:
    """Each mutant names at least one test file, and all of them exist."""
    assert mutant.tests
    for path in mutant.tests:
        assert path.startswith("tests/")
        assert (ROOT / path).exists(), path


def test_mutants_differ_from_each_other() -> None:
    """No id and no change is in the list twice."""
    assert len({mutant.id for mutant in MUTANTS}) == len(MUTANTS)
    changes = {(mutant.path, mutant.old, mutant.new) for mutant in MUTANTS}
    assert len(changes) == len(MUTANTS)


def test_parts_contain_each_mutant_once() -> None:
    """Two parts together are all mutants, and do not overlap."""
    parts = [*choose(MUTANTS, None, "1/2"), *choose(MUTANTS, None, "2/2")]
    assert sorted(parts) == sorted(MUTANTS)


def test_only_selects_mutants_by_id() -> None:
    """The mutants with these ids are chosen, in the order of the list."""
    first, second = MUTANTS[:2]
    ids = f"{second.id},{first.id}"
    assert choose(MUTANTS, ids, "1/1") == [first, second]


@pytest.mark.parametrize(
    ("only", "part"),
    [("m000", "1/1"), (None, "0/2"), (None, "3/2"), (None, "1"), (None, "")],
)
def test_invalid_choice_raises_value_error(
    only: str | None, part: str
) -> None:
    """An unknown id and a part that does not exist are refused."""
    with pytest.raises(ValueError):
        choose(MUTANTS, only, part)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ("return 1", "return 2", Verdict.KILLED),
        ("return 1", "return True", Verdict.SURVIVED),
        ("return 3", "return 1", Verdict.NOT_APPLICABLE),
        ("n", "m", Verdict.NOT_APPLICABLE),
    ],
)
def test_mutant_is_judged_by_its_tests(
    tmp_path: Path, old: str, new: str, verdict: Verdict
) -> None:
    """A failed test kills it; the code is afterwards as it was before."""
    code = tmp_path / "code_under_test.py"
    code.write_text("def one() -> int:\n    return 1\n")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nmarkers =\n    torture\n    idle\n"
    )
    write_test(tmp_path, "assert one() == 1")
    assert judge(tmp_path, old, new).verdict is verdict
    assert code.read_text() == "def one() -> int:\n    return 1\n"


@pytest.mark.slow
def test_tests_that_always_fail_do_not_kill(tmp_path: Path) -> None:
    """A failure that occurs without the mutant too proves nothing."""
    (tmp_path / "code_under_test.py").write_text("one = 1\n")
    write_test(tmp_path, "assert one == 3")
    result = judge(tmp_path, "one = 1", "one = 2")
    assert result == Result(
        Verdict.NOT_APPLICABLE, "its tests fail without it too"
    )


def write_test(folder: Path, assertion: str) -> None:
    """Write a test of `one` with this assertion."""
    (folder / "test_one.py").write_text(
        "from code_under_test import one\n\n"
        f"def test_one() -> None:\n    {assertion}\n"
    )


def judge(folder: Path, old: str, new: str) -> Result:
    """Return the result for a change of the code in `folder`."""
    mutant = Mutant(
        "m000", "code_under_test.py", "", old, new, ("test_one.py",)
    )
    return Tree(folder).judge(mutant)
