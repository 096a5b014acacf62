"""One writer: positions, counters and rows that never disagree, and one sync for many."""

import secrets
import threading
from uuid import uuid4

import pytest
from sqlalchemy import delete, select

from xinglin import history, merkle
from xinglin.errors import UsageError
from xinglin.names import Generation, HistoryKey, LeafHash, Origin, Salt, SubjectId
from xinglin.statement import Entry, Reason
from xinglin_node.database import Database
from xinglin_node.log.repository import log_size, read_disclosure, read_entries, tile_tree
from xinglin_node.log.tables import EntryRow, HistoryRow
from xinglin_node.log.unit import PendingEntry, Write
from xinglin_node.log.writer import LogWriter
from xinglin_node.migrations.run import upgrade
from xinglin_node.problems import QueueFull, RuleBroken, StorageRefused

ORIGIN = Origin("xinglin.network/00112233445566778899aabbccddeeff/1/0")
KEY = HistoryKey(bytes(range(32)))


@pytest.fixture
def database(database_url):
    made = Database(database_url)
    made.lock()
    upgrade(made)
    yield made
    made.close()


@pytest.fixture
def writer(database):
    made = LogWriter(database, origin=ORIGIN, generation=Generation(0))
    made.start()
    yield made
    made.stop()


def entry(subject: SubjectId | None = None, **changes: object) -> PendingEntry:
    given: dict[str, object] = {
        "attestation": b'{"a":1}',
        "salt": Salt(secrets.token_bytes(32)),
        "kind": "record",
        "subject": subject,
    }
    return PendingEntry(**(given | changes))


def registered(writer: LogWriter) -> SubjectId:
    subject = SubjectId(uuid4())
    writer.submit(lambda write: write.start_history(subject, KEY, ORIGIN)).result()
    return subject


class TestAppend:
    def test_positions_follow_each_other_and_the_tree_is_over_the_entries(
        self, database, writer
    ) -> None:
        made = writer.submit(lambda w: [w.append(entry()) for _ in range(600)]).result()
        assert [one.index for one in made] == list(range(600))
        with database.reading() as session:
            stored = read_entries(session, 0, 0, 1000)
            assert list(stored) == [one.entry.encode() for one in made]
            assert tile_tree(session, 0).root(600) == writer.head.root
        leaves = [LeafHash(one.leaf) for one in made]
        assert merkle.root_of(leaves) == writer.head.root

    def test_tags_are_the_subjects_and_count_from_zero(self, database, writer) -> None:
        subject = registered(writer)
        made = writer.submit(
            lambda w: [w.append(entry(subject)), w.append(entry()), w.append(entry(subject))]
        ).result()
        assert [one.n for one in made] == [0, None, 1]
        for one in (made[0], made[2]):
            assert one.entry.tag == history.tag(KEY, ORIGIN, one.n)
        with database.reading() as session:
            row = read_disclosure(session, 0, made[2].index)
            assert (row.n, row.subject) == (1, subject)
            counter = session.scalar(select(HistoryRow.counter))
        assert counter == 2

    def test_tags_about_nobody_are_random(self, writer) -> None:
        made = writer.submit(lambda w: [w.append(entry()) for _ in range(50)]).result()
        assert len({one.entry.tag for one in made}) == 50

    def test_a_free_text_is_kept_beside_the_commitment(self, database, writer) -> None:
        reason = Reason(text="second opinion", salt=bytes(32))
        made = writer.submit(lambda w: w.append(entry(reason=reason))).result()
        with database.reading() as session:
            row = read_disclosure(session, 0, made.index)
        assert (row.reason, row.reason_salt) == ("second opinion", bytes(32))

    def test_an_unknown_subject_is_refused(self, writer) -> None:
        with pytest.raises(RuleBroken, match="unknown subject"):
            writer.submit(lambda w: w.append(entry(SubjectId(uuid4())))).result()

    def test_a_salt_of_another_size_is_refused(self, writer) -> None:
        with pytest.raises(UsageError, match="32 bytes"):
            writer.submit(lambda w: w.append(entry(salt=Salt(bytes(16))))).result()


class TestUnits:
    def test_a_unit_that_fails_takes_nothing_and_nobody_with_it(self, database, writer) -> None:
        subject = registered(writer)
        started, blocked = threading.Event(), threading.Event()

        def hold(write: Write) -> None:
            started.set()
            blocked.wait(10)

        def fail(write: Write) -> None:
            write.append(entry(subject))
            write.append(entry(subject))
            raise RuleBroken("this", "that")

        held = writer.submit(hold)
        started.wait(10)
        before = writer.submit(lambda w: w.append(entry(subject)))
        failing = writer.submit(fail)
        after = writer.submit(lambda w: w.append(entry(subject)))
        blocked.set()
        held.result()

        with pytest.raises(RuleBroken):
            failing.result()
        assert (before.result().index, before.result().n) == (0, 0)
        assert (after.result().index, after.result().n) == (1, 1)
        with database.reading() as session:
            assert log_size(session, 0) == 2

    def test_a_row_that_breaks_a_constraint_fails_its_unit_alone(self, database, writer) -> None:
        def twice(write: Write) -> None:
            for _ in range(2):
                write.session.add(
                    HistoryRow(
                        id=7, subject=uuid4(), key=KEY, digest=KEY, origin=ORIGIN, current=True
                    )
                )
                write.session.flush()
                write.session.expunge_all()

        with pytest.raises(StorageRefused) as refused:
            writer.submit(twice).result()
        assert str(KEY) not in str(refused.value)
        assert writer.submit(lambda w: w.append(entry())).result().index == 0

    def test_units_that_wait_share_one_transaction(self, writer) -> None:
        started, blocked = threading.Event(), threading.Event()
        held = writer.submit(lambda w: started.set() or blocked.wait(10))
        started.wait(10)
        batches = writer.batches
        waiting = [writer.submit(lambda w: w.append(entry())) for _ in range(200)]
        blocked.set()
        held.result()
        assert sorted(one.result().index for one in waiting) == list(range(200))
        assert writer.batches == batches + 2


class TestBackpressure:
    def test_a_full_queue_refuses_and_loses_nothing(self, database) -> None:
        writer = LogWriter(database, origin=ORIGIN, generation=Generation(0), queue_weight=10)
        writer.start()
        started, blocked = threading.Event(), threading.Event()
        held = writer.submit(lambda w: started.set() or blocked.wait(10))
        started.wait(10)
        taken = [writer.submit(lambda w: w.append(entry())) for _ in range(9)]
        with pytest.raises(QueueFull) as refused:
            writer.submit(lambda w: w.append(entry()))
        assert refused.value.retry_after == 1
        blocked.set()
        held.result()
        assert [one.result().index for one in taken] == list(range(9))
        writer.stop()
        with database.reading() as session:
            assert log_size(session, 0) == 9

    def test_what_waits_at_the_end_is_still_written(self, database) -> None:
        writer = LogWriter(database, origin=ORIGIN, generation=Generation(0))
        writer.start()
        waiting = [writer.submit(lambda w: w.append(entry())) for _ in range(20)]
        writer.stop()
        assert all(one.done() for one in waiting)
        with database.reading() as session:
            assert log_size(session, 0) == 20
        with pytest.raises(QueueFull, match="stopping"):
            writer.submit(lambda w: w.append(entry()))


class TestRestart:
    @pytest.mark.parametrize("size", [0, 1, 255, 256, 300])
    def test_the_next_process_goes_on_where_the_last_one_ended(self, database, size) -> None:
        first = LogWriter(database, origin=ORIGIN, generation=Generation(0))
        first.start()
        subject = registered(first)
        first.submit(lambda w: [w.append(entry(subject)) for _ in range(size)]).result()
        first.stop()
        second = LogWriter(database, origin=ORIGIN, generation=Generation(0))
        second.start()
        assert second.head == first.head
        made = second.submit(lambda w: w.append(entry(subject))).result()
        second.stop()
        assert (made.index, made.n) == (size, size)

    def test_a_log_that_lost_a_row_in_the_middle_is_not_gone_on_with(self, database) -> None:
        first = LogWriter(database, origin=ORIGIN, generation=Generation(0))
        first.start()
        first.submit(lambda w: [w.append(entry()) for _ in range(5)]).result()
        first.submit(lambda w: w.session.execute(delete(EntryRow).where(EntryRow.index == 2)))
        first.stop()
        second = LogWriter(database, origin=ORIGIN, generation=Generation(0))
        with pytest.raises(StorageRefused, match="a log of 5 entries"):
            second.start()

    def test_a_second_node_on_one_database_is_refused(self, database, database_url) -> None:
        other = Database(database_url)
        with pytest.raises(StorageRefused, match="locked"):
            other.lock()
        other.close()


class TestHalt:
    def test_i3_a_halted_log_sequences_nothing_and_says_why(self, writer) -> None:
        writer.halt(StorageRefused("the 9 entries that the chain has", "a log of 0"))
        with pytest.raises(StorageRefused, match="9 entries"):
            writer.submit(lambda w: w.append(entry())).result()
        assert writer.head.size == 0
        writer.halt(None)
        assert writer.submit(lambda w: w.append(entry())).result().index == 0


class TestEntry:
    def test_an_entry_is_64_bytes(self, writer) -> None:
        made = writer.submit(lambda w: w.append(entry())).result()
        assert Entry.decode(made.entry.encode()) == made.entry
        assert len(made.entry.encode()) == 64
