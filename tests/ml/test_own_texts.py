"""The project's own annotated texts: markup, split, counts, and how far two passes agree."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from xinglin.errors import InvalidEncoding
from xinglin_ml.corpora import markup, own
from xinglin_ml.corpora.markup import AnnotatedSentence, parse_line
from xinglin_ml.corpora.own import agreement

LEAST_SENTENCES = 400
"""Of each kind, as the project promises."""

GRAM = 8
"""Characters that a test note may not share with a training note, beyond stock phrases."""

STOCK = {"舌红苔黄腻脉滑数"}
"""Runs of `GRAM` characters that any two notes may hold: here, one picture of tongue and pulse."""

NOTES = Path(__file__).parents[2] / "client" / "xinglin" / "_demo" / "notes.jsonl"


def all_sentences() -> list[AnnotatedSentence]:
    """Every sentence, those for training only included."""
    return [sentence for kind in (*own.KINDS, "supplement") for sentence in own.sentences(kind)]


def grams(text: str) -> set[str]:
    """Runs of characters without marks, digits and units, which say nothing of the wording."""
    bare = re.sub(r"[\W\da-z]", "", text)
    return {bare[i : i + GRAM] for i in range(len(bare) - GRAM + 1)}


class TestMarkup:
    def test_offsets_are_into_the_text_without_the_markup(self) -> None:
        text, spans = parse_line("无[发热|s-]，其母[哮喘|d^]。", general=False)

        assert text == "无发热，其母哮喘。"
        assert [text[s.start : s.end] for s in spans] == ["发热", "哮喘"]
        assert [(s.label, s.assertion, s.about) for s in spans] == [
            ("症状", "negated", "patient"),
            ("疾病", "family", "family"),
        ]

    def test_in_a_general_note_a_disease_is_nobodys_and_a_measure_is_given(self) -> None:
        _, spans = parse_line("[流感|d]可防，[戴口罩|ph]，已[发热|s=]", general=True)

        assert [(s.assertion, s.about) for s in spans] == [
            ("uncertain", "general"),
            ("present", "general"),
            ("present", "patient"),
        ]

    @pytest.mark.parametrize(
        "line",
        [
            "[头痛|s",
            "[头痛]",
            "[|s]",
            "头痛]",
            "头|痛",
            "[头痛|q]",
            "[头痛|sq]",
            "[头痛|s--]",
            "[头痛|s^-]",
            "[头痛，|s]",
            "[、头痛|s]",
            "[头[痛|s]|s]",
            "[头痛|p]",
            "",
        ],
    )
    def test_a_line_that_breaks_the_markup_is_refused(self, line: str) -> None:
        with pytest.raises(InvalidEncoding, match="expected"):
            parse_line(line, general=False)

    @pytest.mark.parametrize(
        "source",
        [
            "头痛。",
            "# x1 内科\n头痛。",
            "# o001 内科\n# o002 内科\n头痛。",
            "# o001 内科\n头痛。\n# o001 内科\n咳嗽。",
        ],
    )
    def test_a_file_without_well_formed_headers_is_refused(self, source: str) -> None:
        with pytest.raises(InvalidEncoding, match="line"):
            list(markup.parse(source))


class TestTexts:
    def test_there_are_at_least_400_sentences_of_each_kind(self) -> None:
        for kind in own.KINDS:
            assert len(list(own.sentences(kind))) >= LEAST_SENTENCES

    def test_a_third_of_each_kind_is_test_and_no_note_is_in_both_splits(self) -> None:
        for kind in own.KINDS:
            train = list(own.sentences(kind, "train"))
            test = list(own.sentences(kind, "test"))

            assert 0.31 <= len(test) / (len(train) + len(test)) <= 0.36
            assert not {s.note for s in train} & {s.note for s in test}

    def test_the_supplement_is_for_training_only(self) -> None:
        # It was written when the test part was closed; a test note in it would have had one pass.
        assert {sentence.split for sentence in own.sentences("supplement")} == {"train"}

    def test_ids_are_unique(self) -> None:
        ids = Counter(sentence.id for sentence in all_sentences())

        assert max(ids.values()) == 1

    def test_every_type_occurs_in_each_split_of_each_kind(self) -> None:
        for kind in own.KINDS:
            for split in ("train", "test"):
                found = {span.label for s in own.sentences(kind, split) for span in s.spans}
                assert found == set(markup.SUBTYPES)

    def test_spans_are_ordered_apart_and_of_the_schema(self) -> None:
        for sentence in all_sentences():
            last = 0
            for span in sentence.spans:
                assert last <= span.start < span.end <= len(sentence.text), sentence.id
                assert span.subtype in markup.SUBTYPES[span.label], sentence.id
                assert span.assertion in markup.ASSERTIONS, sentence.id
                assert span.about in markup.CONCERNS, sentence.id
                last = span.end

    def test_no_span_crosses_a_clause(self) -> None:
        # The guideline's rule 2.3: the comma ends a span, only 、 may stand inside.
        for sentence in all_sentences():
            for span in sentence.spans:
                surface = sentence.text[span.start : span.end]
                assert not re.search(r"[，。；：！？]", surface), (sentence.id, surface)

    def test_every_subtype_and_assertion_of_the_schema_is_used(self) -> None:
        spans = [span for sentence in all_sentences() for span in sentence.spans]

        assert {s.subtype for s in spans} == {x for xs in markup.SUBTYPES.values() for x in xs}
        assert {s.assertion for s in spans} == set(markup.ASSERTIONS)
        assert {s.about for s in spans} == set(markup.CONCERNS)

    def test_test_notes_share_no_wording_with_training_notes(self) -> None:
        # Otherwise the test part would measure memory: both kinds together, as they train together.
        training: dict[str, set[str]] = defaultdict(set)
        for sentence in all_sentences():
            if sentence.split == "train":
                for gram in grams(sentence.text):
                    training[gram].add(sentence.id)

        shared = {
            (gram, sentence.id): sorted(training[gram])
            for sentence in all_sentences()
            if sentence.split == "test"
            for gram in grams(sentence.text) - STOCK
            if gram in training
        }
        assert shared == {}

    def test_test_notes_are_none_of_the_demos_notes(self) -> None:
        demo = [json.loads(line)["text"] for line in NOTES.read_text("utf-8").splitlines()]
        known = {gram for text in demo for gram in grams(text)}

        shared = [
            gram
            for sentence in all_sentences()
            if sentence.split == "test"
            for gram in grams(sentence.text) - STOCK
            if gram in known
        ]
        assert shared == []


class TestAgreement:
    def test_kappa_is_one_for_equal_and_nought_for_chance(self) -> None:
        assert agreement.cohen_kappa("aabb", "aabb") == 1.0
        assert agreement.cohen_kappa("aabb", "abab") == 0.0

    def test_the_passes_cover_the_test_notes_and_nothing_else(self) -> None:
        tested = {s.id: s.text for k in own.KINDS for s in own.sentences(k, "test")}

        for sentences in agreement.passes():
            assert {s.id: s.text for s in sentences} == tested

    def test_the_passes_differ_and_agree_as_the_guideline_reports(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first, second = agreement.passes()
        found = agreement.compare(first, second)
        with capsys.disabled():
            print("\n" + agreement.report())

        guideline = Path(__file__).parents[2] / "docs" / "annotation-guideline.md"
        assert first != second
        assert (
            f"| both | {found.sentences} | {found.first_spans} / {found.second_spans} "
            f"| {found.strict_f1:.3f} | {found.character_kappa:.3f} "
            f"| {found.assertion:.3f} | {found.assertion_kappa:.3f} |"
        ) in guideline.read_text("utf-8")

    def test_passes_over_other_texts_are_refused(self) -> None:
        first, second = agreement.passes()

        with pytest.raises(InvalidEncoding, match="same sentence"):
            agreement.compare(first[:2], second[1:3])


class TestDemoNotes:
    def test_there_are_forty_of_twelve_subjects_two_with_several(self) -> None:
        notes = [json.loads(line) for line in NOTES.read_text("utf-8").splitlines()]
        subjects = Counter(note["subject"] for note in notes)

        assert len(notes) == len({note["id"] for note in notes}) == 40
        assert len(subjects) == 12
        assert sum(count >= 5 for count in subjects.values()) == 2

    def test_each_text_holds_its_name_identity_and_telephone(self) -> None:
        # The demo proves that these never leak; a note without them would prove nothing.
        for line in NOTES.read_text("utf-8").splitlines():
            note = json.loads(line)
            for part in ("name", "identity", "telephone"):
                assert note[part] in note["text"], note["id"]
            assert len(note["name"]) == 3
            assert len(note["telephone"]) == 11
            assert 250 <= len(note["text"]) <= 500

    def test_identity_numbers_are_well_formed_and_of_no_region(self) -> None:
        # GB 11643-1999: ISO 7064 MOD 11-2 over 17 digits; region 999999 is assigned to no place.
        for line in NOTES.read_text("utf-8").splitlines():
            identity = json.loads(line)["identity"]
            weighted = sum(int(d) * (2 ** (17 - i) % 11) for i, d in enumerate(identity[:17]))
            assert identity.startswith("999999")
            assert identity[17] == "10X98765432"[weighted % 11]
