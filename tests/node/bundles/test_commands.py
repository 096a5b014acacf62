"""The commands of people, from enrolling to reading who looked, against a node on a chain."""

import json
from dataclasses import replace
from pathlib import Path

from xinglin import receipt as receipts
from xinglin._cli import output
from xinglin.names import LeafHash, UnixTime
from xinglin.note import LogKey


def as_(name: str) -> tuple[str, ...]:
    return ("--keys", f"{name}.key", "--appointment", f"{name}.json")


ALICE = ("--keys", "alice.key", "--file", "patient.json")


class TestPeople:
    def test_one_records_life(self, life, run, people, tmp_path: Path) -> None:
        # The desk opens a file, the patient signs, the desk enrols.
        number = run("subject", "register", *as_("desk"), "--out", "patient.json")["subject"]
        run("subject", "sign", "patient.json", "--keys", "alice.key", "--out", "signed.json")
        run("subject", "enrol", "patient.json", "--signed", "signed.json", *as_("desk"))

        # A physician submits; the patient sees it and opens it.
        (tmp_path / "note.txt").write_text("头痛三天，舌淡。")
        submitted = run(
            "record", "submit", "note.txt", *as_("doctor"), "--subject", number,
            "--receipt", "receipt.txt",
        )  # fmt: skip
        (listed,) = run("record", "list", *ALICE)["records"]
        assert listed["record"] == submitted["record"]
        run("record", "open", listed["record"], *ALICE, "--out", "own.txt")
        assert (tmp_path / "own.txt").read_text() == "头痛三天，舌淡。"

        # What proves it verifies, offline.
        life.wait_for(lambda: run("record", "list", *ALICE)["records"][0]["state"] == "final")
        run("record", "show", listed["record"], *ALICE, "--bundle", "entry.xinglin.json")
        assert run("verify", "entry.xinglin.json", "--type", "record")["index"] == listed["index"]
        holding = ("verify", "entry.xinglin.json", "--receipt", "receipt.txt")
        assert not any("promised" in note for note in run(*holding)["notes"])

        # A log that had promised another entry, or an earlier time, is held to its word.
        kept = receipts.read(
            (tmp_path / "receipt.txt").read_bytes(), life.house.origin, life.house.keys.log.public
        )
        early = replace(kept, sequenced_at=UnixTime(1), anchor_by=UnixTime(1))
        other = replace(kept, leaf=LeafHash(bytes(32)))
        (tmp_path / "receipt.txt").write_bytes(receipts.write(early, life.house.keys.log))
        assert any("the log's receipt promised" in note for note in run(*holding)["notes"])
        (tmp_path / "receipt.txt").write_bytes(receipts.write(other, life.house.keys.log))
        assert "of another entry" in run(*holding, code=output.REFUSED)["message"]
        (tmp_path / "receipt.txt").write_bytes(receipts.write(kept, LogKey.generate()))
        assert "no log key" in run(*holding, code=output.REFUSED)["message"]

        # A grant; the grantee asks and opens; another purpose is refused by its term.
        given = run(
            "consent", "grant", *ALICE, "--to", 2, "--role", "physician", "--purpose", "TREAT",
            "--category", "outpatient-note", "--out", "grant.json",
        )  # fmt: skip
        grant = given["grantId"]
        life.wait_for(lambda: run("consent", "show", grant, *ALICE)["state"])
        assert len(run("access", "list", grant, *as_("outside"))["records"]) == 1
        asked = ("access", "request", grant, *as_("outside"))
        released = run(*asked, "--purpose", "TREAT", "--out", "answer.json")
        assert released["released"] == [listed["record"]]
        (opened,) = run("access", "open", "answer.json", *as_("outside"), "--to", "opened")["files"]
        assert Path(opened).read_text() == "头痛三天，舌淡。"
        refused = run(*asked, "--purpose", "HPAYMT", "--out", "no.json", code=output.REFUSED)
        assert refused["message"].startswith("purpose")

        # The tear-off ends it.
        assert run("consent", "revoke", "grant.json")["state"] == "stopped"
        again = (*asked, "--record", listed["record"], "--purpose", "TREAT", "--out", "no.json")
        refused = run(*again, code=output.REFUSED)
        assert refused["message"].split(":")[0] in ("stopped", "revoked")

        # The patient reads who looked, and the list is whole.
        history = run("subject", "history", "patient.json", "--keys", "alice.key")
        assert history["whole"] is True
        kinds = [entry["kind"] for entry in history["entries"]]
        assert kinds[:4] == ["enrolment", "record", "access", "grant"]
        assert kinds.count("refusal") == 2

        # A next version stands in its place, and says which one it follows.
        (tmp_path / "note.txt").write_text("头痛四天，舌淡。")
        follows = ("--follows", listed["record"])
        after = run("record", "submit", "note.txt", *as_("doctor"), "--subject", number, *follows)
        assert (after["record"], after["version"]) == (listed["record"], 2)
        run("record", "open", listed["record"], *ALICE, "--version", 2, "--out", "second.txt")
        assert (tmp_path / "second.txt").read_text() == "头痛四天，舌淡。"

    def test_a_paper_form_is_witnessed_for_a_patient_without_a_device(
        self, life, run, people, tmp_path: Path
    ) -> None:
        number = run("subject", "register", *as_("desk"), "--out", "paper.json")["subject"]
        run("subject", "enrol", "paper.json", *as_("desk"))
        (tmp_path / "form.txt").write_text("签名的知情同意书")
        form = run("record", "submit", "form.txt", *as_("doctor"), "--subject", number)
        listing = ("record", "list", *as_("doctor"), "--subject", number)
        # An enrolment is anchored before a grant is given, and the form came after it.
        life.wait_for(lambda: run(*listing)["records"][0]["state"] == "final")
        words = ("--file", "paper.json", "--to", 2, "--purpose", "TREAT",
                 "--category", "outpatient-note", "--evidence", form["manifest"])  # fmt: skip

        witnessed = run("consent", "witness", *as_("desk"), *words)

        assert witnessed["grant"]["how"] == "witnessed"
        refused = run("consent", "witness", *as_("doctor"), *words, code=output.REFUSED)
        assert "not-appointed" in refused["message"]
        # Who has an account signs for themselves.
        run("subject", "register", *as_("desk"), "--out", "patient.json")
        run("subject", "sign", "patient.json", "--keys", "alice.key", "--out", "signed.json")
        run("subject", "enrol", "patient.json", "--signed", "signed.json", *as_("desk"))
        words = ("--file", "patient.json", *words[2:])
        refused = run("consent", "witness", *as_("desk"), *words, code=output.REFUSED)
        assert "rule" in refused["message"]

    def test_a_person_without_a_file_or_an_appointment_is_told_what_is_missing(
        self, run, people
    ) -> None:
        refused = run("record", "list", "--keys", "alice.key", code=output.WRONG_USAGE)

        assert "--appointment" in refused["message"]

    def test_a_trust_root_of_another_network_is_refused_before_anything_is_signed(
        self, life, run, people, tmp_path: Path
    ) -> None:
        # Else a node could have a person sign for a network of its choosing.
        other = life.trust.model_copy(update={"network_id": bytes(16)})
        (tmp_path / "trust.json").write_bytes(other.encode())

        refused = run("access", "list", *as_("outside"), code=output.REFUSED)

        assert refused["error"] == "TrustError"

    def test_appointments_are_signed_again_in_one_batch(self, run, people, tmp_path: Path) -> None:
        run("appointment", "reissue", "desk.json", "doctor.json", "--key", "officer1.key",
            "--to", "again")  # fmt: skip

        for name in ("desk.json", "doctor.json"):
            old, new = (
                json.loads((tmp_path / path).read_text())["appointment"]
                for path in (name, f"again/{name}")
            )
            assert (old["account"], old["role"]) == (new["account"], new["role"])
            assert old["id"] != new["id"]
