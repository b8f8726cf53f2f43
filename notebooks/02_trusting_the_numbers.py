# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Reading the report, and trusting its numbers
#
# A number is worth what the test behind it is worth. Here a simulated shop is scored as of a day in its past, by models that
# were not told what came after; then the numbers are held against what did come. On the way: what a grade says, how a backtest
# is read, how to see for yourself that no feature looks ahead, and what an interval promises.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

import churnvalue as cv
from churnvalue.clock import micros
from churnvalue.features import expand
from churnvalue.simulate import simulate_log

workplace = tempfile.TemporaryDirectory()  # gone when the notebook ends
folder = Path(workplace.name)

# %%
simulated = simulate_log(customers=1500, days=540, seed=11)
events = simulated.events
events.to_parquet(folder / "events.parquet")
CONFIGURATION = """
training = { trials = 1, cutoffs = 5 }
[[events]]
source = "events.parquet"
kind = { column = "kind" }
columns = { known_at = "known_at", order_id = "order_id", amount = "amount", category = "category", channel = "channel" }
"""
(folder / "churnvalue.toml").write_text(CONFIGURATION)
config = cv.read_config(folder / "churnvalue.toml")
horizon = pd.Timedelta(days=config.outcome.horizon_days)
cutoff = pd.Timestamp(simulated.end).floor("D") - horizon
print(
    f"{len(events):,} events of {simulated.start:%Y-%m-%d} to {simulated.end:%Y-%m-%d}; we stand at {cutoff:%Y-%m-%d}."
)

# %% [markdown]
# ## No feature looks ahead
#
# The usual way for a churn model to look splendid and fail is a feature that knows the future. So compute every feature as of the
# cutoff from the whole log; from a file in which all that happened or became known later has been deleted; from one in which the
# future is nonsense; and from one whose rows are shuffled. If a single cell differs, something leaks.


# %%
def features_of(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return every feature of a log as of the cutoff."""
    (folder / name).mkdir()
    rows.to_parquet(folder / name / "events.parquet")
    (folder / name / "churnvalue.toml").write_text(CONFIGURATION)
    log = cv.read_log(cv.read_config(folder / name / "churnvalue.toml"))
    return cv.feature_frame(log, FEATURES, micros(cutoff.to_pydatetime()), config.population)


KINDS = ["purchase", "visit", "ticket", "return", "message_open"]
FEATURES = expand(
    [
        {"use": ["event_count", "active_days"], "kind": KINDS, "days": [7, 30, 90, 365, "all"]},
        {"use": ["days_since_last", "days_since_first", "gap_mean", "gap_last_to_mean"], "kind": KINDS},
        {"use": ["amount_total", "amount_mean"], "kind": "purchase", "days": [30, 365]},
        {"use": ["amount_last", "top_category_share", "weekend_share"], "kind": "purchase"},
    ]
)
later = (events["event_time"] >= cutoff) | (events["known_at"] >= cutoff)
nonsense = events.assign(amount=events["amount"].mask(later, 1e6), category=events["category"].mask(later, "nonsense"))
whole = features_of(events, "whole")
compared = {
    "future deleted": features_of(events[~later], "truncated"),
    "future turned to nonsense": features_of(nonsense, "nonsense"),
    "rows shuffled": features_of(events.sample(frac=1, random_state=0), "shuffled"),
}
differing = {
    name: int((whole.ne(other) & ~(whole.isna() & other.isna())).to_numpy().sum()) for name, other in compared.items()
}
print(
    f"{later.sum():,} of {len(events):,} events lie in the future of {whole.shape[0]:,} customers × {whole.shape[1]} features."
)
pd.DataFrame({"cells that differ": differing})

# %% [markdown]
# Would the test have noticed? The same count of purchases, written by hand with the cutoff forgotten, differs for many:

# %%
kept = events[events["kind"] == "purchase"].drop_duplicates("order_id")
careless = kept.groupby("customer_id").size()
honest = whole["event_count_purchase"].droplevel("cutoff")
changed = (careless.reindex(honest.index) != honest).mean()
print(
    f"A count that forgets the cutoff is wrong for {changed:.0%} of the customers, and for precisely those who came back."
)

# %% [markdown]
# ## Train on the past alone
#
# With `as_of` nothing that happened or was known later is read. The newest window that had closed by then chose nothing; on it the
# grade is given.

# %%
training = cv.train(config, f"{cutoff:%Y-%m-%d}")
summary = training.summary
print(f"Grade {summary['grade']}: {summary['grade_text']}.")
print(f"Cutoffs learnt from: {', '.join(summary['cutoffs'])}; judged on the window from {summary['test_cutoff']}.")

# %% [markdown]
# | grade | ranks leavers and spend | probabilities off by | so |
# |---|---|---|---|
# | A | as well as every baseline, or better | at most 2 points | use ranks and probabilities as they are |
# | B | the same | at most 4 points | ranks as they are; money sums are a little off |
# | C | the same | more | rank by it, but take no probability at its word |
# | D | only as well as recency and the last window | – | BG/NBD or Pareto/NBD rank better: ask why |
# | F | not even that | – | do not use it |
#
# A grade speaks of one window of one log. With few customers it is largely chance; the report says so below 500.
#
# ## Backtest: was that luck?
#
# One window is one draw. The backtest stands at several past cutoffs, learns at each from what had closed before it, and compares
# with each baseline on the same customers. An interval that holds 0 says: not told apart.

# %%
backtest = cv.backtest(config)
BLUE, GREY, RED = "#1f5fa8", "#8a8a8a", "#c8453b"
PERCENT = PercentFormatter(1, symbol=None)
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left"}
plt.rcParams |= {"figure.constrained_layout.use": True, "legend.frameon": False}

differences = pd.DataFrame(backtest.differences)
RIVALS = {"last_window": "last window repeated", "recency": "recency", "bg_nbd": "BG/NBD", "pareto_nbd": "Pareto/NBD"}
METRICS = {"churn": "Leavers: difference of AUC", "spend": "Spend: difference of normalised Gini"}
cutoffs = sorted(differences["cutoff"].unique())
_, panels = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
for axes, (model, title) in zip(panels, METRICS.items(), strict=True):
    for number, at in enumerate(cutoffs):
        found = differences[(differences["model"] == model) & (differences["cutoff"] == at)]
        found = found.set_index("against").reindex(list(RIVALS))
        place = np.arange(len(RIVALS)) + 0.18 * (number - (len(cutoffs) - 1) / 2)
        spread = [found["difference"] - found["low"], found["high"] - found["difference"]]
        shade = 0.35 + 0.65 * (number + 1) / len(cutoffs)
        axes.errorbar(found["difference"], place, xerr=spread, fmt="o", color=BLUE, alpha=shade, label=at)
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set(title=title, xlabel="This model minus the baseline (right of 0: better), 95 %")
panels[0].set_yticks(range(len(RIVALS)), list(RIVALS.values()))
panels[1].legend(title="cutoff", loc="upper right")
plt.show()
print(f"Grade of the mean over {len(cutoffs)} cutoffs: {backtest.grade}.")

# %% [markdown]
# ## The test that cannot be argued with
#
# Score as of the cutoff, then look at the 90 days that the models never saw.

# %%
scores = cv.score(config, f"{cutoff:%Y-%m-%d}", folder / "out").set_index("customer_id")
bought = events[
    (events["kind"] == "purchase") & events["event_time"].between(cutoff, cutoff + horizon, inclusive="left")
]
came = bought.groupby("customer_id").agg(spent=("amount", "sum"), orders=("order_id", "nunique"))
scores = scores.join(came[["spent"]]).join(came["orders"].rename("ordered")).fillna({"spent": 0.0, "ordered": 0})
scores["left"] = scores["ordered"] == 0
totals = pd.DataFrame(
    {
        "foretold": [scores["p_churn"].mean(), scores["orders"].sum(), scores["spend"].sum()],
        "came": [scores["left"].mean(), scores["ordered"].sum(), scores["spent"].sum()],
    },
    index=["share of leavers", "orders", "spend"],
)
totals.style.format("{:,.2f}")

# %% [markdown]
# **Calibration** by tenths of risk; the bars are what chance alone allows a tenth of that size (95 %). Dots inside the bars' reach
# of the diagonal are right; dots on one side of it tell of a level that moved since the models learnt.


# %%
def tenths(values: pd.Series) -> pd.Series:
    """Return the tenth, 0 … 9, of each value among all."""
    return (values.rank(method="first", pct=True) * 10).clip(upper=9.999).astype(int)


by_risk = scores.groupby(tenths(scores["p_churn"])).agg(
    said=("p_churn", "mean"), left=("left", "mean"), n=("left", "size")
)
chance = 1.96 * np.sqrt(by_risk["left"] * (1 - by_risk["left"]) / by_risk["n"])
by_spend = scores.groupby(tenths(scores["spend"])).agg(
    said=("spend", "mean"), came=("spent", "mean"), sd=("spent", "sem")
)

_, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
left.plot([0, 1], [0, 1], color=GREY, linewidth=1)
left.errorbar(by_risk["said"], by_risk["left"], yerr=chance, fmt="o", color=BLUE)
left.set(title="Leaving, by tenths of risk", xlabel="Said to leave (%)", ylabel="Left (%)", xlim=(0, 1), ylim=(0, 1))
left.xaxis.set_major_formatter(PERCENT)
left.yaxis.set_major_formatter(PERCENT)
most = 1.1 * float(by_spend[["said", "came"]].to_numpy().max())
right.plot([0, most], [0, most], color=GREY, linewidth=1)
right.errorbar(by_spend["said"], by_spend["came"], yerr=1.96 * by_spend["sd"], fmt="o", color=BLUE)
right.set(
    title="Spend, by tenths of expected spend", xlabel="Expected (money a customer)", ylabel="Came (money a customer)"
)
plt.show()

# %% [markdown]
# **Intervals.** Eight of ten customers should spend between `spend_p10` and `spend_p90`. Most of those who leave spend nothing, and
# a quantile of 0 is then right: so count how many stay *at or below* each quantile, and at least so many must.

# %%
quantiles = {"spend_p10": 0.1, "spend_p50": 0.5, "spend_p90": 0.9}
below = {name: (scores["spent"] <= scores[name] + 0.005).mean() for name in quantiles}
inside = scores["spent"].between(scores["spend_p10"] - 0.005, scores["spend_p90"] + 0.005)
covered = pd.DataFrame({"promised, at least": quantiles, "at or below": below})
print(f"Between p10 and p90: {inside.mean():.0%} of {len(scores):,} customers; 80 % or more are promised.")
covered.style.format("{:.0%}")

# %%
shown = scores.nlargest(40, "spend").sort_values("spend").reset_index()
_, axes = plt.subplots(figsize=(10, 4))
axes.vlines(
    shown.index, shown["spend_p10"], shown["spend_p90"], color=BLUE, alpha=0.4, linewidth=5, label="80 % interval"
)
axes.plot(shown["spend"], "_", color=BLUE, markersize=9, label="expected")
missed = ~shown["spent"].between(shown["spend_p10"], shown["spend_p90"])
axes.plot(shown.index, shown["spent"], "o", color="black", markersize=4, label="came")
axes.plot(shown.index[missed], shown["spent"][missed], "o", color=RED, markersize=4, label="came, outside")
axes.set(
    title="The forty who were expected to spend most", xlabel="Customers, by expected spend", ylabel="Money in 90 days"
)
axes.set_xticks([])
axes.legend(loc="upper left")
plt.show()

# %% [markdown]
# ## What only a simulation can tell
#
# `p_churn` is the chance of no purchase within the horizon. In a shop nobody cancels, so that is all that can ever be observed;
# here the truth is known, and the same number also tells apart those who were gone for good from those who only paused.

# %%
truth = simulated.customers.set_index("customer_id").reindex(scores.index)
gone = pd.Series(
    np.where(truth["died"] < cutoff, "had left before", np.where(truth["died"].notna(), "left within", "stayed"))
)
_, axes = plt.subplots(figsize=(7, 4))
groups = {name: scores["p_churn"].to_numpy()[gone == name] for name in ("stayed", "left within", "had left before")}
axes.hist(groups.values(), bins=20, range=(0, 1), stacked=True, color=[BLUE, GREY, RED], label=list(groups))
axes.set(title="What was said of whom", xlabel="Probability of no purchase within 90 days (%)", ylabel="Customers")
axes.xaxis.set_major_formatter(PERCENT)
axes.legend(title="in truth")
plt.show()

# %% [markdown]
# ## The report
#
# One page for those who will not run a notebook. Each of its numbers is one of those above; these are its parts, and what to ask
# of each.

# %%
page = cv.write_report(config, folder / "out")
print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB, one file, no network.")

# %% [markdown]
# | you read | ask | here |
# |---|---|---|
# | the grade and its sentence | which window, how many customers? | *Train on the past alone* |
# | calibration, lift | dots on the diagonal within chance? far above recency? | *The test that cannot be argued with* |
# | differences from the baselines | does the interval hold 0, at one cutoff or at all? | *Backtest* |
# | totals and intervals | did the last report's come true? `churnvalue measure` keeps the account | *Intervals* |
# | reasons of a customer | they say what moved the number, not what caused the leaving | notebook 03 |
# | what an action changes | experiment or assumption? Every row of the plan says which | notebook 04 |
