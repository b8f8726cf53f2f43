"""Measure what a past plan earned, from what happened after it: writes measure.json beside the plan.

Exit code: 0 done, 1 error, 2 usage. Says its verdict in a few sentences.
"""

import argparse
import sys
from pathlib import Path

import churnvalue as cv
from churnvalue.errors import ChurnvalueError

ERROR = 1


def main() -> None:
    """Measure the plan named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("churnvalue.toml"), help="the configuration")
    parser.add_argument("--plan", type=Path, required=True, help="folder that a night wrote")
    parser.add_argument("--as-of", help="read what was known before this date; all by default")
    options = parser.parse_args()
    try:
        found = cv.measure(cv.read_config(options.config), options.plan, options.as_of, options.plan)
    except ChurnvalueError as error:
        parser.exit(ERROR, f"measure: {error}\n")
    sys.stdout.write(f"{found.verdict}\n")


if __name__ == "__main__":
    main()
