"""The history of a subject, and when it is whole (DESIGN 3.7)."""

import secrets

import pytest

from xinglin import history, statement, typed
from xinglin.errors import HistoryError
from xinglin.hashes import Digest
from xinglin.history import HistoryEntry, tag, verify_whole
from xinglin.keys import Account
from xinglin.names import (
    Address,
    Commitment,
    EntryTag,
    Generation,
    HistoryKey,
    Member,
    NetworkId,
    Salt,
)
from xinglin.statement import Disclosure, Entry, Statement, Subject

KEY = HistoryKey(b"\x0a" * 32)
ORIGIN = history.origin(NetworkId(bytes(16)), Member(1), Generation(0))
AUTHOR = Account.from_key(b"\x01" * 32)
DOMAIN = typed.Domain(31337, Address(AUTHOR.address))


def disclosed(n: int, predicate: statement.Predicate | None = None) -> Disclosure:
    deposit = predicate or statement.GrantDeposit(
        grant_id=bytes([n]) * 32, terms="{}", how="signed", claimed_at=n
    )
    made = Statement((Subject(name="grant", digest=Digest.of(bytes([n]))),), deposit)
    return Disclosure(attestation=statement.attest(made, AUTHOR, DOMAIN), salt=bytes([n]) * 32, n=n)


def entry(n: int, told: Disclosure, key: HistoryKey = KEY) -> Entry:
    commitment = statement.commit(told.attestation.encode(), Salt(told.salt))
    return Entry(tag(key, ORIGIN, n), commitment)


def noise() -> Entry:
    return Entry(EntryTag(secrets.token_bytes(32)), Commitment(secrets.token_bytes(32)))


def a_log(counters: list[int]) -> tuple[list[Entry], list[HistoryEntry]]:
    """A log with noise between this subject's tags, and what an honest node would tell."""
    entries: list[Entry] = []
    told: list[HistoryEntry] = []
    for n in counters:
        entries.append(noise())
        shown = disclosed(n)
        told.append(HistoryEntry(len(entries), shown))
        entries.append(entry(n, shown))
    return entries, told


class TestVerifyWhole:
    def test_a_whole_list_is_accepted(self) -> None:
        entries, told = a_log([0, 1, 2, 3])
        assert verify_whole(KEY, ORIGIN, entries, told) is None

    def test_an_empty_list_in_a_log_without_the_tags_is_whole(self) -> None:
        assert verify_whole(KEY, ORIGIN, [noise() for _ in range(5)], []) is None

    def test_tags_0_1_2_3_5_and_a_second_2_under_a_claimed_n_of_4_are_refused(self) -> None:
        entries, told = a_log([0, 1, 2, 3, 5])
        entries.append(entry(2, disclosed(2)))
        with pytest.raises(HistoryError, match="tag 2 occurs 2 times"):
            verify_whole(KEY, ORIGIN, entries, told[:4])

    def test_a_later_tag_kept_back_is_found(self) -> None:
        # An institution that tells four entries and logged a sixth under tag 5.
        entries, told = a_log([0, 1, 2, 3, 5])
        with pytest.raises(HistoryError, match="tag 5 occurs"):
            verify_whole(KEY, ORIGIN, entries, told[:4])

    def test_a_gap_is_found(self) -> None:
        entries, told = a_log([0, 1, 3])
        with pytest.raises(HistoryError, match="tag 2 does not occur"):
            verify_whole(KEY, ORIGIN, entries, told)

    def test_a_shifted_index_is_found(self) -> None:
        entries, told = a_log([0, 1])
        moved = [told[0], HistoryEntry(told[1].index - 1, told[1].disclosure)]
        with pytest.raises(HistoryError, match="told as"):
            verify_whole(KEY, ORIGIN, entries, moved)

    def test_the_last_entry_kept_back_is_found(self) -> None:
        entries, told = a_log([0, 1, 2])
        with pytest.raises(HistoryError, match="the list ends before it"):
            verify_whole(KEY, ORIGIN, entries, told[:2])

    def test_a_disclosure_that_does_not_open_is_found(self) -> None:
        entries, told = a_log([0, 1])
        false = disclosed(1).model_copy(update={"salt": bytes(32)})
        with pytest.raises(HistoryError, match="commits to"):
            verify_whole(KEY, ORIGIN, entries, [told[0], HistoryEntry(told[1].index, false)])

    def test_a_disclosure_told_under_another_counter_is_found(self) -> None:
        entries, told = a_log([0, 1])
        renumbered = disclosed(1).model_copy(update={"n": 0})
        with pytest.raises(HistoryError, match="told as 0"):
            verify_whole(KEY, ORIGIN, entries, [told[0], HistoryEntry(told[1].index, renumbered)])

    def test_an_undisclosed_entry_needs_an_erasure_that_names_it(self) -> None:
        entries, told = a_log([0, 1])
        hidden = [HistoryEntry(told[0].index, None), told[1]]
        with pytest.raises(HistoryError, match="no erasure names it"):
            verify_whole(KEY, ORIGIN, entries, hidden)
        erasure = statement.Erasure(
            leaves=(
                statement.ErasedLeaf(
                    index=told[0].index, commitment=Digest(entries[told[0].index].commitment)
                ),
            ),
            basis="request of the subject",
            order=None,
            notified=(),
            claimed_at=9,
        )
        shown = disclosed(2, erasure)
        entries.append(entry(2, shown))
        whole = [*hidden, HistoryEntry(len(entries) - 1, shown)]
        assert verify_whole(KEY, ORIGIN, entries, whole) is None

    def test_an_erasure_that_names_another_commitment_does_not_help(self) -> None:
        entries, told = a_log([0, 1])
        erasure = statement.Erasure(
            leaves=(statement.ErasedLeaf(index=told[0].index, commitment=Digest(bytes(32))),),
            basis="request of the subject",
            order=None,
            notified=(),
            claimed_at=9,
        )
        shown = disclosed(2, erasure)
        entries.append(entry(2, shown))
        with pytest.raises(HistoryError, match="no erasure names it"):
            verify_whole(
                KEY,
                ORIGIN,
                entries,
                [HistoryEntry(told[0].index, None), told[1], HistoryEntry(len(entries) - 1, shown)],
            )


class TestTag:
    def test_a_tag_is_of_one_key_one_log_and_one_counter(self) -> None:
        other = history.origin(NetworkId(bytes(16)), Member(1), Generation(1))
        tags = {
            tag(KEY, ORIGIN, 0),
            tag(KEY, ORIGIN, 1),
            tag(KEY, other, 0),
            tag(HistoryKey(b"\x0b" * 32), ORIGIN, 0),
        }
        assert len(tags) == 4
