"""Learn from everything known, judge, register, and promote if the gate holds.

Exit code: 0 promoted, 1 error, 2 usage, 3 not promoted: the champions stay. Silent when all went well.
"""

import argparse
from pathlib import Path

import churnvalue as cv
from churnvalue.errors import ChurnvalueError

ERROR, NOT_PROMOTED = 1, 3


def main() -> None:
    """Train with the configuration named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("churnvalue.toml"), help="the configuration")
    parser.add_argument("--as-of", help="read nothing known from this day's 00:00 UTC on, such as 2011-09-01")
    parser.add_argument("--out", type=Path, help="folder of train.json; beside the configuration by default")
    options = parser.parse_args()
    try:
        training = cv.train(cv.read_config(options.config), options.as_of, options.out)
    except ChurnvalueError as error:
        parser.exit(ERROR, f"retrain: {error}\n")
    if not training.promoted:
        parser.exit(NOT_PROMOTED, f"retrain: not promoted: {'; '.join(training.summary['gate']['reasons'])}.\n")


if __name__ == "__main__":
    main()
