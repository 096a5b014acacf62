"""What others call: names, order and keywords of the entry points, which must not change."""

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import pytest

from xinglin import merkle, seal, verify
from xinglin.envelope import Envelope
from xinglin.names import LeafHash
from xinglin.verify import Verified


def shape(function: Callable[..., Any]) -> tuple[list[str], list[str]]:
    """Parameters that may be given by their place, and those only by their name and needed."""
    parameters = inspect.signature(function).parameters.values()
    return (
        [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD],
        [
            one.name
            for one in parameters
            if one.kind is one.KEYWORD_ONLY and one.default is one.empty
        ],
    )


class TestEntryPoints:
    @pytest.mark.parametrize(
        ("function", "placed", "named"),
        [
            (merkle.leaf_hash, ["data"], []),
            (merkle.InclusionProof, ["leaf_index", "tree_size", "path"], []),
            (merkle.ConsistencyProof, ["old_size", "new_size", "path"], []),
            (merkle.verify_inclusion, ["proof", "leaf", "root"], []),
            (merkle.verify_consistency, ["proof", "old_root", "new_root"], []),
            (seal.seal, ["source", "sink"], ["recipients", "record", "version"]),
            (seal.open, ["sealed", "sink"], ["envelope", "identity", "record", "version"]),
            (verify.verify_bundle, ["bundle"], ["trust", "policy"]),
        ],
    )
    def test_each_is_called_as_it_always_was(
        self, function: Callable[..., Any], placed: list[str], named: list[str]
    ) -> None:
        assert shape(function) == (placed, named)

    def test_what_they_give_back(self) -> None:
        assert get_type_hints(merkle.leaf_hash)["return"] is LeafHash
        for raises in (merkle.verify_inclusion, merkle.verify_consistency, seal.open):
            # A check whose result could be forgotten would be one that does nothing.
            assert get_type_hints(raises)["return"] is type(None)
        assert get_type_hints(seal.seal)["return"] == tuple[seal.SealedBlob, Envelope]
        assert get_type_hints(verify.verify_bundle)["return"] is Verified
