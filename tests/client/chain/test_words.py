"""The numbers that stand for words are those of the contracts."""

import re
from enum import IntEnum, IntFlag
from pathlib import Path

import pytest

from xinglin import storage
from xinglin._chain import words

CONSTANTS = Path(__file__).parents[3] / "contracts" / "interfaces" / "ConsortiumConstants.sol"


def constants(prefix: str) -> dict[str, int]:
    text = CONSTANTS.read_text("utf-8")
    found = re.findall(rf"uint8 constant {prefix}_(\w+) = (\d+);", text)
    return {name: int(number) for name, number in found}


class TestWords:
    @pytest.mark.parametrize(
        ("prefix", "kind"),
        [
            ("ROLE", words.Role),
            ("STATUS", words.Status),
            ("POWER", words.Power),
            ("KIND", words.Kind),
        ],
    )
    def test_each_word_has_the_contract_s_number(
        self, prefix: str, kind: type[IntEnum] | type[IntFlag]
    ) -> None:
        assert constants(prefix) == {one.name: one.value for one in kind}

    def test_changes_and_their_states(self) -> None:
        found = {one.name: one.value for one in (*words.Change, *words.ChangeState)}
        assert constants("CHANGE") == found

    def test_the_verifier_reads_the_same_numbers(self) -> None:
        assert storage.GOVERN == words.Power.GOVERN
        assert storage.ANCHOR == words.Power.ANCHOR
        assert storage.APPOINT == words.Power.APPOINT
        assert storage.WITNESS == words.Power.WITNESS
        assert words.Status.ACTIVE == storage.ACTIVE
        assert words.Status.REMOVED == storage.REMOVED
