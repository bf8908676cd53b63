"""The command: `python -m tests.mutations`, all of them or those whose names have one of the given words."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.mutations.mutation import Mutation, copy_tree, failing, noticed_by
from tests.mutations.mutations import MUTATIONS


def main() -> int:
    """Break one thing after the other; say of each which test noticed, and fail where none did."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description="Break, and see that tests notice.")
    parser.add_argument("words", nargs="*", help="only the mutations that say one of these words; all without any")
    words = parser.parse_args().words
    chosen = [one for one in MUTATIONS if not words or any(word in one.says for word in words)]
    with tempfile.TemporaryDirectory(prefix="anneal-mutations-") as name:
        folder = Path(name)
        copy_tree(folder)
        already = failing(folder, sorted({test for one in chosen for test in one.tests}))
        if already:
            print(f"{already} fails although nothing is broken", file=sys.stderr)
            return 2
        survivors = [one for one in chosen if not _is_noticed(one, folder)]
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} were noticed")
    return 1 if survivors else 0


def _is_noticed(mutation: Mutation, folder: Path) -> bool:
    test = noticed_by(mutation, folder)
    print(f"{mutation.says:<75} {test or 'SURVIVES'}", flush=True)
    return test is not None


if __name__ == "__main__":
    sys.exit(main())
