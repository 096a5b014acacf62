"""The short form of `make faults-network`: four of the nine, on four real validators."""

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from tests.faults.namespaces import namespaces, refusal

from xinglin._network.clique import find_geth
from xinglin.bundle import Bundle, read_bundle
from xinglin.errors import EvidenceError, HeaderError, UsageError, VerificationError
from xinglin.verify import SealedFromTrust, verify_bundle

if TYPE_CHECKING:
    from tests.faults.trial import Trial

pytestmark = [pytest.mark.slow, pytest.mark.chain]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Trial"]:
    pytest.importorskip("xinglin_node")
    try:
        find_geth()
    except UsageError as error:
        pytest.skip(str(error))
    from tests.faults.trial import trial

    with (
        contextlib.nullcontext() if refusal() else namespaces(4) as ground,
        trial(tmp_path_factory.mktemp("faults") / "world", lambda _: None, ground) as one,
    ):
        yield one


@pytest.fixture(scope="module")
def bundle(network: "Trial") -> Bundle:
    """Of the record that the patient granted, as the patient gets it."""
    from xinglin._demo.consent import sign_in_patient

    with network.world.nodes[0].client() as client:
        sign_in_patient(network.world, client, network.record.patient)
        return read_bundle(client.get_bytes(f"/v1/entries/{network.record.index}/bundle"))


class TestEvidence:
    """I2, I8: what a bundle shows of four validators, to whoever has the trust root alone."""

    def test_it_says_how_many_validators_known_from_genesis_sealed_its_block(
        self, network: "Trial", bundle: Bundle
    ) -> None:
        verified = verify_bundle(bundle, trust=network.world.trust, policy=SealedFromTrust())
        sentence = r"sealed by [34] of 4 validators known from genesis, [0-9]+ blocks deep"
        assert re.fullmatch(sentence, verified.reach.sentence)

    def test_headers_that_are_left_out_or_bent_are_refused(
        self, network: "Trial", bundle: Bundle
    ) -> None:
        headers = bundle.evidence.headers
        at, half = headers.index(bundle.evidence.header), len(headers) // 2
        bent = bytearray(headers[half])
        bent[-200] ^= 1
        for altered, error in (
            ((), VerificationError),
            (headers[:half] + headers[half + 1 :], HeaderError),
            ((*headers[:half], bytes(bent), *headers[half + 1 :]), HeaderError),
            (headers[: at + 1], EvidenceError),
        ):
            evidence = bundle.evidence.model_copy(update={"headers": altered})
            forged = bundle.model_copy(update={"evidence": evidence})
            with pytest.raises(error):
                verify_bundle(forged, trust=network.world.trust, policy=SealedFromTrust())


class TestFaults:
    """I3, I4, I5: nothing acknowledged is lost, no key leaves on a view too old or orphaned."""

    @pytest.mark.parametrize("name", ["one-killed", "two-killed", "all-killed", "reorganised"])
    def test_all_that_was_acknowledged_is_anchored_once_and_no_key_left_wrongly(
        self, network: "Trial", name: str
    ) -> None:
        from tests.faults.checks import check
        from tests.faults.faults import FAULTS

        FAULTS[name](network, True)
        seen = check(network)
        assert seen["acknowledged"] > 0
        assert seen["roots"] > 0
