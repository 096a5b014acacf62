"""Codes and suggested syndromes."""

import json
from pathlib import Path

import pytest

from xinglin_ml.annotation import Document, Span
from xinglin_ml.errors import CorpusError
from xinglin_ml.normalise import (
    Term,
    Terminology,
    bare,
    import_table,
    layout_of,
    shipped_table,
)
from xinglin_ml.syndrome import Cooccurrence, count, rank, shipped_counts
from xinglin_ml.terminology_store import current, import_files

TABLE = Terminology.of(
    [
        Term("A1", "S", "胃痛", "疾病", ("胃脘痛",)),
        Term("A2", "S", "胃缓", "疾病", ("胃脘痛",)),
        Term("B1", "S", "脾胃虚寒证", "诊断"),
    ]
)


class TestNormalisation:
    def test_a_name_is_found_exactly_with_or_without_its_ending(self) -> None:
        for surface in ("脾胃虚寒证", "脾胃虚寒"):
            (found,) = TABLE.candidates(surface)
            assert (found.term.code, found.how, found.score) == ("B1", "exact", 1.0)

    def test_an_alias_of_two_terms_is_ambiguous_and_not_guessed(self) -> None:
        found = TABLE.normalise("胃脘痛")
        assert found.ambiguous
        assert {c.term.code for c in found.candidates} == {"A1", "A2"}

    def test_a_name_in_one_standard_does_not_hide_an_alias_in_another(self) -> None:
        found = shipped_table().normalise("失眠")
        assert [(c.term.code, c.how) for c in found.candidates] == [
            ("A17.11", "exact"),
            ("SD84", "alias"),
        ]
        assert not found.ambiguous

    def test_a_name_like_it_is_ranked_below_an_alias(self) -> None:
        found = TABLE.candidates("脾胃虚寒型")
        assert found[0].term.code == "B1"
        assert found[0].how == "ranked"
        assert found[0].score < 0.9

    def test_what_is_like_nothing_has_no_candidate(self) -> None:
        found = TABLE.normalise("骨折")
        assert found.candidates == ()
        assert not found.ambiguous

    def test_another_type_is_not_a_candidate(self) -> None:
        assert TABLE.candidates("胃痛", "诊断") == []

    def test_what_ships_has_its_codes_once(self) -> None:
        terms = shipped_table().terms
        assert len(terms) >= 200
        assert len({(t.system, t.code, t.name) for t in terms}) == len(terms)


def lost(table: Terminology) -> list[tuple[str, Term]]:
    """The forms of what ships that do not find the code of their term in `table`."""
    return [
        (form, term)
        for term in shipped_table().terms
        for form in (term.name, *term.aliases)
        if (term.system, term.code)
        not in {(c.term.system, c.term.code) for c in table.candidates(form, term.label)}
    ]


class TestImport:
    def test_a_table_of_the_syndrome_standard_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "s.tsv"
        path.write_text(
            "code\tstandard_number_GBT16751.2-2021\tterm\taliases\nB9\t1\t气虚证\t气弱|气亏\n"
        )
        (term,) = import_table(path)
        assert (term.code, term.label, term.aliases) == ("B9", "诊断", ("气弱", "气亏"))

    def test_what_is_imported_stands_beside_what_ships(self, tmp_path: Path) -> None:
        path = tmp_path / "s.tsv"
        path.write_text("code\tname\tpinyin\tmeridian\nST36\t足三里\tx\ty\n")
        assert import_files([path], tmp_path / "data")[1] == 1
        table = current(tmp_path / "data")
        assert table.candidates("足三里")[0].term.code == "ST36"
        assert len(table.terms) == len(shipped_table().terms) + 1

    def test_an_import_that_overlaps_takes_no_code_from_what_ships(self, tmp_path: Path) -> None:
        # A standard's table has our codes and names, every one as a disease, and few aliases.
        ours = [t for t in shipped_table().terms if t.system == "GB/T 15657-2021"]
        path = tmp_path / "disease.tsv"
        rows = "".join(f"{t.code}\t{t.name}\t另称{t.code}\tx\ty\n" for t in ours)
        path.write_text("code\tterm\taliases\tcategory\tsource\n" + rows)
        import_files([path], tmp_path / "data")
        table = current(tmp_path / "data")
        assert lost(table) == []
        for term in ours:
            assert f"另称{term.code}" in {a for t in table.terms for a in t.aliases}

    def test_what_is_of_two_types_is_one_candidate_and_not_ambiguous(self) -> None:
        terms = [Term("A1", "S", "发热", label, ("发烧",)) for label in ("症状", "疾病")]
        table = Terminology.of(terms)
        for surface, how in (("发热", "exact"), ("发烧", "alias"), ("发热热", "ranked")):
            found = table.normalise(surface)
            assert [(c.term.code, c.how) for c in found.candidates] == [("A1", how)]
            assert not found.ambiguous

    def test_with_the_shared_tables_a_form_gives_way_to_a_term_of_its_own_name_alone(
        self, shared: Path
    ) -> None:
        tables = sorted((shared / "data" / "terminology").glob("*.[tj]s*"))
        imported = [term for path in tables for term in import_table(path)]
        table = Terminology.of([*shipped_table().terms, *imported])
        for form, term in lost(table):
            found = table.candidates(form, term.label)
            assert any(
                c.term.system == term.system and bare(c.term.name) == bare(form) for c in found
            ), form

    HEADER = "code\tterm\taliases\tcategory\tsource\n"

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("field.tsv", HEADER + "A\t" + "x" * 140_000 + "\t\t\t\n"),
            ("cut.tsv", HEADER + "A\t头痛\t\tx\ty\nB\t发热\n"),
            ("codeless.tsv", HEADER + "\t头痛\t\tx\ty\n"),
            ("empty.tsv", HEADER),
            ("empty.json", "[]"),
            ("object.json", "{}"),
            ("deep.json", "[" * 100_000),
        ],
    )
    def test_a_broken_file_is_refused_and_what_was_imported_stays(
        self, tmp_path: Path, name: str, content: str
    ) -> None:
        good, broken, data = tmp_path / "good.tsv", tmp_path / name, tmp_path / "data"
        good.write_text(self.HEADER + "Z9\t某病\t\tx\ty\n")
        import_files([good], data)
        broken.write_text(content)
        with pytest.raises(CorpusError, match=name.replace(".", r"\.")):
            import_files([broken], data)
        assert current(data).candidates("某病")[0].term.code == "Z9"

    def test_a_quotation_mark_swallows_no_rows(self, tmp_path: Path) -> None:
        path = tmp_path / "t.tsv"
        path.write_text(self.HEADER + "".join(f'A{i}\t"病{i}\t\tx\ty\n' for i in range(3)))
        assert [t.name for t in import_table(path)] == ['"病0', '"病1', '"病2']

    def test_a_disorder_of_icd_is_a_disease_and_a_pattern_a_diagnosis(self, tmp_path: Path) -> None:
        path = tmp_path / "icd.json"
        titles = {"SD84": "- Insomnia disorder (TM1)", "SE90": "- Qi deficiency pattern (TM1)"}
        rows = [{"Code": c, "Title": t, "ClassKind": "category"} for c, t in titles.items()]
        path.write_text(json.dumps(rows))
        assert [(t.code, t.label) for t in import_table(path)] == [
            ("SD84", "疾病"),
            ("SE90", "诊断"),
        ]

    def test_a_strange_table_is_refused(self) -> None:
        with pytest.raises(CorpusError, match="no table"):
            layout_of(["a", "b"])

    def test_the_shared_tables_are_read(self, shared: Path) -> None:
        tables = sorted((shared / "data" / "terminology").glob("*.[tj]s*"))
        counts = {p.name: len(import_table(p)) for p in tables}
        assert counts["syndrome.tsv"] > 2000
        assert counts["icd11_ch26.json"] > 1000


class TestSyndromes:
    COUNTS = count(
        [Document(str(i), "虚寒喜温", (Span(0, 2, "诊断"), Span(2, 4, "症状"))) for i in range(4)]
        + [Document(str(i), "湿热口苦", (Span(0, 2, "诊断"), Span(2, 4, "症状"))) for i in range(9)]
    )

    def test_a_finding_speaks_for_the_syndrome_it_came_with(self) -> None:
        (found,) = self.COUNTS.suggest("喜温", [Span(0, 2, "症状")])
        assert found.syndrome == "虚寒"
        assert found.evidence[0].weight > 0
        assert found.status == "preliminary"

    def test_a_denied_finding_speaks_against(self) -> None:
        text = "无口苦，喜温"
        spans = [Span(1, 3, "症状"), Span(4, 6, "症状")]
        assert [s.syndrome for s in self.COUNTS.suggest(text, spans)] == ["虚寒"]

    def test_without_findings_nothing_is_suggested(self) -> None:
        assert self.COUNTS.suggest("头痛", []) == []

    def test_accuracy_is_measured_from_symptoms_alone_beside_the_commonest(self) -> None:
        written = (Span(0, 2, "症状"), Span(3, 5, "诊断", "syndrome"))
        texts = [
            Document("known", "喜温属虚寒", written),
            Document("unknown", "喜温属痰浊", written),
            Document("no symptom", "湿热", (Span(0, 2, "诊断", "syndrome"),)),
        ]
        found = rank(self.COUNTS, texts)
        assert (found["suggested"].texts, found["suggested"].known) == (2, 1)
        assert (found["suggested"].first, found["suggested"].reciprocal) == (0.5, 0.5)
        assert (found["commonest"].first, found["commonest"].first_three) == (0.0, 0.5)

    def test_what_ships_is_read_as_it_was_written(self) -> None:
        data = shipped_counts().to_json()
        assert Cooccurrence.from_json(data).to_json() == data
        assert len(shipped_counts().syndromes) > 50
