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
# # An experiment, from its size to what it changes
#
# Who is likely to leave is not who can be kept. What a voucher changes is learnt by giving it to some, drawn at random, and
# not to others. Here a simulated shop runs one experiment; since it is simulated, the truth is known and everything that is
# learnt can be held against it.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.ticker import PercentFormatter

import churnvalue as cv
from churnvalue.simulate import Shop, simulate_log

workplace = tempfile.TemporaryDirectory()  # gone when the notebook ends
folder = Path(workplace.name)

# %% [markdown]
# ## How many customers does it take?
#
# If 40 % come back within 90 days by themselves, how many must get the voucher, and as many not, to see a change of so many
# points with a probability of 80 %? Half the effect needs four times the customers.

# %%
points = pd.Series([1, 2, 3, 5, 8], name="points")
needed = [cv.size_experiment(one / 100, base_rate=0.4).treated for one in points]
pd.DataFrame({"change of staying, points": points, "customers an arm": needed}).style.hide().format(thousands=",")

# %% [markdown]
# ## The shop and its experiment
#
# The voucher keeps some and drives others away. Offers are events of the log like all others: their category is the arm, their
# campaign the experiment.

# %%
simulated = simulate_log(customers=3000, days=480, seed=5, shop=Shop(voucher_strength=4.0))
simulated.events.to_parquet(folder / "events.parquet")
offers = simulated.events.query("kind == 'offer'")
offers.groupby(["campaign", "category"]).agg(customers=("customer_id", "size"), day=("event_time", "min"))

# %%
(folder / "churnvalue.toml").write_text("""
project = "an-experiment"
training = { trials = 1, cutoffs = 5 }
retention.holdout = 0.2
[[events]]
source = "events.parquet"
kind = { column = "kind" }
[events.columns]
known_at = "known_at"
order_id = "order_id"
amount = "amount"
category = "category"
channel = "channel"
campaign = "campaign"
[contacts]
kind = "offer"
propensity = { control = 0.5, voucher = 0.5 }
[[retention.actions]]
id = "voucher"
contact_cost = 0.05
incentive = 5.0
redemption = 0.3
save_rate = [4, 16]
""")
config = cv.read_config(folder / "churnvalue.toml")
training = cv.train(config)
print(f"Grade {training.summary['grade']}: {training.summary['grade_text']}.")

# %% [markdown]
# ## What the plan learnt
#
# The plan finds the experiment, compares the arms with the noise of single customers taken out, and pools the average with what
# had been assumed, by precision. Customers get effects of their own only if those are shown to rank better than the average.

# %%
scores = cv.score(config, out=folder / "now")
planned = cv.plan(config, folder / "now", folder / "now")
print(*planned.notes[:4], sep="\n\n")

# %% [markdown]
# The truth, which no real shop knows: by how much the voucher raised each customer's chance to be a customer still, 90 days
# later. Many were gone already. The plan speaks of buying within 90 days, which not every customer does who is still one, so it
# must expect less; and it believes a noisy difference only in part.

# %%
BLUE, GREY, RED = "#1f5fa8", "#8a8a8a", "#c8453b"
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left"}
plt.rcParams |= {"figure.constrained_layout.use": True, "legend.frameon": False}

truth = simulated.customers.dropna(subset="propensity")
expected = planned.plan.loc[planned.plan["planned_action"] == "voucher", "p_stay_change"].mean()
_, axes = plt.subplots(figsize=(7, 4))
axes.hist(truth["effect"], bins=40, color=BLUE)
axes.axvline(truth["effect"].mean(), color=RED, label=f"true average {truth['effect'].mean():+.1%}")
axes.axvline(expected, color=GREY, linestyle="--", label=f"expected of those planned {expected:+.1%}")
axes.set(title="What the voucher truly changes", xlabel="Change of the chance to stay (%)", ylabel="Customers")
axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=None))
axes.legend()
plt.show()

# %% [markdown]
# ## Measuring a plan
#
# A plan of four months ago, made without knowing what came after it, stands beside what then happened. Nobody carried it out:
# in this shop no voucher was sent after the experiment. So it is a test of the measurement itself: its interval should hold 0,
# whatever was promised.

# %%
as_of = f"{simulated.end - pd.Timedelta(days=120):%Y-%m-%d}"
cv.score(config, as_of, folder / "then")
cv.plan(config, folder / "then", folder / "then")
measured = cv.measure(config, folder / "then", out=folder / "then")
print(measured.verdict)

# %%
whole = measured.value.whole
bars = pd.Series({"promised": 100 * whole.promised_stay, "measured": 100 * whole.stay.value})
_, axes = plt.subplots(figsize=(6, 3.5))
axes.bar(bars.index, bars, color=[GREY, BLUE], width=0.5)
axes.vlines(1, 100 * whole.stay.low, 100 * whole.stay.high, color="black")
axes.axhline(0, color=GREY, linewidth=1)
axes.set(title="Planned vouchers against their hold-out", ylabel="Change of staying (points)")
plt.show()

# %% [markdown]
# ## What the next plan learns
#
# A plan that was carried out teaches the next one: its effects are multiplied by what was measured, as far as that is precise
# (`churnvalue plan --measured DIR`). This one was not, which the contacts in the log tell:

# %%
print(f"Learns from it: {measured.teaches}. {measured.no_lesson}")
