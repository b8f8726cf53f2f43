"""``models`` and ``promote``: what the registry holds, and which version scores."""

import pandas as pd

from churnvalue.config import Config
from churnvalue.jobs.champions import open_registry


def list_models(config: Config) -> pd.DataFrame:
    """Return every version of every model: name, version, aliases, grade, gate, as_of, created; newest first by name."""
    tracker = open_registry(config)
    rows = [
        {
            "model": name,
            "version": info.version,
            "aliases": ", ".join(info.aliases),
            "grade": info.tags.get("grade", ""),
            "gate": info.tags.get("gate", ""),
            "as_of": info.tags.get("as_of", ""),
            "created": f"{info.created:%Y-%m-%d %H:%M} UTC",
        }
        for name in tracker.names()
        for info in tracker.versions(name)
    ]
    return pd.DataFrame(rows, columns=["model", "version", "aliases", "grade", "gate", "as_of", "created"])


def promote(config: Config, model: str, version: int) -> None:
    """Make ``version`` of ``model`` the champion.

    Raises:
        RegistryError: If there is no such model or version.
    """
    open_registry(config).promote(model, version)
