"""A real server process: killed with SIGKILL in the middle, and refusing to start."""

import io
import secrets
import socket
import threading
import time
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from xinglin import receipt, seal
from xinglin._chain.checkpoints import Checkpoints
from xinglin._chain.rpc import RpcPool
from xinglin._network.process import free_ports
from xinglin.appointment import Appointment, appoint
from xinglin.hashes import Digest
from xinglin.keys import Account
from xinglin.names import Generation, Member, RecordId, SubjectId, UnixTime
from xinglin.statement import attest, record_statement
from xinglin.typed import Domain
from xinglin_node.sessions.credential import Credentials, Holder

from .conftest import write_folder


class Clinic:
    """A physician and a desk of one hospital, who speak to its server."""

    def __init__(self, chain, member: Member, keys, url: str) -> None:
        self.member, self.keys, self.url = member, keys, url
        profile = chain.profile
        self.domain = Domain(profile.chain_id, profile.deployed.consortium.address)
        self.physician = Account.generate()
        self.officer = chain.officers[member - 1]
        self.headers = self._headers(self.physician, "physician")
        self.desk = self._headers(Account.generate(), "desk")

    def _headers(self, account: Account, role: str) -> dict[str, str]:
        now = int(time.time())
        appointment = Appointment(
            id=secrets.token_bytes(32), member=self.member, account=account.address,
            key_digest=bytes(32), role=role, person_digest=bytes(32),
            not_before=now - 60, not_after=now + 86_400,
        )  # fmt: skip
        signed = appoint(appointment, self.officer, self.domain)
        credentials = Credentials.derive(
            self.keys.session, issuer="http://127.0.0.1:1", lifetime_seconds=3600
        )
        text, _ = credentials.issue(Holder(account.address, appointment=signed), UnixTime(now))
        return {"Authorization": f"Bearer {text}"}

    def enrol(self) -> tuple[SubjectId, Digest]:
        with httpx.Client(base_url=self.url, trust_env=False, timeout=30) as client:
            opened = client.post("/v1/subjects", headers=self.desk)
            assert opened.status_code == 201, opened.text
            subject = SubjectId(UUID(opened.json()["subject"]))
            done = client.post(f"/v1/subjects/{subject}/enrolment", json={}, headers=self.desk)
            assert done.status_code == 201, done.text
        return subject, Digest.from_text(done.json()["enrolment"])

    def form(self, subject: SubjectId, enrolment: Digest, size: int) -> dict[str, bytes]:
        """A sealed record, as the parts of a form."""
        record, statement = RecordId(uuid4()), b""

        def state(blob: seal.SealedBlob) -> bytes:
            nonlocal statement
            statement = record_statement(
                record=record, version=1, custodian=self.member, blob=blob.digest,
                size=blob.size, claimed_at=UnixTime(int(time.time())), category="note",
                media_type="text/plain", enrolment=enrolment,
            ).encode()  # fmt: skip
            return statement

        sink = io.BytesIO()
        recipients = [self.keys.institution.recipient, self.keys.recovery]
        _, envelope = seal.seal(
            io.BytesIO(bytes(size)), sink,
            recipients=recipients, record=record, version=1, statement=state,
        )  # fmt: skip
        return {
            "subject": str(subject).encode(),
            "envelope": envelope.encode(),
            "attestation": attest(statement, self.physician, self.domain).encode(),
            "blob": sink.getvalue(),
        }

    def submit(self, form: dict[str, bytes]) -> httpx.Response:
        return httpx.post(
            f"{self.url}/v1/records",
            data={key: value for key, value in form.items() if key != "blob"},
            files={"blob": ("b", form["blob"], "application/octet-stream")},
            headers=self.headers,
            timeout=30,
            trust_env=False,
        )


class TestKill:
    def test_i3_what_was_acknowledged_survives_kill_9_and_is_anchored_once(
        self, chain, make_folder, server, tmp_path
    ) -> None:
        member, keys = chain.hospital()
        folder = tmp_path / "node"
        make_folder(folder, keys, chain.profile, member=member)
        acknowledged: list[tuple[dict[str, bytes], dict[str, object]]] = []
        with server(folder) as node:
            node.wait_until(lambda status: status["sequencing"])
            clinic = Clinic(chain, member, keys, node.url)
            subject, enrolment = clinic.enrol()
            # Small blobs are rows, large ones files: both must be there afterwards.
            forms = [clinic.form(subject, enrolment, size) for size in [500] * 30 + [100_000] * 6]
            dead = threading.Event()

            def send(share: list[dict[str, bytes]]) -> None:
                for form in share:
                    try:
                        answer = clinic.submit(form)
                    except httpx.TransportError:
                        return
                    assert answer.status_code == 201, answer.text
                    acknowledged.append((form, answer.json()))
                    if len(acknowledged) >= 12:
                        dead.set()

            threads = [threading.Thread(target=send, args=(forms[n::3],)) for n in range(3)]
            for thread in threads:
                thread.start()
            assert dead.wait(60)
            node.kill()
            for thread in threads:
                thread.join()
        assert 12 <= len(acknowledged) < len(forms)

        with server(folder) as node:
            status = node.wait_until(lambda status: status["sequencing"])
            clinic.url = node.url
            assert status["sequenced"]["size"] > max(body["index"] for _, body in acknowledged)
            for form, body in acknowledged:
                again = clinic.submit(form)
                assert (again.status_code, again.json()) == (200, body)
                promise = receipt.read(
                    str(body["receipt"]).encode(), _origin(chain, member), keys.log.public
                )
                assert promise.index == body["index"]
            for form in forms:
                assert clinic.submit(form).status_code in (200, 201)
            size = 1 + len(forms)
            status = node.wait_until(lambda status: status["final"]["size"] >= size)
            assert status["sequenced"]["size"] == size
        pool = RpcPool(chain.profile)
        sizes = [
            one.size for one in Checkpoints(pool).history(member, Generation(0), at=pool.head())
        ]
        pool.close()
        assert sizes == sorted(set(sizes))
        assert sizes[-1] == size

    def test_i1_the_servers_log_lines_and_metrics_name_nobody(
        self, chain, make_folder, server, tmp_path
    ) -> None:
        member, keys = chain.hospital()
        folder = tmp_path / "node"
        make_folder(folder, keys, chain.profile, member=member)
        one, two = free_ports(2)
        with server(folder, ports=(one, two)) as node:
            node.wait_until(lambda status: status["sequencing"])
            clinic = Clinic(chain, member, keys, node.url)
            subject, enrolment = clinic.enrol()
            form = clinic.form(subject, enrolment, 100)
            assert clinic.submit(form).status_code == 201
            httpx.get(f"{node.url}/v1/records/{uuid4()}/1/blob", trust_env=False)
            metrics = httpx.get(f"http://127.0.0.1:{two}/metrics", trust_env=False).text
            assert httpx.get(f"{node.url}/metrics", trust_env=False).status_code == 404
            node.process.terminate()
            _, said = node.process.communicate(timeout=30)
        assert "xinglin_requests_total" in metrics
        for text in (metrics, said.decode()):
            assert str(subject) not in text
            assert clinic.physician.address not in text
        assert node.process.returncode == 0


class TestMemory:
    LARGE = 192 * 2**20
    MOST = 64 * 2**20
    """A third of the record: what is streamed needs a few buffers, whatever its size."""

    def test_a_large_record_passes_through_little_memory(
        self, chain, make_folder, server, tmp_path
    ) -> None:
        member, keys = chain.hospital()
        folder = tmp_path / "node"
        make_folder(folder, keys, chain.profile, member=member)
        with server(folder) as node:
            node.wait_until(lambda status: status["sequencing"])
            clinic = Clinic(chain, member, keys, node.url)
            subject, enrolment = clinic.enrol()
            assert clinic.submit(clinic.form(subject, enrolment, 100_000)).status_code == 201
            before = _peak_memory(node.process.pid)
            large = clinic.form(subject, enrolment, self.LARGE)
            assert clinic.submit(large).status_code == 201
            assert _peak_memory(node.process.pid) - before < self.MOST


class TestRefusals:
    def test_a_taken_port_is_said(self, chain, refused, tmp_path) -> None:
        member, keys = chain.hospital()
        write_folder(tmp_path / "node", keys, chain.profile, member=member)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            code, said = refused(tmp_path / "node", ports=(port, free_ports(1)[0]))
        assert code == 2
        assert f"expected port {port} of 127.0.0.1 to be free" in said

    def test_without_the_recovery_recipient_a_node_does_not_start(
        self, chain, refused, tmp_path
    ) -> None:
        write_folder(tmp_path / "node", chain.keys[0], chain.profile, member=1)
        (tmp_path / "node" / "recovery.json").unlink()
        code, said = refused(tmp_path / "node")
        assert code == 2
        assert "recovery recipient" in said

    def test_a_wrong_passphrase_is_said_and_not_shown(self, chain, refused, tmp_path) -> None:
        write_folder(tmp_path / "node", chain.keys[0], chain.profile, member=1)
        code, said = refused(tmp_path / "node", XINGLIN_PASSPHRASE="another one")
        assert code == 1
        assert "wrong passphrase" in said
        assert "another one" not in said

    def test_a_wrong_chain_id_is_said(self, chain, refused, tmp_path) -> None:
        from dataclasses import replace

        other = replace(chain.profile, chain_id=99)
        write_folder(tmp_path / "node", chain.keys[0], other, member=1)
        code, said = refused(tmp_path / "node")
        assert code == 1
        assert "WrongChain" in said
        assert "99" in said

    def test_an_address_without_code_is_said(self, chain, refused, tmp_path) -> None:
        from dataclasses import replace

        contracts = chain.profile.deployed
        nowhere = replace(contracts.consents, address=Account.generate().address)
        other = replace(chain.profile, contracts=replace(contracts, consents=nowhere))
        write_folder(tmp_path / "node", chain.keys[0], other, member=1)
        code, said = refused(tmp_path / "node")
        assert code == 1
        assert "no code" in said

    def test_a_database_that_is_no_database_is_said(self, chain, refused, tmp_path) -> None:
        write_folder(tmp_path / "node", chain.keys[0], chain.profile, member=1)
        (tmp_path / "node" / "node.sqlite").write_bytes(b"not a database" * 100)
        code, said = refused(tmp_path / "node")
        assert code == 1
        assert "StorageRefused" in said


def _peak_memory(pid: int) -> int:
    """Most bytes that a process has held at once, as Linux counts them."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("peak memory is read from /proc")
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def _origin(chain, member: Member):
    from xinglin import history

    return history.origin(chain.profile.network_id, member, Generation(0))
