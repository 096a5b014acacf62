"""A term in traditional script has the codes that it has in simplified script."""

import pytest

from xinglin_ml.normalise import Term, Terminology, bare, shipped_table

opencc = pytest.importorskip("opencc")

FORMS = sorted({form for t in shipped_table().terms for form in (t.name, *t.aliases)})


class TestScript:
    def test_every_form_that_ships_has_the_same_candidates_in_traditional_script(self) -> None:
        table, convert = shipped_table(), opencc.OpenCC("s2t").convert
        traditional = {form: "".join(map(convert, form)) for form in FORMS}
        assert sum(form != other for form, other in traditional.items()) > 200
        for form, other in traditional.items():
            assert table.candidates(other) == table.candidates(form)

    def test_a_table_in_traditional_script_is_found_by_either(self) -> None:
        table = Terminology.of([Term("B1", "S", "脾胃虛寒證", "诊断", ("中焦虛寒",))])
        for surface, how in (("脾胃虚寒", "exact"), ("脾胃虛寒證", "exact"), ("中焦虚寒", "alias")):
            (found,) = table.candidates(surface)
            assert (found.term.code, found.how) == ("B1", how)

    def test_an_ending_in_traditional_script_is_an_ending(self) -> None:
        assert bare("脾胃虛寒證") == "脾胃虚寒"
