"""The command line of a benchmark: which parts to run, on which data, and where results are kept."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.results_table import RESULTS, Result, load, replaced, save, tables, write_readme

# Takes the folder of the logs and whether to be quick.
Part = Callable[[Path, bool], list[Result]]


def run(name: str, says: str | None, parts: Mapping[str, Part]) -> None:
    """Run the parts of a benchmark one after the other and keep their results in ``NAME.json``."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=(says or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the logs; benchmarks/README.md says which")
    parser.add_argument("--quick", action="store_true", help="less of everything; kept in results/quick")
    parser.add_argument("--out", type=Path, help=f"folder of {name}.json")
    parser.add_argument("--part", action="append", choices=parts, help="only this part; other results stay as they are")
    given = parser.parse_args()
    path = (given.out or (RESULTS / "quick" if given.quick else RESULTS)) / f"{name}.json"
    results = load(path) if given.part and path.is_file() else []
    with threadpool_limits(1):
        for part in given.part or parts:
            made = parts[part](given.data, given.quick)
            print(tables(made), flush=True)
            results = replaced(results, made)
            save(results, path)
            if path.parent == RESULTS:
                write_readme()
