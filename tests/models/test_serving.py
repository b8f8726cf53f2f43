import json

import lightgbm as lgb
import pytest

from churnvalue.errors import RegistryError
from churnvalue.models.customer_value import Terms, ValueModel
from churnvalue.models.digests import write_digests
from churnvalue.models.outcome_models import ChurnModel, OrdersModel, SpendModel
from churnvalue.models.serving import OUTPUTS, _load_pyfunc, load_model, model_files, read_features
from made_customers import COST, FEATURES

TERMS = Terms(90, 1095, 0.35, 0.1, COST)
NAMES = ("churn", "orders", "spend", "value", "value_without_amounts")


def make(base, name):
    churn, orders, spend = (base.blend(part, horizon_days=120) for part in ("churn", "orders", "spend"))
    return {
        "churn": ChurnModel(churn, (1 / 3, 0.7)),
        "orders": OrdersModel(orders, churn),
        "spend": SpendModel(spend, churn, 0.1 + 0.2),
        "value": ValueModel(churn, spend, base.buying, TERMS, 0.8, 1 / 3),
        "value_without_amounts": ValueModel(churn, None, base.buying, TERMS, 1.0, 1 / 3),
    }[name]


def store(model, folder):
    folder.mkdir()
    for name, text in model_files(model, FEATURES).items():
        (folder / name).write_text(text, encoding="utf-8")
    write_digests(folder)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_gives_back_the_same_model_to_the_last_digit(base, tmp_path, name):
    model = make(base, name)
    folder = store(model, tmp_path / name)
    again = load_model(folder)
    assert type(again) is type(model)
    assert again.inputs == model.inputs
    expected = model.predict(base.features)
    assert again.predict(base.features).equals(expected)
    assert _load_pyfunc(str(folder)).predict(base.features, {"ignored": 1}).equals(expected)
    assert tuple(expected) == OUTPUTS[name.split("_")[0]]
    assert model_files(again, FEATURES) == model_files(model, FEATURES)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_is_plain_text_and_says_what_it_reads(base, tmp_path, name):
    model = make(base, name)
    folder = store(model, tmp_path / name)
    assert {path.suffix for path in folder.iterdir()} == {".json", ".txt"}
    described = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert described["inputs"] == list(model.inputs)
    features = read_features(folder)
    assert tuple(feature.name for feature in features) == model.inputs
    assert set(features) <= set(FEATURES)


def _refuse(**arguments):
    raise AssertionError("LightGBM was called")


@pytest.mark.parametrize("file", ["churn.txt", "model.json"])
def test_a_damaged_file_is_refused_before_lightgbm_sees_it(base, tmp_path, monkeypatch, file):
    folder = store(make(base, "churn"), tmp_path / "churn")
    damaged = bytearray((folder / file).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / file).write_bytes(damaged)
    monkeypatch.setattr(lgb, "Booster", _refuse)
    with pytest.raises(RegistryError, match=rf"{file} must be as it was registered, but its bytes changed"):
        load_model(folder)
    with pytest.raises(RegistryError, match="its bytes changed"):
        read_features(folder)


def test_a_missing_file_is_refused(base, tmp_path):
    folder = store(make(base, "orders"), tmp_path / "orders")
    (folder / "churn.txt").unlink()
    with pytest.raises(RegistryError, match=r"churn\.txt must be as it was registered, but it cannot be read"):
        load_model(folder)


def test_a_model_of_another_format_is_refused(base, tmp_path):
    folder = store(make(base, "churn"), tmp_path / "churn")
    described = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    (folder / "model.json").write_text(json.dumps({**described, "format": 2}), encoding="utf-8")
    write_digests(folder)
    with pytest.raises(RegistryError, match=r"must be of format 1, but this one is of format 2\. Use the version"):
        load_model(folder)
