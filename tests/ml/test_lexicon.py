"""What a dictionary sees, and that a training sentence never sees its own answers."""

import numpy as np
import pytest

from xinglin_ml.annotation import Span
from xinglin_ml.errors import ConfigurationError, WeightsError
from xinglin_ml.lexicon import LONGEST_TERM, Example, Lexicon, build
from xinglin_ml.names import FOLDER, read_names

COLUMNS = ("s/a", "s/b")


class TestFeatures:
    def test_first_middle_last_and_only_are_told_apart(self) -> None:
        lexicon = Lexicon(COLUMNS, {"胃脘痛": {0: 80}, "痛": {1: 50}})
        rows = lexicon.features("胃脘痛")
        assert np.flatnonzero(rows[0]).tolist() == [0]
        assert np.flatnonzero(rows[1]).tolist() == [1]
        assert np.flatnonzero(rows[2]).tolist() == [2, 7]
        assert rows[2, 7] == np.float32(0.5)

    def test_of_several_terms_the_larger_share_counts(self) -> None:
        lexicon = Lexicon(COLUMNS, {"胃痛": {0: 30}, "痛": {0: 90}, "胃痛甚": {0: 60}})
        assert lexicon.features("胃痛甚")[0, 0] == np.float32(0.6)

    def test_an_empty_lexicon_sees_nothing(self) -> None:
        assert not Lexicon(COLUMNS, {}).features("胃痛").any()

    def test_what_is_written_is_read(self) -> None:
        lexicon = Lexicon(COLUMNS, {"胃痛": {0: 30, 1: 5}})
        assert Lexicon.from_json(lexicon.to_json()).terms == lexicon.terms

    def test_another_file_is_refused(self) -> None:
        with pytest.raises(WeightsError):
            Lexicon.from_json(b'{"format": "xinglin.lexicon/1"}')


class TestFolds:
    def test_a_term_of_one_fold_alone_is_unknown_to_that_fold(self) -> None:
        # Otherwise the model would learn that the dictionary is never wrong.
        folds = [
            [Example("s", "头痛三天", [Span(0, 2, "a")])],
            [Example("s", "咳嗽三天", [Span(0, 2, "a")])],
        ]
        made = build(folds, COLUMNS)
        assert set(made.full.terms) == {"头痛", "咳嗽"}
        assert set(made.without[0].terms) == {"咳嗽"}
        assert set(made.without[1].terms) == {"头痛"}

    def test_the_share_falls_with_occurrences_that_are_not_labelled(self) -> None:
        folds = [
            [Example("s", "头痛", [Span(0, 2, "a")]), Example("s", "头痛", [])],
            [Example("s", "头痛", [Span(0, 2, "a")])],
        ]
        made = build(folds, COLUMNS)
        assert made.full.terms["头痛"][0] == round(100 * 2.5 / 4)
        assert made.without[0].terms["头痛"][0] == round(100 * 1.5 / 2)

    def test_an_occurrence_inside_a_longer_span_is_not_counted_against(self) -> None:
        folds = [
            [Example("s", "偏头痛头痛", [Span(0, 3, "a"), Span(3, 5, "a")])],
        ]
        assert build(folds, COLUMNS).full.terms["头痛"][0] == round(100 * 1.5 / 2)


class TestNames:
    def test_each_kind_has_a_column_and_what_was_there_stays(self) -> None:
        lexicon = Lexicon(COLUMNS, {"胃痛": {0: 30}})
        named = lexicon.with_names({"symptom": ["胃痛", "头晕"], "herb": ["黄芪"]})
        assert named.columns == (*COLUMNS, "names/symptom", "names/herb")
        assert named.terms == {"胃痛": {0: 30, 2: 100}, "头晕": {2: 100}, "黄芪": {3: 100}}
        assert lexicon.terms == {"胃痛": {0: 30}}

    def test_no_fold_knows_more_of_them_than_another(self) -> None:
        folds = [[Example("s", "头痛三天", [Span(0, 2, "a")])], [Example("s", "咳嗽", [])]]
        made = build(folds, COLUMNS).with_names({"symptom": ["头痛"]})
        assert made.full.terms["头痛"] == {0: made.full.terms["头痛"][0], 2: 100}
        assert [one.terms["头痛"].get(2) for one in made.without] == [100, 100]
        assert 0 not in made.without[0].terms["头痛"]

    def test_a_kind_without_a_list_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="symptom"):
            read_names("symptoms")

    @pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
    def test_a_list_has_one_name_a_line_once_and_in_order(self, path) -> None:
        names = path.read_text("utf-8").splitlines()
        assert names == sorted(set(names))
        assert len(names) >= 150
        for name in names:
            assert 1 <= len(name) <= LONGEST_TERM, name
            assert name == name.strip(), name
            assert not set(name) & set(" \t,，;；、。#"), name
