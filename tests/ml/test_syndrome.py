"""What suggests a syndrome: what is said of the patient, in either script."""

import pytest

from xinglin_ml.annotation import Document, Span
from xinglin_ml.syndrome import count

COUNTS = count(
    [Document(str(i), "虚寒喜温", (Span(0, 2, "诊断"), Span(2, 4, "症状"))) for i in range(4)]
    + [Document(str(i), "湿热黄疸", (Span(0, 2, "诊断"), Span(2, 4, "症状"))) for i in range(9)]
)


def span_of(text: str, surface: str) -> Span:
    start = text.index(surface)
    return Span(start, start + len(surface), "症状")


class TestWhoseSymptom:
    @pytest.mark.parametrize("text", ["妻子喜温", "其父有喜温", "邻居喜温"])
    def test_another_ones_symptom_suggests_nothing_for_the_patient(self, text: str) -> None:
        assert COUNTS.suggest(text, [span_of(text, "喜温")]) == []

    @pytest.mark.parametrize("denied", ["父母无黄疸", "妻子无黄疸"])
    def test_what_a_relative_does_not_have_speaks_against_nothing(self, denied: str) -> None:
        # The patient has the very finding that the other one denies.
        text = f"黄疸三天。{denied}"
        own, other = span_of(text, "黄疸"), Span(len(text) - 2, len(text), "症状")
        (found,) = COUNTS.suggest(text, [own, other])
        assert [e.span for e in found.evidence] == [own]

    def test_a_cue_within_another_finding_denies_nothing(self) -> None:
        text = "怕冷、喜温"
        findings = [span_of(text, "怕冷"), span_of(text, "喜温")]
        assert [s.syndrome for s in COUNTS.suggest(text, findings)] == ["虚寒"]


class TestScript:
    def test_a_finding_in_traditional_script_speaks_as_in_simplified(self) -> None:
        for plain, other in (("喜温", "喜溫"), ("黄疸", "黃疸")):
            theirs = COUNTS.suggest(other, [span_of(other, other)])
            assert theirs
            assert theirs == COUNTS.suggest(plain, [span_of(plain, plain)])

    def test_a_denial_in_traditional_script_speaks_against(self) -> None:
        text = "無黃疸，喜溫"
        findings = [span_of(text, "黃疸"), span_of(text, "喜溫")]
        assert [s.syndrome for s in COUNTS.suggest(text, findings)] == ["虚寒"]
