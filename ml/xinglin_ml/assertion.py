"""
What a note says of what it names: there, not there, perhaps, in the past, in a relative.

>>> text = "头痛3天，无发热，其父有高血压。"
>>> [assertion_of(text, Span(a, b, "症状")).kind for a, b in ((0, 2), (6, 8))]
['present', 'negated']

Rules over the clause that a span stands in, in the order of the guideline's section 4:
negation outranks family, family the past, the past doubt. They were written on the
training part of the project's texts; `xinglin_ml.assertion_score` measures them on the test
part.

Words are compared in simplified script, whichever the note is in. Other spans are hidden
from the rules (`assertions`), so that no cue is found inside 防风 or 怕冷.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from xinglin_ml.annotation import Span
from xinglin_ml.characters import simplified

Kind = Literal["present", "negated", "uncertain", "historical", "family"]
About = Literal["patient", "family", "other", "general"]


@dataclass(frozen=True, slots=True)
class Assertion:
    """What is said of one span."""

    kind: Kind
    about: About


REACH = 500
"""Characters looked at on either side of a span, where no mark ends the sentence before."""

_CONDITIONS = ("疾病", "症状", "诊断")
"""What somebody has, in distinction from what is done about it."""

_SENTENCE = "。；！？;!?\n"
_CLAUSE = "，," + _SENTENCE
_HIDDEN = "□"
"""Stands for each character of another span: part of no cue."""

_TURN = re.compile(r"但|仅|惟|唯|而|却|伴有|转为|改用|改为|方有|又见|可见|[^没]有")
"""Words after which an earlier negation no longer holds."""

_NO_DENIAL = (
    r"力|名|华|苔|泪|效|需|须|法|论|奈|汗(?!出)|痛(?!经|风)|味(?!觉)|关(?!节)|菌(?!痢)|创(?!伤|口)|糖(?!尿)"
    r"|意(?!识)|[神脉尿寐](?=[，。、；])|[^，。；、]{0,3}诱因"
)
"""What 无 begins a word with that is a finding itself, or none."""

_NEGATED_BEFORE = re.compile(
    rf"(?<![有并])无(?!{_NO_DENIAL})|未见|不考虑|未及|未闻|未触及|未出现|未提示|未再|未诉|未服|未用|未行"
    r"|未做|未接种|未曾|从未|从不|尚未|否认|(?<!有)没有(?!禁忌)|不伴|不觉|未发现|(?<![应须需要以])排除|除外|并非|(?<!是)不是|非(?=$)"
    r"|不(?=$)|未(?=$)"
)
_STOPPED_BEFORE = re.compile(
    r"(?<![不别勿行自然])停(?!经|[^，。；]{0,8}后)|[忌禁慎勿拒][用服]|拒绝"
    r"|别(?![人的处])|勿|不要|不可|不必|不宜|不需|暂不|不再"
)
"""Negates a treatment, and nothing else: who stopped a drug may well have a headache."""

_NEGATED_AFTER = re.compile(
    r"^(?:[史]?[（(]?[-－—](?![-－—])[)）]?|(?:检验|穿刺|病理)?之?[症状感]?"
    r"(?:皆|均|亦|也|都|已|现|俱|渐|全|尚|暂|目前|本次|诸症)*"
    r"(?:消失|除(?![湿烦])|退(?![热黄])|愈|消(?![肿食炎导])|平(?![素肝喘])|止(?![血痒呕咳痛泻汗吐])"
    r"|解(?![压表毒])|缓解消失|无|未见|未再|未引出|未形成|没有(?=[，。；]|$)|阴性|否认|停|不显|否|排除"
    r"|不支持|不(?:予)?考虑|可以?(?:除外|排除)))"
)
_UNUSED_AFTER = re.compile(
    r"^(?:因[^，。；]{0,12})?(?:一概|暂)?(?:不用|不打|没打|拒用|禁用|忌用|慎用|勿用|停用)"
)
"""Negates a treatment that it follows."""

_SELF_LIMIT = re.compile(r"^[^，。；]{0,2}(?:未愈|未退|未消|未止|未除|不止|不退|不消)")
_UNCERTAIN_BEFORE = re.compile(
    r"[应须需要以]排除|疑似|疑为|疑有|疑|考虑|可能|似(?!的)|若|^如(?!厕|下)|如(?:果|有|见|遇|出现)|倘|一旦|万一|假如|以防|谨防|防止|预防"
    r"|防(?!风|己|葵)|以免|避免|警惕|必要时|拟(?=行|做|查|用|改)|怕(?!冷|热|风|寒|光)|担心|恐(?!惧|慌|怖|吓)"
    r"|易(?:致|发|患|生)|待排|不排除|不除外|风险|是否|建议行|可改用|可加用|降低(?=$)|减少(?=$)"
)
_UNCERTAIN_AFTER = re.compile(
    r"^(?:待排|待查|可疑|可能(?!性大)|[?？]|风险|与否|之可能|的可能|不除外|不排除|不能排除)"
)
_ALARM_AFTER = re.compile(
    r"^[^，。；]{0,14}(?:立即|立刻|马上|随时|即|当天就|赶紧)"
    r"(?:返院|来|复诊|就诊|就医|告知|报告|打|去|送|停)"
)
"""What a patient is told to watch for is not what he has."""

_PAST_BEFORE = re.compile(
    r"既往|曾|去年|前年|年前|月前(?=[^，]*(?:行|服|予|因|患))|(?<!现)病史|往年|幼年|幼时|儿时|昔|旧有|素有|原有|上次|前次|此前|先前|早年|初诊时|(?<!现)病史[:：]"
)
_PAST_AFTER = re.compile(
    r"^(?:[^，。；、]{0,4}(?:病史|(?<!家族)史(?!学)|术后|旧史)|术后|治愈后|愈后|后遗|已(?:摘|切除|根除|治愈))"
)
_SAID_OF_KIN = r"(?=有|患|曾|亦|也|均|皆|死|因|得|无|否|、|及|和|[一二三两]人|[父母妈妹弟姐])"
_FAMILY = re.compile(
    r"父亲|母亲|其父|其母|父母|祖父|祖母|外祖|家族|子女"
    rf"|(?:爷爷|奶奶|外公|外婆|姥[爷姥]){_SAID_OF_KIN}"
    rf"|[兄弟姐妹姨舅姑伯叔]{_SAID_OF_KIN}"
    rf"|(?<![珠益知云贝水酵])[父母]{_SAID_OF_KIN}|(?<=[其长次幼独])[子女]{_SAID_OF_KIN}"
)
_OTHER = re.compile(
    r"丈夫|妻子|配偶|爱人|同事|同学|室友|邻居|男友|女友|同桌|同班|班里|幼儿园有|单位有|对象|其夫|其妻|老伴"
)
_AT_LARGE = re.compile(r"(?:人群|(?<!患)者|[病炎癌压症]患者|人们|老年人|儿童|孕妇)[^，。；]{0,8}$")
"""People at large; 患者 alone is the patient."""


def assertion_of(text: str, span: Span, *, general: bool = False) -> Assertion:
    """Return what `text` says of `span` alone, as `assertions` does of many."""
    return assertions(text, [span], general=general)[0]


def assertions(text: str, spans: Sequence[Span], *, general: bool = False) -> list[Assertion]:
    """
    Return what `text` says of each of `spans`, which are all of its spans.

    `general` marks a text about people at large.
    """
    ordered = sorted((s.start, s.end) for s in spans)
    starts = [start for start, _ in ordered]
    found: list[Assertion] = []
    for span in spans:
        first, last = _begin(text, span, _SENTENCE), _finish(text, span)
        others = ordered[bisect_left(starts, first) : bisect_left(starts, last)]
        shown = _shown(text[first:last], first, span, others)
        clause = _begin(text, span, _CLAUSE) - first
        at, past = span.start - first, span.end - first
        found.append(_assertion(span, shown[clause:at], shown[past:], shown[:at], general=general))
    return found


def _begin(text: str, span: Span, marks: str) -> int:
    """Return where what `span` stands in begins: after the last of `marks`, within `REACH`."""
    earliest = max(0, span.start - REACH)
    return max(earliest, *(text.rfind(m, earliest, span.start) + 1 for m in marks))


def _finish(text: str, span: Span) -> int:
    """Return where the clause of `span` ends."""
    latest = min(len(text), span.end + REACH)
    return min(
        latest, *(at for m in _CLAUSE if (at := text.find(m, span.end, latest)) >= 0), latest
    )


def _shown(part: str, first: int, span: Span, others: Sequence[tuple[int, int]]) -> str:
    """Return `part`, which begins at `first`, in simplified script and without `others`."""
    shown = list(simplified(part))
    for start, end in others:
        if end <= span.start or start >= span.end:
            shown[start - first : end - first] = _HIDDEN * (
                min(end - first, len(part)) - start + first
            )
    return "".join(shown)


def _assertion(span: Span, before: str, after: str, context: str, *, general: bool) -> Assertion:
    about = _about(before, context, general=general)
    kind = _kind(span, before, after, context)
    if kind != "negated" and about == "family":
        kind = "family"
    if kind == "present" and about == "general" and span.label in _CONDITIONS:
        kind = "uncertain"
    return Assertion(kind, about)


def _kind(span: Span, before: str, after: str, context: str) -> Kind:
    if span.label == "预防":
        negated = re.search(r"未接种|未打|未(?=$)|从不|从未|没有|不曾|未曾|未按时|未能", before)
        past = re.search(r"曾|去年|既往", before)
        return "negated" if negated else "historical" if past else "present"
    if _holds(_NEGATED_BEFORE, before) and not _SELF_LIMIT.match(after):
        if re.search(r"不(?:排除|除外)", before):
            return "uncertain"
        return "negated"
    if span.label not in _CONDITIONS and (
        _holds(_STOPPED_BEFORE, before) or _UNUSED_AFTER.match(after)
    ):
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
    if span.label in _CONDITIONS and _ALARM_AFTER.match(after):
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
        r"(?:父|(?<![珠益知云贝牡继水酵])母(?![乳婴])|家族史|祖(?!宗))[^。；]{0,12}$", near
    ):
        return "family"
    if general and not re.search(r"本人|患者本人|我", near):
        return "general"
    if _AT_LARGE.search(before):
        return "general"
    return "patient"
