"""What a training step sees, and what measuring makes of an output."""

import math
from collections import Counter
from pathlib import Path
from typing import cast

import pytest

from xinglin_ml.annotation import Document, Span, line_of
from xinglin_ml.characters import Vocabulary
from xinglin_ml.errors import ConfigurationError
from xinglin_ml.examples import CorpusUse, cut, diagnostic, fold_of, lexicon_of, own_documents, read
from xinglin_ml.measure import UNFOUND, membership, membership_auc, output_losses
from xinglin_ml.reading import Reader
from xinglin_ml.schema import LABEL_OF_SUBTYPE, SCHEMES, SUBTYPES, TO_DIAGNOSTIC
from xinglin_ml.silver import tag, terms_of

VOCABULARY = Vocabulary.from_counts(Counter("头痛三天"))


class TestOwnNotes:
    def test_a_sentence_and_its_whole_note_are_in_one_fold(self) -> None:
        # Otherwise the lexicon of a sentence would hold that sentence's own answers.
        by_note: dict[str, set[int]] = {}
        for kind in ("outpatient", "prevention", "supplement"):
            documents = own_documents(kind, "train", joined=False)
            documents += own_documents(kind, "train", joined=True)
            for place, document in enumerate(documents):
                note = document.id.split("-")[0]
                by_note.setdefault(note, set()).add(fold_of(place, document, 8))
        assert all(len(folds) == 1 for folds in by_note.values())

    @pytest.mark.parametrize("kind", ["outpatient", "prevention"])
    def test_no_note_is_in_both_parts(self, kind: str) -> None:
        parts = [
            {d.id.split("-")[0] for d in own_documents(kind, split, joined=False)}
            for split in ("train", "test")
        ]
        assert not parts[0] & parts[1]
        assert all(parts)

    def test_joining_keeps_every_span_on_its_text(self) -> None:
        apart = own_documents("outpatient", "train", joined=False)
        whole = own_documents("outpatient", "train", joined=True)
        surfaces = [Counter(d.surface(s) for d in ds for s in d.spans) for ds in (apart, whole)]
        assert surfaces[0] == surfaces[1]

    def test_the_supplement_has_no_part_to_test_on(self, tmp_path: object) -> None:
        with pytest.raises(ConfigurationError):
            read(CorpusUse("own_supplement", ("diagnostic",)), tmp_path, "test")  # type: ignore[arg-type]


class TestMapping:
    def test_every_native_label_maps_to_a_type_and_a_finer_type_of_it(self) -> None:
        for mapping in TO_DIAGNOSTIC.values():
            for label, subtype in mapping.values():
                assert label in SCHEMES["diagnostic"].labels
                assert subtype is None or LABEL_OF_SUBTYPE[subtype] == label

    def test_labels_without_a_place_are_left_out(self) -> None:
        document = Document("1", "头痛", (Span(0, 1, "body"), Span(0, 2, "symptom")))
        assert [s.key for s in diagnostic(document, "medical_qa").spans] == [(0, 2, "症状")]

    def test_finer_types_are_unique(self) -> None:
        assert len(set(SUBTYPES)) == len(SUBTYPES)


class TestCutting:
    def test_tags_follow_the_window_and_a_long_text_has_several(self) -> None:
        from xinglin_ml.examples import Source

        text = "头痛三天。" * 40
        spans = tuple(Span(i * 5, i * 5 + 2, "临床表现") for i in range(40))
        source = Source(
            CorpusUse("tcm_literature", ("tcm_literature",)),
            {"tcm_literature": [Document("1", text, spans)]},
        )
        lexicon = lexicon_of([source], VOCABULARY, 2, least=1)
        windows = list(cut(source, VOCABULARY, lexicon, out_of_fold=False))
        assert len(windows) > 1
        tags = [t for w in windows for t in w.tags["tcm_literature"]]
        assert sum(t == 1 for t in tags) == 40
        assert len(tags) == len(text)


class TestSilver:
    def test_longer_terms_win_and_single_characters_are_left_out(self) -> None:
        gold = [Document("1", "头痛偏头痛痛", (Span(0, 2, "a"), Span(2, 5, "b"), Span(5, 6, "a")))]
        terms = terms_of(gold)
        assert set(terms) == {"头痛", "偏头痛"}
        (found,) = tag(["偏头痛而痛", "无"], terms)
        assert [s.key for s in found.spans] == [(0, 3, "b")]


class TestMembership:
    def test_a_model_that_tells_nothing_scores_a_half(self) -> None:
        assert membership_auc([1.0, 2.0], [1.0, 2.0]) == pytest.approx(0.5)

    def test_lower_losses_of_members_score_one(self) -> None:
        assert membership_auc([0.1, 0.2], [0.3, 0.4, 0.5]) == 1.0
        assert membership_auc([0.6], [0.3, 0.4]) == 0.0

    def test_a_span_that_was_not_found_costs_most(self) -> None:
        document = Document("1", "头痛", (Span(0, 2, "a"),))
        sure, missed = output_losses([document] * 2, [[Span(0, 2, "a", None, 1.0)], []])
        assert sure == 0.0
        assert missed == -math.log(UNFOUND)

    def test_an_answer_without_certainty_is_measured_apart(self, tmp_path: Path) -> None:
        (tmp_path / "ner").mkdir()
        for split in ("train", "dev"):
            document = Document(
                split, f"{split}头痛", (Span(len(split), len(split) + 2, "symptom"),)
            )
            (tmp_path / "ner" / f"medical_qa.{split}.jsonl").write_text(f"{line_of(document)}\n")

        class SurerOfTraining:
            """Finds everything, and is surer of what it was trained on."""

            def read(self, texts: list[str], scheme: str) -> list[list[Span]]:
                label = "症状" if scheme == "diagnostic" else "symptom"
                return [
                    [Span(len(t) - 2, len(t), label, None, 0.9 if t.startswith("train") else 0.5)]
                    for t in texts
                ]

        found = membership(cast(Reader, SurerOfTraining()), "medical_qa", tmp_path)
        assert found == {"medical_qa": 1.0, "diagnostic": 1.0, "diagnostic_found": 0.5}
