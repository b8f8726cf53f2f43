import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.errors import OutputError
from churnvalue.storage import (
    json_text,
    locked,
    read_json,
    read_manifest,
    read_parquet,
    staged,
    verify,
    write_text,
)

SCORES = pa.table({"customer_id": ["00123", "a", "b"], "p_churn": [0.1, None, 0.5]})
DEAD = 2**22 + 1  # above the largest process id that Linux gives out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def score(folder: Path, table: pa.Table = SCORES, **facts: object) -> None:
    with staged(folder, "score", **facts) as stage:
        stage.parquet("scores.parquet", table)


def score_and_interrupt(folder: Path) -> None:
    with staged(folder, "score") as stage:
        stage.parquet("scores.parquet", SCORES.slice(0, 1))
        raise KeyboardInterrupt("Ctrl-C")


def test_staged_writes_everything_and_says_what(tmp_path: Path) -> None:
    with staged(tmp_path / "deep" / "out", "score", cutoff=date(2011, 9, 1)) as stage:
        stage.parquet("scores.parquet", SCORES)
        stage.text("note.txt", "é\n")
        stage.json("score.json", {"auc": float("nan")})
        stage.bytes("figure.png", b"\x89PNG")
        assert not (tmp_path / "deep" / "out" / "note.txt").exists()
    folder = tmp_path / "deep" / "out"
    manifest = read_manifest(folder)
    assert manifest["facts"] == {"score": {"cutoff": "2011-09-01"}}
    assert set(manifest["files"]) == {"scores.parquet", "note.txt", "score.json", "figure.png"}
    assert manifest["files"]["note.txt"] == {
        "bytes": 3,  # two for é
        "sha256": hashlib.sha256("é\n".encode()).hexdigest(),
        "command": "score",
    }
    assert manifest["files"]["scores.parquet"]["rows"] == 3
    assert read_parquet(folder, "scores.parquet").equals(SCORES)
    assert read_json(folder, "score.json") == {"auc": None}
    assert {path.name for path in folder.iterdir()} == {*manifest["files"], "manifest.json", ".lock"}
    verify(folder)


def test_same_inputs_same_bytes_however_chunked(tmp_path: Path) -> None:
    score(tmp_path / "a", cutoff="2011-09-01")
    chunked = pa.concat_tables([SCORES.slice(0, 1), SCORES.slice(1)])
    score(tmp_path / "b", chunked.replace_schema_metadata({"pandas": "x"}), cutoff="2011-09-01")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    score(tmp_path / "a", cutoff="2011-09-01")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    file = pq.ParquetFile(tmp_path / "a" / "scores.parquet")
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert file.schema_arrow.metadata is None


def test_an_error_leaves_earlier_outputs_and_no_temporary(tmp_path: Path) -> None:
    score(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(KeyboardInterrupt, match="Ctrl-C"):
        score_and_interrupt(tmp_path)
    assert contents(tmp_path) == before


def test_disk_full_is_one_line_and_leaves_earlier_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score(tmp_path)
    before = contents(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"scores.parquet must be writable, but: No space .* Free space"):
        score(tmp_path, SCORES.slice(0, 1))
    with pytest.raises(OutputError, match="No space left"):
        write_text(tmp_path / "churnvalue.toml", "x")
    assert contents(tmp_path) == before


def test_a_full_device_under_parquet_is_one_line(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with staged(tmp_path, "score") as stage:
        temporary = tmp_path / f".scores.parquet.{os.getpid()}.staged"
        temporary.symlink_to("/dev/full")
        with pytest.raises(OutputError, match="No space left on device"):
            stage.parquet("scores.parquet", SCORES)
        assert not temporary.exists()


def test_a_target_that_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="out must be writable, but: File exists"):
        score(tmp_path / "out")


def test_two_writers_of_one_target_are_one_error(tmp_path: Path) -> None:
    with staged(tmp_path, "score") as stage:
        stage.text("a.txt", "a")
        with pytest.raises(OutputError, match="Only one process at a time may write"):
            score(tmp_path)
    assert set(read_manifest(tmp_path)["files"]) == {"a.txt"}


HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "ab")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""


def test_lock_waits_for_its_turn(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLDER,
            str(tmp_path / ".lock"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(OutputError, match="another is at work there"), locked(tmp_path / ".lock", 0.05):
        pass
    holder.kill()
    holder.wait()
    with locked(tmp_path / ".lock"):
        pass


def test_entries_of_other_commands_stay(tmp_path: Path) -> None:
    score(tmp_path, cutoff="2011-09-01")
    with staged(tmp_path, "plan", policy="p1") as stage:
        stage.parquet("plan.parquet", SCORES)
        stage.parquet("sends.parquet", SCORES)
    score(tmp_path, SCORES.slice(0, 2), cutoff="2011-10-01")
    manifest = read_manifest(tmp_path)
    assert manifest["facts"] == {"plan": {"policy": "p1"}, "score": {"cutoff": "2011-10-01"}}
    assert {name: entry["command"] for name, entry in manifest["files"].items()} == {
        "plan.parquet": "plan",
        "scores.parquet": "score",
        "sends.parquet": "plan",
    }
    assert manifest["files"]["scores.parquet"]["rows"] == 2
    verify(tmp_path)
    (tmp_path / "sends.parquet").unlink()
    score(tmp_path)
    assert "sends.parquet" not in read_manifest(tmp_path)["files"]


def test_what_a_command_no_longer_writes_is_no_longer_listed(tmp_path: Path) -> None:
    with staged(tmp_path, "plan") as stage:
        stage.parquet("plan.parquet", SCORES)
        stage.parquet("sends.parquet", SCORES)
    with staged(tmp_path, "plan") as stage:
        stage.parquet("plan.parquet", SCORES)
    assert (tmp_path / "sends.parquet").exists()
    with pytest.raises(OutputError, match=r"must list sends.parquet in its manifest"):
        read_parquet(tmp_path, "sends.parquet")


@pytest.mark.parametrize("name", ["../x", ".hidden", "a/b", "manifest.json", "", "<script>"])
def test_names_of_outputs_are_plain(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(OutputError, match="An output must be a file name"),
        staged(tmp_path, "score") as stage,
    ):
        stage.text(name, "x")


def test_leftovers_of_dead_processes_are_removed(tmp_path: Path) -> None:
    dead = tmp_path / f".scores.parquet.{DEAD}.staged"
    living = tmp_path / f".scores.parquet.{os.getppid()}.staged"
    earlier_life = tmp_path / f".plan.parquet.{os.getpid()}.staged"
    for path in (dead, living, earlier_life):
        path.write_bytes(b"half")
    score(tmp_path)
    assert [dead.exists(), living.exists(), earlier_life.exists()] == [False, True, False]
    (tmp_path / f".a.toml.{DEAD}.tmp").write_bytes(b"half")
    write_text(tmp_path / "a.toml", "whole")
    assert not (tmp_path / f".a.toml.{DEAD}.tmp").exists()


KILLED = """
import os, sys
from pathlib import Path
import pyarrow as pa
from churnvalue.storage import staged

def write(folder, word, moment):
    calls, real = [0], os.fsync
    def fsync(descriptor):
        calls[0] += 1
        if calls[0] == moment:
            os.kill(os.getpid(), 9)
        real(descriptor)
    os.fsync = fsync
    with staged(folder, "score") as stage:
        stage.parquet("scores.parquet", pa.table({"customer_id": [word]}))
        stage.text("note.txt", word)
    os.fsync = real

for moment in range(1, 9):
    folder = Path(sys.argv[1]) / str(moment)
    write(folder, "old", 0)
    child = os.fork()
    if child == 0:
        write(folder, "new", moment)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_kill_at_any_moment_leaves_the_old_or_the_new_whole(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=True, capture_output=True, text=True)
    assert [int(code) for code in done.stdout.split()] == [-signal.SIGKILL] * 7 + [0]
    for moment in range(1, 9):
        folder = tmp_path / str(moment)
        verify(folder)
        found = read_parquet(folder, "scores.parquet")["customer_id"].to_pylist()
        # 1 and 2 are the files, 3 the manifest, 4 the folder: until then nothing is declared complete
        assert found == (["old"] if moment <= 4 else ["new"])
        assert (folder / "note.txt").read_text() == found[0]
        score(folder)
        assert sorted(contents(folder)) == [".lock", "manifest.json", "note.txt", "scores.parquet"]


def test_a_reader_finishes_the_renaming_of_a_dead_writer(tmp_path: Path) -> None:
    score(tmp_path / "new", SCORES.slice(0, 1))
    score(tmp_path / "old")
    folder = tmp_path / "old"
    (tmp_path / "new" / "scores.parquet").rename(folder / f".scores.parquet.{DEAD}.staged")
    (tmp_path / "new" / "manifest.json").rename(folder / f".manifest.json.{DEAD}.complete")
    assert read_parquet(folder, "scores.parquet").num_rows == 1
    assert sorted(contents(folder)) == [".lock", "manifest.json", "scores.parquet"]


def test_damage_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"must hold manifest.json, but there is none. Give the folder"):
        read_manifest(tmp_path)
    score(tmp_path)
    whole = (tmp_path / "scores.parquet").read_bytes()
    (tmp_path / "scores.parquet").write_bytes(whole[:20] + bytes([whole[20] ^ 1]) + whole[21:])
    with pytest.raises(OutputError, match=r"scores.parquet must be as it was written.*Run 'churnvalue score' again"):
        read_parquet(tmp_path, "scores.parquet")
    (tmp_path / "scores.parquet").write_bytes(whole[:-5])
    with pytest.raises(OutputError, match="its bytes changed"):
        verify(tmp_path)
    (tmp_path / "scores.parquet").unlink()
    with pytest.raises(OutputError, match=r"scores.parquet must be readable, but: No such file"):
        verify(tmp_path)
    with pytest.raises(OutputError, match=r"Did you mean 'scores.parquet'"):
        verify(tmp_path, ["score.parquet"])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 1, "facts": {}}', '"\\ud800'])
def test_a_damaged_manifest_is_an_error_to_readers_and_replaced_by_writers(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(OutputError, match="must be the manifest that churnvalue wrote"):
        verify(tmp_path)
    score(tmp_path)
    verify(tmp_path)


def test_a_folder_named_like_a_partition_adds_no_column(tmp_path: Path) -> None:
    score(tmp_path / "cutoff=2011-09-01")
    assert read_parquet(tmp_path / "cutoff=2011-09-01", "scores.parquet").equals(SCORES)


def test_write_text_follows_links_and_makes_folders(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.toml", "1\n")
    (tmp_path / "link.toml").symlink_to(tmp_path / "new" / "a.toml")
    write_text(tmp_path / "link.toml", "2\r\n")
    assert (tmp_path / "link.toml").is_symlink()
    assert (tmp_path / "new" / "a.toml").read_bytes() == b"2\r\n"
    assert sorted(contents(tmp_path / "new")) == ["a.toml"]


@dataclass(frozen=True)
class Fold:
    cutoff: np.datetime64
    auc: np.float32


def test_json_is_plain_and_sorted() -> None:
    value = {
        "z": np.array([1.5, np.inf]),
        "a": {1: np.int64(2), "ü": (True, np.bool_(False), None)},
        "when": datetime(2011, 9, 1, tzinfo=UTC),
        "where": Path("a") / "b",
        "fold": Fold(np.datetime64("2011-09-01"), np.float32(0.5)),
        "kinds": {"b", "a"},
    }
    assert json.loads(json_text(value)) == {
        "a": {"1": 2, "ü": [True, False, None]},
        "fold": {"auc": 0.5, "cutoff": "2011-09-01"},
        "kinds": ["a", "b"],
        "when": "2011-09-01T00:00:00+00:00",
        "where": "a/b",
        "z": [1.5, None],
    }
    assert json_text({"b": float("nan"), "a": "é"}) == '{\n  "a": "é",\n  "b": null\n}\n'
    with pytest.raises(OutputError, match=r"JSON must be made of .* but object came"):
        json_text({"a": object()})


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(values)
def test_json_always_parses_and_is_stable(value: object) -> None:
    text = json_text(value)
    assert json_text(json.loads(text)) == text
