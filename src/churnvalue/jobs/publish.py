"""``publish``: what a command wrote into its folder, put into the database of ``[sink]``."""

from pathlib import Path

import pyarrow.parquet as pq

from churnvalue import clock
from churnvalue.config import Config
from churnvalue.errors import OutputError
from churnvalue.jobs.belongs import require_project
from churnvalue.jobs.outputs import CURVE, PLAN, PORTFOLIOS, SCORES, SENDS
from churnvalue.storage import read_manifest, verify
from churnvalue.storage.postgres import Edition, Output, publish_tables

# By command, the one that says as of when first.
_TABLES = {"score": (SCORES,), "plan": (PLAN, SENDS, CURVE, PORTFOLIOS)}


def publish(config: Config, folder: Path, command: str) -> dict[str, int]:
    """Return the rows by table that ``score`` or ``plan`` wrote into ``folder``, once they are published; none without a sink.

    Publishing the same cutoff again replaces its rows; those of other cutoffs and projects stay.

    Raises:
        OutputError: If the folder is not as the command wrote it or is another project's, or the database cannot be written.
    """
    if config.sink is None:
        return {}
    names = _TABLES[command]
    verify(folder, names)
    manifest = read_manifest(folder)
    facts = manifest["facts"].get(command, {})
    require_project(facts, config.project, folder)
    edition = Edition(config.project, command, _cutoff(folder / names[0]), facts.get("model_versions", {}))
    outputs = [
        Output(name.removesuffix(".parquet"), folder / name, manifest["files"][name]["sha256"]) for name in names
    ]
    return publish_tables(config.sink, edition, outputs)


def published_by(config: Config, folder: Path) -> list[str]:
    """Return the commands whose outputs in a folder can be published.

    Raises:
        OutputError: If there is no sink, or nothing to publish.
    """
    if config.sink is None:
        raise OutputError(
            'Publishing needs a database, but there is no [sink]. Add uri = "postgresql://user@host/db" to it.'
        )
    files = read_manifest(folder)["files"]
    found = [command for command, names in _TABLES.items() if all(name in files for name in names)]
    if not found:
        raise OutputError(f"{folder} must hold what score or plan wrote, but holds neither. Run one of them first.")
    return found


def _cutoff(path: Path) -> int:
    """Return the cutoff of a table: its manifest tells it to the minute alone."""
    with pq.ParquetFile(path) as file:
        first = next(file.iter_batches(batch_size=1, columns=["cutoff"]), None)
    if first is None or not len(first):
        raise OutputError(f"{path} must hold at least one customer, but holds none. There is nothing to publish.")
    return clock.micros(first["cutoff"][0].as_py())
