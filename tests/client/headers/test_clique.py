"""Clique headers written with test keys: each rule kept, and each broken on purpose."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import HeaderError, UsageError
from xinglin.headers import clique, describe
from xinglin.headers.header import Fork
from xinglin.headers.validators import CURVE_ORDER

from .chains import (
    GAS_LIMIT,
    CliqueChain,
    Draft,
    Key,
    key_of,
    keys_of,
    signers_extra,
    unhurried,
)

RULES = clique.Rules(epoch_length=10, block_period=1)


def started(
    count: int = 4, rules: clique.Rules = RULES, tail: tuple[bytes | int, ...] = ()
) -> tuple[CliqueChain, clique.View]:
    chain = CliqueChain(keys_of(count), tail=tail)
    return chain, clique.genesis(chain.genesis, rules=rules)


def refused(view: clique.View, header_rlp: bytes, why: str) -> None:
    with pytest.raises(HeaderError, match=why):
        view.follow(header_rlp)


def followed(chain: CliqueChain, view: clique.View, blocks: int) -> clique.View:
    """Go on with signers in their turns, over the ends of epochs."""
    for _ in range(blocks):
        ends = (chain.number + 1) % view.rules.epoch_length == 0
        changes = {"extra": signers_extra(chain.keys)} if ends else {}
        view = view.follow(chain.next(**changes))
    return view


class TestFollow:
    def test_signers_take_turns_by_number(self) -> None:
        chain, view = started()
        for number in range(1, 25):
            view = followed(chain, view, 1)
            assert view.number == number
            assert [address.lower() for address in view.sealed_by] == [
                chain.keys[number % 4].address
            ]
        assert len(view.validators) == 4

    def test_another_may_seal_out_of_turn_at_difficulty_one(self) -> None:
        chain, view = started()
        other = chain.keys[3]
        assert chain.in_turn() != other
        refused(view, chain.next(other, stay=True, difficulty=2), "difficulty: expected 1, got 2")
        refused(
            view, chain.next(chain.in_turn(), stay=True, difficulty=1), "difficulty: expected 2"
        )
        view = view.follow(chain.next(other))
        assert [address.lower() for address in view.sealed_by] == [other.address]

    @pytest.mark.parametrize("signers", [1, 2, 3, 4, 5, 7])
    def test_a_signer_seals_one_of_any_majority_of_blocks_in_a_row(self, signers: int) -> None:
        chain, view = started(signers, clique.Rules(1000, 1))
        eager = chain.keys[0]
        wait = signers // 2 + 1
        view = followed(chain, view, (-1 - view.number) % signers)
        view = view.follow(chain.next(eager))
        others = [key for key in chain.keys if key != eager]
        for blocks in range(1, wait):
            before = view.number - blocks + 1
            why = f"seal: expected a signer of none of the last .* of block {before}"
            refused(view, chain.next(eager, stay=True), why)
            view = view.follow(chain.next(others[blocks - 1]))
        assert view.follow(chain.next(eager)).sealed_by

    def test_the_older_view_stays_as_it_was_so_that_a_fork_can_be_followed(self) -> None:
        chain, view = started()
        fork = CliqueChain(chain.keys)
        one = view.follow(chain.next())
        other = view.follow(fork.next(fork.keys[3]))
        assert (view.number, view.recent) == (0, ())
        assert one.block_hash != other.block_hash
        assert one.followed is other.followed is view.followed
        assert one.follow(chain.next()).number == other.follow(fork.next()).number == 2

    def test_blocks_above_stand_in_for_the_other_signers(self) -> None:
        chain, view = started()
        views = []
        for _ in range(5):
            view = view.follow(chain.next())
            views.append(view)
        known = "validators known from genesis"
        assert describe(views[0]) == f"sealed by 1 of 4 {known}"
        assert describe(views[0], views[1:2]) == f"sealed by 2 of 4 {known}, 1 block deep"
        assert describe(views[0], views[1:3]) == f"sealed by 3 of 4 {known}, 2 blocks deep"
        assert describe(views[0], views[1:]) == f"sealed by 4 of 4 {known}, 4 blocks deep"

    def test_a_signer_that_came_later_does_not_stand_in_for_one_of_that_time(self) -> None:
        chain, view = started(1)
        old, new = chain.keys[0], key_of("new")
        first = view.follow(chain.next(old, coinbase=new.account, nonce=clique.NONCE_ADD))
        chain.keys = sorted([old, new], key=lambda key: key.account)
        above = [first.follow(chain.next(new))]
        assert len(above[0].sealers) == 2
        expected = "sealed by 1 of 1 validators known from genesis, 1 block deep"
        assert describe(first, above) == expected

    def test_a_london_chain_is_followed_with_its_base_fee(self) -> None:
        chain, view = started(tail=(0,))
        view = followed(chain, view, 3)
        assert view.header.base_fee == 0
        refused(view, chain.next(stay=True, tail=(1,)), "baseFeePerGas: expected 0, got 1")
        view = view.follow(chain.next(gas_used=GAS_LIMIT))
        refused(view, chain.next(stay=True, tail=(0,)), "baseFeePerGas: expected 1, got 0")
        view.follow(chain.next(tail=(1,)))

    def test_the_block_that_turns_to_london_has_the_first_base_fee_and_a_doubled_limit(
        self,
    ) -> None:
        chain, view = started(rules=replace(RULES, forks=(Fork((16,), number=2),)))
        view = followed(chain, view, 1)
        refused(view, chain.next(stay=True), "expected 16 items by the fork schedule, got 15")
        changes = {"tail": (clique.FIRST_BASE_FEE,), "gas_limit": 2 * GAS_LIMIT}
        assert view.follow(chain.next(**changes)).header.base_fee == 10**9

    @pytest.mark.parametrize(
        ("fee", "used", "expected"),
        [
            (1000, GAS_LIMIT // 2, 1000),
            (1000, GAS_LIMIT, 1125),
            (1000, 0, 875),
            (0, 0, 0),
            (0, GAS_LIMIT, 1),
            (7, 0, 7),
            (7, GAS_LIMIT // 2 + 1, 8),
        ],
    )
    def test_the_base_fee_moves_by_an_eighth_at_most(
        self, fee: int, used: int, expected: int
    ) -> None:
        from xinglin.headers.header import parse

        parent = parse(Draft(gas_used=used, tail=(fee,)).encoded())
        assert clique.next_base_fee(parent) == expected


class TestRulesBroken:
    """Each header below carries a signer's good seal, so that only the rule named is broken."""

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"parent_hash": bytes(32)}, "parentHash: expected"),
            ({"number": 2}, "number: expected 1, got 2"),
            ({"timestamp": 1_800_000_000}, "timestamp: expected 1800000001 or later"),
            ({"gas_used": GAS_LIMIT + 1}, "gasUsed: expected 30000000 at most"),
            ({"gas_limit": GAS_LIMIT + GAS_LIMIT // 1024}, "gasLimit: expected less than 1/1024"),
            ({"difficulty": 0}, "difficulty: expected 2, got 0"),
            ({"difficulty": 3}, "difficulty: expected 2, got 3"),
            ({"mix_hash": b"\x01" * 32}, "mixHash: expected 0000"),
            ({"nonce": bytes(7) + b"\x01"}, "nonce: expected all ff or all 00"),
            ({"ommers_hash": bytes(32)}, "ommersHash: expected 1dcc"),
            ({"tail": (0,)}, "expected 15 items by the fork schedule, got 16"),
            ({"extra": bytes(31 + 65)}, "extraData: expected 97 bytes and addresses, got 96"),
            ({"extra": bytes(32 + 10 + 65)}, "extraData: expected 97 bytes and addresses, got 107"),
            ({"extra": bytes(32 + 20 + 65)}, "expected signers in the last block of an epoch only"),
        ],
    )
    def test_it_is_refused_by_name(self, changes: dict[str, object], why: str) -> None:
        chain, view = started()
        refused(view, chain.next(stay=True, **changes), why)

    def test_a_stranger_seals_nothing(self) -> None:
        chain, view = started()
        for difficulty in (1, 2):
            header_rlp = chain.next(key_of("outsider"), stay=True, difficulty=difficulty)
            refused(view, header_rlp, "seal: expected a signer, got")

    @pytest.mark.parametrize(
        ("mend", "why"),
        [
            (lambda seal: seal[:64] + bytes((seal[64] + 27,)), "seal: expected a recovery id of 0"),
            (lambda seal: seal[:64] + bytes((seal[64] ^ 1,)), "seal: expected"),
            (lambda _: bytes(65), "seal: expected r within the curve's order"),
            (
                lambda seal: (
                    seal[:32]
                    + (CURVE_ORDER - int.from_bytes(seal[32:64], "big")).to_bytes(32, "big")
                    + bytes((seal[64] ^ 1,))
                ),
                "seal: expected s in the lower half",
            ),
            (lambda seal: seal[:64], "extraData: expected 97 bytes and addresses, got 96"),
        ],
    )
    def test_a_seal_has_one_form(self, mend: object, why: str) -> None:
        chain, view = started()
        refused(view, chain.next(stay=True, mend=mend), why)

    def test_the_last_block_of_an_epoch_lists_the_signers_and_votes_for_nothing(self) -> None:
        chain, view = started()
        view = followed(chain, view, 9)
        listed = signers_extra(chain.keys)
        for changes, why in (
            ({}, "expected the followed signers .* got none"),
            ({"extra": signers_extra(chain.keys[:3])}, "expected the followed signers"),
            ({"extra": signers_extra(chain.keys[::-1])}, "expected the followed signers"),
            ({"extra": listed, "coinbase": b"\x01" * 20}, "coinbase: expected 0000"),
            ({"extra": listed, "nonce": clique.NONCE_ADD}, "nonce: expected 0000"),
        ):
            refused(view, chain.next(stay=True, **changes), why)
        assert view.follow(chain.next(extra=listed)).number == 10

    @pytest.mark.parametrize("tail", [(0, b"\x11" * 32), (0, b"\x11" * 32, 0, 0, b"\x11" * 32)])
    def test_forks_beyond_london_are_refused(self, tail: tuple[bytes | int, ...]) -> None:
        chain = CliqueChain(keys_of(2), tail=tail)
        with pytest.raises(HeaderError, match="expected 15 or 16 items on Clique"):
            clique.genesis(chain.genesis, rules=RULES)
        with pytest.raises(UsageError, match="up to London"):
            clique.Rules(10, 1, forks=(Fork((17,)),))


class TestVotes:
    """Sets are written out by hand; sealers are those whose turn it is, unless told."""

    def _cast(
        self, chain: CliqueChain, view: clique.View, sealer: Key, recipient: Key, nonce: bytes
    ) -> clique.View:
        return view.follow(chain.next(sealer, coinbase=recipient.account, nonce=nonce))

    def _now(self, chain: CliqueChain, view: clique.View, keys: list[Key]) -> None:
        chain.keys = sorted(keys, key=lambda key: key.account)
        assert [address.lower() for address in view.validators] == [
            key.address for key in chain.keys
        ]

    def _voted(
        self, count: int, casts: list[tuple[int, Key, bytes]]
    ) -> tuple[CliqueChain, clique.View, list[Key]]:
        chain, view = started(count, clique.Rules(1000, 1))
        old = list(chain.keys)
        for sealer, recipient, nonce in casts:
            view = self._cast(chain, view, old[sealer], recipient, nonce)
        return chain, view, old

    def test_more_than_half_add_a_signer(self) -> None:
        new = key_of("new")
        chain, view, old = self._voted(4, [(i, new, clique.NONCE_ADD) for i in (0, 1)])
        self._now(chain, view, old)
        refused(view, chain.next(new, stay=True), "seal: expected a signer")
        view = self._cast(chain, view, old[2], new, clique.NONCE_ADD)
        self._now(chain, view, [*old, new])
        assert view.votes == ()
        view = view.follow(chain.next(new))
        assert [address.lower() for address in view.sealed_by] == [new.address]
        assert len(view.sealers) == 5

    def test_more_than_half_drop_a_signer_with_its_votes(self) -> None:
        new = key_of("new")
        keys = keys_of(4)
        gone = keys[3]
        chain, view, old = self._voted(
            4,
            [(3, new, clique.NONCE_ADD), *((i, gone, clique.NONCE_DROP) for i in (0, 1, 2))],
        )
        self._now(chain, view, old[:3])
        assert view.votes == ()
        refused(view, chain.next(gone, stay=True), "seal: expected a signer")

    def test_a_vote_for_what_is_so_already_counts_for_nothing(self) -> None:
        keys, stranger = keys_of(4), key_of("stranger")
        _, view, old = self._voted(
            4, [(0, keys[1], clique.NONCE_ADD), (1, stranger, clique.NONCE_DROP)]
        )
        assert view.votes == ()
        assert len(view.validators) == len(old)

    def test_a_sealer_takes_its_vote_back_by_voting_the_other_way(self) -> None:
        new = key_of("new")
        chain, view, old = self._voted(
            4,
            [
                (0, new, clique.NONCE_ADD),
                (1, new, clique.NONCE_ADD),
                (2, key_of("another"), clique.NONCE_ADD),
                (0, new, clique.NONCE_DROP),
                (3, new, clique.NONCE_ADD),
            ],
        )
        self._now(chain, view, old)
        assert len(view.votes) == 3
        view = self._cast(chain, view, old[2], new, clique.NONCE_ADD)
        self._now(chain, view, [*old, new])
        assert {vote.recipient for vote in view.votes} == {key_of("another").account}

    def test_the_same_vote_twice_is_one(self) -> None:
        new = key_of("new")
        chain, view, old = self._voted(
            4,
            [
                (0, new, clique.NONCE_ADD),
                (1, new, clique.NONCE_ADD),
                (2, new, clique.NONCE_DROP),
                (0, new, clique.NONCE_ADD),
                (1, new, clique.NONCE_ADD),
            ],
        )
        self._now(chain, view, old)
        assert len(view.votes) == 2

    def test_a_smaller_set_lets_votes_decide_that_fell_short_and_lets_sealers_in_sooner(
        self,
    ) -> None:
        new, keys = key_of("new"), keys_of(4)
        chain, view, old = self._voted(
            4,
            [
                (0, new, clique.NONCE_ADD),
                (1, new, clique.NONCE_ADD),
                (2, keys[3], clique.NONCE_DROP),
                (0, keys[3], clique.NONCE_DROP),
                (1, keys[3], clique.NONCE_DROP),
            ],
        )
        self._now(chain, view, old[:3])
        # With four signers, that of block 4 would have to wait until block 7.
        assert [sealing.number for sealing in view.recent] == [4, 5]
        refused(view, chain.next(old[1], stay=True), "of block 5")
        assert view.follow(chain.next(old[0], stay=True)).number == 6
        # Naming the account is enough for geth to count the two votes again.
        view = self._cast(chain, view, old[2], new, clique.NONCE_DROP)
        self._now(chain, view, [*old[:3], new])

    def test_the_end_of_an_epoch_drops_all_votes(self) -> None:
        chain, view = started()
        new = key_of("new")
        view = followed(chain, view, 7)
        for _ in range(2):
            view = self._cast(chain, view, chain.in_turn(), new, clique.NONCE_ADD)
        assert len(view.votes) == 2
        view = view.follow(chain.next(extra=signers_extra(chain.keys)))
        assert view.votes == ()
        view = self._cast(chain, view, chain.in_turn(), new, clique.NONCE_ADD)
        assert len(view.votes) == 1

    def test_a_set_that_voted_itself_away_seals_nothing_more(self) -> None:
        alone = keys_of(1)[0]
        chain, view, _ = self._voted(1, [(0, alone, clique.NONCE_DROP)])
        assert view.validators == ()
        refused(view, chain.next(alone, stay=True), "seal: expected a signer")


class TestGenesis:
    def test_signers_come_from_its_extra_data_in_any_order(self) -> None:
        keys = keys_of(3)
        chain = CliqueChain(keys)
        view = clique.genesis(chain.genesis, rules=RULES)
        assert (view.number, view.sealed_by, view.recent) == (0, (), ())
        assert clique.genesis_extra_data(view.validators) == signers_extra(keys)
        turned = clique.genesis(Draft(extra=signers_extra(keys[::-1])).encoded(), rules=RULES)
        assert turned.validators == view.validators

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"number": 1}, "number: expected 0, got 1"),
            ({"parent_hash": b"\x01" * 32}, "parentHash: expected 0000"),
            ({"ommers_hash": bytes(32)}, "ommersHash: expected"),
            ({"extra": bytes(32 + 65)}, "expected signers, each once, got 0"),
            ({"extra": bytes(32 + 40 + 65)}, "got 2 of whom 1 differ"),
            ({"extra": bytes(32)}, "extraData: expected 97 bytes"),
            ({"extra": bytes(32) + b"\x01" * 85}, "seal: expected 0000"),
        ],
    )
    def test_another_header_is_refused(self, changes: dict[str, object], why: str) -> None:
        good = Draft(extra=signers_extra(keys_of(1)))
        with pytest.raises(HeaderError, match=why):
            clique.genesis(replace(good, **changes).encoded(), rules=RULES)

    def test_extra_data_of_nobody_is_not_written(self) -> None:
        with pytest.raises(HeaderError, match="signers: expected at least one, got none"):
            clique.genesis_extra_data([])
        with pytest.raises(HeaderError, match="address: expected 0x and 40"):
            clique.genesis_extra_data(["0x" + " 1" * 20])  # type: ignore[list-item]

    def test_rules_that_no_network_can_have_are_refused(self) -> None:
        clique.Rules(1, 0)
        for wrong in ((0, 1), (1, -1)):
            with pytest.raises(UsageError, match="expected an epoch length from 1"):
                clique.Rules(*wrong)


class TestResume:
    def test_following_goes_on_from_the_last_block_of_an_epoch(self) -> None:
        chain, view = started()
        view = followed(chain, view, 9)
        last = chain.next(extra=signers_extra(chain.keys))
        view = view.follow(last)
        resumed = clique.resume(
            last, block_hash=view.block_hash, validators=view.validators, rules=RULES
        )
        assert (resumed.number, resumed.known_from) == (10, 10)
        refused(resumed, chain.next(chain.keys[2], stay=True), "of block 10")
        following = chain.next()
        assert resumed.follow(following).block_hash == view.follow(following).block_hash
        assert describe(resumed) == "sealed by 1 of 4 validators known from checkpoint 10"

    def test_another_block_hash_set_or_height_is_refused(self) -> None:
        chain, view = started()
        view = followed(chain, view, 8)
        ninth, tenth = chain.next(), chain.next(extra=signers_extra(chain.keys))
        view = view.follow(ninth).follow(tenth)
        good = {"block_hash": view.block_hash, "validators": view.validators, "rules": RULES}
        for header_rlp, changes, why in (
            (ninth, {}, "number: expected a multiple of the epoch length 10, got 9"),
            (tenth, {"block_hash": bytes(32)}, "block hash: expected 0000"),
            (tenth, {"validators": view.validators[1:]}, "expected the followed signers"),
        ):
            with pytest.raises(HeaderError, match=why):
                clique.resume(header_rlp, **{**good, **changes})


class TestHostileBytes:
    chain, view = started()
    good = chain.next(stay=True)

    @settings(unhurried, max_examples=300)
    @given(st.integers(0, len(good) - 1), st.binary(max_size=3), st.sampled_from("ctx"))
    def test_damage_anywhere_raises_header_error_and_nothing_else(
        self, position: int, bytes_: bytes, how: str
    ) -> None:
        damaged = {
            "c": self.good[:position],
            "t": self.good + bytes_,
            "x": self.good[:position] + bytes_ + self.good[position + 1 :],
        }[how]
        if damaged == self.good:
            return
        with pytest.raises(HeaderError):
            self.view.follow(damaged)

    @unhurried
    @given(st.binary(max_size=300))
    def test_any_bytes_in_place_of_the_extra_data_raise_header_error(self, extra: bytes) -> None:
        with pytest.raises(HeaderError):
            self.view.follow(replace(self.chain.draft(self.chain.keys[1]), extra=extra).encoded())
