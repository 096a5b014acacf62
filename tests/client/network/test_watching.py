"""The validators on record beside those that seal: said where they differ."""

from xinglin._cli.standing import Validators
from xinglin._network.watching import RecordedValidator, Sealing, differences
from xinglin.names import Address, Member

ONE, TWO, NEW = (Address("0x" + digit * 40) for digit in "123")


def sealing(*may_seal: Address, recent: dict[Address, int] | None = None) -> Sealing:
    found = recent if recent is not None else dict.fromkeys(may_seal, 4)
    return Sealing(100, may_seal, found, span=sum(found.values()))


def on_record(*validators: Address) -> tuple[RecordedValidator, ...]:
    return tuple(
        RecordedValidator(Member(number), f"Hospital {number}", one)
        for number, one in enumerate(validators, start=1)
    )


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

    def test_where_nobody_keeps_a_record_nothing_differs(self) -> None:
        shown = Validators(sealing(ONE, TWO), ()).to_json()
        assert (shown["onlyOnRecord"], shown["onlySealing"]) == ((), ())


class TestMissing:
    def test_who_sealed_none_of_enough_blocks_misses_its_turns(self) -> None:
        assert sealing(ONE, TWO, recent={ONE: 8}).missing == (TWO,)

    def test_of_too_few_blocks_nothing_is_said(self) -> None:
        assert sealing(ONE, TWO, recent={ONE: 7}).missing == ()
