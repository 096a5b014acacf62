"""
What is looked for: five diagnostic types with their finer types, and two native schemes.

>>> DIAGNOSTIC.labels
('疾病', '症状', '诊断', '治疗', '预防')

The rules for drawing a span are in `docs/annotation-guideline.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class EntityType:
    """One diagnostic type."""

    label: str
    english: str

    subtypes: tuple[str, ...]
    """The commonest first."""

    example: str
    """From real usage, the span in brackets."""


ENTITY_TYPES = (
    EntityType("疾病", "disease", ("western_disease", "tcm_disease"), "[2型糖尿病]病史五年"),
    EntityType(
        "症状", "symptom", ("symptom", "sign", "tongue", "pulse"), "[胃脘隐痛]，[舌淡]，[脉细弱]"
    ),
    EntityType("诊断", "diagnosis", ("syndrome",), "证属[肝郁脾虚]"),
    EntityType(
        "治疗",
        "treatment",
        (
            "herb",
            "formula",
            "patent_medicine",
            "western_drug",
            "therapy",
            "acupoint",
            "procedure",
            "method",
            "other",
        ),
        "治以[疏肝健脾]，[逍遥散]加[炒白术]",
    ),
    EntityType(
        "预防",
        "prevention",
        (
            "vaccine",
            "diet",
            "exercise",
            "lifestyle",
            "hygiene",
            "screening",
            "safety",
            "concept",
        ),
        "建议接种[流感疫苗]，[清淡饮食]",
    ),
)

SUBTYPES = tuple(s for t in ENTITY_TYPES for s in t.subtypes)
"""Every finer type, in the order of the model's output."""

LABEL_OF_SUBTYPE: Mapping[str, str] = MappingProxyType(
    {s: t.label for t in ENTITY_TYPES for s in t.subtypes}
)


@dataclass(frozen=True, slots=True)
class Scheme:
    """A set of labels under one convention for drawing spans; the model has a head for each."""

    name: str
    labels: tuple[str, ...]


TCM_LITERATURE = Scheme(
    "tcm_literature",
    (
        "临床表现",
        "中药",
        "西医诊断",
        "中医证候",
        "中医治疗",
        "方剂",
        "西医治疗",
        "中医治则",
        "中医诊断",
        "其他治疗",
    ),
)

MEDICAL_QA = Scheme(
    "medical_qa",
    (
        "disease",
        "symptom",
        "treatment",
        "drug",
        "body",
        "test",
        "crowd",
        "physiology",
        "feature",
        "time",
        "department",
    ),
)

DIAGNOSTIC = Scheme("diagnostic", tuple(t.label for t in ENTITY_TYPES))

SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {s.name: s for s in (TCM_LITERATURE, MEDICAL_QA, DIAGNOSTIC)}
)

PACKAGE_INSERT_LABELS = (
    "SYMPTOM",
    "DRUG_EFFICACY",
    "PERSON_GROUP",
    "SYNDROME",
    "DRUG_TASTE",
    "DISEASE",
    "DRUG_DOSAGE",
    "DRUG_INGREDIENT",
    "FOOD_GROUP",
    "DISEASE_GROUP",
    "DRUG",
    "FOOD",
    "DRUG_GROUP",
)
"""Of the corpus that only measures; no head is trained on it."""

Mapped = tuple[str, str | None]
"""A diagnostic label, and a subtype where the native label tells it."""

TO_DIAGNOSTIC: Mapping[str, Mapping[str, Mapped]] = MappingProxyType(
    {
        "tcm_literature": {
            "西医诊断": ("疾病", "western_disease"),
            "中医诊断": ("疾病", "tcm_disease"),
            "临床表现": ("症状", None),
            "中医证候": ("诊断", "syndrome"),
            "中药": ("治疗", "herb"),
            "方剂": ("治疗", "formula"),
            "中医治疗": ("治疗", None),
            "西医治疗": ("治疗", None),
            "其他治疗": ("治疗", None),
            "中医治则": ("治疗", "method"),
        },
        "medical_qa": {
            "disease": ("疾病", None),
            "symptom": ("症状", None),
            "treatment": ("治疗", None),
            "drug": ("治疗", None),
        },
        "package_insert": {
            "DISEASE": ("疾病", None),
            "DISEASE_GROUP": ("疾病", None),
            "SYMPTOM": ("症状", None),
            "SYNDROME": ("诊断", "syndrome"),
            "DRUG": ("治疗", None),
            "DRUG_INGREDIENT": ("治疗", "herb"),
            "DRUG_EFFICACY": ("治疗", "method"),
            "DRUG_GROUP": ("治疗", None),
        },
    }
)
"""How each corpus's labels read in the diagnostic scheme; what is absent has no place there."""
