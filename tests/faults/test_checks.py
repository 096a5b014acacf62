"""What the checks after a fault refuse: each is shown one thing that must not have happened."""

from dataclasses import replace

import pytest
from tests.faults.checks import QUEUE_SECONDS, check_log, check_release
from tests.faults.trial import VIEW_AGE, Acknowledged, Release

from xinglin.grant import GrantState
from xinglin.names import GrantId

TIME = 1_800_000_000
BLOCK = bytes(31) + b"\x07"
LEAVES = [bytes([number]) * 32 for number in range(3)]
ACKNOWLEDGED = [Acknowledged(0, index, leaf) for index, leaf in enumerate(LEAVES)]

RELEASE = Release(
    asked_at=TIME - 0.5,
    entered_at=TIME,
    answered_at=TIME + 0.5,
    grant=GrantId(bytes(32)),
    view_number=7,
    view_hash="0x" + BLOCK.hex(),
    view_time=TIME - VIEW_AGE,
)

ALIVE = GrantState(
    custodian=1,
    grantor="0x" + "11" * 20,
    terms_digest=bytes(32),
    given_at=TIME - 100,
    not_before=TIME - 100,
    expires_at=TIME + 100,
    revoked_at=0,
    how="signed",
    revoked_by="nobody",
)


class TestLog:
    """I3: what was acknowledged is in the log, once."""

    def test_what_was_acknowledged_and_stands_once_is_taken(self) -> None:
        check_log(ACKNOWLEDGED, LEAVES)

    def test_a_leaf_that_stands_twice_is_refused_though_nobody_was_told_of_the_second(self) -> None:
        with pytest.raises(AssertionError, match="one leaf stands twice"):
            check_log(ACKNOWLEDGED, [*LEAVES, LEAVES[1]])

    @pytest.mark.parametrize(
        ("acknowledged", "leaves", "said"),
        [
            ([*ACKNOWLEDGED, ACKNOWLEDGED[0]], LEAVES, "acknowledged twice"),
            (ACKNOWLEDGED, LEAVES[:2], "not in the log"),
            (ACKNOWLEDGED, [LEAVES[0], LEAVES[2], LEAVES[1]], "another entry"),
        ],
    )
    def test_an_entry_that_is_lost_or_doubled_or_another_is_refused(
        self, acknowledged: list[Acknowledged], leaves: list[bytes], said: str
    ) -> None:
        with pytest.raises(AssertionError, match=said):
            check_log(acknowledged, leaves)


class TestRelease:
    """I4, I5: the view under which a key left is fresh, stands, and has the grant alive."""

    def test_one_on_the_oldest_view_that_is_allowed_is_taken(self) -> None:
        check_release(RELEASE, BLOCK, ALIVE)

    def test_an_old_view_is_refused_however_long_before_it_was_asked_for(self) -> None:
        old = TIME - VIEW_AGE - QUEUE_SECONDS - 1
        # As when a busy node is asked again: at the asking the view was no second old.
        retried = replace(RELEASE, asked_at=float(old), view_time=old)
        with pytest.raises(AssertionError, match=f"{TIME - old} s old"):
            check_release(retried, BLOCK, ALIVE)

    @pytest.mark.parametrize("entered_at", [TIME - 2, TIME + 2])
    def test_an_entry_from_before_the_request_or_after_the_answer_is_refused(
        self, entered_at: int
    ) -> None:
        with pytest.raises(AssertionError, match="between its request and the answer"):
            check_release(replace(RELEASE, entered_at=entered_at), BLOCK, ALIVE)

    def test_a_view_that_does_not_stand_is_refused(self) -> None:
        with pytest.raises(AssertionError, match="on an orphan"):
            check_release(RELEASE, bytes(32), ALIVE)

    def test_a_view_that_does_not_have_the_grant_is_refused(self) -> None:
        with pytest.raises(AssertionError, match="its view does not have"):
            check_release(RELEASE, BLOCK, None)

    def test_a_view_that_has_the_revocation_is_refused(self) -> None:
        revoked = ALIVE.model_copy(update={"revoked_at": TIME - 20, "revoked_by": "grantor"})
        with pytest.raises(AssertionError, match="has the revocation"):
            check_release(RELEASE, BLOCK, revoked)
