"""
Vectors that others published, through our own entry points.

They lie beside the project, in `../shared/vectors` or under `XINGLIN_SHARED`, and are not part
of it; without them these tests are skipped. What each file tests is said in its class.
"""

import gzip
import hashlib
import json
import os
import zlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.bindings._rust import openssl as rust_openssl
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xinglin import keys, typed
from xinglin._cipher import decrypt_stream
from xinglin.errors import InvalidEncoding, SealError, SignatureError, UsageError
from xinglin.hashes import keccak256
from xinglin.keys.accounts import CURVE_ORDER
from xinglin.names import DataKey, Signature

SHARED = Path(os.environ.get("XINGLIN_SHARED") or Path(__file__).parents[3] / "shared")

pytestmark = pytest.mark.skipif(
    not (SHARED / "vectors").is_dir(), reason="the published vectors are not beside the project"
)


def load(name: str) -> Any:
    path = SHARED / "vectors" / name
    if not path.is_file():
        return []
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def wycheproof(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    document = load(f"wycheproof/{name}_test.json")
    groups = document["testGroups"] if document else []
    return [(group, test) for group in groups for test in group["tests"]]


class TestTypedData:
    """EIP-712, by ethers: random types, nested arrays, every atom."""

    def test_every_digest_is_the_one_that_ethers_computes(self) -> None:
        vectors = load("ethers/typed-data.json.gz")
        for vector in vectors:
            computed = typed.hash_typed_data(
                vector["domain"], vector["types"], vector["primaryType"], vector["data"]
            )
            assert "0x" + computed.hex() == vector["digest"], vector["name"]
        assert len(vectors) >= 100

    def test_every_signature_of_a_published_key_is_the_published_one(self) -> None:
        signed = [v for v in load("ethers/typed-data.json.gz") if "signature" in v]
        for vector in signed:
            account = keys.Account.from_key(bytes.fromhex(vector["privateKey"][2:]))
            digest = bytes.fromhex(vector["digest"][2:])
            assert "0x" + account.sign_digest(digest).hex() == vector["signature"]


class TestAccounts:
    """Addresses of private keys, by ethers."""

    def test_every_key_has_the_published_address(self) -> None:
        vectors = load("ethers/accounts.json.gz")
        for vector in vectors:
            account = keys.Account.from_key(bytes.fromhex(vector["privateKey"][2:]))
            assert account.address == vector["address"], vector["name"]
        assert len(vectors) >= 100


class TestCobblestone:
    """C2SP chunked encryption, by Wycheproof: our decryption, with the vector's context."""

    @staticmethod
    def attempt(test: dict[str, Any], piece: int) -> bytes:
        data = zlib.decompress(bytes.fromhex(test["ct"]))
        parts = (data[i : i + piece] for i in range(0, len(data), piece))
        key, context = DataKey(bytes.fromhex(test["key"])), bytes.fromhex(test["ctx"])
        return b"".join(decrypt_stream(parts, key=key, context=context))

    @pytest.mark.parametrize("piece", [1 << 20, 16400, 1000])
    def test_every_message_opens_or_is_refused_as_published(self, piece: int) -> None:
        seen = {"valid": 0, "invalid": 0}
        for _, test in wycheproof("c2sp_chunked_encryption_aes_256_gcm"):
            seen[test["result"]] += 1
            if test["result"] == "invalid":
                with pytest.raises((SealError, UsageError)):  # the latter: keys of other sizes
                    self.attempt(test, piece)
                continue
            message = self.attempt(test, piece)
            assert len(message) == test["msgLength"]
            assert hashlib.sha512(message).hexdigest() == test["msgSha512"]
        assert min(seen.values()) > 5


class TestHpke:
    """HPKE with ML-KEM-768 and X25519, from the post-quantum vectors of the HPKE group."""

    MLKEM768_X25519 = 0x647A
    HKDF_SHA256 = 1

    def vectors(self) -> list[dict[str, Any]]:
        document = load("hpke/hpke-pq-test-vectors.json")
        return [vector for vector in document if vector["kem_id"] == self.MLKEM768_X25519]

    def test_a_seed_becomes_the_published_public_key(self) -> None:
        # Another expansion would give keys that no other implementation can open for.
        for vector in self.vectors():
            identity = keys.HpkeIdentity.from_seed(bytes.fromhex(vector["skRm"]))
            assert identity.recipient.public_key.hex() == vector["pkRm"]
        assert self.vectors()

    def test_published_ciphertexts_open_with_associated_data(self) -> None:
        # The library's public decryption takes no associated data, and no vector goes
        # without; its private one does, and the code below both is the same. The published
        # pairings of this KEM are with SHAKE and ChaCha20, so the suite is the vector's.
        kdfs = {1: hpke.KDF.HKDF_SHA256, 16: hpke.KDF.SHAKE128, 17: hpke.KDF.SHAKE256}
        aeads = {
            1: hpke.AEAD.AES_128_GCM,
            2: hpke.AEAD.AES_256_GCM,
            3: hpke.AEAD.CHACHA20_POLY1305,
        }
        opened = 0
        for vector in self.vectors():
            suite = hpke.Suite(
                hpke.KEM.MLKEM768_X25519, kdfs[vector["kdf_id"]], aeads[vector["aead_id"]]
            )
            expanded = hashlib.shake_256(bytes.fromhex(vector["skRm"])).digest(96)
            private = hpke.MLKEM768X25519PrivateKey(
                mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
                x25519.X25519PrivateKey.from_private_bytes(expanded[64:]),
            )
            first = vector["encryptions"][0]  # later ones have later nonces: not single-shot
            plaintext = rust_openssl.hpke._decrypt_with_aad(
                suite,
                bytes.fromhex(vector["enc"] + first["ct"]),
                private,
                info=bytes.fromhex(vector["info"]),
                aad=bytes.fromhex(first["aad"]),
            )
            assert plaintext.hex() == first["pt"]
            opened += 1
        assert opened


class TestMlKem768:
    """ML-KEM-768 key generation and decapsulation, by Wycheproof: what the wraps stand on."""

    def test_every_seed_and_ciphertext_gives_the_published_key(self) -> None:
        checked = 0
        for _, test in wycheproof("mlkem_768"):
            if "seed" not in test:
                continue
            try:
                private = mlkem.MLKEM768PrivateKey.from_seed_bytes(bytes.fromhex(test["seed"]))
                shared = private.decapsulate(bytes.fromhex(test["c"]))
            except ValueError:
                assert test["result"] == "invalid", test["tcId"]
                continue
            assert test["result"] == "valid", test["tcId"]
            if "ek" in test:
                assert private.public_key().public_bytes_raw().hex() == test["ek"]
            assert shared.hex() == test["K"], test["tcId"]
            checked += 1
        assert checked > 50


class TestX25519:
    """X25519, by Wycheproof: the classical half of the wraps."""

    def test_every_exchange_gives_the_published_secret_or_is_refused(self) -> None:
        tests = wycheproof("x25519")
        for _, test in tests:
            private = x25519.X25519PrivateKey.from_private_bytes(bytes.fromhex(test["private"]))
            try:
                public = x25519.X25519PublicKey.from_public_bytes(bytes.fromhex(test["public"]))
                shared = private.exchange(public).hex()
            except ValueError:
                # Points of low order are "acceptable" to RFC 7748; they are not to us.
                assert test["result"] != "valid", test["tcId"]
                continue
            assert test["result"] != "invalid", test["tcId"]
            assert shared == test["shared"], test["tcId"]
        assert len(tests) > 500


class TestHkdf:
    """HKDF-SHA256, by Wycheproof: from a person's key to their encryption identity."""

    def test_every_output_is_the_published_one(self) -> None:
        tests = wycheproof("hkdf_sha256")
        for _, test in tests:
            info, salt = bytes.fromhex(test["info"]), bytes.fromhex(test["salt"])
            try:
                output = HKDF(hashes.SHA256(), test["size"], salt, info).derive(
                    bytes.fromhex(test["ikm"])
                )
            except ValueError:
                assert test["result"] == "invalid", test["tcId"]
                continue
            assert output.hex() == test["okm"], test["tcId"]
        assert len(tests) > 50


class TestEcdsa:
    """ECDSA on secp256k1 as Bitcoin checks it: strict DER and low s, by Wycheproof."""

    NOT_EXPRESSIBLE = "k*G has a large x-coordinate"
    """
    r is the x-coordinate less the order, which v 27 and 28 cannot say: the chain's `ecrecover`
    refuses these, and so do we.
    """

    @staticmethod
    def signature_of(der: bytes) -> bytes | None:
        """r ‖ s of a strict DER signature (RFC 3279, section 2.2.3), or None for any other."""

        def integer(data: bytes) -> tuple[int, bytes] | None:
            if len(data) < 3 or data[0] != 2 or not 1 <= data[1] <= min(0x7F, len(data) - 2):
                return None
            body, rest = data[2 : 2 + data[1]], data[2 + data[1] :]
            shortest = len(body) == 1 or body[0] != 0 or body[1] & 0x80
            return (int.from_bytes(body, "big"), rest) if not body[0] & 0x80 and shortest else None

        if len(der) < 2 or der[0] != 0x30 or der[1] > 0x7F or der[1] != len(der) - 2:
            return None
        first = integer(der[2:])
        second = integer(first[1]) if first else None
        if first is None or second is None or second[1]:
            return None
        r, s = first[0], second[0]
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") if max(r, s) < 1 << 256 else None

    def verifies(self, group: dict[str, Any], test: dict[str, Any]) -> bool:
        signature = self.signature_of(bytes.fromhex(test["sig"]))
        if signature is None:
            return False
        public = bytes.fromhex(group["publicKey"]["uncompressed"])[1:]
        signer = keys.to_address(keccak256(public)[-20:])
        digest = hashlib.sha256(bytes.fromhex(test["msg"])).digest()
        for v in (27, 28):
            try:
                keys.verify_digest(digest, Signature(signature + bytes([v])), signer)
            except SignatureError:
                continue
            return True
        return False

    def test_every_signature_is_accepted_or_refused_as_published(self) -> None:
        tests = wycheproof("ecdsa_secp256k1_sha256_bitcoin")
        accepted = 0
        for group, test in tests:
            verified = self.verifies(group, test)
            accepted += verified
            if test["comment"] == self.NOT_EXPRESSIBLE:
                assert not verified
            else:
                assert verified == (test["result"] == "valid"), test["tcId"]
        assert len(tests) > 400
        assert accepted > 100

    def test_the_malleated_twin_of_each_valid_signature_is_refused(self) -> None:
        for _group, test in wycheproof("ecdsa_secp256k1_sha256_bitcoin"):
            signature = self.signature_of(bytes.fromhex(test["sig"]))
            if test["result"] != "valid" or signature is None:
                continue
            s = int.from_bytes(signature[32:], "big")
            twin = signature[:32] + (CURVE_ORDER - s).to_bytes(32, "big")
            digest = hashlib.sha256(bytes.fromhex(test["msg"])).digest()
            for v in (27, 28):
                with pytest.raises(SignatureError, match="lower half"):
                    keys.recover_digest(digest, Signature(twin + bytes([v])))


class TestSlip39:
    """Recovery shares, by Trezor: 45 sets, valid and not, under the passphrase TREZOR."""

    def test_every_set_gives_the_published_secret_or_is_refused(self) -> None:
        vectors = load("slip39/vectors.json")
        for description, shares, secret, _ in vectors:
            if secret:
                combined = keys.combine_recovery(shares, passphrase=b"TREZOR")
                assert combined.hex() == secret, description
            else:
                with pytest.raises(InvalidEncoding):
                    keys.combine_recovery(shares, passphrase=b"TREZOR")
        assert len(vectors) == 45
