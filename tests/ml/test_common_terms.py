"""The hand-written table of common terms, held against the standards' tables where they are."""

import csv
import json
import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from xinglin_ml.normalise import Term, Terminology, read_own_table

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "ml" / "xinglin_ml" / "terminology" / "common_terms.tsv"
SHARED = Path(os.environ.get("XINGLIN_SHARED", ROOT.parent / "shared")) / "data" / "terminology"

LEAST_TERMS = 200

SYSTEMS = {
    "GB/T 15657-2021",
    "GB/T 16751.2-2021",
    "GB/T 16751.3-2023",
    "ICD-11 chapter 26",
}

ICD_WORDS = {
    "SA51": "Stomach ache", "SA55": "Diarrhea", "SA57": "Constipation", "SA60": "Common cold",
    "SA80": "Dyspnea", "SA81": "Wheezing", "SB04": "urinary block", "SB7A": "zoster",
    "SB80": "Advanced menstruation", "SB81": "Delayed menstruation", "SB93": "Metrorrhagia",
    "SB96": "Dysmenorrhea", "SC12": "Hypogalactia", "SC20": "Leukorrhea", "SC75": "Tinnitus",
    "SC90": "Allergic rhinitis", "SD00": "Facial paralysis", "SD22": "Vertigo",
    "SD71": "Wasting thirst", "SD84": "Insomnia", "SE90": "Qi deficiency",
    "SF01": "Blood stasis", "SF57": "Liver qi stagnation", "SF5A": "Liver-gallbladder dampness",
    "SF5J": "liver and spleen", "SF6J": "Heart and spleen", "SF6L": "Heart and kidney",
    "SF77": "Spleen yang", "SF7M": "Spleen and kidney yang", "SF89": "Phlegm heat",
    "SF8A": "Wind-heat", "SF8C": "Wind-cold", "SF93": "Kidney yin", "SF97": "Kidney yang",
    "SH00": "Nutrient qi and defense qi",
}  # fmt: skip
"""Words of the English titles behind some of our own Chinese names for ICD-11's concepts."""


def terms() -> list[Term]:
    return read_own_table(TABLE.read_text("utf-8"))


def column(name: str, code: str, term: str) -> dict[str, str]:
    """Codes and terms of one table of the standards; skips where the tables are absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the standards' tables are not at {SHARED}")
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return {row[code]: row[term] for row in csv.DictReader(lines, delimiter="\t")}


class TestTable:
    def test_there_are_at_least_two_hundred_terms_of_four_systems(self) -> None:
        assert len(terms()) >= LEAST_TERMS
        assert {term.system for term in terms()} == SYSTEMS

    def test_no_code_stands_twice_in_a_system(self) -> None:
        # A code given twice would make one concept look ambiguous.
        codes = Counter((term.system, term.code) for term in terms())
        assert max(codes.values()) == 1

    def test_a_word_means_one_concept_of_a_type_in_a_system(self) -> None:
        # The table ships for the common case; what is ambiguous is left to the imported tables.
        meanings: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for term in terms():
            for word in (term.name, *term.aliases):
                meanings[term.system, term.label, word].add(term.code)
        assert [word for word, codes in meanings.items() if len(codes) > 1] == []

    def test_an_alias_is_never_the_terms_own_name(self) -> None:
        assert [term.name for term in terms() if term.name in term.aliases] == []

    @pytest.mark.parametrize(
        ("surface", "label", "code"),
        [
            ("头晕", "症状", "A17.07"),
            ("带状疱疹", "疾病", "A08.01.02"),
            ("脾胃虚弱", "诊断", "B04.06.03.01.03"),
            ("活血祛瘀", "治疗", "4.8.2"),
        ],
    )
    def test_what_a_note_writes_finds_its_code(self, surface: str, label: str, code: str) -> None:
        found = Terminology.of(terms()).candidates(surface, label)
        assert code in [candidate.term.code for candidate in found]


class TestAgainstTheStandards:
    @pytest.mark.parametrize(
        ("system", "table", "code", "term"),
        [
            ("GB/T 15657-2021", "disease.tsv", "code", "term"),
            ("GB/T 16751.2-2021", "syndrome.tsv", "code", "term"),
            (
                "GB/T 16751.3-2023",
                "therapy.tsv",
                "standard_number_GBT16751.3-2023",
                "term",
            ),
        ],
    )
    def test_each_code_has_our_term_in_the_chinese_standard(
        self, system: str, table: str, code: str, term: str
    ) -> None:
        standard = column(table, code, term)
        wrong = {
            ours.code: (ours.name, standard.get(ours.code))
            for ours in terms()
            if ours.system == system and standard.get(ours.code) != ours.name
        }
        assert wrong == {}

    def test_no_syndrome_has_a_code_in_doubt(self) -> None:
        confirmed = column("syndrome.tsv", "code", "code_confirmed")
        doubtful = [
            term.name
            for term in terms()
            if term.system == "GB/T 16751.2-2021" and confirmed[term.code] != "yes"
        ]
        assert doubtful == []

    def test_each_icd_code_is_a_category_of_the_first_module(self) -> None:
        path = SHARED / "icd11_ch26.json"
        if not path.exists():
            pytest.skip(f"the standards' tables are not at {SHARED}")
        rows = json.loads(path.read_text("utf-8-sig"))
        titles = {row["Code"]: row["Title"] for row in rows if row["ClassKind"] == "category"}
        ours = {term.code for term in terms() if term.system == "ICD-11 chapter 26"}

        assert {code for code in ours if "(TM1)" not in titles.get(code, "")} == set()
        assert ours >= ICD_WORDS.keys()
        for code, words in ICD_WORDS.items():
            assert words.lower() in titles[code].lower(), code
