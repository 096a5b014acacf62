"""
The invariants on a running network: each fails when its property is broken on purpose.

I1 is in `test_silence.py`, I3 in `test_no_loss.py`. What holds one part alone is tested
beside that part; here the parts stand together.
"""

import io
import json
import secrets
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from xinglin import access, consent, inference, merkle, seal
from xinglin._chain.checkpoints import NO_ANCHOR, Checkpoints
from xinglin._chain.consortium import Consortium, admission
from xinglin._chain.sender import Sender
from xinglin._chain.words import Kind, Role
from xinglin._cli.inference import run_again
from xinglin._cli.verify import find_trust
from xinglin._demo import attacks, audit
from xinglin._demo import consent as chapters
from xinglin._demo.cast import Institution
from xinglin._demo.consent import Granted, Openings, refused
from xinglin._demo.intake import Submitted, wait_until_final
from xinglin._http import NodeClient
from xinglin._tiles import fetch_entries
from xinglin.bundle import Bundle, read_bundle
from xinglin.encoding import hex0x
from xinglin.envelope import Envelope
from xinglin.errors import (
    ConsentError,
    ContractError,
    InferenceError,
    ServiceError,
    UsageError,
)
from xinglin.grant import sign_revocation
from xinglin.keys import Account
from xinglin.merkle import leaf_hash
from xinglin.methods import Method, installed
from xinglin.names import Generation, Salt
from xinglin.request import Item
from xinglin.statement import Inference
from xinglin.verify import AnyStatement, verify_bundle

from .conftest import Stage


@pytest.fixture(scope="module")
def openings(stage: Stage, granted: Granted, tmp_path_factory: pytest.TempPathFactory) -> Openings:
    folder = tmp_path_factory.mktemp("opened")
    return chapters.open_granted(stage.world, stage.filed, granted, folder, stage.telling)


@pytest.fixture(scope="module")
def bundles(stage: Stage, granted: Granted, openings: Openings) -> dict[str, Path]:
    wait_until_final(stage.world, stage.telling, row=False)
    return audit.fetch_bundles(stage.world, stage.filed, granted, openings)


class AnotherModel:
    """A model that finds the same thing in every text."""

    manifest = b"{}"
    code = "another"
    runtime = "another"

    @property
    def parameters(self) -> dict[str, str | int]:
        return {}

    def __call__(self, text: str) -> list[inference.OutputSpan]:
        return [inference.OutputSpan(0, 1, "症状")]


def of_patient(stage: Stage, number: int) -> list[Submitted]:
    patient, _ = stage.filed.patients[number]
    return [one for one in stage.filed.records if one.patient is patient]


class TestI2OneHistory:
    """A log's checkpoints only grow, and each extends the last; the contract checks it."""

    def test_the_institutions_own_key_cannot_rewrite(self, stage: Stage) -> None:
        before = len(stage.telling.rows)
        attacks._attack_log(stage.world, stage.telling)
        outcomes = [row.outcome for row in stage.telling.rows[before:]]
        assert [outcome.split("(")[0] for outcome in outcomes] == [
            "refused: CheckpointSizeNotGrowing",
            "refused: CheckpointInconsistent",
            "refused: CheckpointInconsistent",
        ]

    def test_what_honestly_extends_the_log_would_be_taken(self, stage: Stage) -> None:
        # Else a contract that refuses everything would pass.
        log = attacks._log_of(stage.world)
        more = [*log.leaves[: log.anchored.size], leaf_hash(secrets.token_bytes(64))]
        proof = merkle.prove_consistency(more, log.anchored.size).path
        call = Checkpoints(stage.world.pool).anchor(
            len(more), merkle.root_of(more), proof, previous=log.anchored.anchor
        )
        assert log.sender.build_and_sign(call).raw

    def test_every_root_on_chain_is_the_root_of_the_public_tiles(self, stage: Stage) -> None:
        view = stage.world.pool.head()
        for hospital, node in zip(stage.world.hospitals, stage.world.nodes, strict=False):
            anchored = Checkpoints(stage.world.pool).history(
                hospital.member, Generation(0), at=view
            )
            sizes = [one.size for one in anchored]
            assert sizes == sorted(set(sizes))
            with node.client() as client:
                leaves = [entry.leaf for entry in fetch_entries(client, sizes[-1])]
            for one in anchored:
                assert merkle.root_of(leaves[: one.size]) == one.anchor.root


class TestI4NoKeyWithoutLeave:
    """A data key leaves on a named ground only, with an entry that is durable first."""

    def test_without_any_ground_a_record_does_not_exist(self, stage: Stage) -> None:
        record = of_patient(stage, 0)[0]
        stranger = stage.world.institute.staff("陌生人", "researcher", stage.world.domain)
        with stage.world.nodes[0].client() as node:
            stranger.sign_in(node, stage.world.trust.chain_id)
            with pytest.raises(ServiceError) as answer:
                node.get_bytes(f"/v1/records/{record.record}/1/blob")
            assert answer.value.status == 404
            for ground in ("care", "subject", "system"):
                with pytest.raises((ServiceError, ConsentError)):
                    access.ask(
                        node,
                        stranger.asker(stage.world.domain),
                        custodian=stage.world.hospitals[0].member,
                        ground=ground,  # type: ignore[arg-type]
                        purpose="TREAT",
                        items=[Item(record=record.record, version=0)],
                    )

    def test_each_opening_is_an_entry_with_the_requesters_signature(
        self, stage: Stage, bundles: dict[str, Path]
    ) -> None:
        bundle = read_bundle(bundles["access"].read_bytes())
        verified = verify_bundle(bundle, trust=stage.world.trust, policy=AnyStatement())
        written = verified.statement.predicate.to_json()
        assert verified.type == "access"
        assert written["ground"] == "grant"
        assert written["requestSignature"]

    def test_an_opening_without_its_grant_term_is_refused_by_term(
        self, stage: Stage, granted: Granted, openings: Openings
    ) -> None:
        rows = {row.what: row.outcome for row in stage.telling.rows}
        assert rows["the physician asks for a note that was not granted"].startswith(
            "refused: 404 not-found"
        )
        assert rows["the physician asks for another purpose"] == "refused: purpose"
        assert rows["the researcher asks for commercial research"] == "refused: research"
        assert "not-found" in rows["the researcher asks under the physician's grant"]
        assert openings.physician.released
        assert granted.treatment.id != granted.research.id

    def test_a_released_key_opens_that_record_and_no_other(
        self, stage: Stage, granted: Granted, openings: Openings
    ) -> None:
        first, second = openings.researcher.released[:2]
        with stage.world.nodes[0].client() as node:
            granted.researcher.sign_in(node, stage.world.trust.chain_id)
            sealed = io.BytesIO()
            node.fetch(f"/v1/records/{second.record}/{second.version}/blob", sealed)
        sealed.seek(0)
        assert refused(
            lambda: seal.open(
                sealed,
                io.BytesIO(),
                envelope=Envelope(first.manifest, (first.wrap,)),
                identity=granted.researcher.identity,
                record=second.record,
                version=second.version,
            )
        ).startswith("refused")


class TestI5RevocationBites:
    """No release after the block that revokes, and none once the node was shown it."""

    def test_a_shown_revocation_stops_before_the_chain_has_it(
        self, stage: Stage, granted: Granted, bundles: dict[str, Path]
    ) -> None:
        records = of_patient(stage, 1)[:1]
        with stage.world.nodes[0].client() as node:
            granted.researcher.sign_in(node, stage.world.trust.chain_id)
            ask = self.ask(stage, node, granted, records)
            assert ask().released
            with pytest.raises(ServiceError):
                consent.revoke_through(node, granted.research.id, granted.treatment.revocation)
            assert ask().released
            consent.revoke_through(node, granted.research.id, granted.research.revocation)
            with pytest.raises(ConsentError) as stopped:
                ask()
            assert stopped.value.term in ("stopped", "revoked")
        # The opening that was made before stays what it was.
        bundle = read_bundle(bundles["access"].read_bytes())
        assert verify_bundle(bundle, trust=stage.world.trust, policy=AnyStatement())

    @staticmethod
    def ask(stage: Stage, node: NodeClient, granted: Granted, records: list[Submitted]) -> Any:
        return lambda: chapters._ask(
            stage.world,
            node,
            granted.researcher,
            granted.research,
            records,
            "HRESCH",
            ",".join(chapters.RESEARCH),
        )


@pytest.fixture(scope="module")
def claimed(stage: Stage, bundles: dict[str, Path]) -> tuple[Bundle, Inference]:
    bundle = read_bundle(bundles["inference"].read_bytes())
    verified = verify_bundle(bundle, trust=stage.world.trust, policy=AnyStatement())
    assert verified.model_status == "approved"
    predicate = verified.statement.predicate
    assert isinstance(predicate, Inference)
    return bundle, predicate


@pytest.fixture(scope="module")
def opened(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """The note that was read and the output that was logged, opened by the patient."""
    note = of_patient(stage, 0)[0]
    assert note.result is not None
    patient = note.patient
    keys = chapters.wallet(patient)
    member = stage.world.hospitals[0].member
    folder = tmp_path_factory.mktemp("rerun")
    with stage.world.nodes[0].client() as node:
        chapters.sign_in_patient(stage.world, node, patient)
        asker = access.Asker(
            keys.enrolled_account(member),
            keys.encryption_identity(member),
            stage.world.domain,
        )
        answer = access.ask(
            node,
            asker,
            custodian=member,
            ground="subject",
            purpose="PATRQT",
            items=[
                Item(record=note.record, version=0),
                Item(record=note.result, version=0),
            ],
        )
        payloads = []
        for item in answer.released:
            access.open_item(node, item, asker.identity, folder / str(item.record))
            payloads.append((folder / str(item.record)).read_bytes())
    return payloads[0], payloads[1]


class TestI7InferenceIsAccountable:
    """Each result binds model, input, output, parameters, runtime and code, and runs again."""

    def test_run_again_it_gives_the_same_digest(
        self, claimed: tuple[Bundle, Inference], opened: tuple[bytes, bytes]
    ) -> None:
        _, statement = claimed
        note, output = opened
        spans, salt = inference.decode_output(output)
        method = next(iter(installed().values()))
        assert spans
        assert run_again(statement, method, note, salt, media_type="text/plain") == spans

    def test_the_command_says_so(
        self, bundles: dict[str, Path], opened: tuple[bytes, bytes], tmp_path: Path
    ) -> None:
        (tmp_path / "note.txt").write_bytes(opened[0])
        (tmp_path / "note.txt.output.json").write_bytes(opened[1])
        command = [
            *(sys.executable, "-m", "xinglin", "inference", "rerun"),
            *(str(bundles["inference"]), "--record", str(tmp_path / "note.txt"), "--json"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["same"]

    def test_a_tampered_output_is_found(
        self, bundles: dict[str, Path], opened: tuple[bytes, bytes], tmp_path: Path
    ) -> None:
        spans, salt = inference.decode_output(opened[1])
        (tmp_path / "note.txt").write_bytes(opened[0])
        (tmp_path / "note.txt.output.json").write_bytes(inference.encode_output(spans[1:], salt))
        command = [
            *(sys.executable, "-m", "xinglin", "inference", "rerun"),
            *(str(bundles["inference"]), "--record", str(tmp_path / "note.txt")),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "not the one whose digest was logged" in done.stderr

    def test_a_swapped_input_is_found(
        self, claimed: tuple[Bundle, Inference], opened: tuple[bytes, bytes]
    ) -> None:
        _, salt = inference.decode_output(opened[1])
        method = next(iter(installed().values()))
        with pytest.raises(InferenceError, match="another output"):
            run_again(claimed[1], method, "无病史。".encode(), Salt(salt), media_type="text/plain")

    def test_a_swapped_model_is_found_and_named(
        self, stage: Stage, claimed: tuple[Bundle, Inference], opened: tuple[bytes, bytes]
    ) -> None:
        other: Method = AnotherModel()
        _, salt = inference.decode_output(opened[1])
        with pytest.raises(InferenceError, match="code was"):
            run_again(claimed[1], other, opened[0], salt, media_type="text/plain")
        bundle = claimed[0]
        assert bundle.model is not None
        swapped = bundle.model_copy(
            update={"model": bundle.model.model_copy(update={"manifest": "{}"})}
        )
        with pytest.raises(InferenceError, match="manifest"):
            verify_bundle(swapped, trust=stage.world.trust, policy=AnyStatement())


class TestI8LeastTrust:
    """Verification believes a trust root and mathematics, and asks nobody."""

    def test_it_needs_no_network(
        self, stage: Stage, bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("verification opened a socket")

        monkeypatch.setattr(socket, "socket", refuse)
        for path in bundles.values():
            bundle = read_bundle(path.read_bytes())
            assert verify_bundle(bundle, trust=stage.world.trust, policy=AnyStatement())

    def test_the_trust_root_is_never_taken_from_the_working_directory(
        self, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "trust.json").write_bytes(stage.world.trust.encode())
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("XINGLIN_TRUST", raising=False)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing"))
        with pytest.raises(UsageError, match="no trust root"):
            find_trust(None)
        (tmp_path / "config" / "xinglin").mkdir(parents=True)
        (tmp_path / "config" / "xinglin" / "trust.json").write_bytes(stage.world.trust.encode())
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        assert find_trust(None) == stage.world.trust

    @pytest.mark.parametrize(
        ("content", "trusted", "code"),
        [(None, True, 0), (None, False, 2), (b"{}", False, 1), (b"not json", False, 1)],
    )
    def test_the_exit_codes_of_verify(
        self,
        stage: Stage,
        bundles: dict[str, Path],
        tmp_path: Path,
        content: bytes | None,
        trusted: bool,
        code: int,
    ) -> None:
        path = bundles["record"]
        if content is not None:
            path = tmp_path / "bundle.xinglin.json"
            path.write_bytes(content)
        command = [sys.executable, "-m", "xinglin", "verify", str(path)]
        if trusted:
            command += ["--trust", str(stage.world.trust_file)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        )
        assert done.returncode == code, done.stderr


class TestI9MembersOnly:
    """Admission needs a quorum; strangers anchor nothing."""

    def test_a_stranger_never_anchors(self, stage: Stage) -> None:
        stranger = Sender(stage.world.pool, Account.generate())
        call = Checkpoints(stage.world.pool).anchor(
            1, merkle.root_of([leaf_hash(b"x")]), (), previous=NO_ANCHOR
        )
        with pytest.raises(ContractError) as refusal:
            stranger.build_and_sign(call)
        assert refusal.value.name == "CheckpointUnauthorizedAccount"

    def test_one_hospital_alone_admits_nobody(self, stage: Stage) -> None:
        consortium, first = Consortium(stage.world.pool), stage.world.hospitals[0]
        before = consortium.member_count()
        newcomer = Institution("外来机构")
        sender = Sender(stage.world.pool, first.govern)
        known = {one.number for one in consortium.proposals(at=stage.world.pool.head())}
        sender.send(
            consortium.propose(Kind.ADMIT, None, admission(Role.HOSPITAL, newcomer.applicant()))
        )
        (made,) = [
            one
            for one in consortium.proposals(at=stage.world.pool.head())
            if one.number not in known
        ]
        sender.send(consortium.vote(made.number))
        assert consortium.member_count() == before
        with pytest.raises(ContractError) as again:
            sender.send(consortium.vote(made.number))
        assert again.value.name == "ConsortiumAlreadyVoted"
        with pytest.raises(ContractError) as stranger:
            Sender(stage.world.pool, newcomer.govern).send(consortium.vote(made.number))
        assert stranger.value.name == "ConsortiumUnauthorizedAccount"

    def test_an_auditor_has_no_vote(self, stage: Stage) -> None:
        consortium = Consortium(stage.world.pool)
        with pytest.raises(ContractError) as refusal:
            Sender(stage.world.pool, stage.world.auditor.govern).send(
                consortium.propose(
                    Kind.ADMIT, None, admission(Role.AUDITOR, Institution("另一所").applicant())
                )
            )
        assert refusal.value.name == "ConsortiumUnauthorizedAccount"


class TestI10FailClosed:
    """Unknown, empty, expired, ambiguous or malformed is refused, and says what was expected."""

    @pytest.mark.parametrize(
        ("path", "body", "status", "problem"),
        [
            ("/v1/session", {}, 400, "malformed"),
            ("/v1/access", {}, 400, "malformed"),
            ("/v1/grants", {"grant": {}, "signature": ""}, 400, "malformed"),
            ("/v1/relay/revocation", {"grantId": "0x00", "signature": ""}, 400, "malformed"),
            ("/v1/subjects", {}, 401, "credential"),
            ("/v1/nothing", {}, 404, "not-found"),
        ],
    )
    def test_a_malformed_request_gets_a_problem(
        self, stage: Stage, path: str, body: dict[str, Any], status: int, problem: str
    ) -> None:
        with stage.world.nodes[0].client() as node, pytest.raises(ServiceError) as answer:
            node.post(path, body)
        assert answer.value.status == status
        assert answer.value.problem == problem

    def test_a_revocation_by_another_account_stops_nothing(
        self, stage: Stage, granted: Granted
    ) -> None:
        another = sign_revocation(granted.treatment.id, Account.generate(), stage.world.consents)
        with stage.world.nodes[0].client() as node:
            with pytest.raises(ServiceError) as answer:
                consent.revoke_through(node, granted.treatment.id, another)
            assert (answer.value.status, answer.value.problem) == (422, "rule")
            stage.filed.physicians[1].sign_in(node, stage.world.trust.chain_id)
            assert not node.get(f"/v1/grants/{hex0x(granted.treatment.id)}")["stopped"]

    def test_an_empty_payload_is_refused(self, stage: Stage) -> None:
        patient, _ = stage.filed.patients[0]
        with stage.world.nodes[0].client() as node:
            stage.filed.physicians[0].sign_in(node, stage.world.trust.chain_id)
            with pytest.raises(ServiceError) as answer:
                node.post_parts(
                    "/v1/intake",
                    fields={
                        "subject": str(patient.subject),
                        "category": "outpatient-note",
                        "mediaType": "text/plain",
                    },
                    files={"payload": ("empty", io.BytesIO(b""), "text/plain")},
                )
        assert answer.value.status == 400
