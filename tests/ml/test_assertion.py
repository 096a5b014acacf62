"""What a note says of what it names, and of whom."""

import time
from pathlib import Path

import pytest

from xinglin_ml.annotation import Span
from xinglin_ml.assertion import REACH, assertion_of, assertions
from xinglin_ml.assertion_score import own_scores, score_assertions
from xinglin_ml.corpora import markup, own

opencc = pytest.importorskip("opencc")

CASES = [
    ("头痛三天", "头痛", "present", "patient"),
    ("无发热，咳嗽", "发热", "negated", "patient"),
    ("无发热，咳嗽", "咳嗽", "present", "patient"),
    ("否认高血压、糖尿病史", "糖尿病", "negated", "patient"),
    ("未见黄疸", "黄疸", "negated", "patient"),
    ("疑似肺炎", "肺炎", "uncertain", "patient"),
    ("肺炎待排", "肺炎", "uncertain", "patient"),
    ("既往哮喘", "哮喘", "historical", "patient"),
    ("阑尾炎术后", "阑尾炎", "historical", "patient"),
    ("其父有高血压", "高血压", "family", "family"),
    ("父母无肿瘤", "肿瘤", "negated", "family"),
    ("现病史：喜温喜按", "喜温喜按", "present", "patient"),
    ("既往体健，其父有胃癌", "胃癌", "family", "family"),
    ("皮疹已退", "皮疹", "negated", "patient"),
    ("无力三天，头痛", "头痛", "present", "patient"),
    ("颅内占位不支持", "颅内占位", "negated", "patient"),
    ("早期肝硬化不排除", "肝硬化", "uncertain", "patient"),
    ("应排除青光眼", "青光眼", "uncertain", "patient"),
    ("尿少即复诊", "尿少", "uncertain", "patient"),
    ("丈夫患流感", "流感", "present", "other"),
    ("爷爷有高血压", "高血压", "family", "family"),
]
"""Text, what is named in it, and what is said of that."""

WITHIN_WORDS = [
    ("停经45天腹痛", "腹痛", "症状"),
    ("停药后头痛复发", "头痛", "症状"),
    ("停用激素后头痛", "头痛", "症状"),
    ("无汗、头痛", "头痛", "症状"),
    ("无诱因出现头痛", "头痛", "症状"),
    ("无名指麻木", "麻木", "症状"),
    ("怕冷、乏力", "乏力", "症状"),
    ("恐惧、心悸", "心悸", "症状"),
    ("疼痛如针刺、恶心", "恶心", "症状"),
    ("食欲减少、乏力", "乏力", "症状"),
    ("予防风、荆芥、白芍", "白芍", "治疗"),
    ("防己、黄芪", "黄芪", "治疗"),
    ("女患咳嗽三天", "咳嗽", "症状"),
    ("姑名咳嗽", "咳嗽", "疾病"),
    ("患者头痛三天", "头痛", "症状"),
    ("云南白药止血", "云南白药", "治疗"),
    ("治拟温中健脾", "温中健脾", "治疗"),
]
"""Cues that are none: part of a word, of a finding, of a herb or of a polite form."""

NOT_CUES_OF_LISTS = [
    ("无糖尿病、高血压", "高血压"),
    ("无关节痛、皮疹", "皮疹"),
    ("无尿频、尿痛", "尿痛"),
    ("无意识障碍、抽搐", "抽搐"),
    ("无神志改变、呕吐", "呕吐"),
    ("无汗出、恶寒", "恶寒"),
]
"""无 goes on through a list, though it could begin a word with what follows it."""


def said(text: str, surface: str, label: str = "症状") -> tuple[str, str]:
    start = text.index(surface)
    found = assertion_of(text, Span(start, start + len(surface), label))
    return found.kind, found.about


def traditional(text: str) -> str:
    """Character by character, so that offsets stand."""
    convert = opencc.OpenCC("s2t").convert
    return "".join(convert(c) for c in text)


class TestCues:
    @pytest.mark.parametrize(("text", "surface", "kind", "about"), CASES)
    def test_cues_decide(self, text: str, surface: str, kind: str, about: str) -> None:
        assert said(text, surface) == (kind, about)

    @pytest.mark.parametrize(("text", "surface", "kind", "about"), CASES)
    def test_cues_decide_alike_in_traditional_script(
        self, text: str, surface: str, kind: str, about: str
    ) -> None:
        assert said(traditional(text), traditional(surface)) == (kind, about)

    @pytest.mark.parametrize(
        ("text", "surface"), [("否認高血壓", "高血壓"), ("無發熱", "發熱"), ("患者無發熱", "發熱")]
    )
    def test_a_denial_in_traditional_script_is_one(self, text: str, surface: str) -> None:
        assert said(text, surface) == ("negated", "patient")

    @pytest.mark.parametrize(("text", "surface", "label"), WITHIN_WORDS)
    def test_a_cue_within_a_word_is_none(self, text: str, surface: str, label: str) -> None:
        assert said(text, surface, label) == ("present", "patient")

    @pytest.mark.parametrize(("text", "surface"), NOT_CUES_OF_LISTS)
    def test_a_denial_holds_to_the_end_of_its_list(self, text: str, surface: str) -> None:
        assert said(text, surface) == ("negated", "patient")

    def test_to_stop_a_drug_denies_the_drug_and_no_symptom(self) -> None:
        assert said("停用激素", "激素", "治疗")[0] == "negated"
        assert said("停药头痛", "头痛")[0] == "present"

    def test_a_measure_of_prevention_is_not_negated_by_its_own_verb(self) -> None:
        assert said("忌食辛辣", "忌食辛辣", "预防")[0] == "present"

    def test_half_of_a_pair_is_read_like_any_character(self) -> None:
        assert said("\ud83d无头痛", "头痛")[0] == "negated"


class TestOtherSpans:
    def test_a_cue_within_another_span_is_none(self) -> None:
        text = "防葵、怀疑、咳嗽"
        drug, thought, cough = Span(0, 2, "治疗"), Span(3, 5, "症状"), Span(6, 8, "症状")
        assert assertions(text, [cough])[0].kind == "uncertain"
        assert assertions(text, [drug, thought, cough])[-1].kind == "present"

    def test_what_is_said_does_not_depend_on_the_order_of_the_spans(self) -> None:
        text = "无恶寒，怕冷、乏力；否认高血压"
        spans = [Span(1, 3, "症状"), Span(4, 6, "症状"), Span(7, 9, "症状"), Span(12, 15, "疾病")]
        forth = assertions(text, spans)
        assert assertions(text, spans[::-1]) == forth[::-1]
        assert [a.kind for a in forth] == ["negated", "present", "present", "negated"]

    def test_a_span_over_the_end_of_a_clause_hides_no_more_than_itself(self) -> None:
        text = "咳嗽，无头痛"
        (first, second) = assertions(text, [Span(0, 2, "症状"), Span(1, 6, "症状")])
        assert (first.kind, second.kind) == ("present", "present")


class TestLength:
    def test_a_span_costs_the_same_wherever_it_stands(self) -> None:
        sentence = "无发热，咳嗽。"
        text = sentence * 30_000
        far = len(text) - len(sentence)
        spans = [Span(far + 1, far + 3, "症状")] * 200
        begun = time.perf_counter()
        found = assertions(text, spans[:1])
        for span in spans:
            found = [assertion_of(text, span)]
        assert time.perf_counter() - begun < 2.0  # 200 searches from the beginning take 20 s.
        assert found[0].kind == "negated"

    def test_text_without_any_mark_is_looked_at_as_far_as_its_reach(self) -> None:
        filler = "甲" * (REACH + 10)
        assert said("否认" + filler + "头痛" + filler, "头痛") == ("present", "patient")
        assert said("否认" + filler[:100] + "头痛", "头痛") == ("negated", "patient")


class TestScore:
    NOTES = (
        "# o001 内科\n[头痛|s]三天，无[发热|s-]，[咳嗽|s]。\n# p001 general 流感\n[流感|d]多见。\n"
    )

    def test_each_kind_is_counted_beside_the_commonest_answer(self) -> None:
        found = score_assertions(markup.parse(self.NOTES))
        assert (found.spans, found.kind, found.always_present, found.about) == (4, 0.75, 0.5, 0.75)
        assert found.recall == {"present": (2, 2), "negated": (1, 1), "uncertain": (0, 1)}
        assert found.macro_f1 == pytest.approx((0.8 + 1 + 0) / 3)

    def test_only_who_is_told_knows_that_a_note_is_about_people_at_large(self) -> None:
        found = score_assertions(markup.parse(self.NOTES), told=True)
        assert (found.kind, found.about) == (1.0, 1.0)

    @pytest.mark.parametrize("kind", own.KINDS)
    def test_the_test_notes_are_read_better_than_by_always_answering_present(
        self, kind: own.Kind
    ) -> None:
        found = score_assertions(own.sentences(kind, "test"))
        assert found.kind >= found.always_present + 0.06
        right, annotated = found.recall["negated"]
        assert right / annotated >= {"outpatient": 0.8, "prevention": 0.54}[kind]

    def test_the_card_says_what_is_measured(self) -> None:
        card = (Path(__file__).parents[2] / "docs" / "model-card.md").read_text(encoding="utf-8")
        scores = own_scores("test")
        for row, name in (
            ("notes", "own_outpatient.test.assertion"),
            ("prevention", "own_prevention.test.assertion"),
            ("prevention, told", "own_prevention.test.assertion.told"),
        ):
            found = scores[name]
            shares = (found.kind, found.always_present, found.macro_f1)
            recalls = (found.recall[k] for k in ("negated", "uncertain", "historical", "family"))
            cells = [
                *(f"{share:.3f}" for share in shares),
                *(f"{right} of {annotated}" for right, annotated in recalls),
                f"{found.about:.3f}",
            ]
            assert f"| {row} | {found.spans} | {' | '.join(cells)} |" in card
