"""A view put away and taken up again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin import canonical
from xinglin.errors import HeaderError, InvalidEncoding
from xinglin.headers import clique, qbft
from xinglin.headers.header import Fork
from xinglin.headers.store import load, save

from .chains import CliqueChain, QbftChain, key_of, keys_of, signers_extra, unhurried

ADD = b"\xff"


def qbft_views() -> tuple[QbftChain, list[qbft.View]]:
    """A chain with votes open, seen after each block."""
    chain = QbftChain(keys_of(4))
    rules = qbft.Rules(100, 1, forks=(Fork((16,), number=50), Fork((19, 20), timestamp=2**40)))
    views = [qbft.genesis(chain.genesis, rules=rules)]
    for voter, name in ((0, "new"), (1, "new"), (0, "another"), (2, "new")):
        vote = [key_of(name).account, ADD]
        views.append(views[-1].follow(chain.next(coinbase=chain.keys[voter].account, vote=vote)))
    return chain, views


def clique_views() -> tuple[CliqueChain, list[clique.View]]:
    """A chain with votes open and an end of an epoch, seen after each block."""
    chain = CliqueChain(keys_of(4))
    views = [clique.genesis(chain.genesis, rules=clique.Rules(5, 1))]
    for number in range(1, 8):
        changes: dict[str, object] = {"coinbase": key_of("new").account, "nonce": ADD * 8}
        if number % 5 == 0:
            changes = {"extra": signers_extra(chain.keys)}
        elif number in (3, 4):
            changes = {}
        views.append(views[-1].follow(chain.next(**changes)))
    return chain, views


class TestSaveAndLoad:
    def test_every_view_comes_back_as_it_was(self) -> None:
        for view in [*qbft_views()[1], *clique_views()[1]]:
            again = load(save(view))
            assert again == view
            assert save(again) == save(view)

    def test_following_goes_on_where_it_was(self) -> None:
        for chain, views in (qbft_views(), clique_views()):
            view = load(save(views[-1]))
            if isinstance(chain, QbftChain):
                chain.keys = sorted([*chain.keys, key_of("new")], key=lambda key: key.account)
            header_rlp = chain.next()
            assert view.follow(header_rlp) == views[-1].follow(header_rlp)

    def test_votes_that_were_open_still_count(self) -> None:
        chain, views = qbft_views()
        view = load(save(views[2]))
        assert len(view.votes) == 2
        vote = [key_of("new").account, ADD]
        fresh = QbftChain(chain.keys)
        header_rlps = [fresh.next(coinbase=fresh.keys[i].account, vote=vote) for i in (0, 1, 2)]
        assert len(view.follow(header_rlps[2]).validators) == 5

    def test_it_stays_small(self) -> None:
        assert len(save(qbft_views()[1][3])) < 4000
        assert len(save(clique_views()[1][7])) < 4000


class TestRefused:
    def _saved(self, view: qbft.View | clique.View) -> dict[str, object]:
        return json.loads(save(view))

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"format": "xinglin.headers/2"}, "expected the format xinglin.headers/1"),
            ({"engine": "anvil"}, "expected the engine qbft or clique"),
            ({"engine": "clique"}, "expected the members"),
            ({"more": 1}, "expected the members"),
            ({"rules": {"blockPeriod": 0, "epochLength": 1, "forks": []}}, "block period from 1"),
            ({"rules": {"blockPeriod": 1, "epochLength": 1}}, "expected the members"),
            ({"rules": []}, "expected an object"),
            ({"known": {"hash": "0x", "number": True}}, "expected an integer"),
            ({"header": "f9"}, "expected 0x and hexadecimal digits"),
            ({"header": "0xzz"}, "expected 0x and hexadecimal digits"),
            ({"header": 1}, "expected 0x and hexadecimal digits"),
            ({"sealers": "none"}, "expected an array"),
            ({"sealers": [7]}, "expected an address"),
            ({"sealers": ["0x00"]}, "address: expected 0x and 40"),
            ({"votes": [{"add": 1, "recipient": "", "voter": ""}]}, "expected true or false"),
            ({"votes": [1]}, "expected an object"),
            ({"genesisItems": "15"}, "expected an integer"),
        ],
    )
    def test_a_malformed_note_is_an_encoding_error(
        self, changes: dict[str, object], why: str
    ) -> None:
        saved = self._saved(qbft_views()[1][2])
        with pytest.raises(InvalidEncoding, match=why):
            load(canonical.encode({**saved, **changes}))  # type: ignore[dict-item]

    def test_a_note_in_another_layout_is_refused(self) -> None:
        saved = self._saved(qbft_views()[1][2])
        with pytest.raises(InvalidEncoding, match="expected canonical JSON"):
            load(json.dumps(saved, indent=1).encode())
        addresses = [str(address).lower() for address in saved["validators"]]  # type: ignore[attr-defined]
        with pytest.raises(InvalidEncoding, match="expected the bytes that saving gives"):
            load(canonical.encode({**saved, "validators": addresses}))  # type: ignore[dict-item]
        genesis = self._saved(qbft_views()[1][0])
        with pytest.raises(InvalidEncoding, match="expected the bytes that saving gives"):
            load(canonical.encode({**genesis, "validators": []}))  # type: ignore[dict-item]

    def test_a_header_that_the_noted_validators_did_not_seal_is_refused(self) -> None:
        _, views = qbft_views()
        saved = self._saved(views[2])
        others = [key.address for key in keys_of(3)]
        with pytest.raises(HeaderError, match="validators: expected the followed set"):
            load(canonical.encode({**saved, "sealers": others}))  # type: ignore[dict-item]
        with pytest.raises(HeaderError, match="block hash: expected"):
            load(canonical.encode({**saved, "blockHash": "0x" + "00" * 32}))  # type: ignore[dict-item]
        _, clique_seen = clique_views()
        saved = self._saved(clique_seen[2])
        sealer = saved["sealers"][:1]  # type: ignore[index]
        with pytest.raises(HeaderError, match="seal: expected a signer"):
            load(canonical.encode({**saved, "sealers": sealer}))  # type: ignore[dict-item]

    @unhurried
    @given(st.data())
    def test_damage_raises_one_of_two_errors(self, data: st.DataObject) -> None:
        saved = data.draw(st.sampled_from(SAVED))
        position = data.draw(st.integers(0, len(saved) - 1))
        damaged = saved[:position] + data.draw(st.binary(max_size=2)) + saved[position + 1 :]
        if damaged == saved:
            return
        try:
            view = load(damaged)
        except (InvalidEncoding, HeaderError):
            return
        # What cannot be seen in the header is the follower's own word.
        assert save(view) == damaged


SAVED = [save(qbft_views()[1][3]), save(clique_views()[1][7])]
