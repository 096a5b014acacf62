"""`python -m tests.faults [--short] [NAME …]`: do everything to four validators, print a table."""

import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.faults.faults import FAULTS
from tests.faults.trial import trial

from xinglin.errors import XinglinError

COUNTED = ("acknowledged", "roots", "releases", "refused")
"""What is counted over the whole run, fault after fault."""


def main() -> int:
    """Run the faults named, or all; return 0 where everything held after each."""
    short = "--short" in sys.argv
    names = [word for word in sys.argv[1:] if not word.startswith("-")] or list(FAULTS)
    console = Console()
    table = Table("fault", "seconds", "acknowledged", "anchored", "releases", "refused", "held")
    failed = 0
    with (
        tempfile.TemporaryDirectory(prefix="xinglin-faults-") as folder,
        trial(Path(folder) / "world", console.print) as one,
    ):
        for name in names:
            console.print(f"{name} …")
            began = time.monotonic()
            try:
                FAULTS[name](one, short)
                seen = one.check()
                held = "yes"
            except (AssertionError, XinglinError) as error:
                seen, held = {}, f"NO: {error}"
                failed += 1
            numbers = [str(seen.get(key, "")) for key in COUNTED]
            table.add_row(name, f"{time.monotonic() - began:.0f}", *numbers, held)
            console.print(f"  {held} {seen}")
    console.print(table)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
