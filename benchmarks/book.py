"""The seconds of the book's pages: ``make book && python benchmarks/book.py``.

Records what the last build measured while it executed the notebooks: nothing is run here. The record alone is no
reason for another build.
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import common

RECORD = common.RESULTS / "book.json"
TIMES = common.RESULTS.parents[1] / "_build" / "times.txt"


def main() -> None:
    """Read, print and keep the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=Path, default=TIMES, help="where a build left them")
    parser.add_argument("--record", type=Path, default=RECORD, help="where to write the record")
    arguments = parser.parse_args()
    if not arguments.times.exists():
        sys.exit("there is no book yet: run make book first")
    lines = [line.split() for line in arguments.times.read_text().splitlines()]
    record: dict[str, Any] = {
        "what": "seconds in which each page's notebook was executed by make book, one after another",
        **common.environment("tensorflow", "keras"),
        "date": datetime.fromtimestamp(arguments.times.stat().st_mtime, UTC).isoformat(timespec="seconds"),
        "seconds": {page: int(seconds) for page, seconds, _ in lines},
    }
    for page, seconds in record["seconds"].items():
        print(f"{page:<44}{seconds:5d} s")
    print(f"{'all':<44}{sum(record['seconds'].values()):5d} s")
    common.write(arguments.record, record)


if __name__ == "__main__":
    main()
