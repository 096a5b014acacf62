"""Recovery shares among officers."""

from itertools import combinations

import pytest

from xinglin import keys
from xinglin.errors import InvalidEncoding, UsageError

SEED = bytes(range(100, 132))


class TestRecoveryShares:
    def test_every_two_of_three_give_the_seed_back(self) -> None:
        shares = keys.split_recovery(SEED, 2, 3)
        for pair in combinations(shares, 2):
            assert keys.combine_recovery(pair) == SEED

    def test_a_recovery_recipient_lives_on_in_its_shares(self) -> None:
        recovery = keys.HpkeIdentity.generate()
        shares = keys.split_recovery(recovery.seed, 3, 5)
        assert keys.HpkeIdentity.from_seed(keys.combine_recovery(shares[:3])) == recovery

    def test_one_share_too_few_is_refused(self) -> None:
        shares = keys.split_recovery(SEED, 3, 5)
        with pytest.raises(InvalidEncoding):
            keys.combine_recovery(shares[:2])

    def test_a_share_twice_does_not_count_as_two(self) -> None:
        shares = keys.split_recovery(SEED, 2, 3)
        with pytest.raises(InvalidEncoding):
            keys.combine_recovery([shares[0], shares[0]])

    def test_shares_of_two_sets_do_not_mix(self) -> None:
        one, other = keys.split_recovery(SEED, 2, 3), keys.split_recovery(SEED, 2, 3)
        with pytest.raises(InvalidEncoding):
            keys.combine_recovery([one[0], other[1]])

    def test_a_mistyped_word_is_noticed(self) -> None:
        shares = keys.split_recovery(SEED, 2, 3)
        words = shares[0].split(" ")
        words[5] = "academic" if words[5] != "academic" else "acid"
        with pytest.raises(InvalidEncoding) as refusal:
            keys.combine_recovery([" ".join(words), shares[1]])
        assert words[6] not in str(refusal.value).split()

    def test_no_shares_is_a_mistake_and_not_a_seed(self) -> None:
        with pytest.raises(UsageError):
            keys.combine_recovery([])

    @pytest.mark.parametrize(("threshold", "shares"), [(1, 3), (0, 2), (4, 3), (2, 17), (1, 1)])
    def test_a_threshold_that_protects_nothing_is_refused(
        self, threshold: int, shares: int
    ) -> None:
        with pytest.raises(UsageError):
            keys.split_recovery(SEED, threshold, shares)

    def test_only_seeds_are_split(self) -> None:
        with pytest.raises(UsageError, match="got 31"):
            keys.split_recovery(SEED[1:], 2, 3)
