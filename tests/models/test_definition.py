import lightgbm as lgb
import numpy as np
import pytest

from churnvalue.config import parse_config
from churnvalue.errors import DefinitionError
from churnvalue.evaluation import baselines
from churnvalue.evaluation.gate import METRICS
from churnvalue.models.definition import (
    LEARNT,
    NAMES,
    OUTCOME_KIND,
    definitions_folder,
    read_definition,
    read_return_definition,
    read_value_definition,
)

KINDS = {
    *("purchase", "return", "visit", "ticket"),
    *("message_sent", "message_open", "message_click", "unsubscribe"),
}
FILES = sorted(definitions_folder().glob("*.toml"))
TARGETS = {"churn": ("churned", "binary"), "orders": ("orders", "poisson"), "spend": ("spend", "tweedie")}


def own(tmp_path, text, name="churn", **sections):
    """A configuration whose model ``name`` is defined by ``text``."""
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    return parse_config({"events": [{"source": "e.csv"}], "models": {name: "own.toml"}, **sections}, tmp_path)


def text_of(name):
    return (definitions_folder() / f"{name}.toml").read_text(encoding="utf-8")


def test_there_is_a_file_for_each_model():
    assert {path.stem for path in FILES} == set(NAMES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_builds_and_has_a_card(path, config):
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert card.startswith(f"# {path.stem}\n")
    assert "**Serves**" in card
    if path.stem == "value":
        definition, text = read_value_definition(config)
        assert (definition.name, text) == ("value", path.read_text(encoding="utf-8"))
        return
    if path.stem == "return":
        definition, text = read_return_definition(config)
        assert (definition.name, definition.builds_on) == ("return", "churn")
        assert text == path.read_text(encoding="utf-8")
        return
    loaded = read_definition(path.stem, config, KINDS)
    names = [feature.name for feature in loaded.features]
    assert loaded.definition.name == path.stem
    assert (loaded.definition.target, loaded.definition.objective) == TARGETS[path.stem]
    assert loaded.left_out == ()
    assert len(names) == len(set(names)) > 50
    assert not any(OUTCOME_KIND in name for name in names)
    assert loaded.definition.gate.metric in METRICS
    assert set(loaded.definition.gate.baselines) <= set(baselines.NAMES)
    for search in loaded.definition.search.values():
        assert search.low <= search.start <= search.high


@pytest.mark.parametrize("name", LEARNT)
def test_lightgbm_knows_every_parameter(name, config, capfd):
    definition = read_definition(name, config, KINDS).definition
    starts = {key: search.start for key, search in definition.search.items()}
    rng = np.random.default_rng(1)
    data = lgb.Dataset(rng.random((200, 3)), rng.integers(0, 2, 200))
    lgb.train({**definition.parameters, **starts, "objective": definition.objective, "num_threads": 1}, data, 1)
    assert "nknown parameter" not in "".join(capfd.readouterr())


def test_features_of_kinds_that_the_log_lacks_are_left_out_and_said_so(config):
    loaded = read_definition("churn", config, {"purchase", "visit"})
    assert loaded.left_out == ("message_click", "message_open", "message_sent", "return", "ticket", "unsubscribe")
    assert {kind for feature in loaded.features for kind in feature.kinds} == {"purchase", "visit"}
    assert "days_since_last_visit" in {feature.name for feature in loaded.features}


def test_the_outcome_stands_for_its_kind(tmp_path):
    shop = parse_config({"events": [{"source": "e.csv"}], "outcome": {"kind": "visit"}}, tmp_path)
    names = [feature.name for feature in read_definition("churn", shop, KINDS).features]
    assert "event_rate_visit" in names
    assert "event_rate_purchase" not in names
    assert len(names) == len(set(names))  # 'visit' stands beside '@outcome' in the file
    assert [feature.name for feature in read_definition("orders", shop, KINDS).features] == names


def test_a_log_of_other_kinds_leaves_no_feature(tmp_path):
    text = text_of("churn").split("features = [")[0] + (
        'features = [{ use = "event_count", kind = "visit" }]\n[gate]\nmetric = "auc"\nhigher = true\nbaselines = []\n'
    )
    with pytest.raises(DefinitionError, match=r"'churn' needs features of kinds .* \(purchase\).*Map the kinds visit"):
        read_definition("churn", own(tmp_path, text), {"purchase"})


def test_an_own_file_replaces_one_model(tmp_path):
    text = text_of("churn").replace('title = "Leaves', 'title = "Ours: leaves')
    loaded = read_definition("churn", own(tmp_path, text), KINDS)
    assert loaded.definition.title.startswith("Ours")
    assert loaded.text == text
    assert read_definition("spend", own(tmp_path, text), KINDS).text == text_of("spend")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("objective =", "objektive ="), r"'objektive' in the definition of model 'churn' .* Did you mean 'objective'\?"),
        (('objective = "binary"', 'objective = "binry"'), r"'objective' in the definition of model 'churn' .*'binary'"),
        (("metric = ", "metrik = "), r"'gate\.metrik' in the definition of model 'churn' .* Did you mean 'metric'\?"),
        (("start = 12", "strt = 12"), r"'search\.num_leaves\.strt' in the .*'churn' .* Did you mean 'start'\?"),
        (('use = "event_rate"', 'use = "event_rat"'), r"Unknown feature 'event_rat'\. Did you mean 'event_rate'\?"),
        (("[gate]", "[gate"), "The definition of model 'churn' must be TOML, but: "),
    ],
)  # fmt: skip
def test_what_is_misspelt_is_named(tmp_path, wrong, message):
    assert wrong[0] in text_of("churn")
    with pytest.raises(DefinitionError, match=message):
        read_definition("churn", own(tmp_path, text_of("churn").replace(*wrong)), KINDS)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (('metric = "auc"', 'metric = "auk"'), "auk"),  # would fail only after hours of training
        (('"bg_nbd", "pareto_nbd"', '"bg_nbd", "pareto_nb"'), "pareto_nb"),  # would never be compared with
    ],
)
def test_a_gate_is_checked_at_the_door(tmp_path, wrong, message):
    assert wrong[0] in text_of("churn")
    with pytest.raises(DefinitionError, match=message):
        read_definition("churn", own(tmp_path, text_of("churn").replace(*wrong)), KINDS)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (('name = "churn"', 'name = "attrition"'), "attrition"),
        (('target = "churned"', 'target = "spend"'), "spend"),  # amounts would be served as probabilities
        (('objective = "binary"', 'objective = "poisson"'), "poisson"),
    ],
)
def test_a_definition_of_something_else_is_refused(tmp_path, wrong, message):
    assert wrong[0] in text_of("churn")
    with pytest.raises(DefinitionError, match=message):
        read_definition("churn", own(tmp_path, text_of("churn").replace(*wrong)), KINDS)


def test_an_unknown_model_or_a_missing_file_is_named(tmp_path):
    with pytest.raises(DefinitionError, match=r"Unknown model 'chrn' in \[models\]\. Did you mean 'churn'\?"):
        read_definition("churn", own(tmp_path, "", name="chrn"), KINDS)
    nowhere = parse_config({"events": [{"source": "e.csv"}], "models": {"churn": "no.toml"}}, tmp_path)
    with pytest.raises(DefinitionError, match=r"'churn' must be defined in .*no\.toml, but it cannot be read"):
        read_definition("churn", nowhere, KINDS)
    changed = text_of("value").replace('fading = "pareto_nbd"', 'fading = "pareto"')
    with pytest.raises(DefinitionError, match="'fading' in the definition of model 'value'"):
        read_value_definition(own(tmp_path, changed, name="value"))
    changed = text_of("return").replace('fallback = "pareto_nbd"', 'fallback = "pareto"')
    with pytest.raises(DefinitionError, match="'fallback' in the definition of model 'return'"):
        read_return_definition(own(tmp_path, changed, name="return"))
