"""Following a stream, for either engine, and saying how far the evidence reaches."""

from collections.abc import Iterator

import pytest

from xinglin.errors import HeaderError, UsageError
from xinglin.headers import (
    DEVELOPMENT,
    begin,
    block_hash_of,
    clique,
    describe,
    follow,
    qbft,
    resume,
    rules_of,
    views,
)
from xinglin.headers.header import Fork

from .chains import CliqueChain, QbftChain, keys_of

QBFT = qbft.Rules(100, 1)
CLIQUE = clique.Rules(100, 1)


class TestBegin:
    @pytest.mark.parametrize(("rules", "chain"), [(QBFT, QbftChain), (CLIQUE, CliqueChain)])
    def test_only_the_genesis_block_with_the_trusted_hash_is_taken(
        self, rules: qbft.Rules | clique.Rules, chain: type[QbftChain | CliqueChain]
    ) -> None:
        ours, theirs = chain(keys_of(4)), chain(keys_of(3))
        engine = "qbft" if rules is QBFT else "clique"
        trusted = block_hash_of(ours.genesis, engine)
        view = begin(ours.genesis, block_hash=trusted, rules=rules)
        assert (view.number, len(view.validators)) == (0, 4)
        assert describe(view) == "genesis block: taken from the trust root"
        with pytest.raises(HeaderError, match=f"genesis: expected the block hash {trusted.hex()}"):
            begin(theirs.genesis, block_hash=trusted, rules=rules)

    def test_the_rules_are_made_from_what_a_trust_root_states(self) -> None:
        forks = (Fork((16,), number=7),)
        assert rules_of("qbft", epoch_length=5, block_period=2) == qbft.Rules(5, 2)
        assert rules_of("clique", epoch_length=5, block_period=2, forks=forks) == clique.Rules(
            5, 2, forks
        )
        with pytest.raises(UsageError, match="expected the engine qbft or clique, got anvil"):
            rules_of("anvil", epoch_length=5, block_period=2)
        assert "not evidenced" in DEVELOPMENT


class TestFollow:
    def test_a_stream_is_followed_to_its_end_with_reports_on_the_way(self) -> None:
        chain = QbftChain(keys_of(4))
        view = qbft.genesis(chain.genesis, rules=QBFT)
        seen: list[int] = []
        last = follow(
            view,
            (chain.next() for _ in range(10)),
            progress=lambda newest: seen.append(newest.number),
            every=4,
        )
        assert (last.number, seen) == (10, [4, 8])
        assert follow(last, []) is last
        with pytest.raises(UsageError, match="expected an interval from 1, got 0"):
            follow(last, [], every=0)

    def test_it_stops_at_the_first_bad_header_and_reads_none_after_it(self) -> None:
        chain = QbftChain(keys_of(4))
        view = qbft.genesis(chain.genesis, rules=QBFT)
        read: list[bytes] = []

        def stream() -> Iterator[bytes]:
            for header_rlp in (chain.next(), chain.next(sealers=chain.keys[:2]), chain.next()):
                read.append(header_rlp)
                yield header_rlp

        found = views(view, stream())
        assert next(found).number == 1
        with pytest.raises(HeaderError, match="seals: expected 3 to 4 of 4 validators, got 2"):
            next(found)
        assert len(read) == 2

    def test_resuming_takes_the_engine_from_the_rules(self) -> None:
        chain, clique_chain = QbftChain(keys_of(4)), CliqueChain(keys_of(4))
        rules = qbft.Rules(1, 1)
        header_rlp = chain.next(sealers=chain.keys)
        view = qbft.genesis(chain.genesis, rules=rules).follow(header_rlp)
        again = resume(
            header_rlp, block_hash=view.block_hash, validators=view.validators, rules=rules
        )
        assert describe(again) == "sealed by 4 of 4 validators known from checkpoint 1"
        with pytest.raises(HeaderError):
            resume(
                clique_chain.next(),
                block_hash=view.block_hash,
                validators=view.validators,
                rules=clique.Rules(1, 1),
            )
