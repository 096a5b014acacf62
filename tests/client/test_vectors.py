"""
Our own vectors, made by `scripts/vectors.py`, through the library's entry points.

They are what other implementations read; a change in one of these files is a change of format.
"""

import base64
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from xinglin import canonical, checkpoint, keys, note, padding, receipt, seal, typed
from xinglin.encoding import base64url, from_base64url
from xinglin.envelope import Envelope, unwrap_any, wrap_info
from xinglin.errors import (
    CheckpointError,
    InvalidEncoding,
    SealError,
    SignatureError,
    UnwrapError,
)
from xinglin.hashes import Digest, keccak256
from xinglin.names import (
    Commitment,
    DataKey,
    EntryTag,
    GrantId,
    HistoryKey,
    Member,
    Origin,
    RecordId,
    RequestId,
    Salt,
    Signature,
)
from xinglin.typed import Domain

ROOT = Path(__file__).parents[2]


def load(name: str) -> Any:
    return json.loads((ROOT / "tests" / "vectors" / name).read_text())


def data(text: str) -> bytes:
    assert text.startswith("0x")
    return bytes.fromhex(text[2:])


def named(items: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("vector", items, ids=[item["name"] for item in items])


BYTES, PADDING, SEAL = load("bytes.json"), load("padding.json"), load("seal.json")
ENVELOPE, KEYS = load("envelope.json"), load("keys.json")
TYPED, NOTES = load("typed-data.json"), load("checkpoint.json")


def test_the_script_writes_what_is_committed() -> None:
    run = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "vectors.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PYTHONPATH": str(ROOT / "client"), "PATH": ""},
    )
    assert run.returncode == 0, run.stdout + run.stderr


class TestBytes:
    def test_history_and_tag(self) -> None:
        from xinglin import history

        key = HistoryKey(data(BYTES["history"]["key"]))
        assert history.history_digest(key) == data(BYTES["history"]["digest"])
        tag = history.tag(key, Origin(BYTES["tag"]["origin"]), BYTES["tag"]["n"])
        assert tag == data(BYTES["tag"]["tag"])

    def test_commitment_and_leaf(self) -> None:
        from xinglin import statement

        vector = BYTES["commitment"]
        commitment = statement.commit(vector["attestation"].encode(), Salt(data(vector["salt"])))
        assert commitment == data(vector["commitment"])
        entry = statement.Entry.decode(data(BYTES["leaf"]["entry"]))
        assert entry.tag == EntryTag(data(BYTES["tag"]["tag"]))
        assert entry.commitment == Commitment(commitment)
        assert entry.leaf == data(BYTES["leaf"]["hash"])

    def test_reason_and_person(self) -> None:
        from xinglin.appointment import Person
        from xinglin.statement import Reason, reason_digest

        vector = BYTES["reason"]
        reason = Reason(text=vector["text"], salt=data(vector["salt"]))
        assert reason_digest(reason) == data(vector["digest"])
        vector = BYTES["person"]
        person = Person(name=vector["name"], licence=vector["licence"], salt=data(vector["salt"]))
        assert person.digest() == data(vector["digest"])

    def test_output_of_an_inference(self) -> None:
        from xinglin.inference import OutputSpan, output_digest

        vector = BYTES["output"]
        spans = [OutputSpan(*span) for span in vector["spans"]]
        assert output_digest(spans, Salt(data(vector["salt"]))).value == data(vector["digest"])

    def test_key_digest(self) -> None:
        vector = BYTES["key"]
        assert keys.key_digest(data(vector["publicKey"])) == data(vector["digest"])

    def test_base64url(self) -> None:
        for raw, text in BYTES["base64url"]["accepted"]:
            assert base64url(data(raw)) == text
            assert from_base64url(text) == data(raw)
        for text in BYTES["base64url"]["refused"]:
            with pytest.raises(InvalidEncoding):
                from_base64url(text)


class TestPadding:
    def test_sizes(self) -> None:
        for size, padded in PADDING["sizes"]:
            assert padding.padded_size(size) == padded

    def test_accepted(self) -> None:
        for vector in PADDING["accepted"]:
            assert padding.pad(data(vector["payload"])) == data(vector["padded"])
            assert padding.unpad(data(vector["padded"])) == data(vector["payload"])

    @named(PADDING["refused"])
    def test_refused(self, vector: dict[str, Any]) -> None:
        with pytest.raises(SealError):
            padding.unpad(data(vector["padded"]))


class TestSeal:
    @staticmethod
    def open(vector: dict[str, Any], blob: str) -> bytes:
        sink = io.BytesIO()
        seal.decrypt(
            io.BytesIO(base64.b64decode(blob)),
            sink,
            data_key=DataKey(data(vector["dataKey"])),
            record=RecordId(UUID(bytes=data(vector["record"]))),
            version=vector["version"],
        )
        return sink.getvalue()

    @named(SEAL["sealed"])
    def test_sealed(self, vector: dict[str, Any]) -> None:
        record = RecordId(UUID(bytes=data(vector["record"])))
        assert seal.seal_context(record, vector["version"]) == data(vector["context"])
        assert self.open(vector, vector["blob"]) == data(vector["payload"])
        assert Digest.of(base64.b64decode(vector["blob"])).text == vector["digest"]

    @named(SEAL["refused"])
    def test_refused(self, vector: dict[str, Any]) -> None:
        (like,) = [sealed for sealed in SEAL["sealed"] if sealed["name"] == vector["as"]]
        with pytest.raises(SealError):
            self.open(like, vector["blob"])


class TestEnvelope:
    IDENTITIES = tuple(
        keys.HpkeIdentity.from_seed(data(vector["seed"])) for vector in ENVELOPE["identities"]
    )

    def test_identities(self) -> None:
        for identity, vector in zip(self.IDENTITIES, ENVELOPE["identities"], strict=True):
            assert identity.recipient.public_key == data(vector["publicKey"])
            assert identity.key_digest == data(vector["keyDigest"])

    def test_infos(self) -> None:
        manifest = Digest.from_text(ENVELOPE["manifest"])
        for identity, vector in zip(self.IDENTITIES, ENVELOPE["infos"], strict=True):
            grant, request = vector["grant"], vector["request"]
            info = wrap_info(
                manifest,
                identity.key_digest,
                grant and GrantId(data(grant)),
                request and RequestId(data(request)),
            )
            assert info == data(vector["info"])

    @named(ENVELOPE["envelopes"])
    def test_envelopes(self, vector: dict[str, Any]) -> None:
        envelope = Envelope.from_json(vector["envelope"])
        assert envelope.to_json() == vector["envelope"]
        for identity in self.IDENTITIES:
            assert unwrap_any(envelope, identity) == data(ENVELOPE["dataKey"])

    @named(ENVELOPE["unopened"])
    def test_unopened(self, vector: dict[str, Any]) -> None:
        envelope = Envelope.decode(canonical.encode(vector["envelope"]))
        bob = self.IDENTITIES[1]
        with pytest.raises(UnwrapError):
            unwrap_any(envelope, bob)

    @named(ENVELOPE["malformed"])
    def test_malformed(self, vector: dict[str, Any]) -> None:
        with pytest.raises(InvalidEncoding):
            Envelope.decode(canonical.encode(vector["envelope"]))


class TestKeys:
    def test_person(self) -> None:
        vector = KEYS["person"]
        person = keys.PersonKeys.from_phrase(vector["phrase"])
        member = Member(vector["member"])
        for expected in vector["accounts"]:
            *_, branch, index = expected["path"].split("/")
            make = person.enrolled_account if branch == "0" else person.grant_account
            account = make(member, int(index))
            assert account.key == data(expected["key"])
            assert account.address == expected["address"]
        identity = person.encryption_identity(member)
        assert identity.seed == data(vector["encryption"]["seed"])
        assert identity.recipient.public_key == data(vector["encryption"]["publicKey"])
        assert identity.key_digest == data(vector["encryption"]["keyDigest"])

    def test_signature(self) -> None:
        vector = KEYS["signatures"]
        account = keys.Account.from_key(data(vector["key"]))
        assert account.address == vector["address"]
        assert account.sign_digest(data(vector["digest"])) == data(vector["signature"])

    @named(KEYS["signatures"]["refused"])
    def test_refused_signature(self, vector: dict[str, Any]) -> None:
        signed = KEYS["signatures"]
        with pytest.raises(SignatureError):
            keys.verify_digest(
                data(signed["digest"]), Signature(data(vector["signature"])), signed["address"]
            )

    def test_recovery(self) -> None:
        for vector in KEYS["recovery"]:
            shares, threshold = vector["shares"], vector["threshold"]
            for start in range(len(shares) - threshold + 1):
                combined = keys.combine_recovery(shares[start : start + threshold])
                assert combined == data(vector["seed"])

    def test_files(self, tmp_path: Path) -> None:
        for vector in KEYS["files"]:
            (tmp_path / "key").write_text(vector["file"])
            assert keys.read_key_file(tmp_path / "key", vector["passphrase"]) == vector["secret"]


@named(TYPED["types"])
class TestTypedData:
    @staticmethod
    def python(vector: dict[str, Any]) -> Any:
        """The message as `typed.digest` takes it."""
        request = vector["request"]

        def convert(kind: str, value: Any) -> Any:
            if kind.endswith("[]"):
                return [convert(kind[:-2], item) for item in value]
            if kind in request["types"]:
                return {
                    f["name"]: convert(f["type"], value[f["name"]]) for f in request["types"][kind]
                }
            return data(value) if kind.startswith("bytes") else value

        return convert(request["primaryType"], request["message"])

    @staticmethod
    def domain(vector: dict[str, Any]) -> Domain:
        domain = vector["request"]["domain"]
        return Domain(domain["chainId"], domain["verifyingContract"])

    def test_the_type_and_its_hash(self, vector: dict[str, Any]) -> None:
        assert typed.TYPES[vector["name"]] == vector["encodeType"]
        assert keccak256(vector["encodeType"].encode()) == data(vector["typeHash"])

    def test_the_digest(self, vector: dict[str, Any]) -> None:
        request = vector["request"]
        general = typed.hash_typed_data(
            request["domain"], request["types"], request["primaryType"], request["message"]
        )
        pinned = typed.digest(self.domain(vector), vector["name"], self.python(vector))
        assert general == pinned == data(vector["digest"])
        assert typed.separator(self.domain(vector)) == data(vector["domainSeparator"])

    def test_the_digest_is_eth_account_s_too(self, vector: dict[str, Any]) -> None:
        from eth_account.messages import _hash_eip191_message, encode_typed_data

        signable = encode_typed_data(full_message=vector["request"])
        assert _hash_eip191_message(signable) == data(vector["digest"])

    def test_the_signature(self, vector: dict[str, Any]) -> None:
        account = keys.Account.from_key(data(TYPED["key"]))
        message = self.python(vector)
        assert vector["signer"] == account.address
        signature = typed.sign(self.domain(vector), vector["name"], message, account)
        assert signature == data(vector["signature"])
        typed.verify(self.domain(vector), vector["name"], message, signature, account.address)

    def test_its_forgeries_are_refused(self, vector: dict[str, Any]) -> None:
        for forgery in vector["refused"]:
            with pytest.raises(SignatureError):
                typed.verify(
                    self.domain(vector),
                    vector["name"],
                    self.python(vector),
                    Signature(data(forgery["signature"])),
                    vector["signer"],
                )


class TestNotes:
    KEY, ORIGIN = data(NOTES["logKey"]), Origin(NOTES["origin"])

    def test_the_key(self) -> None:
        assert note.LogKey.from_seed(data(NOTES["seed"])).public == self.KEY
        assert note.key_id(self.ORIGIN, self.KEY) == data(NOTES["keyId"])

    @named(NOTES["checkpoints"])
    def test_checkpoints(self, vector: dict[str, Any]) -> None:
        head = checkpoint.read(vector["note"].encode(), self.ORIGIN, self.KEY)
        assert (head.size, head.root) == (vector["size"], data(vector["root"]))

    @named(NOTES["refusedCheckpoints"])
    def test_refused_checkpoints(self, vector: dict[str, Any]) -> None:
        with pytest.raises(CheckpointError):
            checkpoint.read(vector["note"].encode(), self.ORIGIN, self.KEY)

    @named(NOTES["receipts"])
    def test_receipts(self, vector: dict[str, Any]) -> None:
        promise = receipt.read(vector["note"].encode(), self.ORIGIN, self.KEY)
        assert (promise.index, promise.leaf, promise.sequenced_at, promise.anchor_by) == (
            vector["index"],
            data(vector["leaf"]),
            vector["sequencedAt"],
            vector["anchorBy"],
        )

    @named(NOTES["refusedReceipts"])
    def test_refused_receipts(self, vector: dict[str, Any]) -> None:
        with pytest.raises(CheckpointError):
            receipt.read(vector["note"].encode(), self.ORIGIN, self.KEY)
