"""
What a unit of work may do while the writer runs it: append entries, move histories, write rows.

    def work(write: Write) -> Sequenced:
        write.session.execute(...)                  # read and write your own rows
        return write.append(PendingEntry(attestation=a, salt=s, kind="access", subject=who))

Nothing of it is on disk until the writer's transaction is (`xinglin_node.log.writer`).
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from xinglin.errors import UsageError
from xinglin.hashes import SALT_SIZE, Digest
from xinglin.history import history_digest, tag
from xinglin.merkle import leaf_hash
from xinglin.names import (
    Commitment,
    EntryTag,
    Generation,
    HistoryKey,
    LeafHash,
    Origin,
    Salt,
    SubjectId,
    UnixTime,
)
from xinglin.statement import Entry, HistoryFrom, HistoryTo, Reason, commit, new_salt
from xinglin_node.database import WriteSession
from xinglin_node.log.batch import Batch, Rows
from xinglin_node.log.histories import History, from_row
from xinglin_node.log.tables import HistoryRow
from xinglin_node.problems import RuleBroken


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """What a caller wants logged."""

    attestation: bytes
    """Canonical attestation."""
    salt: Salt
    """32 random bytes; part of the disclosure."""
    kind: str
    """Statement type, for finding it again."""
    subject: SubjectId | None
    """Whose history it belongs to. None: about nobody, and the tag is 32 random bytes."""
    reason: Reason | None = None
    """Free text with its salt, kept beside the commitment."""


@dataclass(frozen=True, slots=True)
class Sequenced:
    """Where an entry stands. Durable once the unit that appended it was answered."""

    index: int
    entry: Entry
    leaf: LeafHash
    n: int | None
    sequenced_at: UnixTime


class Write:
    """
    The handle of one unit of work.

    `session` reads and writes rows in the writer's transaction. Never commit it; raising
    from the unit undoes all of it.
    """

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self._batch = batch
        self._rows = Rows()
        self._session: WriteSession | None = None
        self._connection = connection
        self.now = batch.now
        """The time of the batch: what its entries are sequenced at."""

    @property
    def session(self) -> WriteSession:
        """The session of this unit."""
        if self._session is None:
            self._session = WriteSession(
                self._connection, join_transaction_mode="rollback_only", expire_on_commit=False
            )
        return self._session

    @property
    def origin(self) -> Origin:
        """Name of the log that is being written."""
        return self._batch.origin

    @property
    def generation(self) -> Generation:
        """Which log of this member is being written."""
        return self._batch.generation

    def append(self, pending: PendingEntry) -> Sequenced:
        """
        Log one entry, taking the next tag of its subject's history (DESIGN 3.7).

        Raises `StorageRefused` while the log may not sequence, `RuleBroken` for a subject
        that is not registered here, `UsageError` for a salt of another size.
        """
        self._batch.refuse_when_halted()
        if len(pending.salt) != SALT_SIZE:
            raise UsageError(f"expected a salt of {SALT_SIZE} bytes, got {len(pending.salt)}")
        history: History | None = None
        n: int | None = None
        if pending.subject is None:
            entry_tag = EntryTag(secrets.token_bytes(32))
        else:
            history = self._history(pending.subject)
            n = history.counter
            entry_tag = tag(history.key, history.origin, n)
            history.counter = n + 1
        entry = Entry(entry_tag, commit(pending.attestation, pending.salt))
        sequenced = self._append(entry, n)
        self._rows.disclosures.append(
            {
                "generation": self.generation,
                "idx": sequenced.index,
                "commitment": entry.commitment,
                "kind": pending.kind,
                "attestation": pending.attestation,
                "salt": pending.salt,
                "subject": pending.subject,
                "n": n,
                "history": history.id if history else None,
                "reason": pending.reason.text if pending.reason else None,
                "reason_salt": pending.reason.salt if pending.reason else None,
            }
        )
        return sequenced

    def append_padding(self) -> Sequenced:
        """Log one random entry that nothing ever opens (DESIGN 3.8)."""
        self._batch.refuse_when_halted()
        noise = secrets.token_bytes(64)
        return self._append(Entry(EntryTag(noise[:32]), Commitment(noise[32:])), None)

    def next_index(self) -> int:
        """The index that the next entry will have."""
        return self._batch.edge.size + len(self._batch.rows.leaves) + len(self._rows.leaves)

    def counter(self, subject: SubjectId) -> int:
        """How many tags of the subject's current history are taken."""
        return self._history(subject).counter

    def start_history(self, subject: SubjectId, key: HistoryKey, origin: Origin) -> int:
        """
        Give `subject` a history key, from n = 0; an earlier one is current no more.

        Returns the new history's row id. The statement that joins the two is the caller's.
        """
        self.session.execute(
            update(HistoryRow)
            .where(HistoryRow.subject == subject, HistoryRow.current.is_(True))
            .values(current=False)
        )
        row = HistoryRow(
            subject=subject,
            key=key,
            digest=history_digest(key),
            origin=origin,
            counter=0,
            current=True,
        )
        self.session.add(row)
        self.session.flush()
        self._rows.histories[subject] = History(row.id, key, origin, 0)
        return row.id

    def go_on(self, subject: SubjectId, key: HistoryKey, kind: str) -> Sequenced:
        """
        End the subject's list of tags and go on under `key` in this log, from 0.

        The `history` statement that joins the two is entry 0 of the new list.
        """
        old = self._history(subject, moving=True)
        joined = self._batch.histories.attest(
            kind,
            HistoryFrom(origin=old.origin, history=Digest(history_digest(old.key)), n=old.counter),
            HistoryTo(origin=self.origin, history=Digest(history_digest(key))),
        )
        self.start_history(subject, key, self.origin)
        return self.append(
            PendingEntry(attestation=joined, salt=new_salt(), kind="history", subject=subject)
        )

    def preload(self, subjects: Iterable[SubjectId]) -> None:
        """Read the histories of many subjects in one statement, before appending for each."""
        missing = [
            subject
            for subject in set(subjects)
            if not self._batch.knows(subject) and self._batch.histories.get(subject) is None
        ]
        for start in range(0, len(missing), 500):
            statement = select(HistoryRow).where(
                HistoryRow.subject.in_(missing[start : start + 500]), HistoryRow.current.is_(True)
            )
            for row in self.session.scalars(statement):
                self._batch.histories.keep(row.subject, from_row(row))

    def _append(self, entry: Entry, n: int | None) -> Sequenced:
        encoded = entry.encode()
        leaf = leaf_hash(encoded)
        sequenced = Sequenced(self.next_index(), entry, leaf, n, self.now)
        self._rows.leaves.append(leaf)
        self._rows.entries.append(
            {
                "generation": self.generation,
                "idx": sequenced.index,
                "entry": encoded,
                "sequenced_at": self.now,
            }
        )
        return sequenced

    def _history(self, subject: SubjectId, *, moving: bool = False) -> History:
        mine = self._rows.histories.get(subject)
        if mine is None:
            mine = self._load_history(subject)
        if mine.origin != self.origin and not moving:
            # The log has a new generation: the list goes on there before anything else.
            self.go_on(subject, mine.key, "moved")
            mine = self._rows.histories[subject]
        return mine

    def _load_history(self, subject: SubjectId) -> History:
        found = self._batch.rows.histories.get(subject) or self._batch.histories.get(subject)
        if found is None:
            row = self.session.scalars(
                select(HistoryRow).where(
                    HistoryRow.subject == subject, HistoryRow.current.is_(True)
                )
            ).one_or_none()
            if row is None:
                raise RuleBroken("a subject registered here", "an unknown subject")
            found = from_row(row)
            self._batch.histories.keep(subject, found)
        # A copy: if this unit fails, the counter has not moved.
        mine = found.copy()
        self._rows.histories[subject] = mine
        return mine

    def finish(self) -> None:
        """Send what the session holds. The writer calls it; a unit need not."""
        if self._session is not None:
            self._session.flush()

    def close(self) -> None:
        """Let the session go. The writer calls it."""
        if self._session is not None:
            self._session.close()

    def take_rows(self) -> Rows:
        """What the unit appended. The writer calls it once the unit succeeded."""
        return self._rows
