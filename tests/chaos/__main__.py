"""The command: `python -m tests.chaos --minutes 10 --seed 7 --report docs/reports/chaos`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.report import summary, write_report
from tests.chaos.run import Plan, run


def main() -> int:
    """Run, report, and say whether everything held."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Destroy, and see that nothing is lost.")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long faults happen, at least")
    parser.add_argument("--jobs", type=int, default=0, help="how many are accepted before the faults cease, at least")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same faults at the same times")
    parser.add_argument("--customers", type=int, default=Plan.customers, help="each has one job at a time")
    parser.add_argument("--report", type=Path, help="folder for chaos.json and chaos.svg")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="anneal-chaos-"))
    outcome = run(Plan(given.seed, 60 * given.minutes, given.jobs, customers=given.customers), folder)
    if given.report:
        write_report(outcome, given.report)
    print(json.dumps(summary(outcome), indent=2))
    if outcome.broken:
        print(f"the servers' logs are in {folder / 'logs'}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
