"""The compiled walk over customers: the best hours of each at given prices, and the repair of hours too full.

Types are those of ``SendProblem``. A customer with one message takes the best candidate; one with several takes the best
sequence that keeps caps and gaps, found by dynamic programming over hours and sets of messages sent.
"""

import numba
import numpy as np

NONE = -1


@numba.njit(cache=True)
def respond(problem, first, prices, choice, load):  # type: ignore[no-untyped-def]
    """Fill each row's ``choice`` at ``prices`` and the ``load`` of resources; return the sum of net values.

    ``first`` holds the customers to walk through: their numbers among all.
    """
    load[:] = 0.0
    total = 0.0
    bits = 1
    for i in first:
        bits = max(bits, problem.first[i + 1] - problem.first[i])
    best = np.empty((problem.at.shape[1] + 1, 1 << bits))
    back = np.empty((problem.at.shape[1] + 1, 1 << bits), np.int64)
    for i in first:
        start, end = problem.first[i], problem.first[i + 1]
        if end - start == 1:
            found, value = _best(problem, start, prices)
            choice[start] = found
            total += value
        else:
            total += _sequence(problem, i, prices, best, back, choice)
        for row in range(start, end):
            if choice[row] != NONE:
                load[problem.resource[problem.calendar[row], choice[row]]] += 1.0
    return total


@numba.njit(cache=True, inline="always")
def _best(problem, row, prices):  # type: ignore[no-untyped-def]
    """The candidate of a row that is worth most beyond its price, the earliest of equals; none if it is not above 0."""
    found, value = NONE, 0.0
    net, resource = problem.net[row], problem.resource[problem.calendar[row]]
    for j in range(len(net)):
        worth = net[j] - prices[resource[j]]
        if worth > value:
            found, value = j, worth
    return found, value


@numba.njit(cache=True)
def _sequence(problem, i, prices, best, back, choice):  # type: ignore[no-untyped-def]
    """The best hours of several messages; ``best[b, sent]`` is the value of having sent a set before hour ``b``."""
    net, at, resource, calendar, reach = problem.net, problem.at, problem.resource, problem.calendar, problem.reach
    start, end, zone = problem.first[i], problem.first[i + 1], problem.zone[i]
    hours, sets = at.shape[1], 1 << (end - start)
    best[0, :sets] = -np.inf
    best[0, 0] = 0.0
    for b in range(hours):
        for sent in range(sets):
            best[b + 1, sent], back[b + 1, sent] = best[b, sent], NONE
        before = reach[zone, b] + 1
        for row in range(start, end):
            j = at[calendar[row], b]
            if j < 0:
                continue
            worth = net[row, j] - prices[resource[calendar[row], j]]
            if worth <= 0.0:  # leaving it out is never worse: the others only get freer
                continue
            bit = 1 << (row - start)
            for sent in range(sets):
                # Fatigue only adds to what is lost, so what does not pay without it need not be counted out.
                if sent & bit or best[before, sent] + worth <= best[b + 1, sent | bit]:
                    continue
                others, same = _count(problem, start, end, sent, problem.channel[row])
                if not _within_caps(problem, row, j, others, same):
                    continue
                value = best[before, sent] + worth - _more_fatigue(problem, i, problem.recent[row, j], others)
                if value > best[b + 1, sent | bit]:
                    best[b + 1, sent | bit], back[b + 1, sent | bit] = value, row
    found, sent = 0.0, 0
    for some in range(sets):
        if best[hours, some] > found:
            found, sent = best[hours, some], some
    choice[start:end] = NONE
    b = hours
    while sent:
        while back[b, sent] == NONE:
            b -= 1
        row = back[b, sent]
        choice[row] = problem.at[problem.calendar[row], b - 1]
        sent ^= 1 << (row - start)
        b = problem.reach[problem.zone[i], b - 1] + 1
    return found


@numba.njit(cache=True, inline="always")
def _count(problem, start, end, sent, channel):  # type: ignore[no-untyped-def]
    """How many messages of a set there are, and how many on a channel."""
    others, same = 0, 0
    for row in range(start, end):
        if sent >> (row - start) & 1:
            others += 1
            same += problem.channel[row] == channel
    return others, same


@numba.njit(cache=True, inline="always")
def _within_caps(problem, row, j, others, same):  # type: ignore[no-untyped-def]
    """Whether a send keeps the caps, given how many of this plan go out before it."""
    total = problem.recent[row, j] + others < problem.max_per_week
    return total and problem.recent_channel[row, j] + same < problem.channel_cap[problem.channel[row]]


@numba.njit(cache=True, inline="always")
def _more_fatigue(problem, i, recent, others):  # type: ignore[no-untyped-def]
    """What a send costs in fatigue beyond what its net value holds, after ``others`` of this plan."""
    last = len(problem.fatigue) - 1
    return problem.at_risk[i] * (problem.fatigue[min(recent + others, last)] - problem.fatigue[min(recent, last)])


@numba.njit(cache=True)
def worth_of(problem, i, choice):  # type: ignore[no-untyped-def]
    """Net value of what a customer is given, without prices; minus infinity if it breaks a cap or a gap."""
    start, end = problem.first[i], problem.first[i + 1]
    total = 0.0
    for row in range(start, end):
        if choice[row] == NONE:
            continue
        here = problem.bucket[problem.calendar[row], choice[row]]
        others, same = 0, 0
        for other in range(start, end):
            if other == row or choice[other] == NONE:
                continue
            there = problem.bucket[problem.calendar[other], choice[other]]
            early, late = min(here, there), max(here, there)
            if problem.reach[problem.zone[i], late] < early:
                return -np.inf
            if there < here or (there == here and other < row):
                others += 1
                same += problem.channel[other] == problem.channel[row]
        if not _within_caps(problem, row, choice[row], others, same):
            return -np.inf
        total += problem.net[row, choice[row]] - _more_fatigue(problem, i, problem.recent[row, choice[row]], others)
    return total


@numba.njit(cache=True)
def total_worth(problem, choice):  # type: ignore[no-untyped-def]
    """Net value of a plan, without prices."""
    total = 0.0
    for i in range(len(problem.first) - 1):
        total += worth_of(problem, i, choice)
    return total


@numba.njit(cache=True)
def _move(problem, i, row, choice, prices, room):  # type: ignore[no-untyped-def]
    """The best candidate of a row among hours with room, all else of the customer as it is; none counts as 0 more."""
    kept = choice[row]
    choice[row] = NONE
    found, value = NONE, worth_of(problem, i, choice)
    alone = problem.first[i + 1] - problem.first[i] == 1
    resource = problem.resource[problem.calendar[row]]
    for j in range(problem.net.shape[1]):
        if problem.net[row, j] == -np.inf or (j != kept and room[resource[j]] < 1):
            continue
        if alone:
            worth = np.float64(problem.net[row, j])
        else:
            choice[row] = j
            worth = worth_of(problem, i, choice)
        if worth - prices[resource[j]] > value:
            found, value = j, worth - prices[resource[j]]
    choice[row] = kept
    return found, value


@numba.njit(cache=True)
def regrets(problem, owner, choice, prices, room, regret):  # type: ignore[no-untyped-def]
    """Fill what each row in an hour too full would lose by leaving it at ``prices``; infinity for the others."""
    for row in range(len(choice)):
        regret[row] = np.inf
        if choice[row] == NONE:
            continue
        place = problem.resource[problem.calendar[row], choice[row]]
        if room[place] >= 0:
            continue
        now = worth_of(problem, owner[row], choice) - prices[place]
        kept = choice[row]
        choice[row] = NONE
        _, value = _move(problem, owner[row], row, choice, prices, room)
        choice[row] = kept
        regret[row] = now - value


@numba.njit(cache=True)
def release(problem, order, choice, room):  # type: ignore[no-untyped-def]
    """Take rows out of hours too full, in order, until none is."""
    for row in order:
        place = problem.resource[problem.calendar[row], choice[row]]
        if room[place] < 0:
            choice[row] = NONE
            room[place] += 1


@numba.njit(cache=True)
def improve(problem, owner, order, choice, prices, room):  # type: ignore[no-untyped-def]
    """Move rows, in order, to the best hour with room; return how many moved."""
    moved = 0
    for row in order:
        found, _ = _move(problem, owner[row], row, choice, prices, room)
        if found != choice[row]:
            if choice[row] != NONE:
                room[problem.resource[problem.calendar[row], choice[row]]] += 1
            if found != NONE:
                room[problem.resource[problem.calendar[row], found]] -= 1
            choice[row] = found
            moved += 1
    return moved


@numba.njit(cache=True)
def weigh_past(owner, channel, calendar, times, past_first, past_time, past_channel, gap, week, near, recent, same):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Fill, for every row and candidate, whether another send is nearer than ``gap`` and how many lie within a week."""
    for row in range(len(owner)):
        for p in range(past_first[owner[row]], past_first[owner[row] + 1]):
            for j in range(times.shape[1]):
                apart = abs(times[calendar[row], j] - past_time[p])
                if apart < gap:
                    near[row, j] = True
                if apart < week:
                    recent[row, j] += 1
                    same[row, j] += past_channel[p] == channel[row]
