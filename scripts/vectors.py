"""
Write the vectors of keys, seals, envelopes, typed data, notes and labelled hashes.

    python scripts/vectors.py [--check]

Each file of `tests/vectors` says in `comment` how it is read; bytes are `0x` and hexadecimal.
What is accepted stands beside what must be refused, named for the attack. Hashes and sealed
blobs are computed here from the specification (SHA-256, HMAC, HKDF, AES-GCM), not by calling the
code under test, so that the two check each other.

Wraps, shares and key files are random. They are made once and kept for ever: a run makes only
those that are missing, and `--check` fails if anything else would change.
"""

import base64
import hashlib
import hmac
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from xinglin import checkpoint, hashes, keys, note, receipt, typed
from xinglin.checkpoint import Checkpoint
from xinglin.envelope import Envelope, wrap_for
from xinglin.hashes import Digest
from xinglin.keys.accounts import CURVE_ORDER
from xinglin.names import DataKey, GrantId, LeafHash, Member, Origin, RequestId, RootHash, UnixTime
from xinglin.note import LogKey
from xinglin.receipt import Receipt

VECTORS = Path(__file__).resolve().parent.parent / "tests" / "vectors"

RECORD = bytes.fromhex("6f1c6b1e6d0c4a529b6f0d3c5a1e7f10")
OTHER_RECORD = bytes.fromhex("6f1c6b1e6d0c4a529b6f0d3c5a1e7f11")
ORIGIN = Origin("xinglin.network/00112233445566778899aabbccddeeff/1/0")
NOTE_TEXT = "患者头痛三天，舌红苔黄，脉弦数。"

CHUNK, SEALED_CHUNK, HEADER = 16384, 16384 + 16, 56

Json = dict[str, Any]


def text(value: bytes) -> str:
    """Write bytes as the vectors have them."""
    return "0x" + value.hex()


def fill(label: str, size: int = 32) -> bytes:
    """Make bytes that look random and are the same in every run."""
    return hashlib.shake_256(label.encode()).digest(size)


def kept(name: str, member: str) -> list[Json]:
    """Return what a file has already in a member that is random, or nothing."""
    path = VECTORS / name
    return json.loads(path.read_text()).get(member, []) if path.exists() else []


def labelled(label: str, *parts: bytes) -> bytes:
    """Hash as docs/spec/bytes.md says."""
    return hashlib.sha256(label.encode() + b"\x00" + b"".join(parts)).digest()


def bytes_vectors() -> Json:
    """The labelled hashes of docs/spec/bytes.md, each from its definition."""
    salt, key, attestation = fill("salt"), fill("history key"), b'{"signature":"..."}'
    person = '{"licence":"110101","name":"华佗"}'.encode()
    spans = '[[2,4,"sym"],[7,9,"dis"]]'
    origin = ORIGIN.encode()
    tag_message = (
        b"xinglin/tag/v1\x00" + len(origin).to_bytes(2, "big") + origin + (3).to_bytes(8, "big")
    )
    tag = hmac.new(key, tag_message, hashlib.sha256).digest()
    commitment = labelled("xinglin/commitment/v1", salt, attestation)
    public_key = fill("public key", 1216)
    return {
        "comment": (
            "Labelled hashes (docs/spec/bytes.md). Each is SHA-256(label 00 parts), but for the "
            "tag, which is HMAC-SHA256, and the leaf, which is RFC 9162's."
        ),
        "history": {"key": text(key), "digest": text(labelled("xinglin/history/v1", key))},
        "tag": {"key": text(key), "origin": ORIGIN, "n": 3, "tag": text(tag)},
        "commitment": {
            "salt": text(salt),
            "attestation": attestation.decode(),
            "commitment": text(commitment),
        },
        "leaf": {
            "entry": text(tag + commitment),
            "hash": text(hashlib.sha256(b"\x00" + tag + commitment).digest()),
        },
        "reason": {
            "salt": text(salt),
            "text": "复诊",
            "digest": text(labelled("xinglin/reason/v1", salt, "复诊".encode())),
        },
        "person": {
            "salt": text(salt),
            "name": "华佗",
            "licence": "110101",
            "canonical": person.decode(),
            "digest": text(labelled("xinglin/person/v1", salt, person)),
        },
        "output": {
            "salt": text(salt),
            "spans": json.loads(spans),
            "canonical": spans,
            "digest": text(labelled("xinglin/output/v1", salt, spans.encode())),
        },
        "key": {
            "publicKey": text(public_key),
            "digest": text(labelled("xinglin/key/v1", b"\x64\x7a", public_key)),
        },
        "base64url": {
            "accepted": [["0x", ""], ["0xff", "_w"], ["0xfffe", "__4"], ["0xfffefd", "__79"]],
            "refused": ["_w==", "/w", "_x", "_", "_w\n", " _w"],
        },
    }


def padme(size: int) -> int:
    """Round up as the paper's pseudocode does."""
    exponent = size.bit_length() - 1
    low_bits = exponent - exponent.bit_length()
    mask = (1 << low_bits) - 1
    return (size + mask) & ~mask


def padded(payload: bytes) -> bytes:
    """Pad as docs/spec/seal.md says."""
    return (payload + b"\x80").ljust(max(256, padme(len(payload) + 1)), b"\x00")


def padding_vectors() -> Json:
    """Sizes, and padded payloads that are and are not what the encoder writes."""
    sizes = (0, 1, 254, 255, 256, 271, 272, 1000, 4096, 65536, 10**6, 2**31, 2**40)
    accepted = (b"", b"abc", b"abc\x80", b"abc\x00\x00", bytes(255), fill("long", 300))
    refused = {
        "nothing": b"",
        "no marker": bytes(256),
        "no marker after the payload": b"x" * 256,
        "below the smallest size": b"abc\x80",
        "one zero too few": padded(b"abc")[:-1],
        "one zero too many": padded(b"abc") + b"\x00",
        "padded to the next size": padded(b"abc").ljust(272, b"\x00"),
        "marker is 0x81": b"abc\x81".ljust(256, b"\x00"),
        "a byte after the zeros": padded(b"abc")[:-1] + b"\x01",
    }
    return {
        "comment": (
            "Padmé padding (docs/spec/seal.md). `sizes`: payload size and padded size. "
            "`accepted`: payload and padded bytes. `refused`: padded bytes without a payload."
        ),
        "sizes": [[size, max(256, padme(size + 1))] for size in sizes],
        "accepted": [{"payload": text(p), "padded": text(padded(p))} for p in accepted],
        "refused": [{"name": name, "padded": text(value)} for name, value in refused.items()],
    }


def cobblestone(message: bytes, key: bytes, salt: bytes, context: bytes) -> bytes:
    """Encrypt as c2sp.org/chunked-encryption says, with SHA-512 and AES-256-GCM."""
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00" + salt + context
    derived = HKDFExpand(SHA512(), 32 + 12 + 32, info).derive(key)
    aead, nonce, commitment = AESGCM(derived[:32]), derived[32:44], derived[44:]
    sealed = salt + commitment
    for place in range(len(message) // CHUNK + 1):
        number = (int.from_bytes(nonce, "big") ^ place).to_bytes(12, "big")
        sealed += aead.encrypt(number, message[place * CHUNK : (place + 1) * CHUNK], None)
    return sealed


def seal_context(record: bytes, version: int) -> bytes:
    """What the cipher is bound to (docs/spec/seal.md)."""
    return b"xinglin/seal/v1\x00" + record + version.to_bytes(4, "big")


def seal_blob(label: str, message: bytes, record: bytes = RECORD, version: int = 1) -> bytes:
    """Seal bytes that are padded already, under a key and salt that follow from `label`."""
    key, salt = fill(label + " key"), fill(label + " salt", 24)
    return cobblestone(message, key, salt, seal_context(record, version))


def seal_vectors() -> Json:
    """Sealed blobs that open, and blobs that must not."""
    long_payload = fill("two full chunks and a short one", 2 * CHUNK + 100)
    payloads = {"a note": NOTE_TEXT.encode(), "nothing": b"", "three chunks": long_payload}
    blobs = {name: seal_blob(name, padded(payload)) for name, payload in payloads.items()}
    short, long = blobs["a note"], blobs["three chunks"]
    first, second, third = HEADER, HEADER + SEALED_CHUNK, HEADER + 2 * SEALED_CHUNK

    def flip(blob: bytes, at: int) -> bytes:
        return blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]

    other_key = seal_blob("another", padded(NOTE_TEXT.encode()))
    refused: dict[str, tuple[str, bytes]] = {
        "salt flipped": ("a note", flip(short, 0)),
        "commitment flipped": ("a note", flip(short, 24)),
        "ciphertext flipped": ("a note", flip(short, HEADER)),
        "tag flipped": ("a note", flip(short, len(short) - 1)),
        "nothing": ("a note", b""),
        "header only": ("a note", short[:HEADER]),
        "cut by one byte": ("a note", short[:-1]),
        "cut at the end of a chunk": ("three chunks", long[:third]),
        "last chunk dropped, one byte left": ("three chunks", long[: third + 1]),
        "trailing byte": ("a note", short + b"\x00"),
        "trailing tag": ("a note", short + bytes(16)),
        "chunks reordered": (
            "three chunks",
            long[:first] + long[second:third] + long[first:second] + long[third:],
        ),
        "chunk repeated": ("three chunks", long[:second] + long[first:second] + long[second:]),
        "chunk dropped": ("three chunks", long[:first] + long[second:]),
        "sealed under another key": ("a note", other_key),
        "another key behind this commitment": ("a note", short[:HEADER] + other_key[HEADER:]),
        "sealed as another record": (
            "a note",
            seal_blob("a note", padded(NOTE_TEXT.encode()), OTHER_RECORD),
        ),
        "sealed as another version": (
            "a note",
            seal_blob("a note", padded(NOTE_TEXT.encode()), version=2),
        ),
        "not padded": ("a note", seal_blob("a note", NOTE_TEXT.encode())),
        "padded to another size": ("a note", seal_blob("a note", padded(b"") + bytes(16))),
    }
    return {
        "comment": (
            "Sealed blobs (docs/spec/seal.md). Each of `sealed` opens to its payload under its "
            "data key, record and version; `digest` is the blob's name. Each of `refused` is shown "
            "with the data key, record and version of the entry named in `as`. Blobs are base64."
        ),
        "sealed": [
            {
                "name": name,
                "dataKey": text(fill(name + " key")),
                "record": text(RECORD),
                "version": 1,
                "salt": text(fill(name + " salt", 24)),
                "context": text(seal_context(RECORD, 1)),
                "payload": text(payload),
                "blob": base64.b64encode(blobs[name]).decode(),
                "digest": "sha256:" + hashlib.sha256(blobs[name]).hexdigest(),
            }
            for name, payload in payloads.items()
        ],
        "refused": [
            {"name": name, "as": like, "blob": base64.b64encode(blob).decode()}
            for name, (like, blob) in refused.items()
        ],
    }


def envelope_vectors() -> Json:
    """Envelopes that open, and wraps moved where they must not."""
    manifest, other = Digest.of(b"a record statement"), Digest.of(b"another")
    alice = keys.HpkeIdentity.from_seed(fill("alice"))
    bob = keys.HpkeIdentity.from_seed(fill("bob"))
    data_key, grant, request = DataKey(fill("data key")), fill("grant"), fill("request")

    def info(key_digest: bytes, grant: bytes | None, request: bytes | None) -> bytes:
        context = (grant or bytes(32)) + (request or bytes(32))
        return b"xinglin/wrap/v1\x00" + manifest.value + key_digest + context

    envelopes = kept("envelope.json", "envelopes")
    if not envelopes:
        wraps = (
            wrap_for(data_key, alice.recipient, manifest),
            wrap_for(
                data_key,
                bob.recipient,
                manifest,
                grant=GrantId(grant),
                request=RequestId(request),
            ),
        )
        envelopes = [{"name": "two recipients", "envelope": Envelope(manifest, wraps).to_json()}]
    first, second = envelopes[0]["envelope"]["wraps"]

    def moved(to: Digest = manifest, **changes: Any) -> Json:
        return {
            "format": "xinglin.envelope/1",
            "manifest": to.text,
            "wraps": [{**second, **changes}],
        }

    flipped = bytearray(base64.urlsafe_b64decode(second["wrap"] + "=="))
    flipped[600] ^= 1
    flipped_text = base64.urlsafe_b64encode(bytes(flipped)).decode().rstrip("=")
    unopened = {
        "wrap for another grant": moved(grant=text(fill("another grant"))),
        "wrap without its grant": moved(grant=None),
        "wrap for another request": moved(request=text(fill("another request"))),
        "grant and request exchanged": moved(grant=text(request), request=text(grant)),
        "wrap replayed under another manifest": moved(other),
        "wrap of another recipient": {**moved(), "wraps": [first]},
        "wrap of another recipient, relabelled": moved(
            wrap=first["wrap"], grant=None, request=None
        ),
        "one bit of the wrap flipped": moved(wrap=flipped_text),
    }
    malformed = {
        "another format": {**moved(), "format": "xinglin.envelope/2"},
        "an unknown member": {**moved(), "note": ""},
        "no wraps": {**moved(), "wraps": []},
        "the same purpose twice": {**moved(), "wraps": [second, second]},
        "a grant of zeros": moved(grant=text(bytes(32))),
        "a key digest in capitals": moved(keyDigest=second["keyDigest"].upper()),
        "a wrap one byte short": moved(wrap=second["wrap"][:-2]),
        "a wrap with padding": moved(wrap=second["wrap"] + "="),
    }
    return {
        "comment": (
            "Envelopes (docs/spec/envelope.md). `identities` hold 32-byte seeds. Each of "
            "`envelopes` gives `dataKey` to every identity. Each of `unopened` is well formed and "
            "opens for nobody; each of `malformed` does not parse. `infos` are HPKE's info strings."
        ),
        "dataKey": text(data_key),
        "manifest": manifest.text,
        "identities": [
            {
                "name": name,
                "seed": text(identity.seed),
                "publicKey": text(identity.recipient.public_key),
                "keyDigest": text(
                    labelled("xinglin/key/v1", b"\x64\x7a", identity.recipient.public_key)
                ),
            }
            for name, identity in (("alice", alice), ("bob", bob))
        ],
        "infos": [
            {
                "name": "alice",
                "grant": None,
                "request": None,
                "info": text(info(alice.key_digest, None, None)),
            },
            {
                "name": "bob",
                "grant": text(grant),
                "request": text(request),
                "info": text(info(bob.key_digest, grant, request)),
            },
        ],
        "envelopes": envelopes,
        "unopened": [{"name": name, "envelope": value} for name, value in unopened.items()],
        "malformed": [{"name": name, "envelope": value} for name, value in malformed.items()],
    }


def bad_signatures(signature: bytes) -> dict[str, bytes]:
    """Every way in which a signature is not in its one form, named for the attack."""
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    high = (CURVE_ORDER - s).to_bytes(32, "big")
    return {
        "malleated: high s, other v": r + high + bytes([55 - v]),
        "high s, same v": r + high + bytes([v]),
        "64 bytes (EIP-2098)": r + ((v - 27) << 255 | s).to_bytes(32, "big"),
        "v is 0 or 1": signature[:64] + bytes([v - 27]),
        "v is 29": signature[:64] + bytes([29]),
        "66 bytes": signature + b"\x00",
        "r is zero": bytes(32) + signature[32:],
        "s is zero": r + bytes(32) + bytes([v]),
        "other v": signature[:64] + bytes([55 - v]),
    }


def keys_vectors() -> Json:
    """Keys of a person, signatures, shares and a key file."""
    phrase = " ".join(["abandon"] * 23 + ["art"])
    person = keys.PersonKeys.from_phrase(phrase)
    member = Member(7)
    accounts = {
        "m/44'/60'/7'/0/0": person.enrolled_account(member),
        "m/44'/60'/7'/0/1": person.enrolled_account(member, 1),
        "m/44'/60'/7'/1/0": person.grant_account(member, 0),
        "m/44'/60'/7'/1/9": person.grant_account(member, 9),
    }
    identity = person.encryption_identity(member)
    signer, digest = keys.Account.from_key(fill("signer")), fill("digest")
    signature = signer.sign_digest(digest)
    seed = fill("recovery seed")
    shares = kept("keys.json", "recovery") or [
        {"seed": text(seed), "threshold": 2, "shares": keys.split_recovery(seed, 2, 3)}
    ]
    files = kept("keys.json", "files")
    if not files:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "key"
            keys.write_key_file(path, {"kind": "test"}, "杏林春暖", log2_cost=14)
            file = path.read_text()
        files = [{"passphrase": "杏林春暖", "file": file, "secret": {"kind": "test"}}]
    return {
        "comment": (
            "Keys (docs/spec/keys.md). `person`: all from one phrase. `signatures`: over a "
            "32-byte digest; those of `refused` are over the same digest. `recovery`: any "
            "threshold of the shares give the seed. `files`: key files with their passphrase."
        ),
        "person": {
            "phrase": phrase,
            "member": 7,
            "accounts": [
                {"path": path, "key": text(account.key), "address": account.address}
                for path, account in accounts.items()
            ],
            "encryption": {
                "path": "m/44'/60'/7'/2/0",
                "seed": text(identity.seed),
                "publicKey": text(identity.recipient.public_key),
                "keyDigest": text(identity.key_digest),
            },
        },
        "signatures": {
            "key": text(signer.key),
            "address": signer.address,
            "digest": text(digest),
            "signature": text(signature),
            "refused": [
                {"name": name, "signature": text(value)}
                for name, value in bad_signatures(signature).items()
            ],
        },
        "recovery": shares,
        "files": files,
    }


def messages() -> dict[str, Json]:
    """One message of each type, as Python has it."""
    account = keys.to_address(fill("account", 20))
    day, id_, key = 86_400, fill("id"), fill("key digest")
    return {
        "Grant": {
            "custodian": 1,
            "grantor": account,
            "terms": '{"type":"urn:xinglin:terms:1"}',
            "notBefore": 0,
            "expiresAt": 20_999 * day,
            "deadline": 1_800_000_000,
        },
        "Revocation": {"grantId": fill("grant")},
        "GrantAccount": {"custodian": 1, "grantor": account},
        "Enrolment": {
            "custodian": 2**32 - 1,
            "account": account,
            "keyDigest": key,
            "historyDigest": fill("history"),
            "issuedAt": 1_800_000_000,
        },
        "Appointment": {
            "id": id_,
            "member": 3,
            "account": account,
            "keyDigest": key,
            "role": "physician",
            "personDigest": fill("person"),
            "notBefore": 1_800_000_000,
            "notAfter": 1_800_000_000 + 366 * day,
        },
        "AccessRequest": {
            "id": id_,
            "custodian": 1,
            "ground": "grant",
            "grantId": fill("grant"),
            "purpose": "HRESCH",
            "research": "DUO:0000007=MONDO:0005027",
            "reasonDigest": bytes(32),
            "items": [
                {"record": RECORD, "version": 0},
                {"record": OTHER_RECORD, "version": 2**32 - 1},
            ],
            "keyDigest": key,
            "issuedAt": 1_800_000_000,
            "deadline": 1_800_000_600,
        },
        "Attestation": {"statement": '{"_type":"https://in-toto.io/Statement/v1","杏":"林"}'},
        "Mandate": {
            "id": id_,
            "custodian": 1,
            "auditor": 5,
            "scope": "{}",
            "notBefore": 1_800_000_000,
            "notAfter": 1_800_086_400,
        },
    }


def typed_vectors() -> Json:
    """Every type of ours: its hash, a message's digest, and a signature with its forgeries."""
    domains = {
        "ConsentRegistry": typed.Domain(31337, keys.to_address(fill("consents", 20))),
        "Consortium": typed.Domain(31337, keys.to_address(fill("consortium", 20))),
    }
    signer = keys.Account.from_key(fill("signer"))
    vectors: list[Json] = []
    for kind, message in messages().items():
        contract = "ConsentRegistry" if kind in ("Grant", "Revocation") else "Consortium"
        domain = domains[contract]
        signature = typed.sign(domain, kind, message, signer)
        vectors.append(
            {
                "name": kind,
                "contract": contract,
                "encodeType": typed.TYPES[kind],
                "typeHash": text(hashes.keccak256(typed.TYPES[kind].encode())),
                "request": typed.wallet_request(domain, kind, message),
                "domainSeparator": text(typed.separator(domain)),
                "digest": text(typed.digest(domain, kind, message)),
                "signer": signer.address,
                "signature": text(signature),
                "refused": [
                    {"name": name, "signature": text(value)}
                    for name, value in bad_signatures(signature).items()
                ],
            }
        )
    return {
        "comment": (
            "EIP-712 typed data (docs/spec/typed-data.md). `request` is what "
            "eth_signTypedData_v4 takes; each of `refused` is shown as the signature of that "
            "request by `signer`. `key` is the signer's private key."
        ),
        "key": text(signer.key),
        "types": vectors,
    }


def checkpoint_vectors() -> Json:
    """Notes that a log signs, and notes that its readers refuse."""
    key = LogKey.from_seed(fill("log key"))
    root, leaf = RootHash(fill("root")), LeafHash(fill("leaf"))
    head = Checkpoint(ORIGIN, 20852163, root)
    empty = Checkpoint(ORIGIN, 0, RootHash(hashlib.sha256(b"").digest()))
    promise = Receipt(ORIGIN, 4, leaf, UnixTime(1_800_000_000), UnixTime(1_800_000_300))
    signed, signed_receipt = checkpoint.write(head, key), receipt.write(promise, key)
    root_text, leaf_text = (base64.b64encode(value).decode() for value in (root, leaf))
    other = Origin(ORIGIN[:-1] + "1")
    cosignature = base64.b64encode(b"\x01\x02\x03\x04" + fill("cosignature", 72)).decode()
    cosigned = signed + f"\u2014 cosigner.example {cosignature}\n".encode()

    def forged(body: str) -> bytes:
        return note.sign(body, ORIGIN, key)

    bad_checkpoints = {
        "by another key": checkpoint.write(head, LogKey.from_seed(fill("another log key"))),
        "of another generation": checkpoint.write(Checkpoint(other, 5, root), key),
        "origin of another log, signed by this one": forged(f"{other}\n5\n{root_text}\n"),
        "a larger size under the old signature": signed.replace(b"\n20852163\n", b"\n20852164\n"),
        "a leading zero": forged(f"{ORIGIN}\n05\n{root_text}\n"),
        "a sign": forged(f"{ORIGIN}\n+5\n{root_text}\n"),
        "a size over 2^40": forged(f"{ORIGIN}\n{2**40 + 1}\n{root_text}\n"),
        "a root of 31 bytes": forged(f"{ORIGIN}\n5\n{base64.b64encode(root[1:]).decode()}\n"),
        "an extension line": forged(f"{ORIGIN}\n5\n{root_text}\nextension\n"),
        "an empty tree with a root": forged(f"{ORIGIN}\n0\n{root_text}\n"),
        "carriage returns": signed.replace(b"\n", b"\r\n"),
        "a trailing line": signed + b"trailing\n",
        "no newline at the end": signed[:-1],
        "the signature twice": signed + signed[signed.index(b"\n\n") + 2 :],
        "a receipt": signed_receipt,
    }
    bad_receipts = {
        "for another leaf": signed_receipt.replace(leaf_text.encode(), root_text.encode()),
        "for another index": signed_receipt.replace(b"\n4\n", b"\n5\n"),
        "anchored before sequenced": forged(
            f"xinglin/receipt/v1\n{ORIGIN}\n4\n{leaf_text}\n2\n1\n"
        ),
        "a time over 2^48": forged(f"xinglin/receipt/v1\n{ORIGIN}\n4\n{leaf_text}\n1\n{2**48}\n"),
        "another version": forged(f"xinglin/receipt/v2\n{ORIGIN}\n4\n{leaf_text}\n1\n2\n"),
        "a seventh line": forged(f"xinglin/receipt/v1\n{ORIGIN}\n4\n{leaf_text}\n1\n2\n3\n"),
        "a checkpoint": signed,
    }

    def listed(notes: dict[str, bytes]) -> list[Json]:
        return [{"name": name, "note": value.decode()} for name, value in notes.items()]

    return {
        "comment": (
            "Signed notes of one log (docs/spec/checkpoint.md). `seed` is its Ed25519 key. Each "
            "of `checkpoints` and `receipts` reads as stated; each `refused` one is refused when "
            "read as its kind, for this origin and key."
        ),
        "seed": text(key.seed),
        "logKey": text(key.public),
        "keyId": text(note.key_id(ORIGIN, key.public)),
        "origin": ORIGIN,
        "checkpoints": [
            {"name": name, "size": value.size, "root": text(value.root), "note": data.decode()}
            for name, value, data in (
                ("a log", head, signed),
                ("an empty log", empty, checkpoint.write(empty, key)),
                ("with a cosignature", head, cosigned),
            )
        ],
        "refusedCheckpoints": listed(bad_checkpoints),
        "receipts": [
            {
                "name": "a promise",
                "index": promise.index,
                "leaf": text(leaf),
                "sequencedAt": promise.sequenced_at,
                "anchorBy": promise.anchor_by,
                "note": signed_receipt.decode(),
            }
        ],
        "refusedReceipts": listed(bad_receipts),
    }


FILES: dict[str, Callable[[], Json]] = {
    "bytes.json": bytes_vectors,
    "padding.json": padding_vectors,
    "seal.json": seal_vectors,
    "envelope.json": envelope_vectors,
    "keys.json": keys_vectors,
    "typed-data.json": typed_vectors,
    "checkpoint.json": checkpoint_vectors,
}


def main() -> int:
    """Write the files, or with `--check` report which of them would change."""
    stale: list[str] = []
    for name, make in FILES.items():
        content = json.dumps(make(), ensure_ascii=False, indent=1) + "\n"
        path = VECTORS / name
        if path.exists() and path.read_text() == content:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.write_text(content)
    sys.stdout.write(f"{len(FILES) - len(stale)} unchanged, {len(stale)} changed {stale}\n")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
