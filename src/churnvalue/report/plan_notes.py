"""The plan's own notes, sorted by what they are about."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from churnvalue.language import N_, translated

# How the plan's own notes begin.
_OFFER, _DOUBT, _EXPERIMENT = N_("What to offer next "), N_("If actions keep "), N_("Experiment ")
_SENTENCES = re.compile(r"; |\. (?=[A-Z가-힣])")


@dataclass(frozen=True)
class Notes:
    """The plan's own notes in sentences.

    Attributes:
        effects: An action, or "Experiment", and what its effect rests on.
        doubts: What comes of it if actions do less or more than expected.
        offers: How it is chosen what to offer next.
        others: All the rest.
    """

    effects: list[tuple[str, str]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    offers: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def sorted_notes(notes: object, actions: Iterable[str]) -> Notes:
    """Return the plan's notes by what they are about; what is not recognised stays among the others."""
    offer, doubt, experiment = map(translated, (_OFFER, _DOUBT, _EXPERIMENT))
    found, names = Notes(), {f"{action}: ": action for action in actions}
    for note in (str(one) for one in notes) if isinstance(notes, list | tuple) else ():
        about = next((start for start in names if note.startswith(start)), None)
        if about:
            found.effects.append((names[about], _sentence(note.removeprefix(about))))
        elif note.startswith(experiment):
            found.effects.append((experiment.strip(), note.removeprefix(experiment)))
        elif note.startswith(doubt):
            found.doubts.extend(_sentence(part) for part in _SENTENCES.split(note))
        elif note.startswith(offer):
            found.offers.append(_sentence(note.removeprefix(offer)))
        else:
            found.others.append(note)
    return found


def _sentence(part: str) -> str:
    return f"{part[:1].upper()}{part[1:].rstrip('.')}."
