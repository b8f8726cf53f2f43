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
# # Your own features, your own model
#
# The features that come with the package know what every shop knows: how recently, how often, how much. You know more. Here a
# feature of your own is declared in a few lines, a model is defined in one short file, and both are held against the default, on
# 90 days that neither has seen.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.ticker import PercentFormatter

import churnvalue as cv
from churnvalue.clock import micros
from churnvalue.evaluation.metrics import auc, paired_bootstrap
from churnvalue.features import expand
from churnvalue.features.sentences import Sentence
from churnvalue.simulate import simulate_log
from churnvalue.views import Column, History

workplace = tempfile.TemporaryDirectory()  # gone when the notebook ends
folder = Path(workplace.name)

# %%
simulated = simulate_log(customers=1500, days=540, seed=23)
simulated.events.to_parquet(folder / "events.parquet")
CONFIGURATION = """
project = "own-model"
training = { trials = 1, cutoffs = 4 }
[[events]]
source = "events.parquet"
kind = { column = "kind" }
columns = { known_at = "known_at", order_id = "order_id", amount = "amount", category = "category", channel = "channel" }
"""
(folder / "churnvalue.toml").write_text(CONFIGURATION)
config = cv.read_config(folder / "churnvalue.toml")
simulated.events["kind"].value_counts().rename("events").to_frame()

# %% [markdown]
# ## A feature
#
# Who bought a month ago and has since been looking around is another customer than who bought a month ago and was never seen again.
# A feature is a function of a `History`, which is all that was known before the cutoff: it cannot reach a later event. It computes
# nothing yet; all features are computed together, in one pass over the log.
#
# The decorator asks for what people will read: a title, a unit, and the sentence that a value stands for.


# %%
@cv.feature(
    title="days it kept looking after the last order",
    unit="days",
    says=Sentence("last looked around {value} days after the last order", absent="never both bought and looked around"),
    reads=("purchase", "visit"),
)
def looked_since(history: History) -> Column:
    """Days from the last purchase to the last visit; below 0 if there was none since; null without either."""
    return history.of("purchase").age_of_newest() - history.of("visit").age_of_newest()


@cv.feature(
    title="visits an order in the last {days} days",
    unit="visits",
    says=Sentence("{value} visits an order", absent="no order of late"),
    reads=("purchase", "visit"),
)
def visits_an_order(history: History, days: int) -> Column:
    """Visits for each purchase in the last ``days``; null without a purchase."""
    return history.of("visit").last(days).count() / history.of("purchase").last(days).count()


# %% [markdown]
# What they say of the first customers, three months before the end of the log. A parameter in a list stands for one feature each.

# %%
cutoff = pd.Timestamp(simulated.end).floor("D") - pd.Timedelta(days=config.outcome.horizon_days)
as_of = f"{cutoff:%Y-%m-%d}"
own = expand([{"use": "looked_since"}, {"use": "visits_an_order", "days": [90, 365]}])
beside = expand([{"use": "days_since_last", "kind": "purchase"}])
described = cv.training_frame(cv.read_log(config), [*own, *beside], [micros(as_of)], config.population, config.outcome)
features, left = described.features, described.targets["churned"]
print(*[f"{one.name} ({one.unit}): {one.say(features[one.name].iloc[0])}" for one in own], sep="\n")
features.droplevel("cutoff").head(4).round(1)

# %% [markdown]
# Do they tell leavers apart? A first look, before any model: of those whose last order is equally long ago, who left in the 90 days
# that followed?

# %%
BLUE, GREY, RED = "#1f5fa8", "#8a8a8a", "#c8453b"
PERCENT = PercentFormatter(1, symbol=None)
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left"}
plt.rcParams |= {"figure.constrained_layout.use": True, "legend.frameon": False}

silent = pd.cut(features["days_since_last_purchase"], [14, 30, 60, 120, 240], right=False).rename("silent")
looking = (
    (features["looked_since"] >= 7)
    .map({True: "seen a week or more after it", False: "not seen since"})
    .rename("looking")
)
table = pd.pivot_table(pd.DataFrame({"left": left}), "left", silent, looking, aggfunc=["mean", "size"], observed=True)
axes = table["mean"].plot.bar(color=[GREY, BLUE], width=0.75, rot=0, figsize=(8, 4))
for bars, column in zip(axes.containers, table["size"], strict=True):
    axes.bar_label(bars, [f"{size:,}" for size in table["size"][column]], color=GREY)
axes.set_xticklabels([f"{each.left} to {each.right - 1}" for each in table.index])
axes.set(
    title="Who left (customers above the bars)", xlabel="Days since the last order", ylabel="Left (%)", ylim=(0, 1.15)
)
axes.yaxis.set_major_formatter(PERCENT)
axes.legend(title=None, loc="upper left")
plt.show()

# %% [markdown]
# ## The default goes first
#
# Both models will be trained as of that day, so that neither knows what came after it. With no champion in the registry,
# the default becomes it.

# %%
default = cv.train(config, as_of)
default_scores = cv.score(config, as_of)
print(f"Default: grade {default.summary['grade']}, {default.summary['grade_text']}.")

# %% [markdown]
# ## A model of your own
#
# One file: a target, features, fixed parameters, the range in which the others are searched, and the baselines that it must beat.
# An entry may be a family of the package or of yours. `[models]` puts the file in the default's place; orders, spend and the wait
# for the next purchase take the same features.

# %%
(folder / "churn.toml").write_text("""
name = "churn"
title = "Leaves: has no purchase within the horizon"
target = "churned"
objective = "binary"
features = [
  { use = "days_since_last", kind = ["purchase", "visit", "ticket"] },
  { use = "days_since_first", kind = "purchase" },
  { use = "event_count", kind = ["purchase", "visit", "ticket"], days = [30, 90, 365] },
  { use = ["gap_mean", "silence_to_gap"], kind = "purchase" },
  { use = ["amount_total", "amount_mean"], kind = "purchase", days = 365 },
  { use = "looked_since" },
  { use = "visits_an_order", days = [90, 365] },
]

[parameters]
learning_rate = 0.04
lambda_l2 = 5.0

[search]
num_leaves = { low = 4, high = 31, start = 8, log = true }
min_data_in_leaf = { low = 20, high = 300, start = 100, log = true }

[gate]
metric = "auc"
higher = true
baselines = ["recency", "last_window", "bg_nbd", "pareto_nbd"]
""")
(folder / "churnvalue.toml").write_text('models.churn = "churn.toml"\n' + CONFIGURATION)
config = cv.read_config(folder / "churnvalue.toml")
mine = cv.train(config, as_of)
print(f"Own: grade {mine.summary['grade']}, {mine.summary['grade_text']}.")

# %% [markdown]
# In production the gate stands between a challenger and its use: it must beat the baselines on the newest closed window, and not be
# worse than the champion beyond noise, on customers and a window that neither has learnt from.

# %%
print("Promoted." if mine.promoted else "Not promoted: the champion stays.")
print(*mine.summary["gate"]["reasons"], *mine.summary["gate"]["remarks"], sep="\n")

# %% [markdown]
# ## Which is better?
#
# Here we can look at the 90 days after the cutoff, which neither saw. The interval is of the same customers, drawn again and again;
# if it holds 0, the two cannot be told apart, and the smaller one is the easier to keep.

# %%
if not mine.promoted:
    cv.promote(config, "churn", mine.versions["churn"])
scores = cv.score(config, as_of, folder / "out")
actual = left.droplevel("cutoff").reindex(scores["customer_id"]).to_numpy()
recency = features["days_since_last_purchase"].droplevel("cutoff").reindex(scores["customer_id"]).to_numpy()
risk = {"own model": scores["p_churn"], "default": default_scores["p_churn"], "recency alone": recency}
difference, low, high = paired_bootstrap(auc, actual, risk["own model"], risk["default"], seed=1)
sizes = {"own model": len(mine.summary["models"]["churn"]["features"])}
sizes["default"] = len(default.summary["models"]["churn"]["features"])
print(f"Own model minus default: {difference:+.4f} AUC (95 %: {low:+.4f} to {high:+.4f}), {len(scores):,} customers.")
compared = pd.DataFrame({"AUC": {name: auc(actual, values) for name, values in risk.items()}, "features": sizes})
compared.style.format({"AUC": "{:.3f}", "features": "{:.0f}"}, na_rep="1")

# %% [markdown]
# ## What it looks at
#
# SHAP values split each prediction into what every feature added, on the log-odds scale; they add up exactly. Their mean size tells
# what the model looks at.

# %%
found = pd.DataFrame(mine.summary["models"]["churn"]["importance"]).head(12).iloc[::-1]
is_own = found["feature"].str.startswith(("looked_since", "visits_an_order"))
_, axes = plt.subplots(figsize=(9, 4.5))
axes.barh(found["text"], found["effect"], color=[RED if one else BLUE for one in is_own])
axes.set(title="What the model looks at (own features in red)", xlabel="Mean size of the effect (log-odds of leaving)")
plt.show()

# %% [markdown]
# What a feature does is seen customer by customer. `drivers` in the scores holds each customer's strongest; here all customers of
# whom the new feature was one. What it means is yours to judge: a driver is a reason of the number, not a cause of the leaving.

# %%
drivers = scores[["customer_id"]].join(scores["drivers"]).explode("drivers").dropna()
drivers = pd.concat([drivers["customer_id"], pd.DataFrame(drivers["drivers"].tolist(), index=drivers.index)], axis=1)
shown = drivers[drivers["feature"] == "looked_since"]
_, axes = plt.subplots(figsize=(8, 4))
axes.axhline(0, color=GREY, linewidth=1)
axes.scatter(shown["value"], shown["effect"], s=8, alpha=0.4, color=BLUE)
axes.set(title=f"Effect of the new feature on {len(shown):,} of {len(scores):,} customers")
axes.set(xlabel="Days from the last order to the last visit", ylabel="Effect on the log-odds of leaving")
plt.show()

# %%
customer = shown.loc[shown["effect"].abs().idxmax(), "customer_id"]
print(cv.explain_customer(customer, folder / "out"))

# %% [markdown]
# ## Into production
#
# Put the functions into a module of your own and import it before `cv.train` and `cv.score` (`pipelines/` shows where): models are
# stored with the names of their features, and a name that nobody declared is refused, not guessed. `churnvalue promote churn 1`
# goes back to the first version.
