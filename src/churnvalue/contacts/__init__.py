"""What was done to whom: offers, calls and messages, with the experiment they belong to."""

from churnvalue.contacts.experiments import Experiment, experiments, summary
from churnvalue.contacts.mapping import COLUMNS
from churnvalue.contacts.reading import NO_ACTION, Contacts, read_contacts
from churnvalue.contacts.sample_ratio import SampleRatio, sample_ratio
from churnvalue.contacts.words import account_words

__all__ = [
    "COLUMNS",
    "NO_ACTION",
    "Contacts",
    "Experiment",
    "SampleRatio",
    "account_words",
    "experiments",
    "read_contacts",
    "sample_ratio",
    "summary",
]
