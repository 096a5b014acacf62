"""Research permitted and research intended, matched."""

import pytest

from xinglin.errors import ConsentError, InvalidEncoding
from xinglin.purposes import MODIFIERS, Research, covers

ALLOWED = [
    ("DUO:0000004", "DUO:0000042"),
    ("DUO:0000042", "DUO:0000006"),
    ("DUO:0000042", "DUO:0000007=A07"),
    ("DUO:0000042", "DUO:0000011"),
    ("DUO:0000006", "DUO:0000007=A07"),
    ("DUO:0000007=A07", "DUO:0000007=A07"),
    ("DUO:0000006,DUO:0000046", "DUO:0000006,DUO:0000046"),
    ("DUO:0000042,DUO:0000015", "DUO:0000006"),
    ("DUO:0000006", "DUO:0000006,DUO:0000031"),
]
REFUSED = [
    ("DUO:0000042", "DUO:0000004"),
    ("DUO:0000006", "DUO:0000042"),
    ("DUO:0000006", "DUO:0000011"),
    ("DUO:0000007=A07", "DUO:0000007=A08"),
    ("DUO:0000007=A07", "DUO:0000006"),
    ("DUO:0000011", "DUO:0000006"),
    ("DUO:0000006,DUO:0000046", "DUO:0000006"),
    ("DUO:0000006,DUO:0000028=2", "DUO:0000006,DUO:0000028=3"),
    ("DUO:0000015,DUO:0000042", "DUO:0000006,DUO:0000031"),
    ("DUO:0000042,DUO:0000044", "DUO:0000011"),
]


def parsed(text: str) -> Research:
    return Research.parse(",".join(sorted(text.split(","))))


class TestCovers:
    @pytest.mark.parametrize(("permitted", "intended"), ALLOWED)
    def test_a_wider_permission_covers(self, permitted: str, intended: str) -> None:
        assert covers(parsed(permitted), parsed(intended)) is None

    @pytest.mark.parametrize(("permitted", "intended"), REFUSED)
    def test_a_narrower_permission_or_a_condition_refuses(
        self, permitted: str, intended: str
    ) -> None:
        with pytest.raises(ConsentError) as refused:
            covers(parsed(permitted), parsed(intended))
        assert refused.value.term == "research"


class TestParse:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "DUO:0000007",
            "DUO:0000006=A07",
            "DUO:0000099",
            "DUO:0000046",
            "DUO:0000042,DUO:0000006",
            "DUO:0000006,DUO:0000042",
            "DUO:0000046,DUO:0000006",
            "DUO:0000006,DUO:0000006",
            " DUO:0000006",
            "DUO:0000007=",
        ],
    )
    def test_anything_but_the_one_form_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidEncoding):
            Research.parse(text)

    @pytest.mark.parametrize("text", ["DUO:0000006", "DUO:0000007=A07.01,DUO:0000046"])
    def test_it_survives_its_own_writing(self, text: str) -> None:
        assert str(Research.parse(text)) == text

    def test_no_modifier_is_a_permission_too(self) -> None:
        assert all(term not in MODIFIERS for term in ("DUO:0000042", "DUO:0000006", "DUO:0000007"))
