"""
The published QBFT vectors: a real GoQuorum network, and what was forged from it.

Skipped where the shared folder is not beside the project.
"""

from dataclasses import replace
from typing import Any

import pytest
import rlp
from eth_hash.auto import keccak

from xinglin.errors import HeaderError, StateProofError
from xinglin.headers import describe, follow, qbft, state
from xinglin.headers.header import Fork, parse
from xinglin.headers.qbft_extra import read_extra_data, seal_hash
from xinglin.headers.state import ABSENT, NO_CODE
from xinglin.headers.validators import address_of, recover


def data(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def lower(addresses: tuple[str, ...]) -> list[str]:
    return [address.lower() for address in addresses]


@pytest.fixture(scope="package")
def main_chain(vectors: dict[str, Any]) -> list[qbft.View]:
    """The view after every block of the main chain, by number."""
    rules = qbft.Rules(vectors["epochLength"], vectors["blockPeriodSeconds"])
    views = [qbft.genesis(data(vectors["genesis"]["header_rlp"]), rules=rules)]
    for block in vectors["blocks"]:
        views.append(views[-1].follow(data(block["header_rlp"])))
    return views


class TestMainChain:
    def test_the_genesis_block_is_read_as_marked(
        self, vectors: dict[str, Any], main_chain: list[qbft.View]
    ) -> None:
        genesis = vectors["genesis"]
        assert main_chain[0].block_hash == data(genesis["hash"])
        assert lower(main_chain[0].validators) == genesis["validators"]
        assert qbft.genesis_extra_data(genesis["validators"]) == data(genesis["extraData"])

    def test_every_block_has_the_hash_the_set_and_the_sealers_that_the_network_named(
        self, vectors: dict[str, Any], main_chain: list[qbft.View]
    ) -> None:
        assert len(main_chain) == 94
        for block, before, view in zip(
            vectors["blocks"], main_chain[:-1], main_chain[1:], strict=True
        ):
            assert view.number == block["number"]
            assert view.block_hash == data(block["hash"])
            assert lower(view.validators) == block["validators_after"]
            assert view.sealed_by == tuple(before.validators[i] for i in block["sealed_by"])
            extra = read_extra_data(view.header.extra_data)
            assert extra.round == block["round"]
            vote = block["vote"]
            assert extra.vote == (vote and (data(vote["recipient"]), vote["add"]))

    def test_the_verdict_is_in_words(self, main_chain: list[qbft.View]) -> None:
        assert describe(main_chain[0]) == "genesis block: taken from the trust root"
        assert describe(main_chain[9]) == "sealed by 3 of 4 validators known from genesis"
        assert describe(main_chain[29]) == "sealed by 4 of 5 validators known from genesis"

    def test_every_header_is_written_again_as_it_was(self, vectors: dict[str, Any]) -> None:
        for block in [vectors["genesis"], *vectors["blocks"]]:
            header = parse(data(block["header_rlp"]))
            assert header.encoded == data(block["header_rlp"])
            assert header.block_hash == data(block["hash"])

    @pytest.mark.parametrize("epoch_length", [30, 40, 1000])
    def test_another_epoch_length_leads_to_another_set(
        self, vectors: dict[str, Any], epoch_length: int
    ) -> None:
        # The genesis hash does not cover it, so it has to be pinned.
        view = qbft.genesis(
            data(vectors["genesis"]["header_rlp"]), rules=qbft.Rules(epoch_length, 1)
        )
        headers = [data(block["header_rlp"]) for block in vectors["blocks"]]
        with pytest.raises(HeaderError, match="validators: expected the followed set"):
            follow(view, headers)

    def test_the_last_block_of_an_epoch_serves_to_resume_from(
        self, vectors: dict[str, Any], main_chain: list[qbft.View]
    ) -> None:
        view = qbft.resume(
            data(vectors["blocks"][59]["header_rlp"]),
            block_hash=main_chain[60].block_hash,
            validators=main_chain[60].validators,
            rules=main_chain[60].rules,
        )
        for block in vectors["blocks"][60:]:
            view = view.follow(data(block["header_rlp"]))
        assert view.block_hash == main_chain[93].block_hash
        assert describe(view) == "sealed by 3 of 4 validators known from checkpoint 60"


class TestSameHashAlternatives:
    def test_each_is_accepted_as_the_same_block(
        self, vectors: dict[str, Any], main_chain: list[qbft.View]
    ) -> None:
        assert len(vectors["same_hash_alternatives"]) == 4
        for case in vectors["same_hash_alternatives"]:
            real = main_chain[case["number"]]
            view = main_chain[case["number"] - 1].follow(data(case["header_rlp"]))
            assert view.block_hash == real.block_hash == data(case["hash"]), case["name"]
            qbft.check_one_history(real, view)


REFUSALS = {
    "too-few-seals": "seals: expected 3 to 4 of 4 validators, got 2",
    "no-seals": "seals: expected 3 to 4 of 4 validators, got 0",
    "duplicate-seal": "seal 2: expected each sealer once",
    "seal-by-non-validator": "seal 2: expected a validator",
    "seals-for-another-round": "seal 0: expected a validator",
    "seals-double-hashed": "seal 0: expected a validator",
    "round-changed": "seal 0: expected a validator",
    "state-root-flipped": "seal 0: expected a validator",
    "wrong-parent": "parentHash: expected",
    "number-skipped": "number: expected 9, got 10",
    "validator-removed-from-list": "validators: expected the followed set",
    "validator-added-to-list": "validators: expected the followed set",
    "validators-unsorted": "validators: expected the followed set",
    "high-s-seal": "seal 0: expected s in the lower half",
    "recovery-id-27": "seal 0: expected a recovery id of 0 or 1",
    "seal-64-bytes": "seal 0: expected 65 bytes, got 64",
    "trailing-byte": "header: expected 833 bytes, got 834",
    "trailing-byte-in-extra": "extraData: expected 327 bytes, got 328",
    "sixth-extra-item": "extraData: expected 5 items, got 6",
    "noncanonical-gas-used": "gasUsed: expected an integer without leading zeros",
    "noncanonical-timestamp": "timestamp: expected an integer without leading zeros",
    "round-as-four-bytes": "round: expected an integer without leading zeros",
    "vote-forged": "seal 0: expected a validator",
    "vote-flipped": "seal 0: expected a validator",
    "vote-type-01": "vote type: expected ff or nothing, got 01",
    "coinbase-not-validator": "coinbase: expected a validator",
    "difficulty-2": "difficulty: expected 1, got 2",
    "ommers-hash": "ommersHash: expected",
    "nonce-1": "nonce: expected 0000000000000000, got 0000000000000001",
    "timestamp-equal-parent": "timestamp: expected",
    "gas-used-above-limit": "gasUsed: expected 30000000 at most",
    "base-fee-before-london": "header: expected 15 items by the fork schedule, got 16",
    "vanity-31-bytes": "vanity: expected 32 bytes, got 31",
    "sealed-by-set-of-next-block": "seal 2: expected a validator",
    "old-list-after-add": "validators: expected the followed set",
    "sealed-by-removed-validator": "seal 2: expected a validator",
    "replayed-block": "number: expected 9, got 8",
}
"""Why each forged header is refused here; the published file says the same in its words."""


class TestNegatives:
    def test_every_published_forgery_has_its_reason_below(self, vectors: dict[str, Any]) -> None:
        assert {case["name"] for case in vectors["negatives"]} == set(REFUSALS)

    @pytest.mark.parametrize("name", REFUSALS)
    def test_it_is_refused_for_its_own_reason(
        self, vectors: dict[str, Any], main_chain: list[qbft.View], name: str
    ) -> None:
        case = next(case for case in vectors["negatives"] if case["name"] == name)
        parent = main_chain[case["number"] - 1]
        assert lower(parent.validators) == case["validators"]
        with pytest.raises(HeaderError, match=REFUSALS[name]):
            parent.follow(data(case["header_rlp"]))


class TestDivergentChain:
    def test_a_vote_in_the_last_block_of_an_epoch_counts_on_goquorum_and_not_here(
        self, vectors: dict[str, Any]
    ) -> None:
        chain = vectors["divergent_chain"]
        view = qbft.genesis(
            data(vectors["genesis"]["header_rlp"]), rules=qbft.Rules(chain["epochLength"], 1)
        )
        assert view.block_hash == data(chain["genesis_hash"])
        last = chain["besu_rules_refuse_block"] - 1
        for block in chain["blocks"][:last]:
            view = view.follow(data(block["header_rlp"]))
            assert view.block_hash == data(block["hash"])
        with pytest.raises(HeaderError, match="validators: expected the followed set"):
            view.follow(data(chain["blocks"][last]["header_rlp"]))


class TestLaterForks:
    def test_both_hashes_and_the_signers_are_as_marked(self, vectors: dict[str, Any]) -> None:
        cases = vectors["synthetic_later_forks"]["headers"]
        assert sorted(case["fields"] for case in cases) == [16, 17, 19, 20, 21]
        for case in cases:
            encoded = data(case["header_rlp"])
            header = parse(encoded)
            extra = read_extra_data(header.extra_data)
            digest = seal_hash(header, extra)
            assert header.encoded == encoded
            assert len(header.written) == case["fields"]
            assert qbft.block_hash(encoded) == data(case["hash"])
            assert digest == data(case["seal_hash"])
            signers = sorted(address_of(recover(s, digest, "seal")).lower() for s in extra.seals)
            assert signers == sorted(case["signers"])

    def test_each_is_refused_on_a_chain_whose_schedule_does_not_name_its_fork(
        self, vectors: dict[str, Any], main_chain: list[qbft.View]
    ) -> None:
        for case in vectors["synthetic_later_forks"]["headers"]:
            with pytest.raises(HeaderError, match="expected 15 items by the fork schedule"):
                main_chain[8].follow(data(case["header_rlp"]))

    def test_with_the_fork_named_only_the_doubled_gas_limit_of_london_is_missing(
        self, vectors: dict[str, Any], main_chain: list[qbft.View]
    ) -> None:
        # The published headers keep Berlin's gas limit; they are for reading and hashing.
        for case in vectors["synthetic_later_forks"]["headers"]:
            rules = qbft.Rules(20, 1, forks=(Fork((case["fields"],), number=9),))
            with pytest.raises(HeaderError, match="gasLimit: expected less than 1/1024"):
                replace(main_chain[8], rules=rules).follow(data(case["header_rlp"]))


class TestProofs:
    def test_every_account_and_slot_is_proven_as_marked(
        self, vectors: dict[str, Any], main_chain: list[qbft.View]
    ) -> None:
        absent = 0
        for proof in vectors["proofs"]:
            root = main_chain[proof["block"]].state_root
            nodes = [data(node) for node in proof["accountProof"]]
            account = state.verify_account(root, proof["address"], nodes)
            if proof.get("absent_account"):
                assert account == ABSENT
                absent += 1
                continue
            assert account.nonce == int(proof["nonce"], 16)
            assert account.balance == int(proof["balance"], 16)
            assert account.code_hash == data(proof["codeHash"]) != NO_CODE
            assert account.storage_hash == data(proof["storageHash"])
            word = state.verify_storage(
                account.storage_hash, data(proof["slot"]), [data(n) for n in proof["storageProof"]]
            )
            assert word == int(proof["value"], 16)
        assert absent == 1

    def test_the_contract_holds_what_was_written_to_it(
        self, vectors: dict[str, Any], main_chain: list[qbft.View]
    ) -> None:
        entries = {data(entry["key"]): entry["value"] for entry in vectors["contract"]["entries"]}
        slots = {keccak(key + (1).to_bytes(32, "big")): value for key, value in entries.items()}
        shown = [proof for proof in vectors["proofs"] if proof["block"] == 93]
        values = {
            data(proof["slot"]): proof["value"]
            for proof in shown
            if data(proof["slot"]) in slots and proof["value"] != "0x0"
        }
        assert values
        for slot, value in values.items():
            assert slots[slot] == value

    def test_no_node_can_be_changed_left_out_or_put_in(
        self, vectors: dict[str, Any], main_chain: list[qbft.View]
    ) -> None:
        proof = vectors["proofs"][1]
        nodes = [data(node) for node in proof["storageProof"]]
        root, slot = data(proof["storageHash"]), data(proof["slot"])
        assert state.verify_storage(root, slot, nodes) == int(proof["value"], 16)
        extra = rlp.encode([b"\x20", b"leaf"])
        bent = bytearray(nodes[-1])
        bent[-1] ^= 1
        shorter = (nodes[1:], nodes[:-1], [])
        longer = ([*nodes, extra], [*nodes, nodes[0]])
        for wrong in (*shorter, *longer, [*nodes[:-1], bytes(bent)]):
            with pytest.raises(StateProofError):
                state.verify_storage(root, slot, wrong)
        with pytest.raises(StateProofError):
            state.verify_storage(root, bytes(32), nodes)
