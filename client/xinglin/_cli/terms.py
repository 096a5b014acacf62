"""The terms of a grant, from what a person chose on the command line."""

import secrets
from uuid import UUID

from xinglin._cli.caller import PatientFile
from xinglin.canonical import JsonValue
from xinglin.encoding import base64url
from xinglin.errors import UsageError
from xinglin.grant import Terms, read_terms
from xinglin.purposes import RESEARCH_PURPOSE, Research


def make_terms(
    *,
    patient: PatientFile,
    subject_account: str | None,
    subject_signature: bytes | None,
    to: int,
    role: str | None,
    account: str | None,
    project: str | None,
    purposes: list[str],
    research: str | None,
    records: list[UUID] | None,
    categories: list[str] | None,
    view: str,
    newest: bool,
    frequency: tuple[int, int] | None,
    onward: bool,
    sentence: str | None,
    evidence: str | None,
) -> Terms:
    """
    Build the terms of a grant from what a person chose.

    Raises `UsageError` for a choice that cannot be meant, `ConsentError` for terms that
    break a rule.
    """
    if patient.enrolment is None:
        raise UsageError("expected the file of an enrolled patient: `xinglin subject enrol` first")
    if bool(records) == bool(categories):
        raise UsageError("expected --record or --category, which may be repeated")
    if (research is not None) != (RESEARCH_PURPOSE in purposes):
        raise UsageError(f"expected --research exactly with --purpose {RESEARCH_PURPOSE}")
    intended = None if research is None else Research.parse(research)
    scope: dict[str, JsonValue] = {
        "records": sorted(str(one) for one in records) if records else None,
        "categories": sorted(set(categories)) if categories else None,
        "from": None,
        "to": None,
        "versions": "newest" if newest else "all",
    }
    terms = Terms.from_json(
        {
            "type": "urn:xinglin:terms:1",
            "sentence": sentence or _sentence(to, role, purposes),
            "salt": base64url(secrets.token_bytes(32)),
            "subject": {
                "enrolment": patient.enrolment.text,
                "account": subject_account,
                "signature": None if subject_signature is None else base64url(subject_signature),
            },
            "grantee": {"member": to, "role": role, "account": account, "project": project},
            "scope": scope,
            "purposes": sorted(set(purposes)),
            "research": None
            if intended is None
            else {
                "permission": str(intended.permission),
                "modifiers": sorted(str(one) for one in intended.modifiers),
            },
            "view": view,
            "frequency": None
            if frequency is None
            else {"releases": frequency[0], "days": frequency[1]},
            "onward": onward,
            "evidence": evidence,
        }
    )
    return read_terms(terms.encode())


def _sentence(to: int, role: str | None, purposes: list[str]) -> str:
    who = f"机构 {to} 的{role or '人员'}"
    return f"我同意{who}为 {'、'.join(sorted(set(purposes)))} 查阅所列病历。"
