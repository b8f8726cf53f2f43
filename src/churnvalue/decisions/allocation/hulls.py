"""The compiled kernels of one budget: each customer's upper hull of profit over cost, walked step by step.

A step moves a customer from one option to the next better; its efficiency is the profit it adds for each unit of money.
Efficiencies of one customer fall along the hull, so a price of money cuts every hull at one place. Options are compared
exactly; only sums over customers are kept by bins of efficiency, each 1/1024 of an octave wide.
"""

import numba
import numpy as np

BINS = 1 << 16
_ROUNDS, _ROUNDING = 3, 1.0 - 1e-9
COST, PROFIT, CUSTOMERS, COST_REST, PROFIT_REST, STEPS = range(6)  # columns of the histogram
# The leading 12 + 10 bits of a double order it by octave and place in the octave; 64 octaves are told apart.
_SHIFT = 42
_LOWEST = (1023 - 24) << 10


@numba.njit(cache=True, inline="always")
def _bin(efficiency):  # type: ignore[no-untyped-def]
    place = (np.float64(efficiency).view(np.int64) >> _SHIFT) - _LOWEST
    return min(max(place, 0), BINS - 1)


@numba.njit(cache=True, inline="always")
def _hull(profit, cost, i, j_cost, ceiling, x, y, option):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Fill cost ``x``, profit ``y`` and ``option`` of the hull's corners, doing nothing first; return how many follow.

    Of the customer in row ``i`` of profit and ``j_cost`` of cost.
    """
    k = 0
    for a in range(profit.shape[1]):
        p = np.float64(profit[i, a])
        c = np.float64(cost[j_cost, a])
        if p > 0.0 and c <= ceiling:
            j = k
            while j > 0 and (x[j] > c or (x[j] == c and y[j] < p)):
                x[j + 1] = x[j]
                y[j + 1] = y[j]
                option[j + 1] = option[j]
                j -= 1
            x[j + 1] = c
            y[j + 1] = p
            option[j + 1] = a
            k += 1
    m = 0
    for t in range(1, k + 1):
        if y[t] > y[m]:
            while m > 0 and (y[t] - y[m]) * (x[m] - x[m - 1]) >= (y[m] - y[m - 1]) * (x[t] - x[m]):
                m -= 1
            m += 1
            x[m] = x[t]
            y[m] = y[t]
            option[m] = option[t]
    return m


@numba.njit(cache=True, inline="always")
def _corners(options):  # type: ignore[no-untyped-def]
    x, y, option = np.zeros(options + 1), np.zeros(options + 1), np.empty(options + 1, np.int16)
    option[0] = -1
    return x, y, option


@numba.njit(cache=True, inline="always")
def _add(row, at, rest, value):  # type: ignore[no-untyped-def]
    """Add and keep what rounding loses (Knuth 1969), so that sums do not depend on the order of rows."""
    total = row[at] + value
    part = total - row[at]
    row[rest] += (row[at] - (total - part)) + (value - part)
    row[at] = total


@numba.njit(cache=True, nogil=True)
def spread(profit, cost, charged, ceiling, histogram):  # type: ignore[no-untyped-def]
    """Add every step to ``histogram``, money of charged customers only; return the dearest worthwhile option and what is not valid.

    Profit (n, A); cost (n, A), or (1, A) where all customers cost the same. Options above ``ceiling`` do not exist.
    """
    x, y, option = _corners(profit.shape[1])
    each = 1 if len(cost) > 1 else 0
    dearest, invalid = 0.0, 0
    for i in range(len(profit)):
        for a in range(profit.shape[1]):
            p, c = profit[i, a], cost[i * each, a]
            invalid += not (p < np.inf and 0.0 <= c < np.inf)
            if p > 0.0:
                dearest = max(dearest, np.float64(c))
        efficiency = np.inf
        for t in range(1, _hull(profit, cost, i, i * each, ceiling, x, y, option) + 1):
            extra, gain = x[t] - x[t - 1], y[t] - y[t - 1]
            # Rounding must not let a customer's second step overtake the first.
            efficiency = min(efficiency, gain / extra) if extra > 0.0 else efficiency
            row = histogram[_bin(efficiency)]
            row[STEPS] += 1.0
            if charged[i]:
                _add(row, COST, COST_REST, extra)
                _add(row, PROFIT, PROFIT_REST, gain)
                row[CUSTOMERS] += t == 1
    return dearest, invalid


@numba.njit(cache=True, nogil=True)
def joined(one, other):  # type: ignore[no-untyped-def]
    """Return two histograms as one, as if their steps had been added to it one by one."""
    both = one.copy()
    for place in range(len(both)):
        row = both[place]
        _add(row, COST, COST_REST, other[place, COST])
        _add(row, PROFIT, PROFIT_REST, other[place, PROFIT])
        row[COST_REST] += other[place, COST_REST]
        row[PROFIT_REST] += other[place, PROFIT_REST]
        row[CUSTOMERS] += other[place, CUSTOMERS]
        row[STEPS] += other[place, STEPS]
    return both


@numba.njit(cache=True, nogil=True)
def cut(profit, cost, ceiling, low, high, choice, places, numbers):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Set ``choice`` to the option reached by steps above bin ``high``; return how many steps bins low to high hold.

    They fill ``places`` (row, old option, new option) and ``numbers`` (extra cost, gain, efficiency).
    """
    x, y, option = _corners(profit.shape[1])
    each = 1 if len(cost) > 1 else 0
    found = 0
    for i in range(len(profit)):
        efficiency, taken = np.inf, 0
        for t in range(1, _hull(profit, cost, i, i * each, ceiling, x, y, option) + 1):
            extra, gain = x[t] - x[t - 1], y[t] - y[t - 1]
            efficiency = min(efficiency, gain / extra) if extra > 0.0 else efficiency
            place = _bin(efficiency)
            if place > high:
                taken = t
            elif place >= low:
                places[found, 0], places[found, 1], places[found, 2] = i, option[t - 1], option[t]
                numbers[found, 0], numbers[found, 1], numbers[found, 2] = extra, gain, efficiency
                found += 1
        choice[i] = option[taken]
    return found


@numba.njit(cache=True, nogil=True)
def best_moves(profit, cost, charged, choice, money, efficiency):  # type: ignore[no-untyped-def]
    """Fill ``efficiency`` of each charged customer's best move that ``money`` buys; 0 where there is none."""
    each = 1 if len(cost) > 1 else 0
    for i in range(len(profit)):
        efficiency[i] = 0.0
        if not charged[i]:
            continue
        now = choice[i]
        have = profit[i, now] if now >= 0 else 0.0
        paid = cost[i * each, now] if now >= 0 else 0.0
        for a in range(profit.shape[1]):
            gain = np.float64(profit[i, a]) - have
            extra = np.float64(cost[i * each, a]) - paid
            if gain > 0.0 and extra <= money:
                efficiency[i] = max(efficiency[i], gain / extra if extra > 0.0 else np.inf)


@numba.njit(cache=True, nogil=True)
def walk(places, numbers, money, now):  # type: ignore[no-untyped-def]
    """Take steps in this order as money still holds them; return cost, profit, customers and the price of money.

    The price is the efficiency of the first step that money does not hold. ``now`` (customers,), where each stands, is changed.
    """
    spent, earned, customers, price = 0.0, 0.0, 0.0, 0.0
    for s in range(len(places)):
        row, old, new = places[s]
        if now[row] != old:
            continue
        if spent + numbers[s, 0] > money:
            if price == 0.0:
                price = numbers[s, 2]
            continue
        now[row] = new
        spent += numbers[s, 0]
        earned += numbers[s, 1]
        customers += old < 0
    return spent, earned, customers, price


@numba.njit(cache=True, nogil=True)
def walk_within(places, efficiency, options, uses, money, room, now):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Take steps in this order as money and room still hold them; return cost, profit, customers and the price of money.

    Each step leads from whatever the customer has by now to its new option or, where that has no room left, to the best other
    that costs no more and is worth its money. Two more rounds spend what is left, as who went on has left room behind.
    ``options``: profit, cost and net worth (customers, options), and the options of each customer in the order in which they
    are tried; ``uses`` (options, resources). ``room`` (resources,) and ``now`` (customers,), where each stands, are changed.
    """
    profit, cost, net, others = options
    spent, earned, customers, price = 0.0, 0.0, 0.0, 0.0
    for turn in range(_ROUNDS * len(places)):
        s = turn % len(places)
        row, _, aim = places[s]
        least = efficiency[s] if turn < len(places) else 0.0
        old = now[row]
        paid = cost[row, old] if old >= 0 else 0.0
        have = net[row, old] if old >= 0 else 0.0
        if net[row, aim] <= have:
            continue  # nor is anything cheaper worth more: the aim is on the hull
        for t in range(-1, others.shape[1]):
            new = aim if t < 0 else others[row, t]
            extra = cost[row, new] - paid
            fits = net[row, new] > have and cost[row, new] <= cost[row, aim]
            fits &= extra <= 0.0 or net[row, new] - have >= least * extra * _ROUNDING
            for r in range(len(room)):
                if not fits:
                    break
                fits = room[r] >= uses[new, r] - (uses[old, r] if old >= 0 else 0.0)
            if not fits:
                continue
            if spent + extra > money:
                if price == 0.0:
                    price = efficiency[s]
                break
            for r in range(len(room)):
                room[r] -= uses[new, r] - (uses[old, r] if old >= 0 else 0.0)
            now[row] = new
            spent += extra
            earned += profit[row, new] - (profit[row, old] if old >= 0 else 0.0)
            customers += old < 0
            break
    return spent, earned, customers, price
