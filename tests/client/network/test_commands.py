"""The commands `network`, `member` and `model`, typed as a person types them, on a real chain."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from xinglin._chain.consortium import Consortium
from xinglin._chain.rpc import RpcPool
from xinglin._cli import main
from xinglin._network.anvil import find_anvil
from xinglin._network.permissions import keep_accounts
from xinglin._network.profile import load
from xinglin.canonical import encode
from xinglin.encoding import base64url, from_hex0x, hex0x
from xinglin.errors import UsageError
from xinglin.hashes import Digest
from xinglin.keys import Account, HpkeIdentity, write_key_file
from xinglin.names import Member
from xinglin.trust import read_trust

PASSPHRASE = "correct horse"


@dataclass(frozen=True, slots=True)
class World:
    """A network that was started and deployed by commands, and the keys of its founders."""

    folder: Path
    govern: tuple[Path, ...]
    accounts: tuple[Account, ...]

    @property
    def profile(self) -> Path:
        return self.folder / "chain" / "network.toml"


def key_file(path: Path, account: Account) -> Path:
    secret = {"kind": "account", "key": base64url(account.key)}
    write_key_file(path, secret, PASSPHRASE, log2_cost=14)
    return path


def institution_file(path: Path, name: str, account: Account, role: str = "hospital") -> Path:
    described: dict[str, Any] = {
        "format": "xinglin.institution/1",
        "name": name,
        "role": role,
        "url": "",
        "logKey": hex0x(bytes([len(name)]) * 32),
        "encryptionKey": base64url(HpkeIdentity.generate().recipient.public_key),
        "validator": None,
        "accounts": [{"address": account.address, "powers": ["govern", "witness"]}],
    }
    path.write_bytes(encode(described))
    return path


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """Run a command with --json; return what it printed, on success or refusal."""
    with pytest.raises(SystemExit) as ended:
        main([*words, "--json"])
    shown = capsys.readouterr()
    assert ended.value.code == code, shown.err
    return json.loads(shown.out if code == 0 else shown.err.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    try:
        find_anvil()
    except UsageError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("commands")
    patch = pytest.MonkeyPatch()
    patch.setenv("XINGLIN_PASSPHRASE", PASSPHRASE)
    patch.setenv("XINGLIN_NETWORK", str(folder / "chain" / "network.toml"))
    accounts = tuple(Account.generate() for _ in range(3))
    govern = tuple(key_file(folder / f"govern{n}.key", one) for n, one in enumerate(accounts))
    data = str(folder / "chain")
    with pytest.raises(SystemExit, match="0"):
        main(["network", "up", "--data", data, "--json"])
    founders = [
        str(institution_file(folder / f"{n}.json", f"Hospital {n}", one))
        for n, one in enumerate(accounts)
    ]
    words = [word for founder in founders for word in ("--institution", founder)]
    with pytest.raises(SystemExit, match="0"):
        main(["network", "deploy", *words, "--change-delay", "1", "--json"])
    yield World(folder, govern, accounts)
    with pytest.raises(SystemExit, match="0"):
        main(["network", "down", "--data", data, "--json"])
    patch.undo()


class TestNetwork:
    def test_status_names_node_view_and_contracts(
        self, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shown = run(capsys, "network", "status")
        assert shown["nodes"][0]["condition"] == "good"
        assert shown["contracts"] is True
        assert shown["final"]["ageSeconds"] < 30
        assert shown["finality"] == {"rule": "depth", "depth": 1}

    def test_export_writes_a_trust_root_that_reads(
        self, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = world.folder / "trust.json"
        shown = run(capsys, "network", "export", "--out", str(out))
        root = read_trust(out.read_bytes())
        assert root.digest.text == shown["digest"]
        assert root.network_id == load(world.profile).network_id

    def test_a_second_deployment_to_the_same_network_is_refused(
        self, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = [w for n in range(3) for w in ("-i", str(world.folder / f"{n}.json"))]
        refused = run(capsys, "network", "deploy", *words, code=2)
        assert "has contracts already" in refused["message"]

    def test_a_network_that_is_not_there_is_wrong_usage(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert (
            "found none"
            in run(capsys, "network", "down", "--data", str(tmp_path), code=2)["message"]
        )
        missing = str(tmp_path / "network.toml")
        assert missing in run(capsys, "network", "status", "--network", missing, code=2)["message"]

    def test_a_node_that_is_down_is_exit_code_3(
        self, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = world.profile.read_text()
        url = load(world.profile).rpc[0]
        (tmp_path / "network.toml").write_text(text.replace(url, "http://127.0.0.1:1"))
        network = str(tmp_path / "network.toml")
        refused = run(capsys, "network", "status", "--network", network, code=3)
        assert "127.0.0.1:1" in refused["message"]

    def test_a_wrong_chain_id_is_refused_and_both_are_named(
        self, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = world.profile.read_text().replace("chain_id = 31337", "chain_id = 1")
        (tmp_path / "network.toml").write_text(text)
        network = str(tmp_path / "network.toml")
        refused = run(capsys, "member", "list", "--network", network, code=1)
        assert refused["error"] == "WrongChain"
        assert "expected chain id 1, got 31337" in refused["message"]

    def test_a_development_chain_has_no_validators_to_list(
        self, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        refused = run(capsys, "network", "validator", "list", code=2)
        assert "got anvil" in refused["message"]

    def test_genesis_writes_a_whole_network(
        self, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shown = run(capsys, "network", "genesis", "--out", str(tmp_path / "besu"))
        assert len(shown["validators"]) == 4
        assert all(Path(name).is_file() for name in shown["files"])


class TestMembers:
    def test_an_institution_is_admitted_by_two_of_three(
        self, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        account = Account.generate()
        path, role = world.folder / "inst.json", "research-institute"
        file = institution_file(path, "Institute", account, role)
        words = ("--institution", str(file), "--key", str(world.govern[0]))
        made = run(capsys, "member", "propose", "admit", *words)
        assert made["needed"] == 2
        first = run(capsys, "member", "vote", made["proposal"], "--key", str(world.govern[0]))
        assert first["carried"] is False
        twice = run(
            capsys, "member", "vote", made["proposal"], "--key", str(world.govern[0]), code=1
        )
        assert twice["error"] == "ContractError"
        assert "ConsortiumAlreadyVoted" in twice["message"]
        last = run(capsys, "member", "vote", made["proposal"], "--key", str(world.govern[1]))
        assert last["carried"] is True
        members = run(capsys, "member", "list")["members"]
        assert (members[3]["name"], members[3]["role"]) == ("Institute", "research-institute")
        assert members[3]["accounts"][0]["powers"] == "govern+witness"

    def test_a_change_is_asked_for_and_carried_out(
        self, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        key = str(world.govern[2])
        asked = run(capsys, "member", "change", "url", "https://c.example", "--key", key)
        pool = RpcPool(load(world.profile))
        while pool.head().time <= asked["appliesFrom"]:
            pass
        run(capsys, "member", "change", "apply", str(asked["change"]), "--key", key)
        assert run(capsys, "member", "list")["members"][2]["url"] == "https://c.example"

    def test_what_concerns_nobody_is_asked_whom_it_concerns(
        self, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        refused = run(capsys, "member", "propose", "suspend", "--key", str(world.govern[0]), code=2)
        assert "--member" in refused["message"]
        refused = run(capsys, "member", "propose", "expel", "--key", str(world.govern[0]), code=2)
        assert "suspend" in refused["message"]

    def test_a_stranger_s_vote_is_the_contract_s_refusal(
        self, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stranger = key_file(tmp_path / "stranger.key", Account.generate())
        refused = run(capsys, "member", "freeze", "--key", str(stranger), code=1)
        assert "ConsortiumUnauthorizedAccount" in refused["message"]

    def test_one_s_own_log_is_frozen_at_once_and_a_vote_lets_it_go_on(
        self, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def frozen() -> bool:
            return bool(run(capsys, "member", "list")["members"][2]["frozenAt"])

        run(capsys, "member", "freeze", "--key", str(world.govern[2]))
        assert frozen()
        words = ("unfreeze", "--member", "3", "--key", str(world.govern[0]))
        made = run(capsys, "member", "propose", *words)
        for key in world.govern[:2]:
            run(capsys, "member", "vote", made["proposal"], "--key", str(key))
        assert not frozen()

    def test_an_appointment_is_withdrawn_by_its_member_alone(
        self, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        trust, file = tmp_path / "trust.json", tmp_path / "physician.json"
        run(capsys, "network", "export", "--out", str(trust))
        run(
            capsys, "appointment", "issue", "--key", str(world.govern[0]), "--member", "1",
            "--role", "physician", "--name", "王敏", "--account", Account.generate().address,
            "--key-digest", hex0x(bytes(32)), "--trust", str(trust), "--out", str(file),
        )  # fmt: skip
        digest = run(capsys, "appointment", "withdraw", str(file), "--key", str(world.govern[0]))[
            "digest"
        ]
        pool = RpcPool(load(world.profile))
        times = [
            Consortium(pool).withdrawn_at(Member(one), from_hex0x(digest), at=pool.final_view())
            for one in (1, 2)
        ]
        pool.close()
        assert times[0] > 0
        assert times[1] == 0

    def test_a_wrong_passphrase_is_refused_before_anything_is_sent(
        self, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "pass").write_text("wrong\n")
        words = ("--key", str(world.govern[0]), "--passphrase-file", str(tmp_path / "pass"))
        assert run(capsys, "member", "freeze", *words, code=1)["error"] == "KeyFileError"


def manifest_file(path: Path, name: str) -> Path:
    described: dict[str, Any] = {
        "files": {"model.onnx": Digest.of(name.encode()).text},
        "format": "xinglin.model/1",
        "libraries": {},
        "licence": "Apache-2.0",
        "name": name,
        "training": {},
        "version": 1,
    }
    path.write_bytes(encode(described))
    return path


class TestModels:
    @pytest.fixture
    def digest(
        self,
        world: World,
        tmp_path: Path,
        request: pytest.FixtureRequest,
        capsys: pytest.CaptureFixture[str],
    ) -> str:
        """The digest of a model that is registered, each test's own."""
        manifest = manifest_file(tmp_path / "manifest.json", request.node.name)
        words = ("model", "register", str(manifest), "--key", str(world.govern[0]))
        return str(run(capsys, *words)["digest"])

    def history(self, capsys: pytest.CaptureFixture[str], digest: str) -> list[str]:
        (found,) = (one for one in run(capsys, "model", "list") if one["digest"] == digest)
        return [one["status"] for one in found["history"]]

    def proposals(self, capsys: pytest.CaptureFixture[str]) -> int:
        return len(run(capsys, "member", "list", "--proposals")["proposals"])

    def test_a_model_is_registered_and_approved_by_votes(
        self, world: World, digest: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        key = str(world.govern[0])
        assert run(capsys, "model", "vote", digest, "--key", key)["status"] == "proposed"
        voted = run(capsys, "model", "vote", digest, "--key", str(world.govern[1]))
        assert voted["status"] == "approved"
        assert self.history(capsys, digest) == ["proposed", "approved"]
        run(capsys, "model", "retire", digest, "--key", key)
        assert self.history(capsys, digest)[-1] == "retired"

    def test_a_model_is_withdrawn_by_votes_for_one_reason(
        self, world: World, digest: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        reason, other = (Digest.of(text).text for text in (b"misreads doses", b"another"))
        words = ("model", "vote", digest, "--withdraw")
        first = run(capsys, *words, reason, "--key", str(world.govern[0]))
        assert (first["votes"], first["status"]) == (1, "proposed")
        apart = run(capsys, *words, other, "--key", str(world.govern[1]))
        assert (apart["votes"], apart["status"]) == (1, "proposed")
        last = run(capsys, *words, reason, "--key", str(world.govern[1]))
        assert (last["votes"], last["status"]) == (2, "withdrawn")
        assert self.history(capsys, digest) == ["proposed", "withdrawn"]
        shown = run(capsys, "model", "list")
        assert [one["reason"] for one in shown if one["digest"] == digest] == [reason]

    @pytest.mark.parametrize("withdraw", [False, True])
    def test_what_carried_and_was_not_carried_out_is_carried_out_by_the_same_command(
        self, world: World, digest: str, withdraw: bool, capsys: pytest.CaptureFixture[str]
    ) -> None:
        reason = ("--withdraw", Digest.of(b"misreads doses").text) if withdraw else ()
        words = ("model", "vote", digest, *reason, "--key")
        made = run(capsys, *words, str(world.govern[0]))["proposal"]
        # A vote for the bare proposal carries it, and sends nothing to the registry of models.
        run(capsys, "member", "vote", made, "--key", str(world.govern[1]))
        assert self.history(capsys, digest) == ["proposed"]
        before = self.proposals(capsys)
        ended = run(capsys, *words, str(world.govern[0]))
        assert (ended["proposal"], ended["votes"]) == (made, 2)
        assert self.history(capsys, digest)[1:] == ["withdrawn" if withdraw else "approved"]
        again = run(capsys, *words, str(world.govern[2]), code=1)
        assert "ModelWrongStatus" in again["message"]
        assert self.proposals(capsys) == before, "no other round is voted"

    def test_a_manifest_in_another_layout_is_refused(
        self, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        # Another layout would be another digest, which nobody would find again.
        path = manifest_file(tmp_path / "m.json", "spaced")
        path.write_bytes(path.read_bytes().replace(b":", b": ", 1))
        words = ("model", "register", str(path), "--key", str(world.govern[0]))
        assert run(capsys, *words, code=1)["error"] == "InvalidEncoding"

    @pytest.mark.parametrize(
        "value",
        [
            [],
            {"files": []},
            {"files": {}, "format": "xinglin.model/1"},
            {"files": {"model.onnx": "sha256:5f"}, "format": "xinglin.model/1"},
            {"files": {"model.onnx": 5}, "format": "xinglin.model/1"},
            {"files": {"model.onnx": Digest.of(b"").text}, "format": "xinglin.model/2"},
        ],
    )
    def test_json_that_is_no_manifest_is_refused(
        self, world: World, tmp_path: Path, value: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        # Its digest would stand in the registry and name no weights.
        before = len(run(capsys, "model", "list"))
        (tmp_path / "m.json").write_bytes(encode(value))
        words = ("model", "register", str(tmp_path / "m.json"), "--key", str(world.govern[0]))
        assert run(capsys, *words, code=1)["error"] == "InvalidEncoding"
        assert len(run(capsys, "model", "list")) == before


class TestPermissions:
    def test_the_list_is_the_members_accounts_and_follows_them(
        self, world: World, tmp_path: Path
    ) -> None:
        pool = RpcPool(load(world.profile))
        out = tmp_path / "accounts.toml"
        said: list[str] = []
        keep_accounts(pool, out, progress=said.append, rounds=2, pause=0.01)
        assert len(said) == 1, "written once where nothing changed"
        text = out.read_text()
        for account in world.accounts:
            assert account.address.lower() in text
        consortium = Consortium(pool)
        at = pool.final_view()
        assert text.count("0x") == len(consortium.member_accounts(at=at))
