"""The old name of ``python -m corpus``: the same, with one run of each script."""

import sys

from corpus.__main__ import main

if __name__ == "__main__":
    given = sys.argv[1:]
    if "--out" in given:  # results are kept by case now
        del given[given.index("--out") : given.index("--out") + 2]
    sys.exit(main(["--seeds", "1", *given]))
