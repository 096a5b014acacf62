"""What a node's metrics say is what its tables say when they are asked, and names nobody."""

import math
import secrets
from uuid import uuid4

from prometheus_client import REGISTRY, generate_latest
from sqlalchemy import update

from xinglin.hashes import Digest
from xinglin.names import RecordId, Salt, UnixTime
from xinglin.request import Item
from xinglin_node.access.decision import Chosen, Decision, Held, Kept
from xinglin_node.chain.tables import AnchorRow, ViewRow
from xinglin_node.health.observed import count_decision, observe
from xinglin_node.log.unit import PendingEntry
from xinglin_node.problems import StorageRefused


def grow(scene, count: int) -> None:
    pending = PendingEntry(
        attestation=b"{}", salt=Salt(secrets.token_bytes(32)), kind="access", subject=None
    )
    scene.house.writer.submit(lambda w: [w.append(pending) for _ in range(count)]).result()


def write(scene, row) -> None:
    scene.house.writer.submit(lambda w: w.session.add(row)).result()


def anchor(scene, size: int, *, final: bool) -> None:
    now = int(scene.clock())
    write(
        scene,
        AnchorRow(
            generation=0, size=size, root=bytes(32), decided_at=now, sent_at=now,
            transaction=None, raw=None, nonce=None, block=5, block_hash=bytes(32), time=now,
            anchored_at=now, final_at=now if final else None,
        ),
    )  # fmt: skip


def shown(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None, name
    return value


class TestObserve:
    def test_the_lag_is_the_age_of_the_oldest_entry_without_an_anchor(self, scene) -> None:
        # Entries that keep coming are no lag: only one that keeps waiting is.
        observe(scene.house)
        assert shown("xinglin_anchoring_lag_seconds") == 0
        grow(scene, 3)
        scene.clock.ahead = 200
        grow(scene, 4)
        assert 199 <= shown("xinglin_anchoring_lag_seconds") <= 202
        anchor(scene, 3, final=False)
        assert shown("xinglin_anchoring_lag_seconds") <= 2
        anchor(scene, 7, final=False)
        assert shown("xinglin_anchoring_lag_seconds") == 0

    def test_sizes_are_those_of_the_log_and_of_what_is_final(self, scene) -> None:
        observe(scene.house)
        before = shown("xinglin_entries_total")
        grow(scene, 5)
        anchor(scene, 4, final=True)
        anchor(scene, 5, final=False)
        assert shown("xinglin_log_size") == scene.house.writer.head.size
        assert shown("xinglin_final_size") == 4
        assert shown("xinglin_entries_total") == before + 5
        assert shown("xinglin_queue_weight") == 0

    def test_the_view_grows_old_by_itself(self, scene) -> None:
        # A thread that hangs must not leave a young view behind.
        observe(scene.house)
        now = int(scene.clock())
        scene.house.writer.submit(
            lambda w: w.session.execute(update(ViewRow).values(time=now))
        ).result()
        assert shown("xinglin_view_age_seconds") <= 2
        scene.clock.ahead = 500
        assert 499 <= shown("xinglin_view_age_seconds") <= 502

    def test_a_halt_is_shown_and_ends(self, scene) -> None:
        observe(scene.house)
        scene.house.writer.halt(StorageRefused("a whole log", "a shorter one"))
        assert shown("xinglin_sequencing_halted") == 1
        scene.house.writer.halt(None)
        assert shown("xinglin_sequencing_halted") == 0

    def test_what_cannot_be_read_is_no_number(self, scene, monkeypatch) -> None:
        observe(scene.house)

        def refused(*_: object) -> None:
            raise StorageRefused("a database", "none")

        monkeypatch.setattr(type(scene.house.database), "reading", refused)
        assert math.isnan(shown("xinglin_view_age_seconds"))
        assert math.isnan(shown("xinglin_final_size"))
        assert b"xinglin_anchoring_lag_seconds NaN" in generate_latest(REGISTRY)


class TestDecisions:
    def test_items_let_out_and_kept_in_are_counted_by_ground_and_term(self) -> None:
        item = Item(record=RecordId(uuid4()), version=1)
        held = Held(
            record=item.record, version=1, newest=True, subject=None, manifest=Digest(bytes(32)),
            category="outpatient-note", media_type="text/plain", claimed_at=UnixTime(0), size=1,
            generation=0, index=0,
        )  # fmt: skip
        decision = Decision(
            None,
            (Chosen(0, held), Chosen(1, held)),
            (Kept(2, item, "purpose", told=True),),
        )
        released = REGISTRY.get_sample_value("xinglin_releases_total", {"ground": "grant"}) or 0
        labels = {"ground": "grant", "term": "purpose"}
        refused = REGISTRY.get_sample_value("xinglin_refusals_total", labels) or 0
        count_decision("grant", decision)
        assert shown("xinglin_releases_total", ground="grant") == released + 2
        assert shown("xinglin_refusals_total", **labels) == refused + 1

    def test_no_label_holds_anything_but_words_of_the_specification(self) -> None:
        count_decision("grant", Decision(None))
        for family in REGISTRY.collect():
            if family.name.startswith(("xinglin_releases", "xinglin_refusals")):
                for sample in family.samples:
                    assert set(sample.labels) <= {"ground", "term"}
                    assert all(len(value) <= 20 for value in sample.labels.values())
