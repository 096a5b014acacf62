"""
A note with its entities marked, coded and asserted: in the terminal, and as one HTML file.

The HTML holds its own style and no script, and loads nothing: it shows a record, and a
record must not tell anyone that it is being read. Nothing of a note or of an imported table
commands the terminal (`visible`).
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment
from rich.console import Group
from rich.table import Table
from rich.text import Text

from xinglin_ml.annotation import Span
from xinglin_ml.assertion import Assertion, assertions
from xinglin_ml.normalise import Normalised, Terminology
from xinglin_ml.syndrome import Suggestion

COLOURS = {"疾病": "red", "症状": "yellow", "诊断": "magenta", "治疗": "green", "预防": "cyan"}
"""Of each type in the terminal; other schemes' labels are underlined only."""

_SHADES = {
    "疾病": "#ffd9d6",
    "症状": "#fff0c2",
    "诊断": "#ecdcff",
    "治疗": "#d9f2dc",
    "预防": "#d6effa",
}

ASSERTED = {
    "present": "有",
    "negated": "否认",
    "uncertain": "未定",
    "historical": "既往",
    "family": "家族",
}

ABOUT = {"family": "亲属", "other": "他人", "general": "泛指"}
"""Whom a finding concerns that is not said of the patient."""

_KEPT = frozenset("\n\t\u200c\u200d")
"""Line ends, tabs, and what joins the parts of an emoji."""

_CONTROL_PICTURES = 0x2400


def visible(text: str) -> str:
    """
    Return `text` with a visible character for each that could command a terminal or reorder a
    line, and as long as before: offsets stand. A line end of Windows loses its first half.
    """
    return "".join(map(_visible, re.sub(r"\r(?=\n)", " ", text)))


def _visible(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in ("Cc", "Cf", "Cs"):
        return character
    return chr(_CONTROL_PICTURES + ord(character)) if character < " " else "\ufffd"


@dataclass(frozen=True, slots=True)
class Reading:
    """One span with everything that is known of it."""

    span: Span
    surface: str
    assertion: Assertion
    normalised: Normalised

    @property
    def said(self) -> str:
        """What the note says of it, and of whom where it is not the patient."""
        kind, about = self.assertion.kind, self.assertion.about
        if about == "patient" or kind == "family":
            return ASSERTED[kind]
        return f"{ASSERTED[kind]}·{ABOUT[about]}"

    @property
    def codes(self) -> str:
        """The best candidates in words; a question mark where it is not one clear concept."""
        best = self.normalised.candidates
        if not best:
            return ""
        shown = " / ".join(f"{c.term.code} {c.term.name}" for c in best[:2])
        return shown + ("?" if self.normalised.ambiguous or best[0].how == "ranked" else "")


def readings(text: str, spans: Sequence[Span], terminology: Terminology) -> list[Reading]:
    """Return what is known of each span."""
    return [
        Reading(
            span,
            surface := text[span.start : span.end],
            said,
            terminology.normalise(surface, span.label),
        )
        for span, said in zip(spans, assertions(text, spans), strict=True)
    ]


def marked(text: str, found: Sequence[Reading]) -> Text:
    """
    Return the text with colours. What is negated is struck through, what concerns another than
    the patient is slanted.
    """
    shown = Text(visible(text))
    for one in found:
        style = f"bold {COLOURS.get(one.span.label, 'underline')}"
        if one.assertion.kind == "negated":
            style += " strike"
        if one.assertion.about != "patient":
            style += " italic"
        shown.stylize(style, one.span.start, one.span.end)
    return shown


def terminal(text: str, found: Sequence[Reading], suggestions: Sequence[Suggestion] = ()) -> Group:
    """Return what a terminal prints for one note."""
    table = Table(box=None, header_style="dim")
    for name in ("span", "type", "finer", "said", "code", "score"):
        table.add_column(name)
    for one in found:
        score = "" if one.span.score is None else f"{one.span.score:.2f}"
        cells = (
            one.surface,
            one.span.label,
            one.span.subtype or "",
            one.said,
            one.codes,
            score,
        )
        table.add_row(*(Text(visible(cell)) for cell in cells))
    parts: list[Text | Table] = [marked(text, found), Text(), table]
    if suggestions:
        parts += [Text(), Text(PRELIMINARY, style="bold")]
        for idea in suggestions:
            line = f"  {idea.syndrome}  {idea.score:.2f}  {idea.explained(text)}"
            parts.append(Text(visible(line)))
    return Group(*parts)


PRELIMINARY = "证候提示（初步，未经医师签署，不是诊断）"
"""Stands over every suggestion; a suggestion is never shown without it."""

_PAGE = """<!doctype html>
<html lang="zh"><meta charset="utf-8"><title>{{ title }}</title>
<style>
body{font:16px/1.9 system-ui,"Noto Sans SC",sans-serif}
body{max-width:52rem;margin:2rem auto;padding:0 1rem}
mark{border-radius:.2em;padding:.1em .15em}mark small{color:#555;font-size:.65em;margin-left:.2em}
mark.negated{text-decoration:line-through}mark.uncertain{outline:1px dashed #888}
mark:not(.patient){font-style:italic}
table{border-collapse:collapse;font-size:.85em;width:100%}
td,th{text-align:left;padding:.2em .5em;border-bottom:1px solid #ddd}
p.note{white-space:pre-wrap}aside{border:1px solid #c9a;padding:.5em 1em;margin:1em 0}
</style>
<h1>{{ title }}</h1>
<p class="note">{% for piece, one in pieces %}{% if one %}<mark class="{{ one.assertion.kind }} {{
 one.assertion.about }}" style="background:{{ shades.get(one.span.label, '#eee') }}">{{ piece
 }}<small>{{ one.span.label }}{% if one.assertion.about in about %}·{{ about[one.assertion.about]
 }}{% endif %}</small></mark>{% else %}{{ piece }}{% endif %}{% endfor %}</p>
{% if suggestions %}<aside><b>{{ preliminary }}</b><ul>{% for one in suggestions %}<li>{{
 one.syndrome }} {{ "%.2f"|format(one.score) }} {{ one.explained(text) }}</li>{% endfor
%}</ul></aside>{% endif %}
<table><tr><th>文字<th>类型<th>细类<th>所述<th>编码<th>分数</tr>
{% for one in found %}<tr><td>{{ one.surface }}<td>{{ one.span.label }}<td>{{ one.span.subtype or ""
 }}<td>{{ one.said }}<td>{{ one.codes }}<td>{{ one.span.score or "" }}</tr>
{% endfor %}</table>
<p><small>{{ model }}</small></p></html>
"""


def html(
    text: str,
    found: Sequence[Reading],
    *,
    title: str,
    model: str,
    suggestions: Sequence[Suggestion] = (),
) -> str:
    """Return one HTML file; everything from the note is escaped."""
    pieces: list[tuple[str, Reading | None]] = []
    at = 0
    for one in sorted(found, key=lambda r: r.span.start):
        if one.span.start < at:
            continue
        pieces.append((text[at : one.span.start], None))
        pieces.append((one.surface, one))
        at = one.span.end
    pieces.append((text[at:], None))
    template = Environment(autoescape=True).from_string(_PAGE)
    return template.render(
        title=title,
        text=text,
        pieces=pieces,
        found=found,
        model=model,
        shades=_SHADES,
        about=ABOUT,
        suggestions=suggestions,
        preliminary=PRELIMINARY,
    )
