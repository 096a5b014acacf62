"""What the chain and the terms say of a grant, before anything under it trains a model."""

import secrets
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from xinglin import canonical, consent
from xinglin import grant as grants
from xinglin.canonical import JsonValue
from xinglin.encoding import base64url
from xinglin.errors import EvidenceError, ServiceError, ViewStale
from xinglin.grant import GrantState
from xinglin.keys import Account
from xinglin_ml import correction_export
from xinglin_ml.correction_export import Consent, Released
from xinglin_ml.errors import CorpusError

NOW = int(time.time())
ASKED = {
    "purpose": "HRESCH", "research": "DUO:0000031,DUO:0000042", "grant_id": bytes(31) + b"\x01",
}  # fmt: skip
TERMS: dict[str, JsonValue] = {
    "type": "urn:xinglin:terms:1",
    "sentence": "研究",
    "salt": base64url(secrets.token_bytes(32)),
    "subject": {"enrolment": "sha256:" + "0" * 64, "account": None, "signature": None},
    "grantee": {"member": 3, "role": "researcher", "account": None, "project": None},
    "scope": {
        "records": None, "categories": ["inference", "outpatient-note"], "from": None,
        "to": None, "versions": "all",
    },
    "purposes": ["HRESCH"],
    "research": {"permission": "DUO:0000042", "modifiers": []},
    "view": "whole",
    "frequency": None,
    "onward": False,
    "evidence": None,
}  # fmt: skip


class Scene:
    """A grant on the chain and at its custodian, as a test says it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.terms = canonical.encode(TERMS)
        self.state: GrantState | None = GrantState(
            custodian=1, grantor=Account.generate().address,
            terms_digest=grants.terms_digest(self.terms), given_at=NOW - 900, not_before=0,
            expires_at=NOW + 86_400, revoked_at=0, how="witnessed", revoked_by="nobody",
        )  # fmt: skip
        self.stopped: object = False
        self.view = SimpleNamespace(time=NOW - 5)
        self.error: ServiceError | None = None
        self.asks = 0
        self.appointment = SimpleNamespace(member=3, role="researcher", account="0x1")
        monkeypatch.setattr(consent, "fetch", lambda *_, **__: self.state)
        monkeypatch.setattr(correction_export, "now", lambda: NOW)

    def get(self, path: str) -> dict[str, object]:
        self.asks += 1
        assert path.startswith("/v1/grants/0x")
        if self.error is not None:
            raise self.error
        return {"terms": self.terms.decode(), "stopped": self.stopped}

    def change(self, **changes: object) -> None:
        assert self.state is not None
        self.state = self.state.model_copy(update=changes)

    def says(self, **changes: JsonValue) -> None:
        """Other terms, with their digest on the chain."""
        self.terms = canonical.encode({**TERMS, **changes})
        self.change(terms_digest=grants.terms_digest(self.terms))

    def consent(self) -> Consent:
        pool = SimpleNamespace(
            final_view=lambda: self.view, profile=SimpleNamespace(max_view_age=60)
        )
        caller = SimpleNamespace(node=self)
        signed = SimpleNamespace(appointment=self.appointment)
        return Consent(cast(Any, caller), cast(Any, pool), cast(Any, signed))

    def refusal(self, **asked: object) -> str | None:
        released = Released(cast(Any, None), cast(Any, SimpleNamespace(**(ASKED | asked))))
        return self.consent().refusal(released)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


class TestI5ConsentBeforeTraining:
    def test_a_grant_that_holds_and_permits_it_lets_train(self, scene: Scene) -> None:
        assert scene.refusal() is None

    def test_what_the_chain_ended_does_not_train_whatever_the_node_says(self, scene: Scene) -> None:
        scene.change(revoked_at=NOW - 1)
        assert scene.refusal() == "the grant was revoked"
        assert scene.asks == 0

    def test_nor_what_the_custodian_was_shown_the_end_of(self, scene: Scene) -> None:
        for stopped in (True, None):
            scene.stopped = stopped
            assert scene.refusal() == "the grant was revoked"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"expires_at": NOW}, "the grant has expired"),
            ({"not_before": NOW}, "the grant has not begun"),
            ({"given_at": NOW - 4}, "the grant has not begun"),  # after the final block
        ],
    )
    def test_nor_before_its_beginning_or_after_its_end(
        self, scene: Scene, change: dict[str, object], reason: str
    ) -> None:
        scene.change(**change)
        assert scene.refusal() == reason

    def test_nor_a_grant_that_the_chain_does_not_know(self, scene: Scene) -> None:
        scene.state = None
        assert scene.refusal() == "the chain does not know the grant"

    def test_nor_one_that_names_another(self, scene: Scene) -> None:
        scene.appointment = SimpleNamespace(member=2, role="researcher", account="0x1")
        assert scene.refusal() == "the grant does not name the caller"

    def test_nor_one_that_the_custodian_shows_to_others_alone(self, scene: Scene) -> None:
        scene.error = ServiceError(404, "not-found")
        assert scene.refusal() == "the grant does not name the caller"
        scene.error = ServiceError(503, "storage")
        with pytest.raises(ServiceError):
            scene.refusal()

    @pytest.mark.parametrize(
        ("asked", "reason"),
        [
            ({"purpose": "TREAT", "research": ""}, "asked for TREAT"),
            ({"research": "DUO:0000042"}, "did not declare DUO:0000031"),
        ],
    )
    def test_nor_what_was_asked_for_something_else(
        self, scene: Scene, asked: dict[str, object], reason: str
    ) -> None:
        assert reason in str(scene.refusal(**asked))

    def test_nor_under_terms_without_research(self, scene: Scene) -> None:
        scene.says(purposes=["TREAT"], research=None)
        assert scene.refusal() == "the grant is not for research"

    def test_terms_that_the_node_made_up_end_the_export(self, scene: Scene) -> None:
        scene.terms = canonical.encode({**TERMS, "view": "entities"})
        with pytest.raises(EvidenceError, match="other terms"):
            scene.refusal()

    def test_a_chain_that_stands_still_ends_the_export(self, scene: Scene) -> None:
        scene.view = SimpleNamespace(time=NOW - 61)
        with pytest.raises(ViewStale, match="60 s"):
            scene.refusal()

    def test_each_grant_is_asked_for_once(self, scene: Scene) -> None:
        holds = scene.consent()
        released = Released(cast(Any, None), cast(Any, SimpleNamespace(**ASKED)))
        for _ in range(3):
            assert holds.refusal(released) is None
        assert scene.asks == 1


class TestOpening:
    def test_a_note_without_text_is_told_apart(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(correction_export, "_payload", lambda *_: b'{"image": 1}')
        statement = SimpleNamespace(media_type="application/json")
        item = cast(Any, SimpleNamespace(record="1", statement=statement))
        released = {cast(Any, "m"): [Released(item, cast(Any, None))]}
        pair = cast(Any, SimpleNamespace(claimed=SimpleNamespace(manifest="m")))
        holds = cast(Any, SimpleNamespace(refusal=lambda _: None))
        with pytest.raises(CorpusError, match="with a text"):
            correction_export.opened(cast(Any, None), released, pair, holds)


class TestWriting:
    def test_a_file_that_is_there_is_not_overwritten(self, tmp_path: Path) -> None:
        from xinglin.errors import UsageError

        target = tmp_path / "out.jsonl"
        target.write_text("mine")
        with pytest.raises(UsageError):
            correction_export.write_documents(target, [])
        assert target.read_text() == "mine"
