"""A log that a vote retired: the next generation goes on, and loses nothing."""

import secrets
import time
from uuid import uuid4

import httpx
from sqlalchemy import select

from xinglin import history
from xinglin._chain.consortium import Consortium, retirement
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Sender
from xinglin._chain.words import Kind
from xinglin.names import HistoryKey, Member, Salt, SubjectId
from xinglin.statement import Attestation, Entry
from xinglin_node.app import close_house, create_house
from xinglin_node.chain.tables import AnchorRow
from xinglin_node.database import Database
from xinglin_node.log.repository import read_entries
from xinglin_node.log.succession import generation_on_chain
from xinglin_node.log.tables import DisclosureRow
from xinglin_node.log.unit import PendingEntry
from xinglin_node.serving import open_node

from .test_process import Clinic

KEY = HistoryKey(bytes(range(32)))


class TestSuccession:
    def test_i3_what_was_never_anchored_is_sequenced_again_after_the_succession(
        self, own_chain, walk, tmp_path
    ) -> None:
        with own_chain(tmp_path / "chain", 3) as chain:
            member, keys = chain.hospital()
            subject = SubjectId(uuid4())
            with walk(tmp_path / "node", chain.profile, member, keys) as node:
                node.follow()
                house, old_origin = node.house, node.house.origin
                house.writer.submit(
                    lambda write: write.start_history(subject, KEY, write.origin)
                ).result()
                _append(house, subject, 3)
                ends = time.monotonic() + 40
                while not _final(house) and time.monotonic() < ends:
                    node.step()
                    time.sleep(0.2)
                assert _final(house)
                _append(house, subject, 2)
                retired = [entry.commitment for entry in _entries(house, 0)]
                _retire(chain, node.workers.pool, member)
                generation = generation_on_chain(node.workers.pool, member)
                settings = house.settings
            assert generation == 1

            house = create_house(settings, keys, chain.profile, generation=generation)
            open_node(house)
            try:
                entries = _entries(house, 1)
                rows = _rows(house, 1)
                assert [row.kind for row in rows] == ["succession", "history", "access", "access"]
                succession = Attestation.decode(rows[0].attestation).read().predicate
                assert (succession.origin, succession.size) == (old_origin, 3)
                moved = Attestation.decode(rows[1].attestation).read().predicate
                # The list in the retired log ends where its anchored part ends.
                assert (moved.kind, moved.from_.origin, moved.from_.n) == ("moved", old_origin, 3)
                assert [entry.commitment for entry in entries[2:]] == retired[3:]
                assert [entry.tag for entry in entries[1:]] == [
                    history.tag(KEY, house.origin, n) for n in range(3)
                ]
                assert [row.index for row in _rows(house, 0)] == [0, 1, 2]
                size = house.writer.head.size
            finally:
                close_house(house)

            house = create_house(settings, keys, chain.profile, generation=generation)
            open_node(house)
            assert house.writer.head.size == size  # once, however often the node starts
            close_house(house)

    def test_a_server_that_starts_after_the_vote_begins_with_the_succession(
        self, own_chain, make_folder, server, databases, tmp_path
    ) -> None:
        # Else the new log would begin with whatever comes next, and the old entries were lost.
        folder = tmp_path / "node"
        with own_chain(tmp_path / "chain", 3) as chain:
            member, keys = chain.hospital()
            make_folder(folder, keys, chain.profile, member=member)
            with server(folder) as node:
                node.wait_until(lambda status: status["sequencing"])
                Clinic(chain, member, keys, node.url).enrol()
                node.wait_until(lambda status: status["final"]["size"] == 1)
            pool = RpcPool(chain.profile)
            _retire(chain, pool, member)
            pool.close()
            with server(folder) as node:
                about = httpx.get(f"{node.url}/v1/about", trust_env=False, timeout=20).json()
                assert about["origin"].endswith(f"/{member}/1")
                status = node.wait_until(lambda status: status["final"]["size"])
                assert status["sequenced"]["size"] == 1
        database = Database(databases.of(folder))
        with database.reading() as session:
            query = select(DisclosureRow.kind).where(DisclosureRow.generation == 1)
            assert session.scalars(query).all() == ["succession"]
        database.close()


def _append(house, subject: SubjectId, count: int) -> None:
    def work(write) -> None:
        for number in range(count):
            salt = Salt(secrets.token_bytes(32))
            text = b'{"number":%d}' % number
            write.append(PendingEntry(attestation=text, salt=salt, kind="access", subject=subject))

    house.writer.submit(work).result()


def _final(house) -> bool:
    with house.database.reading() as session:
        return bool(session.scalars(select(AnchorRow).where(AnchorRow.final_at > 0)).all())


def _entries(house, generation: int) -> list[Entry]:
    with house.database.reading() as session:
        return [Entry.decode(one) for one in read_entries(session, generation, 0, 100)]


def _rows(house, generation: int) -> list[DisclosureRow]:
    with house.database.reading() as session:
        return list(
            session.scalars(
                select(DisclosureRow)
                .where(DisclosureRow.generation == generation)
                .order_by(DisclosureRow.index)
            )
        )


def _retire(chain, pool, member: Member) -> None:
    """The other two hospitals vote that the log is retired."""
    consortium = Consortium(pool)
    others = [one for number, one in enumerate(chain.officers, start=1) if number != member]
    proposal = consortium.propose(Kind.RETIRE, member, retirement(0))
    Sender(pool, others[0]).send(proposal, final=True)
    number = consortium.proposals(at=pool.final_view())[-1].number
    for officer in others:
        if not consortium.has_voted(number, Member(chain.officers.index(officer) + 1)):
            Sender(pool, officer).send(consortium.vote(number), final=True)
