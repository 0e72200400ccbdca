"""Fit the antibody layer, the cut-offs and the loss of response: ``python -m validation.calibrate``.

Only figures of role "calibration" are read (:func:`validation.targets.calibration_figures`). The search is in
:mod:`validation.search`; what it may change, with priors, in :mod:`validation.space`. The result is the same on every
run and number of cores; files are written in place, or compared with what is there by ``--check``.
"""

from __future__ import annotations

import argparse
import sys
import time

from validation import write
from validation.search import QUICK, Effort, search

SEED = 2016


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns 1 where ``--check`` finds other bytes."""
    parser = argparse.ArgumentParser(prog="python -m validation.calibrate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the files that are there; write nothing")
    parser.add_argument("--quick", action="store_true", help="a toy search that shows the machinery; writes nothing")
    parser.add_argument("--workers", type=int, help="processes [default: all cores]")
    options = parser.parse_args(arguments)
    began = time.perf_counter()

    def say(text: str) -> None:
        print(f"{time.perf_counter() - began:6.0f} s  {text}", file=sys.stderr, flush=True)

    effort = QUICK if options.quick else Effort()
    found = search(effort, SEED, say, options.workers)
    texts = write.texts(found, effort, SEED)
    if options.quick:
        print(write.record_text(found, effort, SEED))
        return 0
    other = [path for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if options.check:
        for path in other:
            say(f"differs: {path.name}")
        return 1 if other else 0
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    say(f"{len(other)} files changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
