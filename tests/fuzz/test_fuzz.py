"""The quick part of the fuzzing: whatever comes, a named error or the right numbers. ``long_fuzz`` tries thousands."""

from pathlib import Path
from random import Random

import pandas as pd
import pytest
from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st
from made_inputs import Made, broken, sound_log, toml
from pandas_oracle import expected
from trial_of_inputs import KINDS, attempt, make

from churnvalue import cli

EXAMPLES = {
    "sound log": 8,
    "odd log": 15,
    "broken file": 20,
    "odd configuration": 200,
    "broken configuration": 100,
}
SEEDS = st.integers(0, 2**32 - 1)


def quickly(examples: int) -> settings:
    """Settings without shrinking, which would read hundreds of files: the seed in the report makes the input again."""
    return settings(max_examples=examples, deadline=None, derandomize=True, phases=[Phase.generate])


@pytest.mark.parametrize("kind", KINDS)
def test_any_input_gives_a_named_error_or_the_right_numbers(kind: str, tmp_path: Path) -> None:
    @quickly(EXAMPLES[kind])
    @given(seed=SEEDS)
    def tried(seed: int) -> None:
        made = make(kind, Random(seed))
        result = attempt(made, tmp_path)
        note(f"{kind}: {made}")
        assert not result.is_fault, f"{result.outcome}: {result.details}"

    tried()


@pytest.mark.parametrize(("kind", "seed"), [("odd log", 3), ("broken file", 1), ("broken configuration", 1)])
def test_the_command_line_gives_one_line_and_exit_code_1(
    kind: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert attempt(make(kind, Random(seed)), tmp_path).outcome == "named error"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["churnvalue", "check"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == cli.USER_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("churnvalue: ")


def test_a_wrong_number_is_found(tmp_path: Path) -> None:
    made = sound_log(Random(1))
    assert made.rows is not None
    short = Made(made.files, made.config, made.rows.iloc[:-1], made.raw, made.as_of)
    assert attempt(made, tmp_path).outcome == "success"
    assert attempt(short, tmp_path).outcome == "wrong number"


def test_the_oracle_agrees_with_a_table_worked_out_by_hand() -> None:
    lines = [
        ("a", "2024-03-05T10:00", "1", "o1"),
        ("a", "2024-03-05T10:00", "1", "o1"),  # the same line again
        ("a", "2024-03-05T11:00", "-3", "o1"),  # another line of that order, now worth -2: a return
        ("b", "2024-03-05T10:00", "5", ""),
        ("b", "2024-03-07T10:00", "5", ""),  # too late
        ("", "2024-03-05T10:00", "5", ""),
        ("b", "2024-03-05T10:00", "inf", ""),
    ]
    rows = pd.DataFrame(lines, columns=["customer_id", "event_time", "amount", "order_id"])
    found = expected(rows, {"events": [{"timezone": "UTC"}]}, "2024-03-06")
    assert (found.read, found.kept, found.duplicates, found.later) == (7, 3, 1, 1)
    assert found.quarantined == {"no customer id": 1, "amount is not a finite number": 1}
    assert found.events == {("a", "return"): (1, -2.0), ("b", "purchase"): (1, 5.0)}


def test_the_same_seed_makes_the_same_input() -> None:
    for kind in KINDS:
        first, again = make(kind, Random(5)), make(kind, Random(5))
        assert (first.files, first.config) == (again.files, again.config)
    assert broken(b"0123456789" * 9, Random(1)) != b"0123456789" * 9
    assert toml({"a b": [1, True, "x"]}) == '{ "a b" = [1, true, "x"] }'
