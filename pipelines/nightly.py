"""Score everyone with the champions, plan actions and sends, and write the report: all into one folder.

Exit code: 0 done, 1 error, 2 usage. Silent when all went well.
"""

import argparse
from pathlib import Path

import churnvalue as cv
from churnvalue.errors import ChurnvalueError

ERROR = 1


def main() -> None:
    """Score, plan and report with the configuration named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("churnvalue.toml"), help="the configuration")
    parser.add_argument(
        "--as-of", help="cutoff: this day's 00:00 UTC, such as 2011-09-01; the end of the log by default"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of scores, plan, sends, curve and report")
    parser.add_argument(
        "--previous", type=Path, help="folder of an earlier night, whose tiers hold until clearly passed"
    )
    parser.add_argument(
        "--measured", type=Path, action="append", default=[], help="folder of a measured plan; repeatable"
    )
    options = parser.parse_args()
    try:
        config = cv.read_config(options.config)
        cv.score(config, options.as_of, options.out, previous=options.previous)
        cv.plan(config, options.out, options.out, measured=options.measured)
        cv.write_report(config, options.out, options.out)
    except ChurnvalueError as error:
        parser.exit(ERROR, f"nightly: {error}\n")


if __name__ == "__main__":
    main()
