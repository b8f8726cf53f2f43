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
# # From a log to a plan
#
# CDNOW sold music on the web. 23,570 people bought there for the first time in January to March 1997, and we have every
# purchase they made until June 1998. Nobody cancels at a shop: those who leave just do not come back. Here we ask of each
# customer how likely they are to buy again within 90 days, what they are worth, why, and which of them to call or write to
# with a budget of 5,000 dollars.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

import churnvalue as cv
from churnvalue.datasets import load_cdnow

workplace = tempfile.TemporaryDirectory()  # gone when the notebook ends
folder = Path(workplace.name)

# %% [markdown]
# ## The log
#
# Every third customer is enough to see the way, and keeps this notebook quick.

# %%
log = load_cdnow()
log = log[log["customer_id"].astype(int) % 3 == 0].reset_index(drop=True)
log.to_parquet(folder / "events.parquet")
log.head()

# %% [markdown]
# ## The configuration
#
# Five lines are enough: the columns already bear the right names, and all else has a default.
# Three trials of tuning are few, for the same reason.

# %%
(folder / "churnvalue.toml").write_text("""
training.trials = 3
[[events]]
source = "events.parquet"
timezone = "UTC"
columns = { amount = "amount", quantity = "quantity" }
""")
config = cv.read_config(folder / "churnvalue.toml")

# %% [markdown]
# ## Is the log ready?
#
# At each cutoff the models will see only what was known before it, and are told what happened in the 90 days after.

# %%
readiness = cv.check(config)
pd.DataFrame([vars(finding) for finding in readiness.findings]).style.hide()

# %%
formats = {"cutoff": "{:%Y-%m-%d}", "share_left": "{:.1%}", "spend": "{:,.0f}"}
readiness.cutoffs.style.hide().format(formats, thousands=",")

# %% [markdown]
# ## Train
#
# The newest closed window chooses nothing: it is the verdict. There the models stand beside what is simpler, such as recency,
# the last window repeated, BG/NBD and Pareto/NBD; while there are champions, only what beats all of these replaces them.

# %%
training = cv.train(config)
summary = training.summary
print(f"Grade {summary['grade']}: {summary['grade_text']}.")
print("Promoted." if training.promoted else "Not promoted: " + "; ".join(summary["gate"]["reasons"]))

# %%
shown = {"churn": ["auc", "log_loss"], "spend": ["normalised_gini", "decile_mape"]}
verdict = {}
for model, metrics in shown.items():
    found = summary["models"][model]
    methods = pd.DataFrame({"this model": found["metrics"], **found["baselines"]}).transpose()
    verdict[model] = methods.loc[methods.index != "zero", metrics]
pd.concat(verdict, axis=1).style.format("{:.3f}", na_rep="–")

# %% [markdown]
# **Calibration**: of those said to leave with 80 %, do 80 % leave? **Lift**: how many of the leavers are among the riskiest?
# Most customers of this shop leave, so even a perfect order cannot bend that curve far.

# %%
# Training drew its pictures into files; from here on they belong on this page.
# %matplotlib inline
BLUE, GREY, RED = "#1f5fa8", "#8a8a8a", "#c8453b"
PERCENT, THOUSANDS = PercentFormatter(1, symbol=None), StrMethodFormatter("{x:,.0f}")
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left"}
plt.rcParams |= {"figure.constrained_layout.use": True, "legend.frameon": False}

calibration, lift = pd.DataFrame(summary["calibration"]), pd.DataFrame(summary["lift"])
share_left = readiness.cutoffs["share_left"].iloc[-1]
_, (left, right) = plt.subplots(1, 2, figsize=(10, 4))

left.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="perfect")
left.plot(calibration["predicted"], calibration["actual"], "o-", color=BLUE, label="model, by tenths")
left.set(title="Calibration", xlabel="Predicted probability of leaving (%)", ylabel="Customers who left (%)")

right.plot([0, share_left, 1], [0, 1, 1], color=GREY, linewidth=1, label="perfect")
right.plot(lift["share"], lift["model"], color=BLUE, label="model")
right.plot(lift["share"], lift["recency"], "--", color=RED, label="recency alone")
right.plot([0, 1], [0, 1], ":", color=GREY, linewidth=1, label="random")
right.set(title="Lift", xlabel="Customers, riskiest first (%)", ylabel="Leavers found (%)")

for axes in (left, right):
    axes.xaxis.set_major_formatter(PERCENT)
    axes.yaxis.set_major_formatter(PERCENT)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.legend(loc="lower right")
plt.show()

# %% [markdown]
# ## Score
#
# The champions describe everyone who bought within the last year, as of the end of the log.

# %%
scores = cv.score(config, out=folder / "out")
scores[["customer_id", "p_churn", "orders", "spend", "spend_p10", "spend_p90", "clv", "tier", "band"]].head().round(2)

# %% [markdown]
# Value is concentrated: an effort that is the same for everyone goes mostly to those who hold little of it.

# %%
value = scores["clv"].sort_values(ascending=False).cumsum() / scores["clv"].sum()
share = pd.Series(range(1, len(value) + 1)) / len(value)
top = value.iloc[len(value) // 10]
tiers = scores.groupby("tier")["clv"].agg(["sum", "size", "mean"]).sort_values("mean")
shares = tiers[["sum", "size"]] / tiers[["sum", "size"]].sum()

_, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
left.plot(share, value, color=BLUE)
left.plot([0, 1], [0, 1], ":", color=GREY, linewidth=1)
left.plot(0.1, top, "o", color=RED)
words, arrow = f"a tenth of the customers\nholds {top:.0%} of the value", {"arrowstyle": "-", "color": RED}
left.annotate(words, (0.1, top), (0.45, 0.1), color=RED, arrowprops=arrow)
left.set(title="Concentration of value", xlabel="Customers, most valuable first (%)", ylabel="Customer value (%)")
left.set(xlim=(0, 1), ylim=(0, 1))
left.yaxis.set_major_formatter(PERCENT)

shares.plot.barh(ax=right, color=[BLUE, GREY], width=0.75)
for bars in right.containers:
    right.bar_label(bars, fmt="{:.1%}", padding=3)
right.set(title="Tiers", xlabel="Share of all (%)", ylabel="", xlim=(0, 1.15 * shares.to_numpy().max()))
right.legend(right.containers[::-1], ["customers", "value"], loc="upper right")
for axes in (left, right):
    axes.xaxis.set_major_formatter(PERCENT)
plt.show()

# %% [markdown]
# ## One customer, in words
#
# Of those at high risk, the one who is worth most.

# %%
customer = scores[scores["band"] == "high"].nlargest(1, "clv")["customer_id"].item()
print(cv.explain_customer(customer, folder / "out"))

# %% [markdown]
# ## Plan
#
# Each customer gets at most one action, and only one that is expected to earn more than it costs. A few are held out and a few
# drawn at random, so that what the plan really earns can be measured later. There is no experiment yet: how many an action
# keeps is an assumption, and the notes say so.

# %%
planned = cv.plan(config, folder / "out", folder / "out")
print(*planned.notes, sep="\n")
by_action = planned.plan.groupby("action")
actions = by_action.agg(customers=("cost", "size"), cost=("cost", "sum"), profit=("expected_profit", "sum"))
actions.style.format("{:,.0f}")

# %% [markdown]
# What would another budget earn? The slope is the profit of the next dollar; where it falls below what a dollar earns elsewhere,
# the budget is large enough.

# %%
curve, budget = planned.curve, config.retention.budget
here = curve.iloc[(curve["budget"] - budget).abs().argmin()]

_, axes = plt.subplots(figsize=(7, 4))
axes.plot(curve["budget"], curve["expected_profit"], color=BLUE)
axes.plot(here["budget"], here["expected_profit"], "o", color=RED)
words = f"this plan: the next dollar earns {here['marginal_profit']:.2f}"
axes.annotate(words, here[["budget", "expected_profit"]], (12, -12), textcoords="offset points", color=RED)
axes.set(title="Profit against budget", xlabel="Budget (dollars)", ylabel="Expected profit (dollars)")
axes.set(xlim=(0, None), ylim=(0, None))
axes.xaxis.set_major_formatter(THOUSANDS)
axes.yaxis.set_major_formatter(THOUSANDS)
plt.show()

# %% [markdown]
# When does each message go out? On the day on which its customer is most likely to shop. The log knows days, not hours, so the
# hour is the default.

# %%
sends = planned.sends
calendar = pd.crosstab(sends["send_at"].dt.floor("D"), sends["channel"])
calendar.index = calendar.index.strftime("%a\n%d %b")

axes = calendar.plot.bar(stacked=True, color=[BLUE, GREY], width=0.75, rot=0, figsize=(7, 4))
axes.set(title="Calls and messages in the coming week", xlabel="Day of 1998", ylabel="Customers")
axes.legend(title=None)
plt.show()

# %% [markdown]
# ## Where to go on
#
# `churnvalue report` writes all this as one page; `pipelines/` holds the runs that do it every night. Your own log needs
# `churnvalue init orders.csv`, a look at the five lines it writes, and `churnvalue train`.
