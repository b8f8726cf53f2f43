"""The language that people are spoken to in: whole sentences looked up by their English, dates and short numbers by locale.

English stands in the code and needs no catalogue; every other language is one file of gettext, ``locales/LANGUAGE.po``. What is
data – columns, ids, the names of tiers, actions and groups in files – is the same in every language; ``named`` and ``term`` show
it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from functools import cache, wraps
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec, Protocol, TypeVar, get_args

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
ENGLISH: Language = "en"
LOCALES = Path(__file__).parent / "locales"

_spoken: ContextVar[Language] = ContextVar("language", default=ENGLISH)


class Configured(Protocol):
    """What says which language is to be spoken: a configuration."""

    @property
    def language(self) -> Language:
        """The language."""


C = TypeVar("C", bound=Configured)
P = ParamSpec("P")
R = TypeVar("R")


def language() -> Language:
    """Return the language spoken now."""
    return _spoken.get()


def speak(wanted: Language) -> None:
    """Speak a language from now on: for a process that does one thing, such as a command."""
    _spoken.set(wanted)


@contextmanager
def speaking(wanted: Language) -> Iterator[None]:
    """Speak a language inside, and the one before it again afterwards. A thread that is started inside speaks English."""
    token = _spoken.set(wanted)
    try:
        yield
    finally:
        _spoken.reset(token)


def spoken(job: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
    """Return a job that speaks the language of the configuration, its first argument."""

    @wraps(job)
    def run(config: C, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with speaking(config.language):
            return job(config, *args, **kwargs)

    return run


def _(message: str, /, **places: object) -> str:
    """Return a sentence in the language spoken, its named places filled as ``str.format`` fills them.

    >>> with speaking("ko"):
    ...     _("{change:+.1f} points", change=1.5)
    '+1.5%p'
    """
    found = translated(message)
    return found.format(**places) if places else found


def N_(message: str) -> str:  # noqa: N802 – gettext's own name
    """Return ``message`` as it is; marks a text that is looked up where it is shown."""
    return message


def marked(*texts: str) -> tuple[str, ...]:
    """Return ``texts`` as they are; marks several as ``N_`` marks one."""
    return texts


def ngettext(singular: str, plural: str, count: float) -> str:
    """Return the form that fits a count, in the language spoken; Korean has one form.

    >>> ngettext("purchase", "purchases", 1), ngettext("purchase", "purchases", 2)
    ('purchase', 'purchases')
    """
    if language() == ENGLISH:
        return singular if count == 1 else plural
    return _catalogue(language()).get(("", singular), plural)


def translated(message: str, context: str = "") -> str:
    """Return a text in the language spoken, its places left open; the text itself where the catalogue lacks it."""
    if language() == ENGLISH:
        return message
    return _catalogue(language()).get((context, message), message)


def in_context(context: str, message: str) -> str:
    """Return a text that means another thing elsewhere: gettext's ``pgettext``."""
    return translated(message, context)


def term(name: object) -> str:
    """Return a name of ours from a table or file as words, such as that of a tier; any other name is only spaced.

    >>> term("most_valuable")
    'most valuable'
    """
    return translated(str(name).replace("_", " "))


def named(name: object) -> str:
    """Return a name of ours as it is in English, translated in any other language; a user's own name as it is.

    >>> named("message_sent")
    'message_sent'
    """
    words = str(name).replace("_", " ")
    found = translated(words)
    return str(name) if found == words else found


def day(moment: date) -> str:
    """Return a date: ISO in English, else as the locale writes it."""
    if language() == ENGLISH:
        return f"{moment:%Y-%m-%d}"
    from babel.dates import format_date  # English does without Babel, which takes a tenth of a second to import

    return str(format_date(moment, "long", locale=language()))


def minute(moment: datetime) -> str:
    """Return a date and the time of day to the minute, on the clock that ``moment`` carries."""
    return f"{day(moment)} {moment:%H:%M}"


def magnitude(size: float) -> tuple[float, str] | None:
    """Return the number in the locale's own large unit, and the unit: thousands in English, 만 and 억 in Korean.

    None where it is too small for any.

    >>> with speaking("ko"):
    ...     magnitude(120_000_000), magnitude(15_000), magnitude(999)
    ((1.2, '억'), (1.5, '만'), None)
    """
    for unit, name in _UNITS[language()]:
        if size >= unit * 0.9995:
            return size / unit, name
    return None


# Largest first. CLDR abbreviates Korean thousands too (1.5천), which nobody writes in a report.
_UNITS: Mapping[Language, tuple[tuple[float, str], ...]] = {
    "en": ((1e9, "\N{NO-BREAK SPACE}G"), (1e6, "\N{NO-BREAK SPACE}M"), (1e3, "\N{NO-BREAK SPACE}k")),
    "ko": ((1e12, "조"), (1e8, "억"), (1e4, "만")),
}


@cache
def _catalogue(wanted: Language) -> Mapping[tuple[str, str], str]:
    """Return the texts of a language by context and English; of a plural the one form."""
    from babel.messages.pofile import read_po

    with (LOCALES / f"{wanted}.po").open("rb") as file:
        found = read_po(file, locale=wanted)
    texts: dict[tuple[str, str], str] = {}
    for message in found:
        if message.id:
            english, text = (one if isinstance(one, str) else one[0] for one in (message.id, message.string or ""))
            texts[message.context or "", english] = text or english
    return texts
