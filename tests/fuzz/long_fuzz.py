"""Ten thousand inputs, each within a time limit: what came of them is counted; a fault is shown with the seed that makes it again.

``python tests/fuzz/long_fuzz.py [--inputs 10000] [--seed 0] [--limit 30]``; ends with 1 if there was any fault. The inputs are
tried in a process of their own, so that one which hangs or brings the process down is counted like any other.
"""

import argparse
import logging
import multiprocessing as mp
import sys
import tempfile
import time
import warnings
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

SHARES = {"sound log": 0.2, "odd log": 0.2, "broken file": 0.3, "odd configuration": 0.2, "broken configuration": 0.1}
FAULTS = ("traceback", "wrong number", "error of many lines", "hang", "crash")
MOST_SHOWN = 20
STARTING_SECONDS = 120.0  # libraries are imported and their first query compiled


def work(pipe: Connection) -> None:
    """Try every input that comes through the pipe, and answer with outcome and details."""
    from trial_of_inputs import attempt, make

    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        attempt(make("sound log", Random(0)), Path(folder))
        pipe.send(("ready", ""))
        while True:
            kind, seed = pipe.recv()
            for left in Path(folder).iterdir():
                left.unlink()
            result = attempt(make(kind, Random(seed)), Path(folder))
            pipe.send((result.outcome, result.details))


class Worker:
    """A process that tries inputs; a new one takes its place once it hangs or has died."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._start()

    def _start(self) -> None:
        self._pipe, theirs = mp.Pipe()
        self._process = mp.get_context("spawn").Process(target=work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        if not self._pipe.poll(STARTING_SECONDS) or self._pipe.recv()[0] != "ready":
            raise RuntimeError("the process that tries the inputs must start, but does not")

    def attempt(self, kind: str, seed: int) -> tuple[str, str]:
        """Return outcome and details of an input."""
        self._pipe.send((kind, seed))
        try:
            if self._pipe.poll(self._limit):
                outcome, details = self._pipe.recv()
                return str(outcome), str(details)
            outcome, details = "hang", f"no answer within {self._limit:g} s"
        except EOFError:
            self._process.join()
            outcome, details = "crash", f"the process ended with {self._process.exitcode}"
        self.stop()
        self._start()
        return outcome, details

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def main() -> int:
    """Try inputs, print the table of outcomes and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first input; the others follow")
    parser.add_argument("--limit", type=float, default=30.0, help="seconds an input may take")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a fault is worth seeing at once
    counts: Counter[tuple[str, str]] = Counter()
    started, worker = time.monotonic(), Worker(options.limit)
    for kind, share in SHARES.items():
        for seed in range(options.seed, options.seed + round(share * options.inputs)):
            outcome, details = worker.attempt(kind, seed)
            counts[kind, outcome] += 1
            if outcome in FAULTS and sum(counts[k, o] for k, o in counts if o in FAULTS) <= MOST_SHOWN:
                sys.stdout.write(f"{outcome} of {kind} {seed}: {details}\n")
    worker.stop()
    columns = ("success", "named error", *FAULTS)
    sys.stdout.write(f"{'':22}{'inputs':>9}" + "".join(f"{name:>21}" for name in columns) + "\n")
    for kind in (*SHARES, "all"):
        row = [sum(n for (k, o), n in counts.items() if kind in (k, "all") and o == name) for name in columns]
        sys.stdout.write(f"{kind:22}{sum(row):>9}" + "".join(f"{number:>21}" for number in row) + "\n")
    sys.stdout.write(f"{time.monotonic() - started:.0f} s\n")
    return int(any(outcome in FAULTS for _, outcome in counts))


if __name__ == "__main__":
    sys.exit(main())
