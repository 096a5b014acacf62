"""The slots that storage proofs rest on are where `docs/spec/chain.md` says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ABI = ROOT / "client" / "xinglin" / "_chain" / "abi"
ROW = re.compile(r"^\| (\w+) \| (\d+) \| `(_\w+)` \| ([^|]+?) \| ([^|]+?) \|$", re.MULTILINE)
SLOTS = re.compile(r"^(\d+) slots?(?: an element)?: (.*)$")

WORD = 32
"""Bytes of a slot."""

SHORT_TYPES = {"address": ("address", 20), "": ("bytes32", WORD)}

Row = tuple[str, str, str, str, str]


def rows() -> list[Row]:
    text = (ROOT / "docs" / "spec" / "chain.md").read_text("utf-8")
    return [match.groups() for match in ROW.finditer(text)]  # type: ignore[misc]


def layout(contract: str) -> dict[str, Any]:
    artifact = json.loads((ABI / f"{contract}.json").read_text("utf-8"))
    found: dict[str, Any] = artifact["storageLayout"]
    return found


def variable(row: Row) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the variable of a row, and all types of its contract."""
    found = layout(row[0])
    (match,) = [entry for entry in found["storage"] if entry["label"] == row[2]]
    return match, found["types"]


def described(text: str) -> list[tuple[int, int, str, str]]:
    """Read `1 slot: member u32, powers u8` as (slot, offset, name, type)."""
    fields = []
    for slot, part in enumerate(text.split("; ")):
        offset = 0
        for field in part.split(", "):
            name, _, short = field.partition(" ")
            kind, size = SHORT_TYPES.get(short) or (f"uint{short[1:]}", int(short[1:]) // 8)
            fields.append((slot, offset, name, kind))
            offset += size
    return fields


class TestTheTableOfSlots:
    def test_lists_every_proven_variable(self) -> None:
        names = [(row[0], row[2]) for row in rows()]
        assert len(names) == len(set(names)) == 13

    @pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]}.{row[2]}")
    def test_agrees_with_the_compiler_on_slot_and_type(self, row: Row) -> None:
        found, types = variable(row)
        kind = re.sub(r"struct \w+\.", "", types[found["type"]]["label"])
        assert (found["slot"], found["offset"], kind) == (row[1], 0, row[3])

    @pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]}.{row[2]}")
    def test_agrees_with_the_compiler_on_every_field(self, row: Row) -> None:
        found, types = variable(row)
        value = types[found["type"]]
        while "members" not in value and ("value" in value or "base" in value):
            value = types[value.get("value") or value["base"]]
        if "members" not in value:
            assert row[4].startswith("1 slot")
            assert int(value["numberOfBytes"]) <= WORD
            return

        described_as = SLOTS.match(row[4])
        assert described_as is not None
        assert int(described_as[1]) == -(-int(value["numberOfBytes"]) // WORD)
        assert described(described_as[2]) == [
            (int(field["slot"]), field["offset"], field["label"], types[field["type"]]["label"])
            for field in value["members"]
        ]
