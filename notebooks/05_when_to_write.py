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
# # When to write
#
# A message that arrives at the right hour costs no more than one that does not. Three questions: in which hour of the week is each
# customer active, when will they come back, and which hour is left when quiet hours, weekly limits and the capacity of the gateway
# have had their say? The shop is simulated, so the true habits are known and everything learnt can be held against them.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

import churnvalue as cv
from churnvalue.simulate import habit_curves, simulate_log
from churnvalue.timing import SlotHabit, slot_counts

workplace = tempfile.TemporaryDirectory()  # gone when the notebook ends
folder = Path(workplace.name)
ZONE = "Europe/London"

BLUE, GREY, RED = "#1f5fa8", "#8a8a8a", "#c8453b"
PERCENT = PercentFormatter(1, symbol=None)
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left"}
plt.rcParams |= {"figure.constrained_layout.use": True, "legend.frameon": False}

# %%
simulated = simulate_log(customers=1500, days=540, seed=31)
events = simulated.events
events.to_parquet(folder / "events.parquet")
cutoff = pd.Timestamp(simulated.end).floor("D") - pd.Timedelta(days=90)
as_of = f"{cutoff:%Y-%m-%d}"
known = events[(events["event_time"] < cutoff) & (events["known_at"] < cutoff)]
orders = known[known["kind"] == "purchase"].drop_duplicates("order_id")
print(f"{len(orders):,} orders of {orders['customer_id'].nunique():,} customers before {as_of}.")

# %% [markdown]
# ## The week of everybody
#
# Orders by the hour of the local week. Those who buy most speak loudest here, and nobody is the average: the shop has early birds,
# people who buy at lunch, in the evening, and at weekends.

# %%
counts = slot_counts(orders["customer_id"], orders["event_time"], ZONE)


def draw_week(axes: plt.Axes, week: np.ndarray, title: str) -> None:
    """Draw 168 hours as days by hours."""
    axes.imshow(week.reshape(7, 24), cmap="Blues", aspect="auto", vmin=0)
    axes.set(title=title, xlabel="Hour of the day", xticks=range(0, 24, 6))
    axes.set_yticks(range(7), DAYS)


_, axes = plt.subplots(figsize=(8, 3))
draw_week(axes, counts.sum().to_numpy(), "Orders by hour of the local week")
plt.show()

# %% [markdown]
# ## A habit from few orders
#
# Most customers have ordered a handful of times. Their own histogram says that all other hours are impossible; the average says
# that they are like everybody. `SlotHabit` stands between: a customer's events are lent to nearby hours and shrunk to the types
# of customer they resemble, the more so the fewer they are. How much is learnt from events held out.

# %%
habit = SlotHabit().fit(counts)
probability = habit.predict(counts)
events_known = counts.sum(axis=1).to_numpy()
types = ["early", "noon", "evening", "weekend"]
weights = simulated.customers.set_index("customer_id").loc[counts.index, [f"habit_{name}" for name in types]]
truth = weights.to_numpy() @ habit_curves()
examples = [int(np.flatnonzero(events_known == size)[0]) for size in (2, 6, 25)]

_, panels = plt.subplots(3, 3, figsize=(11, 6), sharex=True, sharey=True)
for row, customer in zip(panels, examples, strict=True):
    draw_week(
        row[0], counts.iloc[customer].to_numpy(), f"{events_known[customer]:.0f} orders of {counts.index[customer]}"
    )
    draw_week(row[1], probability[customer], "learnt habit")
    draw_week(row[2], truth[customer], "true habit")
for axes in panels.flat:
    axes.label_outer()
plt.show()

# %% [markdown]
# Is it better, and from how many orders on? Send everyone a message in the three hours of the day that look best: what share of the
# customer's true activity falls into them?

# %%
own = (counts.to_numpy() + 1e-9) / (events_known[:, None] + 168e-9)
everybody = np.tile(habit.common_, (len(counts), 1))
believed = {"learnt habit": probability, "own histogram": own, "everybody's week": everybody, "the truth": truth}


def three_hours(week: np.ndarray) -> np.ndarray:
    """Return the activity in each three hours of the day, by their first hour. (n, 168) gives (n, 24)."""
    hours = week.reshape(len(week), 7, 24).sum(axis=1)
    return hours + np.roll(hours, -1, axis=1) + np.roll(hours, -2, axis=1)


true_share = three_hours(truth)
reached = {name: true_share[np.arange(len(truth)), three_hours(week).argmax(axis=1)] for name, week in believed.items()}
groups = pd.cut(events_known, [0, 1, 2, 4, 8, 16, 1000], labels=["1", "2", "3–4", "5–8", "9–16", "17 or more"])
by_size = pd.DataFrame(reached).groupby(groups, observed=True).mean()
axes = by_size.plot(marker="o", color=[BLUE, RED, GREY, "black"], figsize=(8, 4))
axes.lines[3].set_linestyle(":")
axes.set(title="Activity reached by the best three hours", xlabel="Orders known of the customer", ylabel="Reached (%)")
axes.yaxis.set_major_formatter(PERCENT)
plt.show()

# %% [markdown]
# ## When will they come back?
#
# A voucher for someone who will order tomorrow anyway is a gift; a reminder is worth most around the day on which they are due. The
# scores hold the chance of an order within 7, 14 and 30 days. Trained as of a day in the past, they can be held against what came.

# %%
(folder / "churnvalue.toml").write_text(f"""
project = "when-to-write"
training = {{ trials = 1, cutoffs = 4 }}
[[events]]
source = "events.parquet"
kind = {{ column = "kind" }}
columns = {{ known_at = "known_at", order_id = "order_id", amount = "amount", channel = "channel", campaign = "campaign" }}
[[retention.actions]]
id = "reminder"
contact_cost = 0.02
channel = "email"
save_rate = [4, 16]
[timing]
timezone = "{ZONE}"
quiet_hours = ["21:00", "08:00"]
max_per_week = 2
min_gap_hours = 48
""")
config = cv.read_config(folder / "churnvalue.toml")
training = cv.train(config, as_of)
scores = cv.score(config, as_of, folder / "out")
print(f"Grade {training.summary['grade']}: {training.summary['grade_text']}.")

# %%
later = events[(events["kind"] == "purchase") & (events["event_time"] >= cutoff)]
first = later.groupby("customer_id")["event_time"].min().reindex(scores["customer_id"])
wait = ((first - cutoff) / pd.Timedelta(days=1)).to_numpy()

_, panels = plt.subplots(1, 3, figsize=(11, 3.8), sharey=True)
for axes, days in zip(panels, (7, 14, 30), strict=True):
    said, came = scores[f"p_return_{days}d"], pd.Series(wait < days)
    tenth = pd.qcut(said.rank(method="first"), 10, labels=False)
    points, happened = said.groupby(tenth).mean(), came.groupby(tenth).agg(["mean", "size"])
    chance = 1.96 * np.sqrt(happened["mean"] * (1 - happened["mean"]) / happened["size"])
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    axes.errorbar(points, happened["mean"], yerr=chance, fmt="o", color=BLUE)
    axes.set(title=f"Within {days} days", xlabel="Said to come back (%)", xlim=(0, 1), ylim=(0, 1))
    axes.xaxis.set_major_formatter(PERCENT)
    axes.yaxis.set_major_formatter(PERCENT)
panels[0].set_ylabel("Came back, by tenths (%)")
plt.show()

# %% [markdown]
# ## A send plan
#
# Each message goes out in the hour in which it is likeliest to be answered, among those that the rules leave: no quiet hour, on the
# customer's own clock; not more than two a week, two days apart; and nobody who unsubscribed. A few hours are drawn at random, so
# that what the hour does can be learnt.

# %%
free = cv.plan(config, folder / "out")
print(*[note for note in free.notes if "hour" in note or "message" in note], sep="\n")
shown = ["customer_id", "channel", "send_at_local", "p_slot", "group", "propensity", "reason"]
free.sends[shown].head().style.hide().format({"p_slot": "{:.3f}", "propensity": "{:.3f}"})

# %% [markdown]
# ## Capacity
#
# The answers to past messages say which hours of the week are best, and nearly everyone's best hour is one of two. No gateway takes
# that, and no call centre. With a capacity not everyone gets the best hour: whoever loses least by it gives way.

# %%
CAPACITY = 25
tight = config.model_copy(update={"timing": config.timing.model_copy(update={"capacity_per_hour": CAPACITY})})
limited = cv.plan(tight, folder / "out")


def by_hour(sends: pd.DataFrame) -> pd.Series:
    """Return messages by hour of the local week."""
    return sends["slot"].dropna().astype(int).value_counts().reindex(range(168), fill_value=0)


_, panels = plt.subplots(2, 1, figsize=(10, 5), sharex=True)
for axes, (name, planned) in zip(panels, {"No limit": free, f"{CAPACITY} an hour": limited}.items(), strict=True):
    week = by_hour(planned.sends)
    axes.bar(week.index, week, width=1.0, color=BLUE)
    for day in range(7):
        for start, end in ((0, 8), (21, 24)):
            axes.axvspan(24 * day + start - 0.5, 24 * day + end - 0.5, color=GREY, alpha=0.15, linewidth=0)
    axes.set(title=f"{name}: {week.sum():,} messages, at most {week.max()} in an hour", ylabel="Messages")
panels[1].axhline(CAPACITY, color=RED, linewidth=1)
panels[1].set(xlabel="Hour of the local week (grey: quiet hours)", xlim=(-0.5, 167.5))
panels[1].set_xticks([24 * day + 12 for day in range(7)], DAYS)
plt.show()

# %% [markdown]
# What the limit costs, and proof that the rules hold:

# %%
sent = limited.sends.dropna(subset="slot")
weeks = sent.groupby("customer_id").size()
hours = sent["slot"].astype(int) % 24
gone = set(known.loc[known["kind"] == "unsubscribe", "customer_id"])
at_random = free.sends[free.sends["group"] == "explore"]
compared = {"no limit": free.sends, f"{CAPACITY} an hour": limited.sends, "hours drawn at random": at_random}
print(f"Messages in quiet hours: {((hours < 8) | (hours >= 21)).sum()}.")
print(f"Customers with more than two a week: {(weeks > 2).sum()}.")
print(f"Messages to those who unsubscribed: {sent['customer_id'].isin(gone).sum()}.")
answers = {
    name: {"messages": len(one), "chance of an answer": one["p_response"].mean()} for name, one in compared.items()
}
pd.DataFrame(answers).T.style.format({"messages": "{:,.0f}", "chance of an answer": "{:.1%}"})

# %% [markdown]
# ## Where to go on
#
# `sends.csv` of a plan is what a mail system takes in. After a while `churnvalue measure` reads who answered, and
# `churnvalue plan --measured DIR` learns from it which hours work; until then the plan says in `evidence` that it rests on activity
# alone. Notebook 04 shows how to find out whether a message changes anything at all.
