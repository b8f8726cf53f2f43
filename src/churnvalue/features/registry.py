"""The registry of features: families by name, and one feature as a family with its parameters."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from churnvalue.errors import DefinitionError, near_match
from churnvalue.features.sentences import Sentence, words
from churnvalue.language import _
from churnvalue.views import Column, History

Parameter = str | int | None
_FAMILIES: dict[str, "Family"] = {}
ALL = "all"  # in a definition: no limit of days


@dataclass(frozen=True)
class Family:
    """A feature that has not been given its parameters."""

    name: str
    declare: Callable[..., Column]
    title: str
    unit: str
    sentence: Sentence
    parameters: Mapping[str, inspect.Parameter]


@dataclass(frozen=True)
class Feature:
    """One feature: a family and its parameters, in the order of the family's signature; sorted by name."""

    use: str
    parameters: tuple[tuple[str, Parameter], ...]

    def __lt__(self, other: "Feature") -> bool:
        return self.name < other.name

    @property
    def name(self) -> str:
        """Column name, derived: family, kind and other parameters, days.

        >>> from churnvalue.features import expand
        >>> [f.name for f in expand([{"use": "event_count", "kind": "purchase", "days": [30, "all"]}])]
        ['event_count_purchase_30d', 'event_count_purchase']
        """
        parts = [self.use]
        for parameter, value in self.parameters:
            if value is not None:
                parts.append(f"{value}d" if parameter == "days" else str(value))
        return "_".join(parts)

    @property
    def unit(self) -> str:
        """What the value counts."""
        return _FAMILIES[self.use].unit

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of event that the feature reads."""
        given = {value for parameter, value in self.parameters if parameter == "kind" and isinstance(value, str)}
        return frozenset(given | set(_FAMILIES[self.use].declare.__dict__.get("reads", ())))

    def column(self) -> Column:
        """Return the expression over History."""
        return _FAMILIES[self.use].declare(History(), **dict(self.parameters))

    @property
    def title(self) -> str:
        """Short name for people.

        >>> from churnvalue.features import expand
        >>> expand([{"use": "event_count", "kind": "purchase", "days": 30}])[0].title
        'number of purchases in the last 30 days'
        """
        return _(_FAMILIES[self.use].title, **words(dict(self.parameters)))

    def say(self, value: float) -> str:
        """Return in words what ``value`` says about a customer."""
        return _FAMILIES[self.use].sentence.say(value, dict(self.parameters))


def feature(
    *, title: str, unit: str, says: Sentence, reads: tuple[str, ...] = ()
) -> Callable[[Callable[..., Column]], Callable[..., Column]]:
    """Register a function of a History as a family of features, under its own name.

    Args:
        title: Template of a short name for people, with the places of a ``Sentence`` but the value.
        unit: What the value counts, such as "days".
        says: Templates of what a value says about a customer.
        reads: Kinds of event that it reads, beside its parameter ``kind``.
    """

    def register(declare: Callable[..., Column]) -> Callable[..., Column]:
        name = declare.__name__
        known = _FAMILIES.get(name)
        if known and known.declare.__module__ != declare.__module__:
            raise DefinitionError(f"Names of features must be distinct, but '{name}' is defined twice. Rename one.")
        declare.__dict__["reads"] = reads
        parameters = dict(list(inspect.signature(declare).parameters.items())[1:])
        _FAMILIES[name] = Family(name, declare, title, unit, says, parameters)
        return declare

    return register


def families() -> dict[str, Family]:
    """Return every registered family by name."""
    return dict(sorted(_FAMILIES.items()))


def expand(entries: Iterable[Mapping[str, Any]]) -> tuple[Feature, ...]:
    """Return the features that the entries of a definition stand for; lists stand for each of their members.

    >>> len(expand([{"use": "event_count", "kind": ["purchase", "visit"], "days": [7, 30]}]))
    4

    Raises:
        DefinitionError: If a family or parameter is unknown (names a near match), missing or of the wrong type, or two
            features would have the same name.
    """
    features: list[Feature] = []
    for entry in (one for many in entries for one in _each_use(many)):
        use = entry.get("use")
        if not isinstance(use, str) or use not in _FAMILIES:
            raise DefinitionError(f"Unknown feature '{use}'.{near_match(str(use), _FAMILIES)}")
        known = _FAMILIES[use].parameters
        for name in entry:
            if name != "use" and name not in known:
                raise DefinitionError(f"Feature '{use}' has no parameter '{name}'.{near_match(name, known)}")
        for name, parameter in known.items():
            if parameter.default is inspect.Parameter.empty and name not in entry:
                raise DefinitionError(f"Feature '{use}' needs the parameter '{name}'. Add it.")
        choices = [_choices(use, parameter, entry) for parameter in known.values()]
        for values in product(*choices):
            features.append(Feature(use, tuple(zip(known, values, strict=True))))
    return tuple(by_name(features).values())


def by_name(features: Iterable[Feature]) -> dict[str, Feature]:
    """Return features by the name of their column, repeated ones once.

    Raises:
        DefinitionError: If two different ones have the same name.
    """
    named: dict[str, Feature] = {}
    for one in features:
        known = named.setdefault(one.name, one)
        if known != one:
            raise DefinitionError(
                f"Names of features must be distinct, but '{one.name}' would be both {known.use} with"
                f" {dict(known.parameters)} and {one.use} with {dict(one.parameters)}. Rename a kind of event."
            )
    return named


def _each_use(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    use = entry.get("use")
    return [{**entry, "use": one} for one in use] if isinstance(use, list) else [entry]


def _choices(use: str, parameter: inspect.Parameter, entry: Mapping[str, Any]) -> list[Parameter]:
    """Return the values of one parameter, checked against the type that the signature names."""
    given = entry.get(parameter.name, parameter.default)
    values = [None if value == ALL else value for value in (given if isinstance(given, list) else [given])]
    wanted = parameter.annotation
    for value in values:
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise DefinitionError(
                f"'{parameter.name}' of feature '{use}' must be {getattr(wanted, '__name__', wanted)}, but {value!r} came."
            )
    return values
