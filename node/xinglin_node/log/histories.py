"""
Which tag of each subject's history comes next, in the writer's memory.

The rows are the truth (`HistoryRow`); what is kept here spares an append the reading of one.
For the writer's thread alone.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from xinglin.errors import UsageError
from xinglin.names import HistoryKey, Origin
from xinglin.statement import HistoryFrom, HistoryTo
from xinglin_node.log.tables import HistoryRow

HISTORIES_KEPT = 50_000
"""Subjects whose key and counter stay in memory, so that an append reads no row."""

AttestHistory = Callable[[str, HistoryFrom, HistoryTo], bytes]
"""Returns the canonical attestation of a `history` statement: kind, from, to."""


@dataclass(slots=True)
class History:
    """One subject's current key and counter."""

    id: int
    key: HistoryKey
    origin: Origin
    counter: int

    def copy(self) -> "History":
        """Return one that counts by itself."""
        return History(self.id, self.key, self.origin, self.counter)


class Histories:
    """Those of the subjects that were written about last, and who attests that one goes on."""

    def __init__(self) -> None:
        self._kept: OrderedDict[UUID, History] = OrderedDict()
        self._attest: AttestHistory | None = None

    def get(self, subject: UUID) -> History | None:
        """Return the subject's history if it is kept."""
        found = self._kept.get(subject)
        if found is not None:
            self._kept.move_to_end(subject)
        return found

    def keep(self, subject: UUID, history: History) -> None:
        """Keep a history, and let the one go that was used longest ago."""
        self._kept[subject] = history
        self._kept.move_to_end(subject)
        while len(self._kept) > HISTORIES_KEPT:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget all: the rows may be others."""
        self._kept.clear()

    def attest_by(self, attest: AttestHistory) -> None:
        """Name who attests that a subject's list goes on elsewhere."""
        self._attest = attest

    def attest(self, kind: str, old: HistoryFrom, new: HistoryTo) -> bytes:
        """
        Return a canonical attestation of a `history` statement.

        Raises `UsageError` where nobody was named who attests.
        """
        if self._attest is None:
            raise UsageError("expected an account that attests histories, got none")
        return self._attest(kind, old, new)


def from_row(row: HistoryRow) -> History:
    """Read a subject's history from its row."""
    return History(row.id, HistoryKey(row.key), Origin(row.origin), row.counter)
