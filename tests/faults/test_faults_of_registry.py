"""The life of a model: challenger, champion, rolled back, signed; and what may not become champion."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from processes import contents
from small_orders import CONFIG

import churnvalue as cv
from churnvalue.errors import RegistryError
from churnvalue.jobs.champions import open_registry
from churnvalue.jobs.promotion import Rival, rivals_of
from churnvalue.tracking import CHALLENGER, CHAMPION, MODEL_FILES, ModelPackage, Tracker, TrialRecord
from churnvalue.tracking.records import Record, enter, keeping, kept_records

Run = Callable[..., tuple[int, str, str]]
Refused = Callable[..., str]
SCORE = ("score", "--out", "out")


def tracker_of(folder: Path, **mlflow: str) -> Tracker:
    """The tracker of a shop whose next runs lie in its own folder."""
    settings = {"experiment": "again", **mlflow}
    lines = "\n".join(f'{key} = "{value}"' for key, value in settings.items())
    (folder / "churnvalue.toml").write_text(f"{CONFIG}\n[mlflow]\n{lines}\n", encoding="utf-8")
    return open_registry(cv.read_config(folder / "churnvalue.toml"))


def record_again(tracker: Tracker, promote: bool = True, **expected: int) -> Record:
    """What a training leaves that learnt the very models which are champions."""
    packages = []
    for name in ("churn", "orders", "spend", "value", "return"):
        stored = tracker.download(name, 1)
        files = {path.name: path.read_text(encoding="utf-8") for path in (stored / MODEL_FILES).iterdir()}
        del files["files.json"]
        definition = (stored / "definition.toml").read_text(encoding="utf-8")
        loader = "churnvalue.timing.next_purchase_serving" if name == "return" else "churnvalue.models.serving"
        tags = {"why": "passed the gate", "digest": "ab" * 16}
        packages.append(ModelPackage(name, files, loader, ["x"], ["y"], tags, f"# {name}, learnt again\n", definition))
    return Record(
        project="small",
        inputs="inputs",
        params={"seed": "7"},
        metrics={0: {"churn.auc": 0.75, "churn.gini": float("nan")}, 19_000: {"realised.auc": 0.5}},
        trials=[TrialRecord("churn-trial-000", {"num_leaves": 4}, None)],
        dataset={"name": "training-frame", "digest": "ab" * 16, "source": "orders.csv", "profile": {"rows": 3}},
        texts={"train.json": "{}\n"},
        figures={"pictures/lift.png": b"\x89PNG"},
        packages=packages,
        expected=expected,
        promote=promote,
    )


def test_a_record_is_the_same_after_it_was_kept(shop: Path) -> None:
    record = record_again(tracker_of(shop))
    with pytest.raises(RegistryError, match=r"^no\. What was learnt is kept in"), keeping(shop, record):
        raise RegistryError("no.")
    (kept,) = kept_records(shop).values()
    assert kept.metrics == {0: {"churn.auc": 0.75}, 19_000: {"realised.auc": 0.5}}  # what is not finite is not logged
    assert replace(kept, metrics=record.metrics) == record


def test_a_damaged_record_is_named(shop: Path, refused: Refused) -> None:
    (shop / ".ab.4194305.unregistered").write_text("{}", encoding="utf-8")
    assert "must hold what a training could not register, but it is damaged. Remove it" in refused(shop, "train")


def test_fault_48_a_worse_candidate_stays_challenger(trained: Path, shop: Path, run: Run) -> None:
    tracker = tracker_of(shop)
    assert enter(tracker, record_again(tracker, promote=False)).promoted is False
    assert {tracker.version(name, CHAMPION) for name in tracker.names()} == {1}
    assert {tracker.version(name, CHALLENGER) for name in tracker.names()} == {2}
    assert run(shop, *SCORE)[0] == 0
    assert contents(shop / "out") == contents(trained / "out")


def test_papers_travel_with_every_version(shop: Path) -> None:
    listed = cv.list_models(cv.read_config(shop / "churnvalue.toml"))
    assert len(listed) == 5
    assert set(listed["aliases"]) == {"champion"}
    assert listed["why"].str.match("passed the gate|for want of another, though it failed the gate: ").all()
    assert (listed["cutoff"] < listed["as_of"]).all()
    tracker = tracker_of(shop)
    for name, stored in zip(listed["model"], listed["stored"], strict=True):
        folder = tracker.download(name, 1)
        assert Path(stored.removeprefix("file://")) == folder
        assert (folder / "card.md").read_text(encoding="utf-8").startswith(f"# {name}\n")
        assert f'name = "{name}"' in (folder / "definition.toml").read_text(encoding="utf-8")
        info = tracker.versions(name)[0]
        assert info.tags["digest"] in (folder / "card.md").read_text(encoding="utf-8")


def test_scoring_takes_the_definition_from_the_champion(trained: Path, shop: Path, run: Run) -> None:
    definition = (shop / "churn.toml").read_text(encoding="utf-8")
    (shop / "churn.toml").write_text(definition.replace("days_since_last", "active_days"), encoding="utf-8")
    assert run(shop, *SCORE)[0] == 0
    assert contents(shop / "out") == contents(trained / "out")


def test_a_champion_that_cannot_be_read_is_an_objection_and_no_dead_end(shop: Path, tmp_path: Path) -> None:
    tracker = tracker_of(shop)
    record = record_again(tracker)
    files = dict(record.packages[0].files)
    enter(tracker, record)
    stored = tracker.download("churn", 2) / MODEL_FILES
    (stored / "model.json").write_text(files["model.json"] + " ", encoding="utf-8")
    rivals = rivals_of(tracker, ["churn", "orders", "other"])
    assert set(rivals) == {"churn", "orders"}
    assert rivals["churn"].features == ()
    assert "model.json must be as it was registered" in rivals["churn"].problem
    assert rivals["orders"] == Rival(2, tracker.download("orders", 2) / MODEL_FILES)


# Signatures


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """Files of a pair of keys in the shop, as the configuration names them."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "signing.pem").write_bytes(private)
    (tmp_path / "verify.pem").write_bytes(public)
    return {"signing_key_file": "signing.pem", "verify_key_file": "verify.pem"}


def test_only_signed_models_score_where_a_key_says_so(
    shop: Path, keys: dict[str, str], refused: Refused, run: Run
) -> None:
    record = record_again(tracker_of(shop))
    tracker = tracker_of(shop, **keys)
    assert "must be signed for [mlflow] verify_key_file, but it is not signed. Train again" in refused(shop, *SCORE)
    enter(tracker, record)
    assert run(shop, *SCORE)[0] == 0
    assert set(cv.score(cv.read_config(shop / "churnvalue.toml"))["model_versions"].str[:7]) == {"churn 2"}
    assert "but it is not signed" in refused(shop, "promote", "churn", "1")
    signature = tracker.download("churn", 2) / MODEL_FILES / "files.sig"
    made = signature.read_text(encoding="utf-8")
    for forged in (made.replace(made[:2], "00" if made[:2] != "00" else "11", 1), "not hexadecimal", ""):
        signature.write_text(forged, encoding="utf-8")
        assert "but its signature does not fit" in refused(shop, *SCORE)


@pytest.mark.parametrize("content", [b"not a key", None])
def test_a_key_that_is_none_is_named(shop: Path, keys: dict[str, str], refused: Refused, content: bytes | None) -> None:
    swapped = {"signing_key_file": "verify.pem", "verify_key_file": "signing.pem"}
    record = record_again(tracker_of(shop))
    if content is not None:
        (shop / "verify.pem").write_bytes(content)
        swapped = keys
    tracker_of(shop, **swapped)
    assert "[mlflow] verify_key_file must name a public Ed25519 key in PEM" in refused(shop, *SCORE)
    tracker = tracker_of(shop, signing_key_file="verify.pem")
    with pytest.raises(ValueError, match="signing_key_file must name a private Ed25519 key"):
        enter(tracker, record)


def test_copies_of_a_server_are_made_again_when_damaged(
    shop: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tracker = tracker_of(shop)
    files = tracker.download("churn", 1)

    def fetch(dst_path: str, **_: Any) -> str:
        return str(shutil.copytree(files, Path(dst_path) / "artifacts"))

    monkeypatch.setattr("mlflow.artifacts.download_artifacts", fetch)
    monkeypatch.setattr(type(tracker.client), "get_model_version_download_uri", lambda *_: "mlflow-artifacts:/1/m-1")
    copy = tracker.download("churn", 1)
    (copy.parent / ".abc.4194305.copying").mkdir()  # what a process that was killed left
    model = copy / MODEL_FILES / "model.json"
    whole = model.read_bytes()
    model.write_bytes(whole[:-9])
    assert tracker.download("churn", 1) == copy
    assert model.read_bytes() == whole
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
