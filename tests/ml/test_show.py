"""How a note is shown: what was found stands where it is, and the note commands no terminal."""

import io

import pytest
from rich.console import Console

from xinglin_ml import show
from xinglin_ml.annotation import Span
from xinglin_ml.normalise import Term, Terminology
from xinglin_ml.syndrome import Evidence, Suggestion

TABLE = Terminology.of([Term("A17.01", "S", "发热", "症状")])


def spans_of(text: str, *surfaces: str) -> list[Span]:
    """Spans of symptoms, one where each surface stands first."""
    return [Span(at := text.index(s), at + len(s), "症状") for s in surfaces]


def printed(text: str, *surfaces: str, table: Terminology = TABLE) -> str:
    """What a terminal gets for a note in which `surfaces` were found."""
    screen = io.StringIO()
    console = Console(file=screen, width=100, color_system=None)
    found = show.readings(text, spans_of(text, *surfaces), table)
    console.print(show.terminal(text, found, suggestions(text, *surfaces)))
    return screen.getvalue()


def page(text: str, *surfaces: str) -> str:
    """The HTML of the same."""
    found = show.readings(text, spans_of(text, *surfaces), TABLE)
    return show.html(text, found, title="t", model="m", suggestions=suggestions(text, *surfaces))


def suggestions(text: str, *surfaces: str) -> list[Suggestion]:
    return [Suggestion("脾胃虚寒", 1.5, tuple(Evidence(s, 1.5) for s in spans_of(text, *surfaces)))]


class TestTerminal:
    @pytest.mark.parametrize("before", ["第一行\r\n第二行\r\n", "\x07\x08\x0b\x0c甲\r乙", "\t甲\t"])
    def test_what_is_marked_is_what_was_found(self, before: str) -> None:
        # A control character that is left out would shift every mark behind it.
        text = before + "头痛三天"
        found = show.readings(text, spans_of(text, "头痛"), TABLE)
        shown = show.marked(text, found)
        (mark,) = shown.spans
        assert shown.plain[mark.start : mark.end] == "头痛"
        assert len(shown.plain) == len(text)
        screen = io.StringIO()
        Console(file=screen, width=100, force_terminal=True, color_system="standard").print(shown)
        assert "\x1b[1;33m头痛\x1b[0m" in screen.getvalue()

    @pytest.mark.parametrize(
        "forged",
        ["\x1b]0;题\x07", "\x1b[2J", "\x1b[9m", "\x9b2J", "\u202e", "\u2066", "\ufeff", "\x7f"],
    )
    def test_nothing_of_a_note_or_a_table_commands_the_terminal(self, forged: str) -> None:
        text = f"{forged}发{forged}热"
        surface = f"发{forged}热"
        table = Terminology.of([Term(f"A{forged}", "S", surface, "症状")])
        screen = printed(text, surface, table=table)
        for character in forged:
            assert character.isprintable() or character not in screen
        assert "脾胃虚寒" in screen

    def test_a_joined_emoji_stays_whole(self) -> None:
        assert show.visible("👩\u200d⚕️") == "👩\u200d⚕️"

    def test_a_lone_surrogate_is_shown_as_what_cannot_be_written(self) -> None:
        assert show.visible("a\ud83db") == "a\ufffdb"

    def test_brackets_of_a_table_are_text(self) -> None:
        table = Terminology.of([Term("A[/x]", "S", "头痛[bold]", "症状")])
        assert "A[/x] 头痛[bold]" in printed("头痛[bold]", "头痛[bold]", table=table)


class TestWhomItConcerns:
    @pytest.mark.parametrize(
        ("text", "surface", "said"),
        [
            ("患者发热", "发热", "有"),
            ("丈夫患流感", "流感", "有·他人"),
            ("其父有高血压", "高血压", "家族"),
            ("父母无肿瘤", "肿瘤", "否认·亲属"),
        ],
    )
    def test_a_relatives_finding_is_not_shown_as_the_patients(
        self, text: str, surface: str, said: str
    ) -> None:
        (one,) = show.readings(text, spans_of(text, surface), TABLE)
        assert one.said == said
        assert f" {said} " in printed(text, surface)
        html = page(text, surface)
        assert f"<td>{said}<td>" in html
        assert f'<mark class="{one.assertion.kind} {one.assertion.about}"' in html


class TestSuggestion:
    """What no clinician signed is never shown as a diagnosis."""

    def test_the_page_labels_a_suggestion_as_one(self) -> None:
        html = page("发热三天", "发热")
        aside = html[html.index("<aside>") : html.index("</aside>")]
        assert aside.index(show.PRELIMINARY) < aside.index("脾胃虚寒")
        assert "未经医师签署" in show.PRELIMINARY
        assert "不是诊断" in show.PRELIMINARY
        assert "脾胃虚寒" not in html.replace(aside, "")

    def test_so_does_the_terminal(self) -> None:
        screen = printed("发热三天", "发热")
        assert screen.index(show.PRELIMINARY) < screen.index("脾胃虚寒")
