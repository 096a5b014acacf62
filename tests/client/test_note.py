"""C2SP signed notes: what they are made of, and what is not one."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin import note
from xinglin.errors import CheckpointError, InvalidEncoding, UsageError
from xinglin.note import LogKey

KEY = LogKey.from_seed(b"\x05" * 32)
NAME = "example.org/log"
TEXT = "first\nsecond\n"
NOTE = note.sign(TEXT, NAME, KEY)

texts = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32), max_size=40).map(
    lambda line: line + "\n"
)


def line(name: str, data: bytes) -> bytes:
    return f"\u2014 {name} {base64.b64encode(data).decode()}\n".encode()


SIGNATURE = note.key_id(NAME, KEY.public) + KEY.sign(TEXT.encode())


class TestSign:
    @given(texts)
    def test_what_is_signed_is_verified(self, text: str) -> None:
        assert note.verify(note.sign(text, NAME, KEY), NAME, KEY.public) == text

    def test_the_bytes_are_those_of_the_specification(self) -> None:
        assert TEXT.encode() + b"\n" + line(NAME, SIGNATURE) == NOTE

    def test_a_text_may_have_blank_lines(self) -> None:
        # The last blank line parts text and signatures (c2sp.org/signed-note, format).
        text = "first\n\nsecond\n"
        assert note.verify(note.sign(text, NAME, KEY), NAME, KEY.public) == text

    @pytest.mark.parametrize(
        "text", ["", "no newline", "tab\t\n", "a\r\n", "nul\x00\n", "\ud800\n"]
    )
    def test_a_text_that_no_reader_accepts_is_not_signed(self, text: str) -> None:
        with pytest.raises(UsageError):
            note.sign(text, NAME, KEY)

    @pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u3000b", "a\nb", "a\x01"])
    def test_a_name_that_no_reader_accepts_is_refused(self, name: str) -> None:
        with pytest.raises(UsageError):
            note.sign(TEXT, name, KEY)
        with pytest.raises(UsageError):
            note.verify(NOTE, name, KEY.public)


class TestVerify:
    def test_the_published_example_is_made_and_verified(self) -> None:
        # The example of golang.org/x/mod/sumdb/note, where the format comes from.
        key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        name, _, encoded = key.split("+", 2)
        public = base64.b64decode(encoded)[1:]
        text = (
            "If you think cryptography is the answer to your problem,\n"
            "then you don't know what your problem is.\n"
        )
        signed = (
            f"{text}\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FF"
            "YC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
        )
        assert note.key_id(name, public).hex() == "c74f20a3"
        assert note.verify(signed.encode(), name, public) == text
        seed = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
        assert note.sign(text, name, LogKey.from_seed(seed)) == signed.encode()

    def test_another_key_is_refused(self) -> None:
        with pytest.raises(CheckpointError, match="got 0"):
            note.verify(NOTE, NAME, LogKey.generate().public)

    def test_another_name_is_refused(self) -> None:
        with pytest.raises(CheckpointError, match="got 0"):
            note.verify(NOTE, "example.org/other", KEY.public)

    def test_an_altered_text_is_refused(self) -> None:
        with pytest.raises(CheckpointError, match="not one by"):
            note.verify(NOTE.replace(b"first", b"First"), NAME, KEY.public)

    def test_a_text_that_was_cut_at_a_blank_line_is_refused(self) -> None:
        signed = note.sign("first\n\nsecond\n", NAME, KEY)
        cut = b"first\n" + signed[signed.rindex(b"\n\n") + 1 :]
        with pytest.raises(CheckpointError):
            note.verify(cut, NAME, KEY.public)

    @pytest.mark.parametrize("at", [0, 4, 40, 67])
    def test_an_altered_signature_is_refused(self, at: int) -> None:
        changed = bytearray(SIGNATURE)
        changed[at] ^= 1
        with pytest.raises(CheckpointError):
            note.verify(TEXT.encode() + b"\n" + line(NAME, bytes(changed)), NAME, KEY.public)

    @pytest.mark.parametrize("size", [63, 65])
    def test_a_signature_of_another_length_is_refused(self, size: int) -> None:
        blob = (SIGNATURE + b"\x00")[: 4 + size]
        with pytest.raises(CheckpointError, match="64 bytes"):
            note.verify(TEXT.encode() + b"\n" + line(NAME, blob), NAME, KEY.public)

    def test_cosignatures_are_passed_over(self) -> None:
        # The specification demands it: a monitor's countersignature must not break a reader.
        cosigned = NOTE + line("cosigner.example", b"\x01\x02\x03\x04" + bytes(72))
        assert note.verify(cosigned, NAME, KEY.public) == TEXT

    def test_a_line_with_our_name_and_another_key_is_passed_over(self) -> None:
        other = LogKey.generate()
        rotated = NOTE + line(NAME, note.key_id(NAME, other.public) + other.sign(TEXT.encode()))
        assert note.verify(rotated, NAME, KEY.public) == TEXT

    def test_a_second_line_by_our_key_is_refused(self) -> None:
        with pytest.raises(CheckpointError, match="got 2"):
            note.verify(NOTE + line(NAME, SIGNATURE), NAME, KEY.public)

    def test_more_lines_than_a_reader_need_take_are_refused(self) -> None:
        many = NOTE + line("cosigner.example", bytes(76)) * 16
        with pytest.raises(CheckpointError, match="16"):
            note.verify(many, NAME, KEY.public)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\n",
            b"\n\n",
            TEXT.encode(),
            TEXT.encode() + b"\n",
            b"\n" + line(NAME, SIGNATURE),
            NOTE[:-1],
            NOTE + b"\n",
            NOTE + b"trailing\n",
            NOTE + b" ",
            b"\xff" + NOTE,
            NOTE.replace(b"\n", b"\r\n"),
            NOTE.replace(b"\xe2\x80\x94", b"-"),
            NOTE.replace(b"\xe2\x80\x94 ", b"\xe2\x80\x94"),
            NOTE.replace(b"=\n", b"\n"),
            NOTE.replace(NAME.encode() + b" ", NAME.encode() + b"  "),
            TEXT.encode() + b"\n" + line(NAME, b"abcd"),
            b"x" * (1 << 16) + NOTE,
        ],
    )
    def test_what_is_no_note_is_refused(self, data: bytes) -> None:
        with pytest.raises(CheckpointError):
            note.verify(data, NAME, KEY.public)

    def test_base64_with_loose_bits_is_refused(self) -> None:
        # 68 bytes end in one '=' and two unused bits; both must be zero (one encoding).
        text = NOTE.decode()
        last = text.rindex("=") - 1
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        loose = alphabet[alphabet.index(text[last]) ^ 1]
        with pytest.raises(CheckpointError, match="one form"):
            note.verify((text[:last] + loose + text[last + 1 :]).encode(), NAME, KEY.public)

    @pytest.mark.parametrize("size", [0, 31, 33])
    def test_a_log_key_of_another_length_is_refused(self, size: int) -> None:
        with pytest.raises(UsageError):
            note.verify(NOTE, NAME, bytes(size))


class TestLogKey:
    def test_a_seed_is_the_whole_key_and_is_not_shown(self) -> None:
        key = LogKey.generate()
        assert LogKey.from_seed(key.seed) == key
        assert repr(key.seed) not in repr(key)

    def test_it_is_the_key_of_rfc_8032(self) -> None:
        # RFC 8032, section 7.1, test 1.
        key = LogKey.from_seed(
            bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
        )
        assert key.public.hex() == (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        )
        assert key.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974")

    def test_a_seed_of_another_length_is_refused(self) -> None:
        with pytest.raises(InvalidEncoding):
            LogKey.from_seed(bytes(31))
