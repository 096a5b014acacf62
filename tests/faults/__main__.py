"""
Do everything to four validators, and print a table.

    python -m tests.faults [--short] [--links] [NAME …]

Cuts are made between network namespaces where root may make them, else (or with `--links`)
by telling each validator to drop its peers.
"""

import contextlib
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.faults.checks import check
from tests.faults.faults import FAULTS
from tests.faults.namespaces import namespaces, refusal
from tests.faults.trial import trial

from xinglin.errors import XinglinError

VALIDATORS = 4

COUNTED = ("acknowledged", "roots", "releases", "refused")
"""What is counted over the whole run, fault after fault."""


def main() -> int:
    """Run the faults named, or all; return 0 where everything held after each."""
    # Ended from outside, it takes the validators and their namespaces away as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    short = "--short" in sys.argv
    names = [word for word in sys.argv[1:] if not word.startswith("-")] or list(FAULTS)
    console = Console()
    reason = "asked for by --links" if "--links" in sys.argv else refusal()
    way = f"peers told to drop each other ({reason})" if reason else "network namespaces"
    console.print(f"cuts: {way}")
    columns = ("entries", "per s", "anchors", "releases", "refused", "held")
    table = Table("fault", "s", *columns)
    failed = 0
    with (
        tempfile.TemporaryDirectory(prefix="xinglin-faults-") as folder,
        contextlib.nullcontext() if reason else namespaces(VALIDATORS) as ground,
        trial(Path(folder) / "world", console.print, ground) as one,
    ):
        for name in names:
            console.print(f"{name} …")
            began, taken, loaded = time.monotonic(), len(one.acknowledged), one.loaded
            try:
                FAULTS[name](one, short)
                seen = check(one)
                held = "yes"
            except (AssertionError, XinglinError) as error:
                seen, held = {}, f"NO: {error}"
                failed += 1
            acknowledged, *others = [str(seen.get(key, "")) for key in COUNTED]
            pace = (len(one.acknowledged) - taken) / max(1.0, one.loaded - loaded)
            seconds = f"{time.monotonic() - began:.0f}"
            table.add_row(name, seconds, acknowledged, f"{pace:.1f}", *others, held)
            console.print(f"  {held} {seen}")
    console.print(table)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
