"""The configuration file: what is accepted, and how what is not is answered."""

import tomllib
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from churnvalue.config import Config, FromColumn, parse_config, read_config
from churnvalue.errors import ConfigError

EVENTS = {"events": [{"source": "orders.csv"}]}

WHOLE = """
project = "online-retail"
observed_until = 2011-12-10

[[events]]
source = "data/orders.parquet"
kind = "purchase"
timezone = "Europe/London"
columns = { customer_id = "CustomerID", event_time = "InvoiceDate", order_id = "Invoice", amount = "Quantity * Price" }

[[events]]
source = "data/messages.csv"
kind = { column = "event_type" }

[population]
kind = "purchase"
active_days = 365

[training]
cutoffs = [2011-06-01, "2011-09-01"]

[value]
cost = { ticket = 6.0, return = 4.0, message_sent = 0.02 }

[retention]
budget = 5000.0
actions = [{ id = "call", contact_cost = 4.0, capacity = 500, save_rate = [6, 14] }]

[timing]
timezone = { column = "tz" }
quiet_hours = ["21:00", "08:00"]
"""


def test_five_lines_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "churnvalue.toml"
    path.write_text('[[events]]\nsource = "orders.csv"\n', encoding="utf-8")
    config = read_config(path)
    assert config.folder == tmp_path
    assert config.events[0].columns.customer_id == "customer_id"
    assert config.outcome.horizon_days == 90


def test_the_whole_example_is_read() -> None:
    config = parse_config(tomllib.loads(WHOLE), Path())
    assert config.observed_until == "2011-12-10"
    assert config.events[1].kind == FromColumn(column="event_type")
    assert config.training.cutoffs == ("2011-06-01", "2011-09-01")
    assert config.value.cost["ticket"] == 6.0
    assert config.retention.actions[0].save_rate == (6.0, 14.0)
    assert config.timing.timezone == FromColumn(column="tz")


def test_nothing_changes_after_reading() -> None:
    config = parse_config(EVENTS, Path())
    with pytest.raises(ValidationError, match="frozen"):
        config.outcome.horizon_days = 1  # type: ignore[misc]


def test_reading_does_not_change_what_was_given() -> None:
    raw: dict[str, Any] = {"events": [{"source": "orders.csv"}]}
    parse_config(raw, Path())
    assert raw == {"events": [{"source": "orders.csv"}]}


def test_a_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is none\. Write one with: churnvalue init SOURCE"):
        read_config(tmp_path / "churnvalue.toml")


@pytest.mark.parametrize("content", [b"[[events]\n", b"\xff\xfe", b"a = 1\na = 2\n"])
def test_a_file_that_is_not_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "churnvalue.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="must be a TOML file, but:"):
        read_config(path)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be a TOML file"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"populaton": {}}, r"Unknown key 'populaton' at the top level .* Did you mean 'population'\?"),
        ({"folder": "x"}, r"Unknown key 'folder'"),
        ({"training": {"cutofs": 1}}, r"Unknown key 'cutofs' in \[training\] .* Did you mean 'cutoffs'\?"),
        ({"timing": {"timezone": {"colum": "x"}}}, r"Unknown key 'colum' in \[timing.timezone\] .* 'column'\?"),
        ({"events": [{"source": "a", "colums": {}}]}, r"Unknown key 'colums' in \[events.0\] .* 'columns'\?"),
        ({"events": [{"source": "a", "columns": {"customerid": "x"}}]}, r"'customerid' .* mean 'customer_id'\?"),
        ({"events": [{"source": "a", "kind": {"colum": "x"}}]}, r"'colum' in \[events.0.kind\] .* 'column'\?"),
        (
            {"retention": {"actions": [{"id": "a", "contact_costs": 1}]}},
            r"'contact_costs' in \[retention.actions.0\] .* Did you mean 'contact_cost'\?",
        ),
    ],
)
def test_unknown_keys_name_their_place_and_a_near_match(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config({**EVENTS, **section}, Path())


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"events": []}, "'events' .* at least 1 item"),
        ({"events": [{}]}, "must have 'events.0.source', but it is missing"),
        ({"events": [{"source": "a", "kind": 3}]}, "'events.0.kind' .* 3 came"),
        ({"events": [{"source": "a", "timezone": "BST?"}]}, "IANA name such as 'Europe/London', but 'BST\\?' came"),
        ({"engine": "sparkk"}, "'engine' .* 'sparkk' came"),
        ({"project": "a/b"}, "'project' .* 'a/b' came"),
        ({"observed_until": "soon"}, "'observed_until' .* 'soon' came"),
        ({"population": {"active_days": 0}}, "'population.active_days' .* 0 came"),
        ({"population": {"active_days": 1.5}}, r"'population.active_days' .* 1\.5 came"),
        ({"outcome": {"horizon_days": 36_501}}, "'outcome.horizon_days' .* 36501 came"),
        ({"training": {"cutoffs": 0}}, "'training.cutoffs' .* 0 came"),
        ({"training": {"cutoffs": ["2011-02-30"]}}, "'training.cutoffs' .* '2011-02-30' came"),
        ({"value": {"margin": 1.5}}, r"'value.margin' .* 1\.5 came"),
        ({"value": {"margin": float("nan")}}, r"'value.margin' .* nan came"),
        ({"value": {"cost": {"ticket": -1}}}, "'value.cost.ticket' .* -1 came"),
        ({"retention": {"budget": float("nan")}}, "'retention.budget' .* finite"),
        ({"retention": {"budget": float("inf")}}, "'retention.budget' .* finite"),
        ({"retention": {"actions": [{"id": "a"}, {"id": "a"}]}}, "action ids must be distinct"),
        ({"retention": {"actions": [{"id": "none"}]}}, "none may be 'none'"),
        ({"retention": {"actions": [{"id": "a", "tiers": ["elit"]}]}}, "'retention.actions.0.tiers.0' .* 'elit' came"),
        ({"retention": {"floors": [{"tier": "stedy", "customers": 1}]}}, "'retention.floors.0.tier' .* 'stedy' came"),
        (
            {"retention": {"floors": [{"tier": "steady", "customers": 1, "action": "cal"}]}},
            "floors must be of configured",
        ),
        ({"retention": {"service_levels": [{"id": "a", "tiers": []}, {"id": "a", "tiers": []}]}}, "must be distinct"),
        ({"timing": {"timezone": "Mars"}}, "'timing.timezone' .* 'Mars' came"),
        ({"timing": {"quiet_hours": ["24:00", "08:00"]}}, "'timing.quiet_hours.0' .* '24:00' came"),
    ],
)
def test_values_that_do_not_fit_are_named(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config({**EVENTS, **section}, Path())


def test_the_configuration_must_have_events() -> None:
    with pytest.raises(ConfigError, match="must have 'events', but it is missing"):
        parse_config({}, Path())


@pytest.mark.parametrize("bad", [2011, [], time(7), True])
def test_observed_until_must_be_a_time(bad: Any) -> None:
    with pytest.raises(ConfigError, match="'observed_until' of the configuration does not fit"):
        parse_config({**EVENTS, "observed_until": bad}, Path())


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"training": {"cutoffs": []}}, "training.cutoffs"),
        ({"training": {"cutoffs": True}}, "training.cutoffs"),
        ({"events": [{"source": ""}]}, "events.0.source"),
        ({"events": [{"source": "a", "kind": ""}]}, "events.0.kind"),
        ({"events": [{"source": "a", "timezone": ""}]}, "events.0.timezone"),
        ({"timing": {"min_gap_hours": float("inf")}}, "timing.min_gap_hours"),
        ({"retention": {"actions": [{"id": "a", "save_rate": [float("inf"), 1]}]}}, "retention.actions.0.save_rate.0"),
    ],
)
def test_empty_and_endless_values_are_refused_at_the_door(section: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=f"'{key}' of the configuration does not fit"):
        parse_config({**EVENTS, **section}, Path())


def test_dates_of_toml_and_text_mean_the_same() -> None:
    as_date = parse_config({**EVENTS, "observed_until": date(2011, 12, 10)}, Path())
    as_text = parse_config({**EVENTS, "observed_until": "2011-12-10"}, Path())
    assert as_date == as_text


def test_every_section_but_events_has_defaults() -> None:
    required = [name for name, field in Config.model_fields.items() if field.is_required()]
    assert required == ["events"]
