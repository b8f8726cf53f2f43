"""English stands in the code; the Korean catalogue says all of it, and nothing else."""

import ast
import inspect
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from string import Formatter

import pandas as pd
import pyarrow as pa
import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po
from babel.numbers import get_decimal_symbol, get_group_symbol
from jinja2 import Environment
from jinja2.ext import extract_from_ast

import churnvalue
from churnvalue.config import parse_config
from churnvalue.decisions.plan_words import AT_STAKE, NOT_TAKEN, SERVED
from churnvalue.errors import ConfigError
from churnvalue.explain import sentences
from churnvalue.features import expand, families
from churnvalue.features.sentences import _NOUNS, noun
from churnvalue.language import (
    LANGUAGES,
    LOCALES,
    _,
    day,
    in_context,
    language,
    magnitude,
    minute,
    ngettext,
    speak,
    speaking,
    spoken,
    term,
    translated,
)
from churnvalue.report.general_reasons import general
from churnvalue.report.numbers import money, short

SOURCE = Path(churnvalue.__file__).parent
TEMPLATES = sorted((SOURCE / "report" / "templates").glob("*.j2"))
OTHERS = [one for one in LANGUAGES if one != "en"]
PLACE = re.compile(r"%\((\w+)\)s")
MARKED = ("_", "N_", "pgettext")
# The same in every language: names of methods and formats.
SAME = {
    "AUC", "RMSE", "BG/NBD", "Pareto/NBD",
    "%(by)s: %(group)s", "%(model)s %(version)s", "{model} {metric}", "%(first)s, and %(second)s",
}  # fmt: skip

Key = tuple[str, str]


def texts_of(node: ast.expr) -> Iterator[str]:
    """The texts that an argument may be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*texts_of(node.body), *texts_of(node.orelse))


def of_code() -> Iterator[Key]:
    """Texts in ``_()``, ``N_()`` and ``marked()``, and the titles of stages."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in ("_", "N_", "stage"):
                    yield from (("", text) for text in texts_of(node.args[0]))
                elif name == "marked":
                    yield from (("", text) for argument in node.args for text in texts_of(argument))


def of_templates() -> Iterator[Key]:
    environment = Environment(extensions=["jinja2.ext.i18n"])
    for path in TEMPLATES:
        for _line, name, found in extract_from_ast(environment.parse(path.read_text(encoding="utf-8")), MARKED):
            parts = [part for part in (found if isinstance(found, tuple) else (found,)) if part is not None]
            if name == "pgettext":
                yield parts[0], parts[1]
            elif parts:
                yield "", parts[0]


def of_features() -> Iterator[Key]:
    for family in families().values():
        if family.declare.__module__.startswith("churnvalue."):
            said = family.sentence
            for text in (family.title, said.general, said.zero, said.absent, said.less, said.more):
                if text:
                    yield "", text
    yield from (("", singular) for singular, _plural in _NOUNS.values())


@pytest.fixture(scope="module")
def said() -> set[Key]:
    """Every text that people may be told, with its context."""
    return {*of_code(), *of_templates(), *of_features()}


def catalogue(wanted: str) -> dict[Key, Message]:
    with (LOCALES / f"{wanted}.po").open("rb") as file:
        found = read_po(file, locale=wanted)
    return {(one.context or "", one.id if isinstance(one.id, str) else one.id[0]): one for one in found if one.id}


def places(text: str) -> set[str]:
    """The named places of a text of the code or of a template; fails where ``str.format`` would."""
    named = set(PLACE.findall(text))
    return named or {str(name) for _text, name, *_rest in Formatter().parse(text) if name is not None}


def korean(text: str) -> bool:
    return re.search("[가-힣]", text) is not None


@pytest.mark.parametrize("wanted", OTHERS)
def test_every_text_is_in_the_catalogue_and_nothing_else(said, wanted):
    known = catalogue(wanted)
    assert sorted(said - set(known)) == []
    assert sorted(set(known) - said) == []


@pytest.mark.parametrize("wanted", OTHERS)
def test_every_text_is_translated_with_the_same_places(wanted):
    for (_context, english), message in catalogue(wanted).items():
        text = message.string if isinstance(message.string, str) else message.string[0]
        assert text, english
        assert not message.fuzzy, english
        assert places(text) == places(english), english
        words = re.search("[A-Za-z]{3}", PLACE.sub("", re.sub("{.*?}", "", english)))
        assert text != english or english in SAME or not words, english


def test_no_word_of_a_template_stands_outside_the_catalogue():
    for path in TEMPLATES:
        source = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        plain = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", source, flags=re.DOTALL)
        assert re.findall(r"[A-Za-z]{2,}[^<]*", re.sub("<[^>]*>", "\n", plain)) == [], path.name
        assert re.findall(r'(?:aria-label|title|data-name|placeholder)="[A-Z][^"{]*"', plain) == [], path.name


def test_no_sentence_is_glued_together():
    """A text in ``_()`` is a whole: an f-string there could never be found in a catalogue."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("_", "N_") and node.args:
                assert not isinstance(node.args[0], ast.JoinedStr | ast.BinOp), f"{path.name}:{node.lineno}"


def test_english_is_what_the_code_says():
    assert language() == "en"
    assert (
        _("{customers:,} customers as of {cutoff}", customers=1234, cutoff="2011-09-01")
        == "1,234 customers as of 2011-09-01"
    )
    assert translated("Tiers") == "Tiers"
    assert term("self_service") == "self service"
    assert in_context("people", "Customers") == "Customers"


def test_a_language_is_spoken_inside_and_not_after():
    with speaking("ko"):
        assert (
            _("{customers:,} customers as of {cutoff}", customers=1234, cutoff="2011-09-01")
            == "2011-09-01 기준 고객 1,234명"
        )
        assert (translated("Customers"), in_context("people", "Customers")) == ("고객 수", "고객")
        with speaking("en"):
            assert term("most_valuable") == "most valuable"
            speak("ko")
        assert term("most_valuable") == "핵심 가치"
        assert translated("no such text") == "no such text"
    assert language() == "en"


def test_a_job_speaks_as_its_configuration_asks():
    @spoken
    def job(config, text, *, loud=False):
        """Say a text."""
        return translated(text) + ("!" if loud else "")

    config = parse_config({"language": "ko", "events": [{"source": "x.csv"}]}, Path())
    assert job(config, "Tiers", loud=True) == "세그먼트!"
    assert job(config.model_copy(update={"language": "en"}), "Tiers") == "Tiers"
    assert job.__doc__ == "Say a text."


def test_a_language_without_a_catalogue_is_refused():
    with pytest.raises(ConfigError, match=r"'language' of the configuration does not fit: .*'en' or 'ko'"):
        parse_config({"language": "kr", "events": [{"source": "x.csv"}]}, Path())


def test_plurals():
    assert [ngettext("purchase", "purchases", n) for n in (0, 1, 2)] == ["purchases", "purchase", "purchases"]
    assert (noun("order", 1), noun("order")) == ("order", "orders")
    with speaking("ko"):
        assert [ngettext("purchase", "purchases", n) for n in (0, 1, 2)] == ["구매"] * 3
        assert (noun("order", 1), noun("order")) == ("order", "order")  # a kind of the user's own stays its name


@pytest.mark.parametrize("wanted", LANGUAGES)
def test_numbers_are_separated_as_the_code_writes_them(wanted):
    assert (get_decimal_symbol(wanted), get_group_symbol(wanted)) == (".", ",")


def test_dates_and_large_numbers_follow_the_locale():
    moment = datetime(2011, 9, 1, 6, 5, tzinfo=UTC)
    assert (day(date(2011, 9, 1)), minute(moment)) == ("2011-09-01", "2011-09-01 06:05")
    assert (short(15_000).split(), short(1.2e8).split()) == (["15", "k"], ["120", "M"])
    assert magnitude(999.0) is None
    with speaking("ko"):
        assert (day(date(2011, 9, 1)), minute(moment)) == ("2011년 9월 1일", "2011년 9월 1일 06:05")
        assert (short(1_500), short(15_000), short(-1.2e8)) == ("1,500", "1.5만", "−1.2억")
        assert (money(1234.5, "₩"), money(23_000_000, "₩")) == ("₩1,234", "₩2,300만")


@pytest.mark.parametrize("family", [name for name, one in families().items() if one.declare.__module__[:5] == "churn"])
def test_features_speak_korean(family):
    of = {
        "kind": "purchase",
        "weekday": 2,
        "first_hour": 8,
        "end_hour": 12,
        "first_days": 30,
        "end_days": 60,
        "days": 90,
    }
    wanted = {name: of[name] for name in inspect.signature(families()[family].declare).parameters if name != "history"}
    (feature,) = expand([{"use": family, **wanted}])
    with speaking("ko"):
        for text in (feature.title, *(feature.say(value) for value in (float("nan"), 0.0, 0.25, 1.0, 2.0, 1234.5))):
            assert korean(text)
            assert not re.search("[A-Za-z{]", text), text


def test_a_customer_is_explained_in_korean():
    row = pd.Series(
        {
            "customer_id": "00123", "cutoff": pd.Timestamp("2011-09-01", tz="UTC"), "p_churn": 0.834, "band": "high",
            "orders": 0.5, "spend": 1234.5, "spend_p10": 0.0, "spend_p90": 2000.0, "clv": 9.0, "clv_p10": -1.0, "clv_p90": 12.0,
            "tier": "most valuable", "percentile": 99.9, "p_return_7d": 0.1, "p_return_14d": 0.2, "p_return_30d": 0.3,
            "drivers": [{"text": "마지막 구매 40일 전", "effect": 0.5}], "spend_drivers": None,
        }
    )  # fmt: skip
    with speaking("ko"):
        lines = sentences(row, has_amounts=True).splitlines()
    assert lines[0] == "2011년 9월 1일 이전 정보로 본 고객 00123: 이탈 확률 83%(전체 대비 위험 높음), 예상 주문 0.50건."
    assert "세그먼트 핵심 가치, 고객의 99%보다 높습니다." in lines[1]
    assert lines[-1] == "  마지막 구매 40일 전 – 이탈 쪽 근거 (+0.50)"


@pytest.mark.parametrize("wanted", LANGUAGES)
def test_reasons_are_told_without_what_is_said_of_one_customer(wanted):
    numbers = {"cost": 4.0, "profit": -3.1, "risk": 83.0, "stake": 40.25}
    with speaking(wanted):
        own, served = _(AT_STAKE, **numbers), _(SERVED, level="preferred", **numbers)
        whole = [f"{own}; {_(reason, action='call', **numbers)}" for reason in NOT_TAKEN]
        found = general(pa.array([*whole, *(f"{one}; {served}" for one in whole)])).to_pylist()
        assert found == 2 * [_(same, action="call") for same in NOT_TAKEN.values()]


@pytest.mark.parametrize("wanted", LANGUAGES)
@pytest.mark.parametrize("start", ["What to offer next ", "If actions keep ", "Experiment "])
def test_notes_of_a_plan_are_recognised_by_how_they_begin(said, start, wanted):
    notes = [text for _context, text in said if text.startswith(start) and places(text)]
    assert notes
    with speaking(wanted):
        for note in notes:
            assert translated(note).startswith(translated(start)), note
