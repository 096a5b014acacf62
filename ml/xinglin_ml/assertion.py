"""
What a note says of what it names: there, not there, perhaps, in the past, in a relative.

>>> text = "头痛3天，无发热，其父有高血压。"
>>> [assertion_of(text, Span(a, b, "症状")).kind for a, b in ((0, 2), (6, 8))]
['present', 'negated']

Rules over the clause that a span stands in, in the order of the guideline's section 4:
negation outranks family, family the past, the past doubt. They were written on the
training part of the project's notes and are measured on the test part.
"""

import re
from dataclasses import dataclass
from typing import Literal

from xinglin_ml.annotation import Span

Kind = Literal["present", "negated", "uncertain", "historical", "family"]
About = Literal["patient", "family", "other", "general"]


@dataclass(frozen=True, slots=True)
class Assertion:
    """What is said of one span."""

    kind: Kind
    about: About


_BOUNDARY = re.compile(r"[，。；！？,;!?\n]")
_SENTENCE = re.compile(r"[。；！？;!?\n]")
_TURN = re.compile(r"但|仅|惟|唯|而|却|伴有|转为|改用|改为|方有|又见|可见|[^没]有")
"""Words after which an earlier negation no longer holds."""

_NEGATED_BEFORE = re.compile(
    r"(?<![有并])无(?!力|名|明显诱因)|未见|不考虑|未及|未闻|未触及|未出现|未再|未诉|未服|未用|未行|未做|未接种|未曾|从未|从不|尚未"
    r"|否认|(?<!有)没有(?!禁忌)|不伴|不觉|未发现|停用|停服|停|已停|忌用|禁用|慎用|勿用|排除|除外|并非|非(?=$)|不(?=$)|未(?=$)|拒绝"
)
_NEGATED_AFTER = re.compile(
    r"^(?:[史]?[（(]?[-－—][)）]?|(?:检验|穿刺|病理)?之?[症状感]?(?:皆|均|亦|也|都|已|现|俱|渐|全|诸症)*(?:消失|除|退|愈|消|平|止|解|缓解消失|无|未见|阴性|否认|停|不显|否|排除))"
)
_SELF_LIMIT = re.compile(r"^[^，。；]{0,2}(?:未愈|未退|未消|未止|未除|不止|不退|不消)")
_UNCERTAIN_BEFORE = re.compile(
    r"疑似|疑为|疑有|疑|考虑|可能|似|若|如(?!厕|下)|倘|一旦|万一|假如|以防|谨防|防止|预防|防|以免|避免|警惕|必要时|拟|怕|担心|恐|易(?:致|发|患|生)"
    r"|待排|不排除|不除外|风险|是否|建议行|可改用|可加用|降低|减少"
)
_UNCERTAIN_AFTER = re.compile(r"^(?:待排|待查|可能|[?？]|风险|与否|之可能|的可能|不除外|不能排除)")
_PAST_BEFORE = re.compile(
    r"既往|曾|去年|前年|年前|月前(?=[^，]*(?:行|服|予|因|患))|(?<!现)病史|往年|幼年|幼时|儿时|昔|旧有|素有|原有|上次|前次|此前|先前|早年|初诊时|(?<!现病)史[:：]"
)
_PAST_AFTER = re.compile(r"^(?:[^，。；、]{0,4}(?:病史|史(?!学)|术后|旧史)|术后|治愈后|愈后|后遗)")
_FAMILY = re.compile(
    r"父亲|母亲|其父|其母|父母|祖父|祖母|外祖|爷爷|奶奶|外公|外婆|姥|家族|兄|姐|弟|妹|姨|舅|姑|伯|叔"
    r"|(?<![珠益知云贝])[父母子女](?=有|患|曾|亦|也|均|死|因)"
)
_OTHER = re.compile(
    r"丈夫|妻子|配偶|爱人|同事|同学|室友|邻居|男友|女友|同桌|同班|班里|幼儿园有|单位有|对象|其夫|其妻|老伴"
)
_GENERAL = re.compile(
    r"患者|人群|者(?=[，。、]|$)|儿童|老人|老年人|孕妇|婴幼儿|人们|成人|妇女|儿科医|公众|易感"
)


def assertion_of(text: str, span: Span, *, general: bool = False) -> Assertion:
    """
    Return what `text` says of `span`; `general` marks a text about people at large.
    """
    start, end = _clause(text, span, _BOUNDARY)
    before, after = text[start : span.start], text[span.end : end]
    sentence, _ = _clause(text, span, _SENTENCE)
    context = text[sentence : span.start]
    about = _about(before, context, general=general)
    kind = _kind(span, before, after, context)
    if kind != "negated" and about == "family":
        kind = "family"
    if kind == "present" and about == "general" and span.label in ("疾病", "症状", "诊断"):
        kind = "uncertain"
    return Assertion(kind, about)


def _clause(text: str, span: Span, mark: re.Pattern[str]) -> tuple[int, int]:
    start = max((m.end() for m in mark.finditer(text, 0, span.start)), default=0)
    following = mark.search(text, span.end)
    return start, following.start() if following else len(text)


def _kind(span: Span, before: str, after: str, context: str) -> Kind:
    if span.label == "预防":
        negated = re.search(r"未接种|未打|未(?=$)|从不|从未|没有|不曾|未曾|未按时|未能", before)
        past = re.search(r"曾|去年|既往", before)
        return "negated" if negated else "historical" if past else "present"
    if _holds(_NEGATED_BEFORE, before) and not _SELF_LIMIT.match(after):
        if re.search(r"不(?:排除|除外)", before):
            return "uncertain"
        return "negated"
    denied = max((m.end() for m in re.finditer(r"否认", context)), default=-1)
    if denied >= 0 and not re.search(r"[。；]|[，,](?!.{0,12}(?:史|等))", context[denied:]):
        return "negated"
    if _NEGATED_AFTER.match(after) and not _SELF_LIMIT.match(after):
        return "negated"
    if _PAST_AFTER.match(after) or _holds(_PAST_BEFORE, before):
        return "historical"
    if _UNCERTAIN_AFTER.match(after) or _holds(_UNCERTAIN_BEFORE, before):
        return "uncertain"
    if re.search(r"既往|病史[:：]|既往史", context) and span.label in ("疾病", "治疗"):
        return "historical"
    return "present"


def _holds(cue: re.Pattern[str], before: str) -> bool:
    """Return whether the last cue in `before` still holds where `before` ends."""
    last = max((m.end() for m in cue.finditer(before)), default=-1)
    return last >= 0 and not _TURN.search(before[last:])


def _about(before: str, context: str, *, general: bool) -> About:
    near = context[-24:]
    if (match := _OTHER.search(near)) and not re.search(r"[。；]", near[match.end() :]):
        return "other"
    if _FAMILY.search(before) or re.search(
        r"(?:父|(?<![珠益知云贝牡继])母(?!乳)|家族史|祖(?!宗))[^。；]{0,12}$", near
    ):
        return "family"
    if general and not re.search(r"本人|患者本人|我", near):
        return "general"
    if re.search(r"(?:人群|者|人们|老年人|儿童|孕妇)[^，。；]{0,8}$", before):
        return "general"
    return "patient"
