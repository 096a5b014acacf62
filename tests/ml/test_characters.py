"""From text to numbers, one for each code point."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin_ml.characters import NO_BIGRAM, SPACE, SPECIAL, UNKNOWN, Vocabulary, plain
from xinglin_ml.errors import WeightsError

VOCABULARY = Vocabulary.from_counts(
    dict.fromkeys("头痛证脉细弱3a，", 5), bigrams=[("头", "痛"), ("脉", "细")]
)


class TestEncoding:
    @settings(deadline=None)
    @given(st.text(alphabet=st.characters()))
    def test_every_code_point_has_one_number_whatever_it_is(self, text: str) -> None:
        # A text of another length would move every offset behind it.
        assert len(VOCABULARY.encode(text)) == len(text) == len(VOCABULARY.normal_form(text))

    def test_traditional_and_simplified_script_read_alike(self) -> None:
        assert VOCABULARY.encode("頭痛證").tolist() == VOCABULARY.encode("头痛证").tolist()

    def test_full_width_digits_and_capitals_read_as_plain_ones(self) -> None:
        assert VOCABULARY.encode("３Ａａ").tolist() == VOCABULARY.encode("3aa").tolist()

    def test_controls_and_spaces_of_all_kinds_are_one_number(self) -> None:
        assert set(VOCABULARY.encode("\x00\u3000\t\u200b\ud800").tolist()) == {SPACE}

    def test_what_is_unknown_is_unknown_and_not_dropped(self) -> None:
        assert VOCABULARY.encode("😀𠮷").tolist() == [UNKNOWN, UNKNOWN]

    def test_a_character_that_would_unfold_into_several_stays_one(self) -> None:
        assert plain("㎎") == "㎎"
        assert plain("ﷺ") == "ﷺ"


class TestThreads:
    def test_two_threads_that_read_first_read_alike(self) -> None:
        """I7: what one thread has not prepared yet, another does not take for unknown."""
        words = "".join(map(chr, range(0x4E00, 0x5200)))
        text = "３" + words[-1] + "Ａ"
        last = SPECIAL + len(words) + 1
        found: list[list[int]] = []
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for _ in range(50):
                fresh = Vocabulary(tuple(words + "3a"), {}, np.array([], dtype=np.int64))
                with ThreadPoolExecutor(2) as pool:
                    both = [pool.submit(fresh.encode, text) for _ in range(2)]
                found += [one.result().tolist() for one in both]
        finally:
            sys.setswitchinterval(before)
        assert found == [[last - 1, last - 2, last]] * 100


class TestBigrams:
    def test_only_known_neighbours_have_a_number(self) -> None:
        found = VOCABULARY.bigrams(VOCABULARY.encode("头痛脉弱")).tolist()
        assert found[0] != NO_BIGRAM
        assert found[1:] == [NO_BIGRAM] * 3

    def test_one_character_has_no_pair(self) -> None:
        assert VOCABULARY.bigrams(VOCABULARY.encode("头")).tolist() == [NO_BIGRAM]


class TestFile:
    def test_what_is_written_is_read(self) -> None:
        again = Vocabulary.from_json(VOCABULARY.to_json())
        assert again.to_json() == VOCABULARY.to_json()
        assert again.encode("頭痛").tolist() == VOCABULARY.encode("頭痛").tolist()

    @pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format":"xinglin.lexicon/1"}'])
    def test_another_file_is_refused(self, data: bytes) -> None:
        with pytest.raises(WeightsError):
            Vocabulary.from_json(data)
