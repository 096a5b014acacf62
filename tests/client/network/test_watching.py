"""Who seals, followed from genesis and kept; and who is on record: said where they differ."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.client.network.sealed import SealedNodes

from xinglin._chain.consortium import MemberRecord
from xinglin._chain.words import Role, Status
from xinglin._cli.standing import Validators
from xinglin._network import watching
from xinglin._network.watching import (
    CONFIRMATIONS,
    RecordedValidator,
    Sealing,
    differences,
    recorded,
    watch,
)
from xinglin.errors import HeaderError, Unreachable
from xinglin.headers import store
from xinglin.names import Address, Generation, Member, UnixTime

ONE, TWO, NEW = (Address("0x" + digit * 40) for digit in "123")


def sealing(*may_seal: Address, recent: dict[Address, int] | None = None) -> Sealing:
    found = recent if recent is not None else dict.fromkeys(may_seal, 4)
    return Sealing(100, may_seal, found, span=sum(found.values()))


def on_record(*validators: Address) -> tuple[RecordedValidator, ...]:
    return tuple(
        RecordedValidator(Member(number), f"Hospital {number}", one)
        for number, one in enumerate(validators, start=1)
    )


def member(number: int, validator: str, status: Status = Status.ACTIVE) -> MemberRecord:
    histories = {"statuses": (), "log_keys": (), "key_digests": (), "urls": (), "accounts": ()}
    since = UnixTime(0)
    return MemberRecord(
        number=Member(number), name=f"Hospital {number}", role=Role.HOSPITAL, status=status,
        generation=Generation(1), frozen_at=since, validators=((Address(validator), since),),
        **histories,
    )  # fmt: skip


class TestRecorded:
    @pytest.mark.parametrize("status", [Status.ACTIVE, Status.SUSPENDED])
    def test_a_member_s_validator_is_on_record(self, status: Status) -> None:
        found = recorded([member(1, ONE, status)])
        assert found == (RecordedValidator(Member(1), "Hospital 1", ONE),)

    def test_that_of_a_member_who_was_removed_is_not_so_that_it_is_seen_to_seal(self) -> None:
        found = recorded([member(1, ONE), member(2, TWO, Status.REMOVED)])
        assert differences(found, sealing(ONE, TWO)) == ((), (TWO,))
        assert differences(found, sealing(ONE)) == ((), ())

    def test_who_runs_none_has_none(self) -> None:
        assert recorded([member(1, "0x" + "0" * 40)]) == ()


class TestDifferences:
    def test_the_same_set_in_another_order_differs_in_nothing(self) -> None:
        assert differences(on_record(TWO, ONE), sealing(ONE, TWO)) == ((), ())

    def test_who_may_not_seal_is_told_from_who_is_on_no_record(self) -> None:
        assert differences(on_record(ONE, NEW), sealing(ONE, TWO)) == ((NEW,), (TWO,))

    def test_a_person_reads_both(self) -> None:
        lines = Validators(sealing(ONE, TWO), on_record(ONE, NEW)).lines()
        assert lines == [
            f"{ONE} sealed 4 of the last 8: Hospital 1 (member 1)",
            f"{TWO} sealed 4 of the last 8: on no record",
            f"{NEW} is on record and may not seal: Hospital 2 (member 2)",
        ]

    def test_both_are_named_in_one_sentence(self) -> None:
        assert Validators(sealing(ONE, TWO), on_record(ONE, NEW)).difference == (
            f"on record and may not seal: {NEW} (Hospital 2, member 2); "
            f"may seal and on no record: {TWO}"
        )
        assert Validators(sealing(ONE, TWO), on_record(TWO, ONE)).difference == ""

    def test_where_nobody_keeps_a_record_nothing_differs(self) -> None:
        shown = Validators(sealing(ONE, TWO), ()).to_json()
        assert (shown["onlyOnRecord"], shown["onlySealing"]) == ((), ())


class TestMissing:
    def test_who_sealed_none_of_enough_blocks_misses_its_turns(self) -> None:
        assert sealing(ONE, TWO, recent={ONE: 8}).missing == (TWO,)

    def test_of_too_few_blocks_nothing_is_said(self) -> None:
        assert sealing(ONE, TWO, recent={ONE: 7}).missing == ()


class TestGoingOn:
    """A chain is followed once from genesis, however often that is broken off."""

    def test_a_first_look_that_is_broken_off_begins_where_it_was(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watching, "KEEP_EVERY", 100)
        nodes = SealedNodes(1, blocks=250)
        saved = tmp_path / "headers.json"
        nodes.fails_at = 230
        with pytest.raises(Unreachable):
            watch(nodes.pool, saved=saved)
        nodes.fails_at = -1
        nodes.asked.clear()
        found = watch(nodes.pool, saved=saved)
        assert nodes.asked == [*range(200, 251)]
        assert found == watch(nodes.pool)

    def test_nothing_that_may_go_is_kept(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watching, "KEEP_EVERY", 100)
        nodes = SealedNodes(1, blocks=100 + CONFIRMATIONS - 1)
        watch(nodes.pool, saved=tmp_path / "headers.json")
        assert store.load((tmp_path / "headers.json").read_bytes()).number == 99
        assert [one.name for one in tmp_path.iterdir()] == ["headers.json"]

    def test_what_was_kept_of_a_longer_chain_is_begun_anew(self, tmp_path: Path) -> None:
        watch(SealedNodes(1, blocks=60).pool, saved=tmp_path / "headers.json")
        found = watch(SealedNodes(1, blocks=20).pool, saved=tmp_path / "headers.json")
        assert found is not None
        assert found.number == 20

    @pytest.mark.parametrize("changed", [{"epoch_length": 5}, {"block_period": 2}])
    def test_what_was_followed_by_other_rules_is_followed_anew(
        self, tmp_path: Path, changed: dict[str, Any]
    ) -> None:
        nodes = SealedNodes(1, blocks=30)
        watch(nodes.pool, saved=tmp_path / "headers.json")
        nodes.profile = replace(nodes.profile, **changed)
        with pytest.raises(HeaderError):
            watch(nodes.pool)
        with pytest.raises(HeaderError):
            watch(nodes.pool, saved=tmp_path / "headers.json")
