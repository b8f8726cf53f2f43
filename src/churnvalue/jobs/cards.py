"""Model cards: what stands in ``models/NAME.md`` for every version, and what this version was found to be."""

from collections.abc import Mapping
from typing import Any

from churnvalue.models.definition import definitions_folder


def model_card(name: str, summary: Mapping[str, Any]) -> str:
    """Return the card of a version of model ``name`` in Markdown."""
    general = (definitions_folder() / f"{name}.md").read_text(encoding="utf-8").rstrip()
    lines = [
        general,
        "",
        "## This version",
        "",
        f"- Project: {summary['project']}",
        f"- Learnt from {summary['rows']:,} rows at the cutoffs {', '.join(summary['cutoffs'])},"
        f" horizon {summary['horizon_days']} days; nothing known from {summary['as_of']} on was read.",
        f"- Data: {summary['log']['text']}; digest {summary['digest']}.",
        f"- Grade: {summary.get('grade', 'ungraded')} ({summary.get('grade_text', 'no later window to judge on')}).",
        f"- Gate: {'passed' if summary['gate']['passed'] else 'failed'}"
        f"{': ' if summary['gate']['reasons'] else ''}{'; '.join(summary['gate']['reasons'])}.",
    ]
    measured = summary["models"].get(name, {})
    if "note" in measured:
        lines.append(f"- Curve: {measured['note']}.")
    if "metrics" in measured:
        rows = {"this model": measured["metrics"], **measured["baselines"]}
        metrics = list(measured["metrics"])
        lines += ["", f"Metrics at {summary['test_cutoff']}, without its outcomes having been seen:", ""]
        lines += ["| | " + " | ".join(metrics) + " |", "|---|" + "---|" * len(metrics)]
        for method, values in rows.items():
            cells = [f"{values[metric]:.4f}" if values.get(metric) is not None else "–" for metric in metrics]
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
