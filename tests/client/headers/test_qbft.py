"""QBFT headers written with test keys: each rule kept, and each broken on purpose."""

from dataclasses import replace

import pytest
import rlp
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import HeaderError, UsageError
from xinglin.headers import qbft
from xinglin.headers.header import Fork, parse
from xinglin.headers.validators import CURVE_ORDER

from .chains import GAS_LIMIT, Draft, Key, QbftChain, QbftDraft, key_of, keys_of, unhurried

RULES = qbft.Rules(epoch_length=10, block_period=1)

ADD, DROP = b"\xff", b""


def started(count: int = 4, rules: qbft.Rules = RULES) -> tuple[QbftChain, qbft.View]:
    chain = QbftChain(keys_of(count))
    return chain, qbft.genesis(chain.genesis, rules=rules)


def refused(view: qbft.View, header_rlp: bytes, why: str) -> None:
    with pytest.raises(HeaderError, match=why):
        view.follow(header_rlp)


class TestFollow:
    def test_a_quorum_of_the_genesis_validators_is_enough_and_all_are_named(self) -> None:
        chain, view = started()
        later = view.follow(chain.next(sealers=[chain.keys[3], chain.keys[0], chain.keys[2]]))
        assert later.number == 1
        assert [address.lower() for address in later.sealed_by] == [
            chain.keys[i].address for i in (3, 0, 2)
        ]
        assert [address.lower() for address in later.validators] == [
            key.address for key in chain.keys
        ]

    def test_the_older_view_stays_as_it_was_and_shares_what_did_not_change(self) -> None:
        chain, view = started()
        later = view.follow(chain.next(vote=[key_of("new").account, ADD]))
        assert (view.number, view.votes) == (0, ())
        assert later.followed is view.followed
        last = later.follow(chain.next())
        assert last.votes is later.votes
        with pytest.raises(AttributeError):
            view.block_hash = b""  # type: ignore[misc, assignment]

    @pytest.mark.parametrize(
        ("validators", "seals"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5), (10, 7)]
    )
    def test_the_quorum_is_two_thirds_rounded_up(self, validators: int, seals: int) -> None:
        assert qbft.quorum(validators) == seals
        chain, view = started(validators)
        draft = chain.draft()
        view.follow(draft.sealed(chain.keys[:seals]))
        view.follow(draft.sealed(chain.keys))
        refused(
            view,
            draft.sealed(chain.keys[: seals - 1]),
            f"seals: expected {seals} to {validators} of {validators} validators, got {seals - 1}",
        )

    def test_two_headers_of_one_block_in_other_rounds_have_one_hash(self) -> None:
        chain, view = started()
        hashes = {
            view.follow(chain.draft(round=turn).sealed(chain.keys[:3])).block_hash
            for turn in (0, 1, 2**31 - 1)
        }
        assert len(hashes) == 1
        unsealed = chain.draft(round=5).sealed([])
        assert qbft.block_hash(unsealed) in hashes
        # Whoever reads a header without knowing the engine must get the same name.
        assert parse(unsealed).block_hash in hashes
        with pytest.raises(HeaderError, match="extraData: expected an RLP list"):
            _ = parse(replace(chain.draft().header, extra=b"").encoded()).block_hash

    def test_two_sealed_blocks_of_one_height_raise_an_alarm_and_name_who_sealed_both(self) -> None:
        chain, view = started()
        one = view.follow(chain.draft().sealed(chain.keys[:3]))
        other = view.follow(chain.draft(gas_used=1).sealed(chain.keys[1:]))
        qbft.check_one_history(one, view.follow(chain.draft(round=1).sealed(chain.keys[:3])))
        with pytest.raises(HeaderError, match="two histories: block 1") as caught:
            qbft.check_one_history(one, other)
        named = [key for key in chain.keys if key.address in str(caught.value).lower()]
        assert named == chain.keys[1:3]


class TestRulesBroken:
    """Each header below is sealed by a full quorum, so that only the rule named is broken."""

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"parent_hash": bytes(32)}, "parentHash: expected"),
            ({"number": 2}, "number: expected 1, got 2"),
            ({"number": 0}, "number: expected 1, got 0"),
            ({"timestamp": 1_800_000_000}, "timestamp: expected 1800000001 or later"),
            ({"gas_used": GAS_LIMIT + 1}, "gasUsed: expected 30000000 at most, got 30000001"),
            ({"gas_limit": GAS_LIMIT + GAS_LIMIT // 1024}, "gasLimit: expected less than 1/1024"),
            ({"gas_limit": GAS_LIMIT - GAS_LIMIT // 1024}, "gasLimit: expected less than 1/1024"),
            ({"difficulty": 2}, "difficulty: expected 1, got 2"),
            ({"mix_hash": bytes(32)}, "mixHash: expected 6374"),
            ({"nonce": b"\xff" * 8}, "nonce: expected 0000000000000000, got ffffffffffffffff"),
            ({"ommers_hash": bytes(32)}, "ommersHash: expected 1dcc"),
            ({"coinbase": bytes(20)}, "coinbase: expected a validator, got 0000"),
            ({"tail": (0,)}, "expected 15 items by the fork schedule, got 16"),
            ({"vanity": bytes(31)}, "vanity: expected 32 bytes, got 31"),
            ({"vote": [bytes(20)]}, "vote: expected a recipient and a type, got 1 items"),
            ({"vote": [bytes(19), ADD]}, "vote recipient: expected 20 bytes, got 19"),
            ({"vote": [bytes(20), b"\x01"]}, "vote type: expected ff or nothing, got 01"),
            ({"vote": [bytes(20), b"\x00"]}, "vote type: expected ff or nothing, got 00"),
            ({"round": 1 << 31}, "round: expected less than 2147483648"),
            ({"round": bytes(4)}, "round: expected an integer without leading zeros"),
            ({"validators": []}, "validators: expected the followed set .*, got none"),
        ],
    )
    def test_it_is_refused_by_name(self, changes: dict[str, object], why: str) -> None:
        chain, view = started()
        refused(view, chain.draft(**changes).sealed(chain.keys), why)

    def test_the_list_of_validators_is_no_source_of_the_set(self) -> None:
        # A quorum of others, listing themselves, must not be able to take the chain over.
        chain, view = started()
        others = sorted((key_of(f"other {i}") for i in range(4)), key=lambda key: key.account)
        draft = chain.draft(validators=[key.account for key in others], coinbase=others[0].account)
        refused(view, draft.sealed(others), "validators: expected the followed set")
        listed = chain.draft(coinbase=chain.keys[0].account)
        refused(view, listed.sealed(others), "seal 0: expected a validator")

    def test_the_list_must_be_ascending_and_whole(self) -> None:
        chain, view = started()
        accounts = [key.account for key in chain.keys]
        for wrong in (
            accounts[::-1],
            accounts[:3],
            [*accounts, bytes(20)],
            [*accounts, accounts[3]],
        ):
            draft = chain.draft(validators=wrong)
            refused(view, draft.sealed(chain.keys), "validators: expected the followed set")

    def test_a_gas_limit_has_a_floor(self) -> None:
        keys = keys_of(1)
        start = Draft(mix_hash=qbft.MIX_HASH, gas_limit=5000)
        genesis = QbftDraft(start, [keys[0].account]).sealed([], seals=[])
        view = qbft.genesis(genesis, rules=RULES)
        draft = QbftDraft(
            replace(
                start, parent_hash=view.block_hash, number=1, timestamp=start.timestamp + 1,
                coinbase=keys[0].account, gas_limit=4999,
            ),
            [keys[0].account],
        )  # fmt: skip
        refused(view, draft.sealed(keys), "5000 or more, got 4999")

    def test_the_gas_limit_doubles_in_the_block_that_turns_to_london(self) -> None:
        rules = replace(RULES, forks=(Fork((16,), number=1),))
        chain, view = started(rules=rules)
        doubled = chain.draft(tail=(0,), gas_limit=2 * GAS_LIMIT)
        assert view.follow(doubled.sealed(chain.keys)).header.gas_limit == 2 * GAS_LIMIT
        refused(view, chain.draft(tail=(0,)).sealed(chain.keys), "gasLimit: expected less than")


class TestSeals:
    def _with_seal(self, change: object) -> tuple[qbft.View, bytes]:
        chain, view = started()
        draft = chain.draft()
        _, _, _, _, seals = rlp.decode(parse(draft.sealed(chain.keys[:3])).extra_data)
        return view, draft.sealed([], seals=[seals[0], seals[1], change(seals[2])])  # type: ignore[operator]

    def test_the_untouched_seal_is_good(self) -> None:
        view, header_rlp = self._with_seal(lambda seal: seal)
        assert len(view.follow(header_rlp).sealed_by) == 3

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (lambda seal: seal[:64], "seal 2: expected 65 bytes, got 64"),
            (lambda seal: seal + b"\x00", "seal 2: expected 65 bytes, got 66"),
            (lambda seal: seal[:64] + bytes((seal[64] + 27,)), "seal 2: expected a recovery id of"),
            (lambda seal: seal[:64] + b"\x02", "seal 2: expected a recovery id of 0 or 1, got 2"),
            (lambda seal: seal[:64] + bytes((seal[64] ^ 1,)), "seal 2: expected"),
            (lambda seal: bytes(32) + seal[32:], "seal 2: expected r within the curve's order"),
            (lambda seal: b"\xff" * 32 + seal[32:], "seal 2: expected r within the curve's order"),
            (
                lambda seal: seal[:32] + bytes(32) + seal[64:],
                "seal 2: expected s in the lower half",
            ),
            (
                lambda seal: (
                    seal[:32]
                    + (CURVE_ORDER - int.from_bytes(seal[32:64], "big")).to_bytes(32, "big")
                    + bytes((seal[64] ^ 1,))
                ),
                "seal 2: expected s in the lower half",
            ),
            (lambda _: bytes(31) + b"\x05" + bytes(31) + b"\x01\x00", "seal 2: expected a sig"),
        ],
    )
    def test_one_bad_seal_refuses_the_header(self, change: object, why: str) -> None:
        view, header_rlp = self._with_seal(change)
        refused(view, header_rlp, why)

    def test_a_bad_seal_beside_a_quorum_of_good_ones_refuses_it_too(self) -> None:
        chain, view = started()
        draft = chain.draft()
        refused(
            view,
            draft.sealed([*chain.keys[:3], key_of("outsider")]),
            "seal 3: expected a validator, got",
        )

    def test_one_sealer_counts_once(self) -> None:
        chain, view = started()
        twice = [chain.keys[0], chain.keys[1], chain.keys[0]]
        refused(view, chain.draft().sealed(twice), "seal 2: expected each sealer once")

    def test_more_seals_than_validators_are_refused_before_any_is_recovered(self) -> None:
        chain, view = started()
        refused(
            view,
            chain.draft().sealed([], seals=[bytes(65)] * 5),
            "seals: expected 3 to 4 of 4 validators, got 5",
        )

    def test_a_seal_of_another_round_is_none(self) -> None:
        chain, view = started()
        seals = rlp.decode(parse(chain.draft(round=1).sealed(chain.keys)).extra_data)[4]
        refused(view, chain.draft(round=0).sealed([], seals=seals), "seal 0: expected a validator")


class TestVotes:
    """Votes are cast by the proposer, which takes turns; sets are written out by hand."""

    def _cast(
        self, chain: QbftChain, view: qbft.View, voter: Key, recipient: Key, kind: bytes
    ) -> qbft.View:
        draft = chain.draft(coinbase=voter.account, vote=[recipient.account, kind])
        chain.accept(draft)
        return view.follow(draft.sealed(chain.keys))

    def _now(self, chain: QbftChain, view: qbft.View, keys: list[Key]) -> None:
        chain.keys = sorted(keys, key=lambda key: key.account)
        assert [a.lower() for a in view.validators] == [key.address for key in chain.keys]

    def test_more_than_half_add_a_validator_which_seals_from_the_next_block(self) -> None:
        chain, view = started()
        new = key_of("new")
        old = list(chain.keys)
        for voter in old[:2]:
            view = self._cast(chain, view, voter, new, ADD)
            self._now(chain, view, old)
        deciding = chain.draft(coinbase=old[2].account, vote=[new.account, ADD])
        refused(view, deciding.sealed([*old[:2], new]), "seal 2: expected a validator")
        view = self._cast(chain, view, old[2], new, ADD)
        self._now(chain, view, [*old, new])
        assert view.votes == ()
        assert len(view.sealers) == 4
        refused(view, chain.draft().sealed(chain.keys[:3]), "seals: expected 4 to 5 of 5")
        assert len(view.follow(chain.next(sealers=chain.keys)).sealed_by) == 5

    def test_more_than_half_drop_a_validator_and_its_votes(self) -> None:
        chain, view = started()
        old = list(chain.keys)
        gone, new = old[0], key_of("new")
        view = self._cast(chain, view, gone, new, ADD)
        for voter in old[1:]:
            view = self._cast(chain, view, voter, gone, DROP)
        self._now(chain, view, old[1:])
        assert view.votes == ()
        refused(view, chain.draft(coinbase=gone.account).sealed(old[1:]), "coinbase: expected a")
        # One vote of the three left is not enough; with the forgotten one it would be.
        view = self._cast(chain, view, old[1], new, ADD)
        self._now(chain, view, old[1:])

    def test_a_validator_may_vote_for_its_own_end(self) -> None:
        chain, view = started(2)
        old = list(chain.keys)
        for voter in old:
            view = self._cast(chain, view, voter, old[1], DROP)
        self._now(chain, view, [old[0]])

    def test_the_newer_vote_about_the_same_account_replaces_the_older(self) -> None:
        chain, view = started()
        new, old = key_of("new"), list(chain.keys)
        for voter, kind in ((0, ADD), (0, ADD), (0, ADD), (1, ADD), (0, DROP), (2, ADD)):
            view = self._cast(chain, view, old[voter], new, kind)
            self._now(chain, view, old)
        assert len(view.votes) == 3
        view = self._cast(chain, view, old[0], new, ADD)
        self._now(chain, view, [*old, new])

    def test_the_last_block_of_an_epoch_drops_all_votes_and_its_own(self) -> None:
        chain, view = started()
        new, old = key_of("new"), list(chain.keys)
        while view.number < 7:
            view = view.follow(chain.next())
        view = self._cast(chain, view, old[0], new, ADD)
        view = self._cast(chain, view, old[1], new, ADD)
        view = self._cast(chain, view, old[2], new, ADD) if view.number != 9 else view
        assert (view.number, len(view.votes)) == (9, 2)
        view = self._cast(chain, view, old[2], new, ADD)
        assert (view.number, view.votes) == (10, ())
        self._now(chain, view, old)
        view = self._cast(chain, view, old[2], new, ADD)
        assert len(view.votes) == 1

    def test_votes_that_fell_short_of_a_larger_set_can_decide_in_a_smaller_one(self) -> None:
        # Three of four must agree, two of three. The third vote is against, yet Besu
        # counts both directions whenever an account is voted on.
        chain, view = started(rules=qbft.Rules(100, 1))
        new, old = key_of("new"), list(chain.keys)
        for voter in old[:2]:
            view = self._cast(chain, view, voter, new, ADD)
        for voter in old[:3]:
            view = self._cast(chain, view, voter, old[3], DROP)
        self._now(chain, view, old[:3])
        view = self._cast(chain, view, old[2], new, DROP)
        self._now(chain, view, [*old[:3], new])

    def test_a_majority_for_what_is_so_already_closes_the_votes_about_it(self) -> None:
        chain, view = started()
        old = list(chain.keys)
        view = self._cast(chain, view, old[0], old[3], DROP)
        for voter in old[1:]:
            view = self._cast(chain, view, voter, old[3], ADD)
        assert view.votes == ()
        self._now(chain, view, old)

    def test_a_set_that_voted_itself_away_seals_nothing_more(self) -> None:
        chain, view = started(1)
        view = self._cast(chain, view, chain.keys[0], chain.keys[0], DROP)
        assert view.validators == ()
        draft = chain.draft(validators=[])
        refused(view, draft.sealed([]), "coinbase: expected a validator")


class TestGenesis:
    def test_the_validators_come_from_its_extra_data(self) -> None:
        chain, view = started()
        assert (view.number, view.sealed_by, view.votes) == (0, (), ())
        assert parse(chain.genesis).extra_data == qbft.genesis_extra_data(view.validators)

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"number": 1}, "number: expected 0, got 1"),
            ({"parent_hash": b"\x01" * 32}, "parentHash: expected 0000"),
            ({"mix_hash": bytes(32)}, "mixHash: expected"),
            ({"difficulty": 0}, "difficulty: expected 1"),
        ],
    )
    def test_another_header_is_refused(self, changes: dict[str, object], why: str) -> None:
        draft = QbftDraft(
            replace(Draft(mix_hash=qbft.MIX_HASH), **changes), [keys_of(1)[0].account]
        )
        with pytest.raises(HeaderError, match=why):
            qbft.genesis(draft.sealed([], seals=[]), rules=RULES)

    def test_its_extra_data_has_one_form(self) -> None:
        keys = keys_of(3)
        good = QbftDraft(Draft(mix_hash=qbft.MIX_HASH), [key.account for key in keys])
        qbft.genesis(good.sealed([], seals=[]), rules=RULES)
        for wrong in (
            replace(good, validators=[key.account for key in keys[::-1]]),
            replace(good, validators=[keys[0].account, keys[0].account]),
            replace(good, vanity=b"\x01" * 32),
            replace(good, vote=[bytes(20), ADD]),
            replace(good, round=1),
        ):
            with pytest.raises(HeaderError, match="extraData: expected"):
                qbft.genesis(wrong.sealed([], seals=[]), rules=RULES)
        with pytest.raises(HeaderError, match="extraData: expected"):
            qbft.genesis(good.sealed(keys), rules=RULES)

    def test_a_chain_of_no_validators_is_refused(self) -> None:
        draft = QbftDraft(Draft(mix_hash=qbft.MIX_HASH), [])
        with pytest.raises(HeaderError, match="validators: expected at least one, got none"):
            qbft.genesis(draft.sealed([], seals=[]), rules=RULES)

    @pytest.mark.parametrize("rules", [(0, 1), (1, 0), (-1, 1)])
    def test_rules_that_no_network_can_have_are_refused(self, rules: tuple[int, int]) -> None:
        with pytest.raises(UsageError, match="expected an epoch length and a block period from 1"):
            qbft.Rules(*rules)


class TestResume:
    def test_following_goes_on_from_the_last_block_of_an_epoch(self) -> None:
        chain, view = started()
        headers = [chain.next() for _ in range(12)]
        for header_rlp in headers[:10]:
            view = view.follow(header_rlp)
        resumed = qbft.resume(
            headers[9], block_hash=view.block_hash, validators=view.validators, rules=RULES
        )
        assert (resumed.block_hash, resumed.known_from) == (view.block_hash, 10)
        assert resumed.follow(headers[10]).block_hash == view.follow(headers[10]).block_hash

    def test_another_block_hash_set_or_height_is_refused(self) -> None:
        chain, view = started()
        headers = [chain.next() for _ in range(10)]
        for header_rlp in headers:
            view = view.follow(header_rlp)
        good = {"block_hash": view.block_hash, "validators": view.validators, "rules": RULES}
        for header_rlp, changes, why in (
            (headers[8], {}, "number: expected a multiple of the epoch length 10, got 9"),
            (headers[9], {"block_hash": bytes(32)}, "block hash: expected 0000"),
            (headers[9], {"validators": view.validators[:3]}, "validators: expected the followed"),
        ):
            with pytest.raises(HeaderError, match=why):
                qbft.resume(header_rlp, **{**good, **changes})


class TestHostileBytes:
    chain, view = started()
    good = chain.draft(vote=[bytes(20), ADD]).sealed(chain.keys)

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
    @given(st.binary(max_size=400))
    def test_any_bytes_in_place_of_the_extra_data_raise_header_error(self, extra: bytes) -> None:
        header = replace(self.chain.draft().header, extra=extra)
        with pytest.raises(HeaderError):
            self.view.follow(header.encoded())
        with pytest.raises(HeaderError):
            qbft.genesis(Draft(mix_hash=qbft.MIX_HASH, extra=extra).encoded(), rules=RULES)
