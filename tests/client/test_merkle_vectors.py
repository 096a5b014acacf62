"""The vectors that the contracts' tests read are those of the library, and it agrees with them."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from xinglin.errors import ConsistencyProofError, InclusionProofError
from xinglin.merkle import (
    ConsistencyProof,
    InclusionProof,
    verify_consistency,
    verify_inclusion,
)
from xinglin.names import LeafHash, NodeHash, RootHash

ROOT = Path(__file__).resolve().parents[2]
VECTORS: dict[str, Any] = json.loads(
    (ROOT / "tests" / "vectors" / "merkle.json").read_text("utf-8")
)


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def path_of(claim: dict[str, Any]) -> list[NodeHash]:
    return [NodeHash(unhex(sibling)) for sibling in claim["path"]]


def root_of_size(size: int) -> RootHash:
    return RootHash(unhex(VECTORS["roots"][size - 1]))


class TestMerkleVectors:
    def test_the_script_makes_the_same_file(self) -> None:
        script = runpy.run_path(str(ROOT / "scripts" / "vectors_merkle.py"))
        text = (ROOT / "tests" / "vectors" / "merkle.json").read_text("utf-8")
        assert script["rendered"]() == text

    def test_every_consistency_proof_is_accepted(self) -> None:
        for claim in VECTORS["consistency"]:
            proof = ConsistencyProof(claim["oldSize"], claim["newSize"], path_of(claim))
            verify_consistency(
                proof, root_of_size(claim["oldSize"]), root_of_size(claim["newSize"])
            )

    def test_every_inclusion_proof_is_accepted(self) -> None:
        for claim in VECTORS["inclusion"]:
            proof = InclusionProof(claim["index"], claim["size"], path_of(claim))
            leaf = LeafHash(unhex(VECTORS["leaves"][claim["index"]]))
            verify_inclusion(proof, leaf, root_of_size(claim["size"]))

    @pytest.mark.parametrize(
        "claim", VECTORS["refused_consistency"], ids=lambda claim: claim["name"]
    )
    def test_a_tampered_consistency_proof_is_refused(self, claim: dict[str, Any]) -> None:
        proof = ConsistencyProof(claim["oldSize"], claim["newSize"], path_of(claim))
        with pytest.raises(ConsistencyProofError):
            verify_consistency(
                proof, RootHash(unhex(claim["oldRoot"])), RootHash(unhex(claim["newRoot"]))
            )

    @pytest.mark.parametrize("claim", VECTORS["refused_inclusion"], ids=lambda claim: claim["name"])
    def test_a_tampered_inclusion_proof_is_refused(self, claim: dict[str, Any]) -> None:
        proof = InclusionProof(claim["index"], claim["size"], path_of(claim))
        with pytest.raises(InclusionProofError):
            verify_inclusion(proof, LeafHash(unhex(claim["leaf"])), RootHash(unhex(claim["root"])))
