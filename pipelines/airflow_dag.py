"""The scheduled runs as Airflow DAGs: nightly scores, plan and report; training and measurement once a month.

Airflow calls the command line and nothing else, so its own environment needs nothing of churnvalue's. Put this file into the
folder of DAGs; the variables churnvalue_home, _command and _config tell where the project is. Airflow 2.7 or later, or 3.
"""

from datetime import UTC, datetime, timedelta

from airflow import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # Airflow 2
    from airflow.operators.bash import BashOperator

HOME = "{{ var.value.get('churnvalue_home', '/srv/shop') }}"
COMMAND = "{{ var.value.get('churnvalue_command', '.venv/bin/churnvalue') }}"
CONFIG = "{{ var.value.get('churnvalue_config', 'pipelines/churnvalue.toml') }}"
DAY = "{{ data_interval_end | ds }}"  # the cutoff: this day's 00:00 UTC
MEASURED_DAY = (
    "{{ macros.ds_add(data_interval_end | ds, -100) }}"  # a horizon of 90 days, and some for what is known late
)
NOT_PROMOTED = 3

# An error (1) may be gone at the next try, as where the log had not been refreshed yet. Running again gives the same bytes.
OPTIONS = {
    "start_date": datetime(2025, 1, 1, tzinfo=UTC),
    "catchup": False,
    "max_active_runs": 1,
    "default_args": {"retries": 2, "retry_delay": timedelta(minutes=30)},
}


def command(task_id: str, words: str, skip_on_exit_code: int | None = None) -> BashOperator:
    """Return a task that calls the command line in the project's folder."""
    bash = f"cd {HOME} && {COMMAND} {words} --config {CONFIG}"
    return BashOperator(task_id=task_id, bash_command=bash, skip_on_exit_code=skip_on_exit_code)


with DAG("churnvalue_nightly", schedule="0 4 * * *", **OPTIONS):
    score = command("score", f"score --as-of {DAY} --out out/{DAY}")
    plan = command("plan", f"plan --scores out/{DAY} --out out/{DAY}")
    report = command("report", f"report --scores out/{DAY} --plan out/{DAY}")
    score >> plan >> report

with DAG("churnvalue_monthly", schedule="0 1 1 * *", **OPTIONS):
    # Trained but not promoted is a verdict, not a failure: the task counts as skipped, and its log has the reasons.
    command("train", f"train --as-of {DAY}", skip_on_exit_code=NOT_PROMOTED)
    command("measure", f"measure --plan out/{MEASURED_DAY}")
