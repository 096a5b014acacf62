"""A real Clique network's headers, made by four go-ethereum v1.13.15 nodes."""

import json
from pathlib import Path
from typing import Any

import pytest

from xinglin.errors import HeaderError
from xinglin.headers import clique, describe, follow, views
from xinglin.headers.header import LONDON, parse

NETWORK = Path(__file__).parent / "vectors" / "clique-geth-1.13.15.json"


def data(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


@pytest.fixture(scope="module")
def network() -> dict[str, Any]:
    return json.loads(NETWORK.read_text())


@pytest.fixture(scope="module")
def headers(network: dict[str, Any]) -> list[bytes]:
    return [data(block["header"]) for block in network["blocks"]]


def genesis_of(network: dict[str, Any], epoch_length: int | None = None) -> clique.View:
    rules = clique.Rules(epoch_length or network["epochLength"], network["blockPeriod"])
    return clique.genesis(data(network["blocks"][0]["header"]), rules=rules)


class TestRealNetwork:
    def test_every_block_has_the_hash_the_sealer_and_the_signers_that_geth_named(
        self, network: dict[str, Any], headers: list[bytes]
    ) -> None:
        view = genesis_of(network)
        assert view.block_hash == data(network["blocks"][0]["hash"])
        signers = network["blocks"][0]["signersAfter"]
        for block, after in zip(network["blocks"][1:], views(view, headers[1:]), strict=True):
            signers = block.get("signersAfter", signers)
            assert after.block_hash == data(block["hash"])
            assert [a.lower() for a in after.sealed_by] == [block["sealer"].lower()]
            assert [a.lower() for a in after.validators] == [a.lower() for a in signers]

    def test_it_shows_what_it_was_made_for(
        self, network: dict[str, Any], headers: list[bytes]
    ) -> None:
        # If these no longer hold the chain has been made anew and proves less.
        sizes = [len(b["signersAfter"]) for b in network["blocks"] if "signersAfter" in b]
        assert sizes == [4, 5, 4, 3]
        parsed = [parse(header_rlp) for header_rlp in headers]
        assert sum(header.difficulty == clique.OUT_OF_TURN for header in parsed[1:]) > 5
        assert {len(header.written) for header in parsed} == {LONDON}
        assert len(headers) > 4 * network["epochLength"]

    def test_another_epoch_length_leads_astray(
        self, network: dict[str, Any], headers: list[bytes]
    ) -> None:
        # The genesis hash does not cover it, so it has to be pinned.
        for epoch_length in (6, 11, 24, 30_000):
            with pytest.raises(HeaderError):
                follow(genesis_of(network, epoch_length), headers[1:])

    def test_no_header_can_be_left_out_put_again_or_bent(
        self, network: dict[str, Any], headers: list[bytes]
    ) -> None:
        view = genesis_of(network)
        for number, header_rlp in enumerate(headers[1:-1], start=1):
            for wrong in (headers[number - 1], headers[number + 1]):
                with pytest.raises(HeaderError, match="number: expected"):
                    view.follow(wrong)
            state_root = header_rlp.index(parse(header_rlp).state_root)
            bent = bytearray(header_rlp)
            bent[state_root] ^= 1
            with pytest.raises(HeaderError, match="seal: expected"):
                view.follow(bytes(bent))
            view = view.follow(header_rlp)
        known = [*views(genesis_of(network), headers[1:])]
        assert describe(known[0], known[1:4]).startswith("sealed by 4 of 4 validators")

    def test_the_last_block_of_an_epoch_serves_to_resume_from(
        self, network: dict[str, Any], headers: list[bytes]
    ) -> None:
        known = [genesis_of(network), *views(genesis_of(network), headers[1:])]
        number = 4 * network["epochLength"]
        view = clique.resume(
            headers[number],
            block_hash=known[number].block_hash,
            validators=known[number].validators,
            rules=known[0].rules,
        )
        assert follow(view, headers[number + 1 :]).block_hash == known[-1].block_hash
