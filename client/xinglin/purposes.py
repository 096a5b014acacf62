"""
Why data is opened, and what research a grant permits.

Purposes are codes of HL7's PurposeOfUse value set (HL7 v3 ActReason,
http://terminology.hl7.org/ValueSet/v3-PurposeOfUse, release 3.1.0). Research is described
by terms of the Data Use Ontology, DUO (GA4GH standard, release 2021-02-23), and matched
as Broad's DUOS matches a data set's limitation against a research purpose
(https://github.com/DataBiosphere/duos-matcher): a broader permission covers a narrower
purpose, and each modifier is a condition that the request must undertake.

>>> covers(Research.parse("DUO:0000042"), Research.parse("DUO:0000007=A07"))
>>> covers(Research.parse("DUO:0000006"), Research.parse("DUO:0000011"))
Traceback (most recent call last):
xinglin.errors.ConsentError: research: DUO:0000006 does not permit DUO:0000011
"""

import re
from dataclasses import dataclass
from typing import Literal, Self

from xinglin.errors import ConsentError, InvalidEncoding

PurposeOfUse = Literal["TREAT", "ETREAT", "BTG", "HPAYMT", "HOPERAT", "HRESCH", "PUBHLTH", "PATRQT"]
"""Treatment, emergency treatment, break the glass, payment, operations, research, public
health, patient request."""

RESEARCH_PURPOSE: PurposeOfUse = "HRESCH"
"""The one purpose that needs a research term."""

GENERAL_RESEARCH = "DUO:0000042"
HEALTH_RESEARCH = "DUO:0000006"
DISEASE_RESEARCH = "DUO:0000007"
POPULATION_RESEARCH = "DUO:0000011"
NO_RESTRICTION = "DUO:0000004"

PERMISSIONS: dict[str, str] = {
    NO_RESTRICTION: "no restriction",
    GENERAL_RESEARCH: "general research use",
    HEALTH_RESEARCH: "health or medical or biomedical research",
    DISEASE_RESEARCH: "disease specific research",
    POPULATION_RESEARCH: "population origins or ancestry research only",
}
"""Data use permissions (DUO:0000001), which a grant names one of."""

MODIFIERS: dict[str, str] = {
    "DUO:0000012": "research specific restrictions",
    "DUO:0000015": "no general methods research",
    "DUO:0000016": "genetic studies only",
    "DUO:0000018": "not for profit, non commercial use only",
    "DUO:0000019": "publication required",
    "DUO:0000020": "collaboration required",
    "DUO:0000021": "ethics approval required",
    "DUO:0000022": "geographical restriction",
    "DUO:0000024": "publication moratorium",
    "DUO:0000025": "time limit on use",
    "DUO:0000026": "user specific restriction",
    "DUO:0000027": "project specific restriction",
    "DUO:0000028": "institution specific restriction",
    "DUO:0000029": "return to database or resource",
    "DUO:0000043": "clinical care use",
    "DUO:0000044": "population origins or ancestry research prohibited",
    "DUO:0000045": "not for profit organisation use only",
    "DUO:0000046": "non-commercial use only",
}
"""Data use modifiers (DUO:0000017), which narrow a permission."""

METHOD_DEVELOPMENT = "DUO:0000031"
NO_METHODS = "DUO:0000015"
NO_POPULATION = "DUO:0000044"

INVESTIGATIONS: dict[str, str] = {METHOD_DEVELOPMENT: "method development"}
"""Investigations (DUO:0000010 and below) that a request must declare because a modifier
can forbid them."""

_CODED = frozenset(
    {
        DISEASE_RESEARCH,
        "DUO:0000022",
        "DUO:0000025",
        "DUO:0000026",
        "DUO:0000027",
        "DUO:0000028",
        "DUO:0000024",
        "DUO:0000012",
    }
)
"""Terms that mean nothing without a code: which disease, place, date, person, project."""

_COVERED_BY: dict[str, frozenset[str]] = {
    NO_RESTRICTION: frozenset(PERMISSIONS),
    GENERAL_RESEARCH: frozenset(PERMISSIONS) - {NO_RESTRICTION},
    HEALTH_RESEARCH: frozenset({HEALTH_RESEARCH, DISEASE_RESEARCH}),
    DISEASE_RESEARCH: frozenset({DISEASE_RESEARCH}),
    POPULATION_RESEARCH: frozenset({POPULATION_RESEARCH}),
}
"""Which research each permission covers."""

_TERM = re.compile(r"(DUO:[0-9]{7})(?:=([A-Za-z0-9][A-Za-z0-9._:/-]{0,63}))?")


@dataclass(frozen=True, slots=True, order=True)
class Term:
    """A DUO term, with its code where it needs one."""

    id: str
    code: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `DUO:0000007=<code>`. Raises `InvalidEncoding`."""
        match = _TERM.fullmatch(text)
        if match is None or match[1] not in PERMISSIONS | MODIFIERS | INVESTIGATIONS:
            raise InvalidEncoding("expected a DUO term that we know, as DUO:0000007=<code>")
        if (match[2] is not None) != (match[1] in _CODED):
            raise InvalidEncoding(
                f"expected {match[1]} {'with' if match[1] in _CODED else 'without'} a code"
            )
        return cls(match[1], match[2] or "")

    def __str__(self) -> str:
        return f"{self.id}={self.code}" if self.code else self.id


@dataclass(frozen=True, slots=True)
class Research:
    """What research is permitted, or intended: a permission, and terms that narrow it."""

    permission: Term
    modifiers: frozenset[Term]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse terms separated by commas, sorted, each once. Raises `InvalidEncoding`."""
        parts = text.split(",")
        if parts != sorted(set(parts)):
            raise InvalidEncoding("expected DUO terms sorted and each once")
        terms = [Term.parse(part) for part in parts]
        permissions = [term for term in terms if term.id in PERMISSIONS]
        if len(permissions) != 1:
            raise InvalidEncoding(f"expected one permission, got {len(permissions)}")
        return cls(permissions[0], frozenset(terms) - {permissions[0]})

    def __str__(self) -> str:
        return ",".join(sorted(str(term) for term in {self.permission, *self.modifiers}))


def covers(permitted: Research, intended: Research) -> None:
    """
    Check that what a grant permits covers what a request intends.

    Raises `ConsentError` (term `research`) if it does not: the permission is narrower or
    for another disease, methods or population research are excluded, or a condition is
    not undertaken.
    """
    wide, narrow = permitted.permission, intended.permission
    if narrow.id not in _COVERED_BY[wide.id]:
        raise ConsentError("research", f"{wide} does not permit {narrow}")
    if wide.id == DISEASE_RESEARCH and narrow != wide:
        raise ConsentError("research", f"{wide} does not permit {narrow}")
    declared = {term.id for term in intended.modifiers}
    conditions = {term.id for term in permitted.modifiers}
    if NO_METHODS in conditions and METHOD_DEVELOPMENT in declared:
        raise ConsentError("research", f"{NO_METHODS} excludes {METHOD_DEVELOPMENT}")
    if NO_POPULATION in conditions and narrow.id == POPULATION_RESEARCH:
        raise ConsentError("research", f"{NO_POPULATION} excludes {narrow}")
    for condition in sorted(permitted.modifiers):
        if condition.id in (NO_METHODS, NO_POPULATION):
            continue
        if condition not in intended.modifiers:
            raise ConsentError("research", f"the request does not undertake {condition}")
