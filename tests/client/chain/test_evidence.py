"""What is collected for a bundle is what the verifier's own readers find in it."""

from typing import Any

import pytest

from xinglin import consent, storage
from xinglin._chain.abi import interface
from xinglin._chain.checkpoints import NO_ANCHOR, Checkpoints
from xinglin._chain.consortium import Consortium
from xinglin._chain.deploy import slots_of, trust_root
from xinglin._chain.evidence import collect, header_rlp, headers_between, read_word
from xinglin._chain.words import Power
from xinglin.errors import ChainError
from xinglin.headers.header import StateRoot, parse
from xinglin.headers.state import CodeHash, verify_contract, verify_storage
from xinglin.names import Generation, GrantId, Member, RootHash, UnixTime
from xinglin.trust import read_trust

FIRST = Member(1)
GENERATION = Generation(0)


@pytest.fixture(scope="module")
def anchored(deployed: Any) -> Any:
    """Something in each contract, and a final view of it."""
    hospital = deployed.hospitals[0]
    registry = Checkpoints(deployed.pool)
    if registry.latest_size(FIRST, GENERATION) == 0:
        call = registry.anchor(1, RootHash(b"r" * 32), (), previous=NO_ANCHOR)
        deployed.sender(hospital.anchor).send(call)
    digest = b"\x55" * 32
    withdrawal = Consortium(deployed.pool).withdraw_appointment(digest)
    deployed.sender(hospital.appoint).send(withdrawal, final=True)
    return deployed.pool.final_view()


def words_of(deployed: Any, evidence: Any) -> dict[tuple[str, bytes], int]:
    """Follow every proof to the header's state root, as the verifier does."""
    root = StateRoot(parse(evidence.header).state_root)
    accounts: dict[str, Any] = {}
    words: dict[tuple[str, bytes], int] = {}
    for proof in evidence.proofs:
        contract = dict(deployed.profile.deployed.items())[proof.contract]
        if proof.slot is None:
            accounts[proof.contract] = verify_contract(
                root, contract.address, CodeHash(contract.code_hash), proof.proof
            )
        else:
            account = accounts[proof.contract]
            words[proof.contract, proof.slot] = verify_storage(
                account.storage_hash, proof.slot, proof.proof
            )
    return words


class TestEvidence:
    def test_each_place_is_proven_to_hold_what_the_contract_answers(
        self, deployed: Any, anchored: Any
    ) -> None:
        pool, hospital = deployed.pool, deployed.hospitals[0]
        size = Checkpoints(pool).history(FIRST, GENERATION, at=anchored)[-1].size
        places = {
            "anchor": storage.anchored_place(FIRST, GENERATION, size),
            "account": storage.account_place(hospital.anchor.address),
            "status": storage.status_place(FIRST, 0),
            "statuses": storage.statuses_length_place(FIRST),
            "withdrawn": storage.withdrawn_place(FIRST, b"\x55" * 32),
            "key": storage.log_key_place(FIRST, 0, 1),
            "no grant": storage.grant_place(GrantId(b"\x01" * 32), 2),
            "no model": storage.model_statuses_length_place(b"\x01" * 32),
        }
        evidence = collect(pool, list(places.values()), at=anchored)
        words = words_of(deployed, evidence)
        value = {
            name: words[place.contract, place.slot(slots_of(place.contract))].to_bytes(32)
            for name, place in places.items()
        }
        registry, consortium = Checkpoints(pool), Consortium(pool)
        assert value["anchor"] == registry.anchored(FIRST, GENERATION, size, at=anchored)
        account = storage.read_account(value["account"])
        stored = consortium.account(hospital.anchor.address, at=anchored)
        assert stored is not None
        assert (account.member, account.powers, account.since, account.until) == (
            stored.member,
            stored.powers,
            stored.since,
            stored.until,
        )
        assert account.powers == Power.ANCHOR
        member = consortium.member(FIRST, at=anchored)
        assert member is not None
        assert storage.read_status(value["status"]) == (
            member.statuses[0][1],
            int(member.statuses[0][0]),
        )
        assert int.from_bytes(value["statuses"]) == len(member.statuses)
        assert value["key"] == member.log_key
        assert int.from_bytes(value["withdrawn"]) == consortium.withdrawn_at(FIRST, b"\x55" * 32)
        # Absence is proven as well: there is no such grant, and no such model.
        assert value["no grant"] == value["no model"] == bytes(32)
        for name, place in places.items():
            assert read_word(pool, place, at=anchored) == value[name]

    def test_a_grant_s_three_words_are_the_state_that_the_chain_answers(
        self, deployed: Any
    ) -> None:
        pool = deployed.pool
        hospital = deployed.hospitals[1]
        day = 86_400
        end = UnixTime((pool.head().time // day + 9) * day)
        registry = consent.Consents(pool)
        terms = b"terms are only hashed here"
        sender = deployed.sender(hospital.witness)
        sender.send(registry.witness(terms, not_before=UnixTime(0), expires_at=end), final=True)
        view = pool.final_view()
        given = registry.logs(at=view)[-1].fields["grantId"]
        places = [storage.grant_place(GrantId(given), offset) for offset in range(3)]
        words = words_of(deployed, collect(pool, places, at=view))
        slots = slots_of("consents")
        found = storage.read_grant(
            tuple(words["consents", place.slot(slots)].to_bytes(32) for place in places)
        )
        assert found == registry.grant(GrantId(given), at=view)

    def test_the_header_is_that_of_the_view(self, deployed: Any, anchored: Any) -> None:
        evidence = collect(deployed.pool, [], at=anchored, view=anchored)
        assert parse(evidence.header).number == anchored.number
        assert evidence.view == evidence.header
        assert evidence.proofs == ()

    def test_a_block_whose_fields_do_not_hash_to_it_is_refused(
        self, deployed: Any, anchored: Any
    ) -> None:
        block = dict(deployed.pool.block(anchored.hash))
        block["stateRoot"] = "0x" + "00" * 32
        with pytest.raises(ChainError, match="another hash"):
            header_rlp(deployed.pool, block)

    def test_headers_follow_one_another(self, deployed: Any, anchored: Any) -> None:
        headers = headers_between(deployed.pool, anchored.number - 2, anchored.number)
        assert [parse(header).number for header in headers] == list(
            range(anchored.number - 2, anchored.number + 1)
        )


class TestTrustRoot:
    def test_it_names_each_contract_with_its_code_and_slots(self, deployed: Any) -> None:
        root = read_trust(trust_root(deployed.profile).encode())
        assert root.chain_id == deployed.profile.chain_id
        assert root.network_id == deployed.profile.network_id
        assert (
            root.contracts.consents.slots["_grants"]
            == interface("ConsentRegistry").slots["_grants"]
        )
        for name, contract in deployed.profile.deployed.items():
            named = root.contracts.named(name)
            assert (named.address, named.code_hash) == (contract.address, contract.code_hash)

    def test_the_founders_need_not_be_trusted_for_it(self, deployed: Any) -> None:
        # Nothing secret and nobody's key is in it: it can be printed on paper.
        text = trust_root(deployed.profile).encode().decode()
        for hospital in deployed.hospitals:
            assert hospital.govern.address not in text
