"""
From a note to what a clinician made of its inference, by the commands, on a real chain.

The bundles that come of it verify with the trust root alone.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from xinglin import _cli
from xinglin._cli import output
from xinglin._network.profile import save
from xinglin.errors import ServiceError
from xinglin.methods import model_digest
from xinglin_ml.annotation import Span, read_documents
from xinglin_node.models.service import describe

NOTE = "头痛三天，无发热，予桂枝汤"


@dataclass
class Method:
    """A model that knows one word."""

    manifest: bytes = b'{"name":"one word","version":1}'
    parameters: Mapping[str, str | int] = field(default_factory=lambda: {"window": 2})
    code: str = "test sha256:00"
    runtime: str = "python 3"

    def __call__(self, text: str) -> Sequence[Span]:
        at = text.find("头痛")
        return [] if at < 0 else [Span(at, at + 2, "疾病")]


@dataclass(frozen=True)
class Read:
    """A patient's note that the model read."""

    number: str
    note: str
    output: str
    inference: int


def as_(name: str) -> tuple[str, ...]:
    return ("--keys", f"{name}.key", "--appointment", f"{name}.json")


ALICE = ("--keys", "alice.key", "--file", "patient.json")


@pytest.fixture(scope="module")
def method(life) -> Method:
    """A node that reads with an approved model."""
    made = Method()
    life.house.parts["methods"] = (describe("test", made),)
    life.approve(model_digest(made))
    return made


@pytest.fixture
def read(life, run, people, method, tmp_path: Path) -> Read:
    """Enrol somebody, submit a note of theirs, and have it read."""
    number = run("subject", "register", *as_("desk"), "--out", "patient.json")["subject"]
    run("subject", "sign", "patient.json", "--keys", "alice.key", "--out", "signed.json")
    run("subject", "enrol", "patient.json", "--signed", "signed.json", *as_("desk"))
    (tmp_path / "note.txt").write_text(NOTE)
    note = run("record", "submit", "note.txt", *as_("doctor"), "--subject", number)["record"]
    answer = life.node(life.staff("physician")).post("/v1/inferences", {"record": note})
    return Read(number, note, str(answer["result"]), int(str(answer["index"])))


def correct(run, read: Read, tmp_path: Path, edits: Sequence[object], reason: str) -> dict:
    """Open the newest output, edit it, and submit what comes of it."""
    for old in ("found.json", "corrected.json"):
        (tmp_path / old).unlink(missing_ok=True)
    run("record", "open", read.output, *as_("doctor"), "--out", "found.json")
    (tmp_path / "edits.json").write_text(json.dumps(edits))
    run("ner", "correct", "note.txt", "--found", "found.json", "--edits", "edits.json",
        "--output", "corrected.json")  # fmt: skip
    return run(
        "record", "submit", "corrected.json", *as_("doctor"), "--subject", read.number,
        "--follows", read.output, "--reason", reason,
    )  # fmt: skip


def final(life, run) -> None:
    """Wait until all that the patient has is anchored."""
    life.wait_for(
        lambda: all(one["state"] == "final" for one in run("record", "list", *ALICE)["records"])
    )


class TestI7InferenceIsAccountable:
    def test_from_an_edit_to_what_verify_says(
        self, life, run, read, tmp_path: Path, capsys
    ) -> None:
        first = correct(run, read, tmp_path, [{"change": 0, "to": [0, 2, "症状"]}], "头痛是症状")
        second = correct(run, read, tmp_path, [{"add": [10, 13, "治疗"]}], "漏了方药")
        assert (first["version"], second["version"]) == (2, 3)
        assert second["correction"]["index"] == second["index"] + 1

        final(life, run)
        run(
            "inference", "bundle", read.inference, *as_("doctor"), "--out", "inference.xinglin.json"
        )
        told = run("verify", "inference.xinglin.json", "--type", "inference")

        doctor = json.loads((tmp_path / "doctor.json").read_text())["appointment"]["account"]
        assert [(one["version"], one["signer"]) for one in told["corrections"]] == [
            (2, doctor), (3, doctor)
        ]  # fmt: skip
        # And to a person, in words.
        with pytest.raises(SystemExit):
            _cli.main(["verify", "inference.xinglin.json"])
        assert f"corrected by the physician {doctor} at" in capsys.readouterr().out

        # The corrected output's own bundle says it as well.
        run("record", "show", read.output, *ALICE, "--bundle", "output.xinglin.json")
        (one,) = run("verify", "output.xinglin.json", "--type", "record")["corrections"]
        assert one["version"] == 3

    def test_the_patient_reads_why_and_may_prove_it(self, life, run, read, tmp_path) -> None:
        answer = correct(run, read, tmp_path, [{"remove": 0}], "并非疾病")
        final(life, run)

        (told,) = [
            one
            for one in run("subject", "history", "patient.json", "--keys", "alice.key")["entries"]
            if one["kind"] == "correction"
        ]

        assert told["index"] == answer["correction"]["index"]
        refused = run("inference", "bundle", told["index"], *ALICE, "--out", "x",
                      code=output.REFUSED)  # fmt: skip
        assert "got a correction" in refused["message"]

    def test_without_its_reason_an_output_is_not_followed(self, run, read, tmp_path) -> None:
        run("record", "open", read.output, *as_("doctor"), "--out", "found.json")
        follows = ("--follows", read.output)

        refused = run("record", "submit", "found.json", *as_("doctor"), "--subject", read.number,
                      *follows, code=output.REFUSED)  # fmt: skip
        alone = run("record", "submit", "found.json", *as_("doctor"), "--subject", read.number,
                    "--reason", "无", code=output.WRONG_USAGE)  # fmt: skip

        assert "a correction with the version after an inference's output" in refused["message"]
        assert "--reason with --follows" in alone["message"]


class TestExport:
    """Corrected spans train where the grant says so today, and nowhere else."""

    @pytest.fixture
    def granted(self, life, run, read, tmp_path: Path) -> Read:
        """A corrected note, opened to a researcher for research and to a physician to treat."""
        save(life.house.profile, tmp_path / "network.toml")
        correct(run, read, tmp_path, [{"change": 0, "to": [0, 2, "症状"]}], "头痛是症状")
        final(life, run)  # An enrolment is anchored before a grant is given.
        for who, role, purpose, research, declared in (
            ("scholar", "researcher", "HRESCH", ("--research", "DUO:0000042"),
             ("--research", "DUO:0000031,DUO:0000042")),
            ("outside", "physician", "TREAT", (), ()),
        ):  # fmt: skip
            grant = run(
                "consent", "grant", *ALICE, "--to", 2, "--role", role, "--purpose", purpose,
                *research, "--category", "outpatient-note", "--category", "inference",
                "--out", f"{who}.grant.json",
            )["grantId"]  # fmt: skip
            life.wait_for(lambda grant=grant: run("consent", "show", grant, *ALICE)["state"])
            run(
                "access", "request", grant, *as_(who), "--purpose", purpose, *declared,
                "--out", f"{who}.answer.json",
            )  # fmt: skip
        final(life, run)
        run("inference", "bundle", read.inference, *as_("scholar"), "--out", "one.xinglin.json")
        return read

    def export(self, run, who: str, *answers: str, bundle: str = "one.xinglin.json") -> dict:
        Path("out.jsonl").unlink(missing_ok=True)
        named = [part for name in answers for part in ("--answer", f"{name}.answer.json")]
        return run(
            "ner", "corrections", "export", bundle, *as_(who), *named, "--network",
            "network.toml", "--output", "out.jsonl",
        )  # fmt: skip

    def test_until_the_grant_ends(self, life, run, granted, tmp_path: Path) -> None:
        told = self.export(run, "scholar", "scholar")
        assert (told["documents"], told["leftOut"]) == (1, {})
        (document,) = read_documents(tmp_path / "out.jsonl")
        assert document.text == NOTE
        assert [span.key for span in document.spans] == [(0, 2, "症状")]
        assert granted.note not in (tmp_path / "out.jsonl").read_text()

        # To treat is not to train: the physician may open the same records.
        told = self.export(run, "outside", "outside")
        assert told["leftOut"] == {"it was asked for TREAT, not for research": 1}

        # And a request that does not say that methods are developed does not train them.
        answer = json.loads((tmp_path / "scholar.answer.json").read_text())
        run(
            "access", "request", answer["request"]["grantId"], *as_("scholar"), "--purpose",
            "HRESCH", "--research", "DUO:0000042", "--out", "plain.answer.json",
        )  # fmt: skip
        (reason,) = self.export(run, "scholar", "plain")["leftOut"]
        assert reason.startswith("the request did not declare DUO:0000031")
        for both in (("plain", "scholar"), ("scholar", "plain")):
            assert self.export(run, "scholar", *both)["documents"] == 1

        # Both records must have been released: the note alone is not enough.
        run(
            "access", "request", answer["request"]["grantId"], *as_("scholar"), "--purpose",
            "HRESCH", "--research", "DUO:0000031,DUO:0000042", "--record", granted.note,
            "--out", "note.answer.json",
        )  # fmt: skip
        told = self.export(run, "scholar", "note")
        assert told["leftOut"] == {"the output was not released in these answers": 1}

        # What the tear-off stopped at the custodian trains no more, nor what the chain ended.
        assert run("consent", "revoke", "scholar.grant.json")["state"] == "stopped"
        assert self.export(run, "scholar", "scholar")["leftOut"] == {"the grant was revoked": 1}
        assert list(read_documents(tmp_path / "out.jsonl")) == []

    def test_what_nobody_corrected_is_left_out_and_a_forgery_refused(
        self, run, granted, tmp_path: Path
    ) -> None:
        bundle = json.loads((tmp_path / "one.xinglin.json").read_text())
        kept = [part for part in bundle["parts"] if part["role"] != "correction"]
        (tmp_path / "plain.json").write_text(json.dumps({**bundle, "parts": kept}))
        assert self.export(run, "scholar", "scholar", bundle="plain.json")["leftOut"] == {
            "nobody corrected it": 1
        }

        # A forged bundle ends the export: it is no matter of consent.
        bundle["parts"][0]["index"] += 1
        (tmp_path / "forged.json").write_text(json.dumps(bundle))
        refused = run(
            "ner", "corrections", "export", "forged.json", *as_("scholar"), "--answer",
            "scholar.answer.json", "--network", "network.toml", "--output", "no.jsonl",
            code=output.REFUSED,
        )  # fmt: skip
        assert refused["message"].startswith("forged.json: ")
        assert not (tmp_path / "no.jsonl").exists()


class TestModelsThatEnded:
    """A model that ended runs no more, and what it said before stands, marked as such."""

    def test_its_inferences_are_proven_by_a_node_that_has_another_by_now(
        self, life, run, read, method, tmp_path: Path
    ) -> None:
        time.sleep(2)  # for a block whose time is after the inference's
        life.retire(model_digest(method))
        with pytest.raises(ServiceError) as refused:
            life.node(life.staff("physician")).post("/v1/inferences", {"record": read.note})
        assert refused.value.problem == "rule"
        assert "retired" in str(refused.value)
        life.house.parts["methods"] = ()
        final(life, run)

        run("inference", "bundle", read.inference, *ALICE, "--out", "inference.xinglin.json")
        told = run("verify", "inference.xinglin.json", "--approved-model")

        assert told["model"] == "approved"
        assert any("the model was retired at" in note for note in told["notes"])
