"""A bundle's header is one that validators sealed, as far as its headers show it (I8)."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import rlp
from eth_utils.address import to_checksum_address
from tests.client.headers.chains import CliqueChain, Key, QbftChain, keys_of

from xinglin import _cli
from xinglin._chain.answers import View, block_parameter
from xinglin._chain.evidence import header_at, state_proofs
from xinglin._chain.profile import Finality, FinalityRule, NetworkProfile
from xinglin._cli import output, signing
from xinglin._network import profile as profiles
from xinglin.bundle import Bundle, BundledAppointment, Evidence
from xinglin.errors import ChainError, EvidenceError, HeaderError, VerificationError
from xinglin.headers import header
from xinglin.names import Address, UnixTime
from xinglin.storage import Place
from xinglin.trust import Engine, Genesis, KnownBlock, TrustRoot
from xinglin.verify import AnyStatement, SealedFromTrust, Verified, places_read, verify_bundle
from xinglin.verify.chain import ProvenChain
from xinglin_ml import correction_export

from .conftest import World

EPOCH = 5


def trust_of(genesis: bytes, engine: Engine, *, depth: int = 0, epoch: int = EPOCH) -> TrustRoot:
    one = {"address": "0x" + "00" * 20, "codeHash": "0x" + "00" * 32, "block": 0, "slots": {}}
    return TrustRoot.from_json(
        {
            "format": "xinglin.trust/1",
            "networkId": "0x" + "01" * 16,
            "chainId": 1,
            "engine": engine,
            "genesis": {
                "hash": "0x" + header.parse(genesis).block_hash.hex(),
                "epochLength": epoch,
                "blockPeriod": 1,
            },
            "checkpoint": None,
            "finality": {"rule": "depth" if depth else "immediate", "depth": depth},
            "contracts": dict.fromkeys(("consortium", "checkpoints", "consents", "models"), one),
            "maxViewAge": 120,
            "maxLate": 300,
            "predecessor": None,
        }
    )


def checksummed(key: Key) -> Address:
    return Address(to_checksum_address(key.account))


def evidence_of(
    engine: Engine, block: bytes, headers: Sequence[bytes], view: bytes | None = None
) -> Evidence:
    return Evidence(
        engine=engine, header=block, headers=tuple(headers), seals=(), view=view, proofs=()
    )


def reach(trust: TrustRoot, evidence: Evidence, given: Iterator[bytes] | None = None) -> str:
    found = ProvenChain.prove(trust, evidence, given).reach
    assert found.sealed
    return found.sentence


@dataclass
class Qbft:
    """Ten blocks by four validators, and the same blocks as another validator stored them."""

    keys: list[Key]
    headers: list[bytes]
    others: list[bytes]
    """Of each block a header with other seals; of the genesis block its only one."""

    forged: list[bytes]
    """In place of each block one with another state that too few sealed."""

    @property
    def trust(self) -> TrustRoot:
        return trust_of(self.headers[0], "qbft")


@pytest.fixture(scope="module")
def qbft() -> Qbft:
    keys = keys_of(4)
    chain = QbftChain(keys)
    made = Qbft(keys, [chain.genesis], [chain.genesis], [chain.genesis])
    for _ in range(10):
        draft = chain.draft()
        forged = replace(draft, header=replace(draft.header, state_root=b"\x66" * 32))
        made.headers.append(draft.sealed(keys[:3]))
        made.others.append(draft.sealed(keys[1:]))
        made.forged.append(forged.sealed(keys[:2]))
        chain.accept(draft)
    return made


class TestQbft:
    def test_it_is_said_who_sealed_the_block(self, qbft: Qbft) -> None:
        evidence = evidence_of("qbft", qbft.headers[7], qbft.headers[:8])
        assert reach(qbft.trust, evidence) == "sealed by 3 of 4 validators known from genesis"

    def test_another_good_header_of_the_same_block_is_the_same_block(self, qbft: Qbft) -> None:
        # Each validator stores the seals that reached it: after a fail-over a node reads others.
        header_of, view_of = qbft.others[7], qbft.others[5]
        assert header_of not in qbft.headers
        assert header.parse(header_of).block_hash == header.parse(qbft.headers[7]).block_hash
        for block in (qbft.headers[7], header_of):
            for view in (qbft.headers[5], view_of):
                evidence = evidence_of("qbft", block, qbft.headers[:8], view)
                assert reach(qbft.trust, evidence).startswith("sealed by 3 of 4")

    def test_a_block_or_a_view_that_is_not_followed_is_refused(self, qbft: Qbft) -> None:
        led, forged = qbft.headers[:8], qbft.forged
        for block, view, match in (
            (forged[7], None, "do not lead"),
            (qbft.headers[8], None, "do not lead"),
            (led[7], forged[5], "view"),
            (led[7], qbft.headers[9], "view"),
        ):
            with pytest.raises(EvidenceError, match=match):
                reach(qbft.trust, evidence_of("qbft", block, led, view))

    def test_headers_that_are_left_out_or_forged_are_refused(self, qbft: Qbft) -> None:
        led = qbft.headers[:8]
        for wrong in (led[1:], led[:3] + led[4:], [*led[:3], qbft.forged[3], *led[4:]]):
            with pytest.raises(HeaderError):
                reach(qbft.trust, evidence_of("qbft", led[7], wrong))

    def test_from_a_checkpoint_the_headers_before_it_are_passed_over(self, qbft: Qbft) -> None:
        # A node cannot know which block its reader trusts: its bundles begin at genesis.
        known = KnownBlock(
            number=EPOCH,
            hash=header.parse(qbft.headers[EPOCH]).block_hash,
            validators=tuple(checksummed(one) for one in qbft.keys),
            epoch_length=EPOCH,
            block_period=1,
        )
        trust = qbft.trust.model_copy(update={"genesis": None, "checkpoint": known})
        for led in (qbft.headers[:8], qbft.headers[EPOCH:8]):
            sentence = reach(trust, evidence_of("qbft", qbft.headers[7], led))
            assert sentence == "sealed by 3 of 4 validators known from checkpoint 5"
        with pytest.raises(EvidenceError, match="do not lead"):
            reach(trust, evidence_of("qbft", qbft.headers[3], qbft.headers[:8]))


class TestHeadersFromElsewhere:
    def test_they_stand_in_for_those_that_the_bundle_lacks(self, qbft: Qbft) -> None:
        evidence = evidence_of("qbft", qbft.headers[7], (), qbft.headers[5])
        assert not ProvenChain.prove(qbft.trust, evidence).reach.sealed
        sentence = reach(qbft.trust, evidence, iter(qbft.others))
        assert sentence == "sealed by 3 of 4 validators known from genesis"

    def test_they_are_read_no_further_than_it_takes(self, qbft: Qbft) -> None:
        def up_to(last: int) -> Iterator[bytes]:
            yield from qbft.headers[: last + 1]
            raise AssertionError("asked for a block too many")

        reach(qbft.trust, evidence_of("qbft", qbft.headers[7], ()), up_to(7))
        with pytest.raises(EvidenceError, match="do not lead"):
            reach(qbft.trust, evidence_of("qbft", qbft.forged[7], ()), up_to(7))

    def test_whoever_gives_them_is_not_believed(self, qbft: Qbft) -> None:
        other = QbftChain(keys_of(3))
        others = [other.genesis, *(other.next() for _ in range(9))]
        for given in (others, [*qbft.headers[:6], *qbft.forged[6:]], [], qbft.headers[:4]):
            with pytest.raises(VerificationError):
                reach(qbft.trust, evidence_of("qbft", qbft.forged[7], ()), iter(given))


class TestClique:
    @pytest.mark.parametrize(
        ("signers", "depth", "needed"), [(4, 3, 3), (5, 3, 3), (7, 3, 3), (8, 3, 4), (4, 5, 5)]
    )
    def test_more_than_half_of_those_who_really_seal_stand_behind_the_block(
        self, signers: int, depth: int, needed: int
    ) -> None:
        # The depth is the founders'; where validators were voted in, a majority is more.
        chain = CliqueChain(keys_of(signers))
        led = [chain.genesis, *(chain.next() for _ in range(9))]
        trust = trust_of(chain.genesis, "clique", depth=depth, epoch=1_000)
        for view in (None, led[1]):
            short = evidence_of("clique", led[2], led[: 2 + needed], view)
            with pytest.raises(EvidenceError, match=f"expected {needed} blocks on block 2"):
                reach(trust, short)
            whole = evidence_of("clique", led[2], led[: 3 + needed], view)
            assert reach(trust, whole).endswith(f"{needed} blocks deep")
        sentence = reach(trust, evidence_of("clique", led[2], ()), iter(led))
        sealed = min(signers, needed + 1)
        expected = f"sealed by {sealed} of {signers} validators known from genesis"
        assert sentence == f"{expected}, {needed} blocks deep"


@dataclass
class Sealed:
    """An opening that was anchored, and whose state and view stand in QBFT blocks."""

    trust: TrustRoot
    chain: list[bytes]
    others: list[bytes]
    bundle: Bundle
    profile: NetworkProfile

    def without_headers(self) -> Bundle:
        return self.with_evidence(headers=())

    def with_evidence(self, **changes: object) -> Bundle:
        evidence = self.bundle.evidence.model_copy(update=changes)
        return self.bundle.model_copy(update={"evidence": evidence})


@pytest.fixture(scope="module")
def sealed(world: World) -> Sealed:
    """
    The words of contract state are a real chain's; its state root is put into a QBFT block.

    The one block that the opening names was sealed before it, the one that proves it after.
    """
    hospital = world.hospitals[0]
    keys, first = keys_of(4), world.now()
    qbft = QbftChain(keys, start_time=first - 10)
    chain, others = [qbft.genesis], [qbft.genesis]

    def seal_next(**changes: object) -> bytes:
        draft = qbft.draft(**changes)
        qbft.accept(draft)
        chain.append(draft.sealed(keys[:3]))
        others.append(draft.sealed(keys[1:]))
        return chain[-1]

    index, record = world.record(hospital, None)
    view = header.parse(seal_next(timestamp=world.now()))
    manifest = world.manifest(hospital, index)
    opened = world.access(
        hospital,
        hospital.appointments[1],
        hospital.physician,
        record,
        manifest,
        None,
        View(view.number, view.block_hash, UnixTime(view.timestamp)),
    )
    world.anchor(hospital)
    now = world.pool.final_view()
    root = header.parse(header_at(world.pool, now)).state_root
    block = seal_next(state_root=root, timestamp=max(now.time, view.timestamp + 1))
    main = world.part(hospital, opened, "record")
    known = Genesis(hash=header.parse(chain[0]).block_hash, epoch_length=EPOCH, block_period=1)
    trust = world.trust.model_copy(
        update={
            "engine": "qbft",
            "genesis": known,
            "finality": world.trust.finality.model_copy(update={"rule": "immediate", "depth": 0}),
        }
    )
    unproven = Bundle(
        format="xinglin.bundle/1",
        network_id=trust.network_id,
        origin=main.origin,
        index=opened,
        entry=main.entry,
        disclosure=main.disclosure,
        inclusion=main.inclusion,
        checkpoint=None,
        anchor=main.anchor,
        evidence=evidence_of("qbft", block, chain, chain[view.number]),
        trust=trust.digest,
        appointments=tuple(
            BundledAppointment(appointment=one.appointment, signature=one.signature, person=None)
            for one in hospital.appointments
        ),
        grant=None,
        model=None,
        receipt=None,
        parts=(world.part(hospital, index, "record"),),
    )

    def read(place: Place) -> bytes:
        contract = trust.contracts.named(place.contract)
        slot = "0x" + place.slot(contract.slots).hex()
        asked = [contract.address, slot, block_parameter(now)]
        return bytes.fromhex(str(world.pool.request("eth_getStorageAt", asked))[2:])

    places = places_read(unproven, trust=trust, read=read)
    proofs = state_proofs(world.pool, places, at=now)
    evidence = unproven.evidence.model_copy(update={"proofs": proofs})
    profile = replace(
        world.pool.profile,
        engine="qbft",
        genesis=known.hash,
        finality=Finality(FinalityRule.IMMEDIATE),
        epoch_length=EPOCH,
        block_period=1,
        validators=tuple(checksummed(one) for one in keys),
    )
    bundle = unproven.model_copy(update={"evidence": evidence})
    return Sealed(trust, chain, others, bundle, profile)


class TestASealedBundle:
    def verify(self, sealed: Sealed, bundle: Bundle) -> Verified:
        return verify_bundle(bundle, trust=sealed.trust, policy=SealedFromTrust())

    def test_it_verifies_whichever_seals_a_node_has_of_its_blocks(self, sealed: Sealed) -> None:
        evidence = sealed.bundle.evidence
        for changes in (
            {},
            {"header": sealed.others[2]},
            {"view": sealed.others[1]},
            {"headers": tuple(sealed.others)},
        ):
            verified = self.verify(sealed, sealed.with_evidence(**changes))
            assert verified.type == "access"
            assert verified.reach.sentence == "sealed by 3 of 4 validators known from genesis"
        assert evidence.view not in (None, sealed.others[1])

    def test_a_made_up_header_with_the_same_state_is_refused(self, sealed: Sealed) -> None:
        block = header.parse(sealed.chain[2])
        made_up = QbftChain(keys_of(3), start_time=block.timestamp - 5)
        made_up.next()
        forged = made_up.next(state_root=block.state_root)
        with pytest.raises(EvidenceError, match="do not lead"):
            self.verify(sealed, sealed.with_evidence(header=forged))


def as_rpc(encoded: bytes) -> dict[str, Any]:
    """A block as a node describes it."""
    items = zip(header._RPC_NAMES, rlp.decode(encoded), strict=False)
    fields = {name: int.from_bytes(item) if size is None else item for (name, size), item in items}
    return {**fields, "hash": "0x" + header.parse(encoded).block_hash.hex()}


Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(
    sealed: Sealed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """`xinglin verify` of a bundle, with nodes that serve some headers; its code and words."""
    (tmp_path / "trust.json").write_bytes(sealed.trust.encode())
    profiles.save(sealed.profile, tmp_path / "network.toml")

    def verify(bundle: Bundle, *options: str, served: Sequence[bytes] = ()) -> tuple[int, str]:
        class Nodes:
            def __init__(self, profile: NetworkProfile) -> None:
                self.profile = profile

            def block(self, number: int) -> dict[str, Any]:
                if number >= len(served):
                    raise ChainError(f"expected block {number}, the node has none")
                return as_rpc(served[number])

            def close(self) -> None:
                pass

        monkeypatch.setattr(signing, "RpcPool", Nodes)
        (tmp_path / "entry.xinglin.json").write_bytes(bundle.encode())
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as ended:
            _cli.main(["verify", "entry.xinglin.json", "--trust", "trust.json", *options])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out + printed.err

    return verify


NETWORK = ("--network", "network.toml")
NOTHING: dict[str, Any] = {"headers": None}


class TestTheCommand:
    """Where blocks are sealed, success means that it was shown who sealed."""

    def test_a_bundle_with_its_headers_verifies_offline(
        self, sealed: Sealed, command: Command
    ) -> None:
        code, told = command(sealed.bundle)
        assert code == output.DONE
        assert "sealed by 3 of 4 validators known from genesis" in told

    def test_one_without_headers_is_no_success_unless_that_is_asked_for(
        self, sealed: Sealed, command: Command
    ) -> None:
        code, told = command(sealed.without_headers())
        assert code == output.REFUSED
        assert "who sealed its block is not evidenced; follow them with --network" in told
        code, told = command(sealed.without_headers(), "--unsealed")
        assert code == output.DONE
        assert "not evidenced" in told
        assert "can have made up" in told
        code, told = command(sealed.without_headers(), "--unsealed", "--json")
        assert (code, json.loads(told)["sealed"]) == (output.DONE, False)

    def test_with_a_network_the_headers_are_followed_from_its_nodes(
        self, sealed: Sealed, command: Command
    ) -> None:
        for served in (sealed.chain, sealed.others):
            code, told = command(sealed.without_headers(), *NETWORK, served=served)
            assert code == output.DONE, told
            assert "sealed by 3 of 4 validators known from genesis" in told

    def test_its_nodes_are_not_believed(self, sealed: Sealed, command: Command) -> None:
        made_up = QbftChain(keys_of(3))
        forged = [made_up.genesis, *(made_up.next() for _ in range(2))]
        bare = sealed.without_headers()
        for served in (forged, [sealed.chain[0], *forged[1:]], sealed.chain[:2], ()):
            code, told = command(bare, *NETWORK, served=served)
            assert code == output.REFUSED, told

    def test_the_export_of_corrections_demands_the_same(
        self, sealed: Sealed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Who makes up the chain's state could have any text train with any spans.
        monkeypatch.setattr(correction_export, "OfType", lambda _: AnyStatement())
        bare, whole = tmp_path / "bare.json", tmp_path / "whole.json"
        bare.write_bytes(sealed.without_headers().encode())
        whole.write_bytes(sealed.bundle.encode())
        read: list[int] = []

        def pairs(paths: list[Path], served: Sequence[bytes]) -> Counter[str]:
            def block(number: int) -> dict[str, Any]:
                read.append(number)
                return as_rpc(served[number])

            pool = cast(Any, SimpleNamespace(profile=sealed.profile, block=block))
            headers = correction_export.Headers(pool, sealed.trust.first_block)
            left_out: Counter[str] = Counter()
            assert correction_export.corrected_pairs(paths, sealed.trust, headers, left_out) == {}
            return left_out

        assert pairs([whole], ()) == {"nobody corrected it": 1}
        assert read == []
        assert pairs([bare, bare], sealed.others) == {"nobody corrected it": 2}
        assert read == [0, 1, 2]
        made_up = QbftChain(keys_of(3))
        forged = [made_up.genesis, *(made_up.next() for _ in range(2))]
        for served in (forged, [sealed.chain[0], *forged[1:]]):
            with pytest.raises(EvidenceError, match=r"bare\.json: "):
                pairs([bare], served)
        monkeypatch.setattr(
            correction_export, "verify_bundle", lambda *a, **k: verify_bundle(*a, **k | NOTHING)
        )
        with pytest.raises(EvidenceError, match=r"bare\.json: .* not evidenced"):
            pairs([bare], sealed.chain)

    def test_what_contradicts_itself_is_wrong_usage(self, sealed: Sealed, command: Command) -> None:
        for options in (("--sealed",), NETWORK):
            code, told = command(sealed.bundle, "--unsealed", *options)
            assert code == output.WRONG_USAGE, told
