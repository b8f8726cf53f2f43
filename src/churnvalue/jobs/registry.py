"""``models`` and ``promote``: what the registry holds, and which version scores."""

import pandas as pd

from churnvalue.config import Config
from churnvalue.jobs.champions import open_registry
from churnvalue.language import spoken
from churnvalue.models.digests import verify_digests
from churnvalue.tracking import MODEL_FILES
from churnvalue.tracking.records import kept_records

_BLANK = dict.fromkeys(
    ("model", "version", "aliases", "grade", "gate", "as_of", "cutoff", "created", "why", "stored"), ""
)


@spoken
def list_models(config: Config) -> pd.DataFrame:
    """Return every version of every model, newest first by name: what it is, why it was promoted or not, where it lies.

    Columns: model, version, aliases, grade, gate, as_of, cutoff (the newest it learnt from), created, why, stored. Version 0
    is a model that could not be registered yet.
    """
    tracker = open_registry(config)
    rows: list[dict[str, object]] = [
        {
            "model": name,
            "version": info.version,
            "aliases": ", ".join(info.aliases),
            "grade": info.tags.get("grade", ""),
            "gate": info.tags.get("gate", ""),
            "as_of": info.tags.get("as_of", ""),
            "cutoff": info.tags.get("training_cutoff", ""),
            "created": f"{info.created:%Y-%m-%d %H:%M} UTC",
            "why": info.tags.get("why", ""),
            "stored": info.source,
        }
        for name in tracker.names()
        for info in tracker.versions(name)
    ]
    for path, record in kept_records(config.folder).items():
        why = "waits to be registered: churnvalue train"
        rows += [
            {**_BLANK, "model": package.name, "version": 0, "why": why, "stored": str(path)}
            for package in record.packages
        ]
    return pd.DataFrame(rows, columns=list(_BLANK))


def promote(config: Config, model: str, version: int) -> None:
    """Make ``version`` of ``model`` the champion.

    Raises:
        RegistryError: If there is no such model or version, or scoring would refuse it: damaged, unsigned, of a newer release.
    """
    tracker = open_registry(config)
    verify_digests(tracker.download(model, version) / MODEL_FILES)
    tracker.promote(model, version)
