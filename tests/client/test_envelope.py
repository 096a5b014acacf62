"""Envelopes: what a wrap is bound to, and every way of moving it elsewhere."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin import canonical
from xinglin.envelope import Envelope, Wrap, unwrap, unwrap_any, wrap_for, wrap_info
from xinglin.errors import InvalidEncoding, UnwrapError
from xinglin.hashes import Digest
from xinglin.keys import HpkeIdentity
from xinglin.names import DataKey, GrantId, RequestId

ALICE = HpkeIdentity.from_seed(b"\x01" * 32)
BOB = HpkeIdentity.from_seed(b"\x02" * 32)
DATA_KEY = DataKey(bytes(range(32)))
MANIFEST, OTHER_MANIFEST = Digest.of(b"one record"), Digest.of(b"another record")
GRANT, OTHER_GRANT = GrantId(b"\x11" * 32), GrantId(b"\x12" * 32)
REQUEST, OTHER_REQUEST = RequestId(b"\x21" * 32), RequestId(b"\x22" * 32)

contexts = st.one_of(st.none(), st.binary(min_size=32, max_size=32).filter(any))


def sealed_envelope() -> Envelope:
    return Envelope(
        MANIFEST,
        (
            wrap_for(DATA_KEY, ALICE.recipient, MANIFEST),
            wrap_for(DATA_KEY, BOB.recipient, MANIFEST, grant=GRANT, request=REQUEST),
        ),
    )


class TestWrapInfo:
    def test_it_has_the_pinned_bytes(self) -> None:
        info = wrap_info(MANIFEST, ALICE.key_digest, GRANT, REQUEST)
        assert info == b"xinglin/wrap/v1\x00" + MANIFEST.value + ALICE.key_digest + GRANT + REQUEST

    def test_zeros_stand_for_no_grant_and_no_request(self) -> None:
        assert wrap_info(MANIFEST, ALICE.key_digest)[-64:] == bytes(64)

    @given(contexts, contexts, contexts, contexts)
    def test_two_contexts_never_share_an_info(
        self, a: bytes | None, b: bytes | None, c: bytes | None, d: bytes | None
    ) -> None:
        one = wrap_info(MANIFEST, ALICE.key_digest, a and GrantId(a), b and RequestId(b))
        other = wrap_info(MANIFEST, ALICE.key_digest, c and GrantId(c), d and RequestId(d))
        assert (one == other) == ((a, b) == (c, d))

    def test_a_grant_of_zeros_would_read_as_none_and_is_refused(self) -> None:
        with pytest.raises(InvalidEncoding):
            wrap_info(MANIFEST, ALICE.key_digest, GrantId(bytes(32)), None)
        with pytest.raises(InvalidEncoding):
            wrap_info(MANIFEST, ALICE.key_digest, None, RequestId(bytes(32)))

    @pytest.mark.parametrize("size", [0, 31, 33])
    def test_parts_of_another_length_are_refused(self, size: int) -> None:
        # Without fixed sizes, one part's end could pass for another's beginning.
        part = b"\x01" * size
        with pytest.raises(InvalidEncoding):
            wrap_info(MANIFEST, part)
        with pytest.raises(InvalidEncoding):
            wrap_info(MANIFEST, ALICE.key_digest, GrantId(part))
        with pytest.raises(InvalidEncoding):
            wrap_info(MANIFEST, ALICE.key_digest, None, RequestId(part))


class TestUnwrap:
    @pytest.mark.parametrize("grant", [None, GRANT])
    @pytest.mark.parametrize("request_id", [None, REQUEST])
    def test_the_key_comes_back_in_its_own_context(
        self, grant: GrantId | None, request_id: RequestId | None
    ) -> None:
        wrap = wrap_for(DATA_KEY, ALICE.recipient, MANIFEST, grant=grant, request=request_id)
        assert unwrap(wrap, ALICE, MANIFEST) == DATA_KEY

    @pytest.mark.parametrize(
        ("grant", "request_id"),
        [(OTHER_GRANT, REQUEST), (None, REQUEST), (GRANT, OTHER_REQUEST), (GRANT, None)],
    )
    def test_a_wrap_for_another_grant_or_request_is_refused(
        self, grant: GrantId | None, request_id: RequestId | None
    ) -> None:
        # A wrap that was released under one grant, shown as if under another.
        made = wrap_for(DATA_KEY, ALICE.recipient, MANIFEST, grant=GRANT, request=REQUEST)
        moved = Wrap(made.key_digest, made.wrap, grant, request_id)
        with pytest.raises(UnwrapError):
            unwrap(moved, ALICE, MANIFEST)

    def test_a_grant_shown_as_a_request_is_refused(self) -> None:
        made = wrap_for(DATA_KEY, ALICE.recipient, MANIFEST, grant=GRANT)
        with pytest.raises(UnwrapError):
            unwrap(Wrap(made.key_digest, made.wrap, None, RequestId(GRANT)), ALICE, MANIFEST)

    def test_a_wrap_replayed_under_another_manifest_is_refused(self) -> None:
        made = wrap_for(DATA_KEY, ALICE.recipient, MANIFEST)
        with pytest.raises(UnwrapError):
            unwrap(made, ALICE, OTHER_MANIFEST)

    def test_a_wrap_for_another_person_is_refused(self) -> None:
        made = wrap_for(DATA_KEY, ALICE.recipient, MANIFEST)
        with pytest.raises(UnwrapError, match="another key"):
            unwrap(made, BOB, MANIFEST)

    def test_a_wrap_relabelled_for_another_person_is_refused(self) -> None:
        made = wrap_for(DATA_KEY, ALICE.recipient, MANIFEST)
        with pytest.raises(UnwrapError):
            unwrap(Wrap(BOB.key_digest, made.wrap), BOB, MANIFEST)

    def test_the_envelope_gives_each_recipient_the_key(self) -> None:
        envelope = sealed_envelope()
        assert unwrap_any(envelope, ALICE) == unwrap_any(envelope, BOB) == DATA_KEY

    def test_a_stranger_finds_no_wrap(self) -> None:
        with pytest.raises(UnwrapError, match="got none"):
            unwrap_any(sealed_envelope(), HpkeIdentity.generate())

    def test_an_envelope_moved_to_another_manifest_opens_for_nobody(self) -> None:
        moved = Envelope(OTHER_MANIFEST, sealed_envelope().wraps)
        for identity in (ALICE, BOB):
            with pytest.raises(UnwrapError):
                unwrap_any(moved, identity)


class TestEncoding:
    @given(
        st.lists(
            st.tuples(
                st.binary(min_size=32, max_size=32),
                st.binary(min_size=1168, max_size=1168),
                contexts,
                contexts,
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda parts: (parts[0], parts[2], parts[3]),
        ),
        st.binary(min_size=32, max_size=32),
    )
    @settings(max_examples=40, deadline=None)
    def test_what_is_encoded_is_decoded(self, wraps: Any, manifest: bytes) -> None:
        envelope = Envelope(Digest(manifest), tuple(Wrap(*parts) for parts in wraps))
        assert Envelope.decode(envelope.encode()) == envelope
        assert Envelope.decode(envelope.encode()).encode() == envelope.encode()

    def test_the_members_are_the_pinned_ones(self) -> None:
        value = json.loads(sealed_envelope().encode())
        assert sorted(value) == ["format", "manifest", "wraps"]
        assert value["format"] == "xinglin.envelope/1"
        assert value["manifest"] == MANIFEST.text
        assert [sorted(wrap) for wrap in value["wraps"]] == [
            ["grant", "keyDigest", "request", "wrap"]
        ] * 2
        assert value["wraps"][0]["grant"] is None
        assert value["wraps"][1]["grant"] == "0x" + "11" * 32

    @pytest.mark.parametrize(
        "change",
        [
            {"format": "xinglin.envelope/2"},
            {"format": None},
            {"manifest": "sha256:00"},
            {"manifest": MANIFEST.value.hex()},
            {"manifest": MANIFEST.text.upper()},
            {"manifest": 1},
            {"wraps": []},
            {"wraps": {}},
            {"wraps": None},
            {"wraps": [1]},
            {"extra": 1},
        ],
    )
    def test_an_envelope_in_another_form_is_refused(self, change: dict[str, Any]) -> None:
        value = json.loads(sealed_envelope().encode()) | change
        with pytest.raises(InvalidEncoding):
            Envelope.decode(canonical.encode(value))

    @pytest.mark.parametrize(
        "change",
        [
            {"grant": "0x" + "00" * 32},
            {"grant": "0x" + "11" * 31},
            {"grant": "0x" + "AB" * 32},
            {"grant": 1},
            {"request": "0x" + "00" * 32},
            {"keyDigest": "0x" + "11" * 31},
            {"keyDigest": "11" * 32},
            {"keyDigest": None},
            {"wrap": ""},
            {"wrap": "AA"},
            {"wrap": None},
            {"extra": 1},
        ],
    )
    def test_a_wrap_in_another_form_is_refused(self, change: dict[str, Any]) -> None:
        value = json.loads(sealed_envelope().encode())
        value["wraps"][0] |= change
        with pytest.raises(InvalidEncoding):
            Envelope.decode(canonical.encode(value))

    @pytest.mark.parametrize("member", ["grant", "keyDigest", "request", "wrap"])
    def test_a_missing_member_is_refused(self, member: str) -> None:
        value = json.loads(sealed_envelope().encode())
        del value["wraps"][0][member]
        with pytest.raises(InvalidEncoding):
            Envelope.decode(canonical.encode(value))

    def test_two_wraps_for_one_purpose_are_refused(self) -> None:
        # Which of them counts would be the reader's choice.
        wraps = tuple(wrap_for(DATA_KEY, ALICE.recipient, MANIFEST) for _ in range(2))
        with pytest.raises(InvalidEncoding, match="one wrap for each"):
            Envelope(MANIFEST, wraps)

    def test_no_wraps_and_too_many_are_refused(self) -> None:
        with pytest.raises(InvalidEncoding, match="got 0"):
            Envelope(MANIFEST, ())
        wraps = tuple(Wrap(bytes([i]) * 32, bytes(1168)) for i in range(65))
        with pytest.raises(InvalidEncoding, match="got 65"):
            Envelope(MANIFEST, wraps)

    def test_trailing_bytes_are_refused(self) -> None:
        with pytest.raises(InvalidEncoding):
            Envelope.decode(sealed_envelope().encode() + b"\n")
