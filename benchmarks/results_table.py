"""Results of benchmarks: one row a comparison, kept as JSON, shown as tables; ``README.md`` is made from them alone.

``python -m benchmarks.results_table`` writes the README anew. A row compares one metric of ours with one rival's; where
an interval is given it is of the difference, ours minus rival, and excludes 0 where the two differ beyond noise.
"""

import ast
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from platform import python_version
from typing import Literal

from churnvalue.storage import json_text, write_text

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
_PACKAGES = ("churnvalue", "lightgbm", "numba", "numpy", "pandas", "scikit-learn", "scipy")


@dataclass(frozen=True)
class Result:
    """One comparison. ``difference_*`` bound ours minus rival (95 %); None where nothing was measured or computed.

    ``seconds`` and ``peak_mb`` are of the work behind the claim; ``note`` says in words what the numbers leave out.
    """

    claim: str
    data: str
    metric: str
    ours: float | None
    rival: float | None
    rival_name: str
    better: Literal["higher", "lower"]
    difference_low: float | None = None
    difference_high: float | None = None
    seconds: float | None = None
    peak_mb: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    note: str = ""

    @property
    def gain(self) -> float | None:
        """By how much ours is better, in the unit of the metric; below 0 if it is worse."""
        if self.ours is None or self.rival is None:
            return None
        return self.ours - self.rival if self.better == "higher" else self.rival - self.ours

    @property
    def beyond_noise(self) -> bool:
        """Whether the interval of the difference excludes 0."""
        low, high = self.difference_low, self.difference_high
        return low is not None and high is not None and (low > 0 or high < 0)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that matter to a number."""
    return {"python": python_version(), **{name: version(name) for name in _PACKAGES}}


def number(value: float | None) -> float | None:
    """Return a value as JSON can hold it: None where it is not finite."""
    return float(value) if value is not None and isfinite(value) else None


def save(results: Sequence[Result], path: Path) -> None:
    """Write results as JSON, a list of objects."""
    write_text(path, json_text([vars(result) for result in results]))


def load(path: Path) -> list[Result]:
    """Return the results in a JSON file."""
    names = {part.name for part in fields(Result)}
    return [Result(**{k: v for k, v in row.items() if k in names}) for row in json.loads(path.read_text("utf-8"))]


def replaced(results: Sequence[Result], made: Sequence[Result]) -> list[Result]:
    """Return results with those of the claims in ``made`` put in the place of earlier ones, new claims last."""
    claims = _unique([*(r.claim for r in results), *(r.claim for r in made)])
    anew = {r.claim for r in made}
    return [r for claim in claims for r in (made if claim in anew else results) if r.claim == claim]


def tables(results: Sequence[Result]) -> str:
    """Return one Markdown table a claim, metrics down, rivals across, with the notes below each."""
    return "\n".join(_table([r for r in results if r.claim == claim]) for claim in _unique(r.claim for r in results))


def shortcomings(results: Sequence[Result]) -> list[str]:
    """Return where ours is worse than a rival, a floor or a target: one line a claim and rival, worst kind first."""
    lines = []
    for beyond, words in ((True, "worse beyond noise"), (False, "short")):
        found: dict[tuple[str, str], list[str]] = {}
        for row in results:
            if row.gain is not None and row.gain < 0 and row.beyond_noise == beyond:
                inside = " (within noise)" if row.difference_low is not None and not beyond else ""
                text = f"{row.metric} {_show(row.ours)} against {_show(row.rival)}{inside}"
                found.setdefault((row.claim, row.rival_name), []).append(text)
        lines += [f"- **{words}** · {claim} · {rival}: {'; '.join(parts)}" for (claim, rival), parts in found.items()]
    return lines


def readme(benchmarks: Mapping[str, Sequence[Result]], about: Mapping[str, str] | None = None) -> str:
    """Return the README for results by benchmark; ``about`` holds what each benchmark measures, in words."""
    parts = [
        "# Benchmarks",
        "",
        "Generated from `results/*.json` by `python -m benchmarks.results_table`; edit nothing here.",
        "Run one: `python -m benchmarks.NAME --data DIR` (`--quick`: fewer trials and origins, written elsewhere).",
        "",
        "How to read a table: one line a metric, ours first. A rival's cell holds its value and, in brackets, the 95 % interval"
        " of ours minus rival (customers drawn anew, each with all of their origins). ▲ ours is better beyond noise, ▼ worse"
        " beyond noise, no mark: not told apart, or no interval.",
    ]  # fmt: skip
    for name, results in benchmarks.items():
        if not results:
            continue
        first = results[0]
        parts += ["", f"## {name}", ""]
        parts += [(about or {}).get(name, "").strip(), ""] if (about or {}).get(name) else []
        used = ", ".join(f"{package} {number}" for package, number in sorted(first.versions.items()))
        parts += [f"Seed {first.seed}. Versions: {used}.", ""]
        short = shortcomings(results)
        parts += ["### Where it falls short", "", *(short or ["- nowhere in these tables"]), ""]
        parts += [tables(results)]
    return "\n".join(parts).rstrip() + "\n"


def _table(rows: Sequence[Result]) -> str:
    first, rivals = rows[0], _unique(r.rival_name for r in rows)
    cells = {(r.metric, r.rival_name): r for r in rows}
    lines = [f"### {first.claim}", "", f"{first.data}.{_cost(rows)}", ""]
    lines += [f"| metric | better | ours | {' | '.join(rivals)} |", "|---" * (3 + len(rivals)) + "|"]
    for metric in _unique(r.metric for r in rows):
        some = next(r for r in rows if r.metric == metric)
        row = [_cell(cells.get((metric, rival))) for rival in rivals]
        lines.append(f"| {metric} | {some.better} | {_show(some.ours)} | {' | '.join(row)} |")
    notes = _unique(f"- {r.metric}: {r.note}" for r in rows if r.note)
    return "\n".join([*lines, *([""] if notes else []), *notes, ""])


def _cost(rows: Sequence[Result]) -> str:
    seconds, peak = rows[0].seconds, rows[0].peak_mb
    work = "" if seconds is None else f" {seconds:.0f} s of work"
    return (
        work
        + ("" if peak is None or not work else f", at most {peak:,.0f} MB so far in this run")
        + ("." if work else "")
    )


def _cell(row: Result | None) -> str:
    if row is None or row.rival is None:
        return "–"
    if row.difference_low is None or row.difference_high is None:
        return _show(row.rival)
    mark = ("" if (row.gain or 0) == 0 else "▲ " if (row.gain or 0) > 0 else "▼ ") if row.beyond_noise else ""
    return f"{mark}{_show(row.rival)} ({row.difference_low:+.3g} … {row.difference_high:+.3g})"


def _show(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{0.0 if abs(value) < 1e-9 else value:.4g}"


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def write_readme(folder: Path = FOLDER) -> Path:
    """Write ``README.md`` of a folder from its ``results/*.json``; return its path."""
    found = {path.stem: load(path) for path in sorted((folder / "results").glob("*.json"))}
    about = {
        name: "\n\n".join(map(_says, [FOLDER / f"{name}.py", *sorted(FOLDER.glob(f"{name}_*.py"))])) for name in found
    }
    write_text(folder / "README.md", readme(found, about))
    return folder / "README.md"


def _says(module: Path) -> str:
    """Return what a benchmark or a part of one says of itself."""
    return (ast.get_docstring(ast.parse(module.read_text("utf-8"))) or "").strip() if module.is_file() else ""


if __name__ == "__main__":
    write_readme()
