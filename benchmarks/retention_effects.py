"""Effects of retention actions: one default configuration on Hillstrom's e-mail test and on made tests with known effects.

64,000 customers got men's, women's or no mail at random (K. Hillstrom, 2008). Models learn on four fifths and rank the fifth
they have not seen, in five different splits. A ranking is judged by doubly robust scores Γ from trees that no ranking uses: Qini
is mean[Γ · (½ - rank)], rank from 0 for the best to 1 within a fold; intervals are of paired differences, a customer one
observation. "ours" starts from the average effect ranked by history and uses individual effects only where its own
cross-fitting shows a gain; nothing is chosen on the fifth that is judged. "gate" is what was to be reached; "T-linear" and the
others are learners without shrinkage and gate. Profit of three arms: spend in two weeks less $.10 a mail, a customer of all,
when the best 10, 30, 50, 100 % are mailed; ours is the effect on visits times dollars a visit, in proportion to history. The gate
there is the best of three policies at each share, its interval that of ours alone.

With known effects, the share of the oracle's Qini: customers are real, visits drawn by known probabilities fitted to the women's
test, by one logistic model an arm ("linear") or by small trees over features and arm ("trees"), means over draws, intervals over
draws. Here customers have no value: the average effect, from which ours starts, ranks nobody. "starting from value" is ours as
above, beside history.

Some twelve learners and eighty policies of three arms had been tried on the same five splits before; that the gate decides all
actions together and that negative effects are lifted in order were chosen after seeing results there. Hillstrom's rows are no
untouched evidence; of the known effects only the truths were at hand, not the draws.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from benchmarks import retention_hillstrom as hillstrom
from benchmarks.resources import peak_mb
from benchmarks.results_table import Result, number, versions
from benchmarks.retention_hillstrom import RIVALS, Test, by_effect_then_value, within_folds
from benchmarks.runner import Part
from churnvalue.effects.learners import SSmall, TLinear
from churnvalue.effects.ranking import Estimate, gain_at, mean_of, paired, qini, uplift_at
from churnvalue.effects.shrinkage import slope

SEED, REPEATS, DRAWS = 0, 5, 5
SHARES = (0.1, 0.3, 0.5, 1.0)
CONTACT = 0.10
_QINI = {"womens": 0.0075, "mens": 0.0025}
_PROFIT = (0.172, 0.323, 0.444, 0.718)
_ORACLE = {42_693: 0.96, 10_000: 0.83}
_SURE = 1.96

Floats = npt.NDArray[np.float64]
Rankings = dict[str, list[Floats]]


def one_mail(test: Test, action: str, repeats: int) -> list[Result]:
    """Return Qini, uplift at 30 %, gains and the slope of one mail's effect on visits."""
    start = time.perf_counter()
    code = hillstrom.ARMS.index(action)
    test = test.of((test.arm == 0) | (test.arm == code))
    means = hillstrom.arm_scores(test, test.visit)
    effect, n = means[:, code] - means[:, 0], len(test.arm)
    rankings: Rankings = {}
    slopes: dict[str, list[Estimate]] = {"gated": [], "individual": []}
    negative, passed = 0, 0
    for repeat in range(repeats):
        found: dict[str, Floats] = {}
        fold = np.zeros(n, dtype=np.int64)
        for one, (learn, judge) in enumerate(hillstrom.splits(test, repeat)):
            fold[judge] = one
            known, unseen = test.of(learn), test.of(judge)
            model = hillstrom.ours(known, (action,))
            said = model.predict(unseen.X).stay[:, 0]
            passed += model.verdict_.individual
            negative += int((said < 0).sum())
            shrunk = model.average_[0].value + model.believed_[0] * (
                model.model_.predict(unseen.X)[:, 0] - model.centre_[0]
            )
            made = {"ours": by_effect_then_value(said, unseen.history), "gated": said, "individual": shrunk}
            made |= {name: rival(known, unseen.X) for name, rival in RIVALS.items()}
            forest = hillstrom.causal_forest(known, unseen.X)
            made |= {} if forest is None else {"causal forest": forest}
            risk = TLinear().fit(known.X, np.sign(known.arm), known.visit).models_[0].predict(unseen.X)
            made |= {"churn risk": -risk, **hillstrom.rules(unseen, action)}
            made["random"] = np.zeros(len(judge))
            for name, score in made.items():
                found.setdefault(name, np.zeros(n))[judge] = score
        for name in slopes:
            slopes[name].append(slope(found[name], effect, fold, np.arange(n, dtype=np.uint64)))
        for name, score in found.items():
            rankings.setdefault(name, []).append(within_folds(score, fold))
    del rankings["gated"], rankings["individual"]
    claim = f"Hillstrom, {action} mail, visits"
    data = f"{n:,} customers, average effect {effect.mean():.4f}, {repeats} × {hillstrom.FOLDS} folds"
    forest_note = "" if "causal forest" in rankings else "; EconML is not installed: no causal forest"
    note = f"individual effects used in {passed} of {repeats * hillstrom.FOLDS} fits{forest_note}"
    results = _against(claim, data, "Qini", {k: [qini(s, effect) for s in v] for k, v in rankings.items()}, note)
    ours = next(r.ours for r in results)
    results.append(Result(claim, data, "Qini", ours, _QINI[action], "gate", "higher"))
    for share in (0.1, 0.3, 0.5):
        gains = {k: [gain_at(s, effect, share) for s in v] for k, v in rankings.items()}
        results += _against(claim, data, f"gain at {share:.0%}", gains, "")
    for name in rankings:
        if name != "ours":
            pair = [float(np.mean([uplift_at(s, effect, 0.3).value for s in rankings[one]])) for one in ("ours", name)]
            results.append(Result(claim, data, "uplift at 30%", pair[0], pair[1], name, "higher"))
    for name, words in (("gated", "as used"), ("individual", "before the gate")):
        value = float(np.mean([one.value for one in slopes[name]]))
        error = float(np.mean([one.se for one in slopes[name]]))
        varied = name == "individual" or passed
        off = number(abs(value - 1) if varied else None)
        note = f"slope {value:.2f} ± {error:.2f}" if varied else "everybody gets the average: no slope"
        results.append(Result(claim, data, f"slope off 1, {words}", off, 0.2, "gate", "lower", note=note))
    share = negative / (n * repeats)
    results.append(Result(claim, data, "share called harmed", share, 0.0, "gate", "lower"))
    return _finished(results, time.perf_counter() - start)


def three_arms(test: Test, repeats: int) -> list[Result]:
    """Return the profit of choosing mail and customers, at shares of customers mailed."""
    start = time.perf_counter()
    means = hillstrom.arm_scores(test, test.spend)
    profit, n = means[:, 1:] - means[:, [0]] - CONTACT, len(test.arm)
    gains: dict[tuple[str, float], list[Floats]] = {}
    passed = 0
    for repeat in range(repeats):
        fold = np.zeros(n, dtype=np.int64)
        found: dict[str, Floats] = {}
        for one, (learn, judge) in enumerate(hillstrom.splits(test, repeat)):
            fold[judge] = one
            known, unseen = test.of(learn), test.of(judge)
            visit_value = known.spend[known.visit == 1].mean()
            relative = unseen.history / known.history.mean()
            value = (visit_value * relative)[:, None]
            model = hillstrom.ours(known, hillstrom.ARMS[1:])
            passed += model.verdict_.individual
            spent = [known.spend[known.arm == arm].mean() for arm in range(3)]
            average = np.array(spent[1:]) - spent[0]
            made = {
                "ours": model.predict(unseen.X).stay * value - CONTACT,
                "all men's mail": np.tile([1.0, 0.0], (len(judge), 1)),
                "history × average effect": average * relative[:, None] - CONTACT,
                "T-linear visits × $ a visit": TLinear().fit(known.X, known.arm, known.visit).predict(unseen.X)
                * visit_value,
                "S small, spend": SSmall().fit(known.X, known.arm, known.spend).predict(unseen.X),
            }
            for name, worth in made.items():
                found.setdefault(name, np.zeros((n, 2)))[judge] = worth
        for name, worth in found.items():
            best = worth.argmax(axis=1)
            score = within_folds(worth.max(axis=1), fold)
            for share in SHARES:
                gains.setdefault((name, share), []).append(gain_at(score, profit[np.arange(n), best], share))
    claim = "Hillstrom, three arms, profit a customer"
    data = f"{n:,} customers, spend less $.10 a mail, {repeats} × {hillstrom.FOLDS} folds"
    results = []
    for share, target in zip(SHARES, _PROFIT, strict=True):
        metric = f"$ at {share:.0%}"
        at = {name: each for (name, where), each in gains.items() if where == share}
        note = f"individual effects used in {passed} of {repeats * hillstrom.FOLDS} fits"
        rows = _against(claim, data, metric, at, note)
        ours = mean_of(np.mean(at["ours"], axis=0))
        low, high = ours.value - target - _SURE * ours.se, ours.value - target + _SURE * ours.se
        results += [*rows, Result(claim, data, metric, ours.value, target, "gate", "higher", low, high)]
    return _finished(results, time.perf_counter() - start)


def known_effects(test: Test, draws: int) -> list[Result]:
    """Return the share of the oracle's Qini where effects are known, learning from 42,693 and from 10,000 customers."""
    start = time.perf_counter()
    test = test.of(test.arm != 1)
    results = []
    for kind in ("linear", "trees"):
        without, both = hillstrom.known(test, kind)
        effect = both - without
        best = qini(effect, effect).mean()
        for customers, target in _ORACLE.items():
            shares: dict[str, list[float]] = {}
            passed = 0
            count = draws if customers > 20_000 else 2 * draws
            for seed in range(count):
                made = hillstrom.drawn(test, without, both, customers, seed)
                model = hillstrom.ours(made.test, ("womens",), by_value=False)
                passed += model.verdict_.individual
                scores = {"ours": model.predict(test.X).stay[:, 0]}
                valued = hillstrom.ours(made.test, ("womens",))
                said = valued.predict(test.X).stay[:, 0]
                scores["ours, starting from value"] = by_effect_then_value(said, test.history)
                scores |= {name: rival(made.test, test.X) for name, rival in RIVALS.items()}
                for name, score in scores.items():
                    shares.setdefault(name, []).append(float(qini(score, effect).mean() / best))
            claim = f"Known effects ({kind}), {customers:,} customers"
            data = f"{count} draws; the oracle's Qini is {best:.4f}"
            metric = "share of the oracle's Qini"
            each = {name: [np.array(found)] for name, found in shares.items()}
            spread = mean_of(np.array(shares["ours"]))
            note = f"± {spread.se:.3f} over draws; individual effects used in {passed} of {count}"
            results += _against(claim, data, metric, each, note)
            results.append(Result(claim, data, metric, spread.value, target, "gate", "higher"))
    return _finished(results, time.perf_counter() - start)


def cost(test: Test, times: int) -> list[Result]:
    """Return CPU seconds of one fit on four fifths of the women's test."""
    start = time.perf_counter()
    test = test.of(test.arm != 1)
    learn, _ = next(hillstrom.splits(test, 0))
    known = test.of(learn)
    claim, data = "Time of a fit, one thread", f"{len(learn):,} customers"

    def linear() -> object:
        return TLinear().fit(known.X, np.sign(known.arm), known.visit)

    def gated() -> object:
        return hillstrom.ours(known, ("womens",))

    results = []
    for metric, allowed, fit in (("T-linear, CPU s", 0.1, linear), ("ours with all cross-fitting, CPU s", None, gated)):
        seconds = []
        for _ in range(times):
            began = time.process_time()
            fit()
            seconds.append(time.process_time() - began)
        note = f"median of {times}: {', '.join(f'{s:.3f}' for s in seconds)}"
        results.append(Result(claim, data, metric, float(np.median(seconds)), allowed, "gate", "lower", note=note))
    return _finished(results, time.perf_counter() - start)


def _against(
    claim: str, data: str, metric: str, contributions: Mapping[str, Sequence[Floats]], note: str
) -> list[Result]:
    """Return ours against each rival, with the paired interval over customers; contributions are averaged over repeats."""
    means = {name: np.mean(each, axis=0) for name, each in contributions.items()}
    ours = mean_of(means.pop("ours"))
    results = []
    for name, theirs in means.items():
        apart = paired(np.mean(contributions["ours"], axis=0), theirs)
        low, high = (number(apart.value + sign * _SURE * apart.se) for sign in (-1, 1))
        error = f"standard error {ours.se:.2g}"
        told = f"{error}; {note}" if note else error
        results.append(
            Result(claim, data, metric, ours.value, float(theirs.mean()), name, "higher", low, high, note=told)
        )
    return results


def _finished(results: list[Result], seconds: float) -> list[Result]:
    used, memory = versions(), round(peak_mb())
    return [replace(r, seconds=round(seconds), peak_mb=memory, versions=used, seed=SEED) for r in results]


def _part(claims: Callable[[Test, bool], list[Result]]) -> Part:
    return lambda data, quick: claims(hillstrom.load(data), quick)


PARTS: dict[str, Part] = {
    "womens": _part(lambda test, quick: one_mail(test, "womens", 1 if quick else REPEATS)),
    "mens": _part(lambda test, quick: one_mail(test, "mens", 1 if quick else REPEATS)),
    "three": _part(lambda test, quick: three_arms(test, 1 if quick else REPEATS)),
    "known": _part(lambda test, quick: known_effects(test, 2 if quick else DRAWS)),
    "cost": _part(lambda test, quick: cost(test, 1 if quick else REPEATS)),
}
