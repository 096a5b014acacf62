"""
Make every secret that docker-compose.yml mounts, each in a file of its own.

    python production/make_secrets.py secrets --self-signed xinglin.example

The folder is closed to others (mode 700) and its files can be read by whoever is inside: a
container sees only the files that are mounted into it, under whatever user its image runs.
What exists is kept. The certificate of the proxy is the institution's own and is put beside
as tls/certificate.pem and tls/key.pem; `--self-signed` makes one for trials.
"""

import argparse
import datetime
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOSPITALS = ("hospital-a", "hospital-b")
TRIAL_DAYS = 30
"""How long a certificate for trials lasts: too short to be forgotten in production."""


def _passphrase() -> str:
    return secrets.token_urlsafe(32)


def _object_key_id() -> str:
    """An access key as Garage names them: GK and twelve bytes in hexadecimal."""
    return "GK" + secrets.token_hex(12)


def _hexadecimal() -> str:
    return secrets.token_hex(32)


def makers() -> dict[str, Callable[[], str]]:
    """Return the name of each secret, and what makes it."""
    found: dict[str, Callable[[], str]] = {
        "validator-passphrase": _passphrase,
        "postgres-password": _passphrase,
        "objects-rpc-secret": _hexadecimal,
        "grafana-password": _passphrase,
    }
    for hospital in HOSPITALS:
        found |= {
            f"{hospital}-passphrase": _passphrase,
            f"{hospital}-database-password": _hexadecimal,
            f"{hospital}-s3-key-id": _object_key_id,
            f"{hospital}-s3-secret": _hexadecimal,
        }
    return found


def write_secrets(folder: Path) -> list[Path]:
    """Write what is missing; return what was written."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    (folder / "tls").mkdir(mode=0o755, exist_ok=True)
    written = [
        path
        for name, make in makers().items()
        if _write(path := folder / name, (make() + "\n").encode())
    ]
    for hospital in HOSPITALS:
        password = (folder / f"{hospital}-database-password").read_text("ascii").strip()
        name = hospital.replace("-", "_")
        url = f"postgresql://{name}:{password}@postgres/{name}\n"
        if _write(path := folder / f"{hospital}-database-url", url.encode()):
            written.append(path)
    return written


def write_certificate(folder: Path, domain: str) -> list[Path]:
    """Write a certificate for trials, signed by itself, for every name under `domain`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=TRIAL_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"*.{domain}")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    files = {folder / "tls/key.pem": private, folder / "tls/certificate.pem": public}
    return [path for path, data in files.items() if _write(path, data)]


def _write(path: Path, data: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        return False
    path.chmod(0o444)
    return True


def main() -> None:
    """Write the secrets, and say what was written; never what is in them."""
    parser = argparse.ArgumentParser(description="Make the secrets that docker-compose.yml mounts.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--self-signed", metavar="DOMAIN", help="a certificate for trials")
    given = parser.parse_args()
    written = write_secrets(given.folder)
    if given.self_signed:
        written += write_certificate(given.folder, given.self_signed)
    for path in written:
        print(path)


if __name__ == "__main__":
    main()
