"""
What production is started from: it parses, and names nothing that is not there.

No image can be pulled where this is tested, so each claim is held against what can be: the
files that the real commands write, the settings that the code reads, the metrics that it
exports, the commands that it has. Each check gives the faults that it finds, and is shown
one of each kind.
"""

import copy
import importlib
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from xinglin import _cli
from xinglin._chain.nodes import NodeCondition
from xinglin._network import besu
from xinglin._network.exporter import GAUGES
from xinglin._network.profile import load as load_profile
from xinglin.errors import XinglinError
from xinglin.headers import qbft
from xinglin.headers.header import BlockHash

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
settings = pytest.importorskip("xinglin_node.settings", reason="the node is not installed")

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "docker-compose.yml"
OPERATIONS = ROOT / "docs" / "operations.md"
ALERTS = ROOT / "production/prometheus/alerts.yml"
BOARD = ROOT / "production/grafana/dashboards/xinglin.json"
EXAMPLE = ROOT / "production/node.env.example"

VALIDATORS = ("validator1", "validator2", "validator3", "validator4")
HOSPITALS = ("hospital-a", "hospital-b")
PASSPHRASE = "correct horse battery staple"

BY_HAND = {"./institutions", "./officers"}
"""Folders that people put files into; docs/operations.md says when they are made."""

IN_MEMORY = "/dev/shm/xinglin/"
"""Where keys are unlocked; made by production/host/tmpfiles.conf."""

BESU_METRICS = {
    # EIP-2159, which Besu follows.
    "ethereum_blockchain_height",
    "ethereum_peer_count",
    # Besu's documentation, "Use metrics", list of metrics.
    "besu_blockchain_chain_head_timestamp",
}
"""What Besu exports and we use, each with its source."""

PROMETHEUS_METRICS = {"up"}
"""What Prometheus itself writes of each target."""


class StrictLoader(yaml.SafeLoader):  # type: ignore[misc, name-defined]
    """YAML in which a key stands once: the last of two would hide the first."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[object] = set()
        for key, _ in node.value:
            # `<<` may stand beside keys that it brings as well: that is how they are replaced.
            name = key.value
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{name} twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(path.read_text("utf-8"), StrictLoader)
    return found


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return read_yaml(COMPOSE)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which an operator has run the commands of docs/operations.md."""
    folder = tmp_path_factory.mktemp("production")
    run(folder, str(ROOT / "production/make_secrets.py"), "secrets", "--self-signed", "x.example")
    for hospital in HOSPITALS:
        xinglin(
            folder,
            *("node", "init", hospital, "--name", hospital, "--url", f"https://{hospital}.example"),
            *("--network", "network/network.toml", "--officer"),
            *("--passphrase-file", f"secrets/{hospital}-passphrase"),
        )
    officer = json.loads((folder / "hospital-a/institution.json").read_bytes())["accounts"][1]
    xinglin(
        folder,
        *("network", "genesis", "--engine", "qbft", "--out", "network"),
        *("--account", officer["address"], "--passphrase-file", "secrets/validator-passphrase"),
    )
    return folder


def xinglin(folder: Path, *arguments: str) -> None:
    run(folder, "-m", "xinglin", *arguments)


def run(folder: Path, *arguments: str) -> None:
    paths = os.pathsep.join(str(ROOT / part) for part in ("client", "node", "ml"))
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def parse_faults(path: Path) -> str:
    """What Docker's own command says of a compose file: nothing where it takes it."""
    program = shutil.which("docker-compose")
    command = [program] if program else ["docker", "compose"]
    if program is None and not has_plugin():
        pytest.skip("neither docker-compose nor the plugin `docker compose` is installed")
    done = subprocess.run(
        [*command, "-f", str(path), "config"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stderr if done.returncode else ""


def has_plugin() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    asked = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
    return asked.returncode == 0


class TestItParses:
    def test_docker_s_own_command_takes_it(self) -> None:
        assert parse_faults(COMPOSE) == ""

    def test_and_would_not_take_a_wrong_one(self, tmp_path: Path) -> None:
        wrong = tmp_path / "docker-compose.yml"
        text = COMPOSE.read_text("utf-8")
        wrong.write_text(text.replace("    networks: [store]", "    netwroks: [store]", 1))
        assert "netwroks" in parse_faults(wrong)

    @pytest.mark.parametrize("path", sorted(ROOT.glob("production/**/*.yml")), ids=str)
    def test_every_yaml_file_has_each_key_once(self, path: Path) -> None:
        assert read_yaml(path)

    def test_a_key_that_stands_twice_is_seen(self, tmp_path: Path) -> None:
        (tmp_path / "x.yml").write_text("a: 1\na: 2\n")
        with pytest.raises(yaml.YAMLError, match="twice"):
            read_yaml(tmp_path / "x.yml")


def mounts(compose: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Service, source and target of every mount, secrets included."""
    for name, service in compose["services"].items():
        for mount in service.get("volumes", []):
            source, target = mount.split(":")[:2]
            yield name, source, target
        for secret in service.get("secrets", []):
            source = secret["source"] if isinstance(secret, dict) else secret
            target = secret["target"] if isinstance(secret, dict) else secret
            file = compose["secrets"].get(source, {}).get("file", f"no secret {source}")
            yield name, file, f"/run/secrets/{target}"


def mount_faults(compose: dict[str, Any], made: Path) -> list[str]:
    """Mounted files that nobody makes, and secrets and volumes that nobody mounts."""
    faults = []
    sources = set()
    for name, source, _ in mounts(compose):
        sources.add(source)
        if source in BY_HAND or source.startswith(IN_MEMORY) or source in compose["volumes"]:
            continue
        if not source.startswith("./"):
            faults.append(f"{name}: {source} is no file, folder or volume of this project")
        elif not any((root / source).exists() for root in (ROOT, made)):
            faults.append(f"{name}: nobody makes {source}")
    for secret in compose["secrets"].values():
        if secret["file"] not in sources:
            faults.append(f"{secret['file']} is mounted by nobody")
    faults += [f"volume {one} is mounted by nobody" for one in set(compose["volumes"]) - sources]
    return faults


class TestMounts:
    def test_every_file_is_in_the_project_or_made_by_a_command(
        self, compose: dict[str, Any], made: Path
    ) -> None:
        assert mount_faults(compose, made) == []

    def test_one_that_nobody_makes_is_found(self, compose: dict[str, Any], made: Path) -> None:
        wrong = copy.deepcopy(compose)
        wrong["services"]["proxy"]["volumes"].append("./production/proxy/nothing.conf:/x:ro")
        wrong["services"]["proxy"]["secrets"].append("unheard-of")
        wrong["volumes"]["spare"] = {}
        faults = mount_faults(wrong, made)
        assert len(faults) == 3, faults
        assert "nothing.conf" in faults[0]

    def test_the_folders_of_people_are_made_in_the_document(self) -> None:
        names = " ".join(sorted(one.removeprefix("./") for one in BY_HAND))
        assert f"mkdir -p {names}" in OPERATIONS.read_text("utf-8")

    def test_what_besu_s_settings_name_is_mounted_there(
        self, compose: dict[str, Any], made: Path
    ) -> None:
        for name in (*VALIDATORS, "rpc"):
            targets = [target for service, _, target in mounts(compose) if service == name]
            (given,) = [
                word.split("=")[1]
                for word in compose["services"][name]["command"]
                if word.startswith("--config-file=")
            ]
            assert given in targets
            written = made / "network" / given.removeprefix("/network/")
            values = tomllib.loads(written.read_text()).values()
            paths = [one for one in values if isinstance(one, str) and one.startswith("/")]
            assert len(paths) >= 5
            for path in paths:
                assert any(path == one or path.startswith(f"{one}/") for one in targets), path

    def test_a_validator_gets_no_key_but_its_own_and_only_in_memory(
        self, compose: dict[str, Any]
    ) -> None:
        for name in (*VALIDATORS, "rpc"):
            sources = {source for service, source, _ in mounts(compose) if service == name}
            assert f"{IN_MEMORY}{name}" in sources
            assert not [one for one in sources if re.fullmatch(r"\./network(/\w+\d)?", one)]
            unlocking = {
                source for service, source, _ in mounts(compose) if service == f"unlock-{name}"
            }
            assert {f"./network/{name}", f"{IN_MEMORY}{name}", name} <= unlocking

    def test_folders_in_memory_are_made_at_each_start_of_the_machine(
        self, compose: dict[str, Any]
    ) -> None:
        lines = (ROOT / "production/host/tmpfiles.conf").read_text().splitlines()
        folders = {line.split()[1] for line in lines if line.startswith("d ")}
        wanted = {source for _, source, _ in mounts(compose) if source.startswith(IN_MEMORY)}
        assert wanted
        assert wanted <= folders


def variables(compose: dict[str, Any], name: str) -> tuple[dict[str, str], dict[str, str]]:
    """A service's XINGLIN_ variables, and the secret files that stand for others."""
    environment = compose["services"][name].get("environment", {})
    given = {key: value for key, value in environment.items() if key.startswith("XINGLIN_")}
    files = {
        Path(target).name.upper(): source
        for service, source, target in mounts(compose)
        if service == name and Path(target).name.startswith("xinglin_")
    }
    return given, files


def setting_faults(compose: dict[str, Any], name: str) -> list[str]:
    """Variables that no setting reads, and settings without a default that nobody gives."""
    given, files = variables(compose, name)
    fields = settings.NodeSettings.model_fields
    known = {f"XINGLIN_{one.upper()}" for one in fields}
    required = {f"XINGLIN_{one.upper()}" for one, what in fields.items() if what.is_required()}
    everything = set(given) | set(files)
    faults = [f"{one} is no setting" for one in sorted(everything - known)]
    faults += [f"{one} is not given" for one in sorted(required - everything)]
    faults += [f"{one} is given twice" for one in sorted(set(given) & set(files))]
    secret = {
        f"XINGLIN_{one.upper()}"
        for one, what in fields.items()
        if "SecretStr" in str(what.annotation)
    }
    faults += [f"{one} is a secret in the clear" for one in sorted(set(given) & secret)]
    return faults


def example_settings(text: str) -> dict[str, str]:
    """Names and values of an example of an environment; what has a default is commented out."""
    return dict(re.findall(r"^#?(XINGLIN_[A-Z0-9_]+)=(.*)$", text, flags=re.MULTILINE))


def written_as(default: object) -> str:
    """A setting's default as an environment has it."""
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None else "[]" if default == () else str(default)


def example_faults(text: str) -> list[str]:
    """Settings that the example lacks, has besides, or gives another default than the code."""
    given = example_settings(text)
    fields = settings.NodeSettings.model_fields
    names = {f"XINGLIN_{name.upper()}": what for name, what in fields.items()}
    faults = [f"{one} is missing" for one in sorted(set(names) - set(given))]
    faults += [f"{one} is no setting" for one in sorted(set(given) - set(names))]
    for name, what in names.items():
        if name not in given:
            continue
        commented = f"#{name}=" in text
        if what.is_required() == commented:
            faults.append(f"{name}: commented out is what has a default")
        if not what.is_required():
            default = what.default
            if given[name] != written_as(default):
                faults.append(f"{name}: {given[name]}, and the code has {default}")
    return faults


class TestSettings:
    @pytest.mark.parametrize("name", HOSPITALS)
    def test_a_node_is_given_settings_that_exist_and_all_that_it_needs(
        self, compose: dict[str, Any], name: str
    ) -> None:
        assert setting_faults(compose, name) == []

    def test_what_is_wrong_is_found(self, compose: dict[str, Any]) -> None:
        wrong = copy.deepcopy(compose)
        environment = wrong["services"]["hospital-a"]["environment"]
        environment["XINGLIN_PAD_CHECKPOINT"] = "true"
        environment["XINGLIN_PASSPHRASE"] = "in the clear"
        del environment["XINGLIN_MEMBER"]
        assert setting_faults(wrong, "hospital-a") == [
            "XINGLIN_PAD_CHECKPOINT is no setting",
            "XINGLIN_MEMBER is not given",
            "XINGLIN_PASSPHRASE is given twice",
            "XINGLIN_PASSPHRASE is a secret in the clear",
        ]

    def test_the_node_loads_them(
        self,
        compose: dict[str, Any],
        made: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        given, files = variables(compose, "hospital-a")
        for key, value in given.items():
            monkeypatch.setenv(key, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value))
        for name, source in files.items():
            shutil.copy(made / source, tmp_path / name.lower())
        monkeypatch.setattr(settings, "SECRETS_FOLDER", tmp_path)
        loaded = settings.load(made / "hospital-a" / "node.toml")
        assert (loaded.member, str(loaded.folder)) == (1, "/node")
        assert loaded.pad_checkpoints is True
        assert loaded.relay_spread_seconds == 600
        assert len(loaded.rpc_urls) == 3
        password = (made / "secrets/hospital-a-database-password").read_text().strip()
        assert loaded.database == f"postgresql://hospital_a:{password}@postgres/hospital_a"
        passphrase = (made / "secrets/hospital-a-passphrase").read_text().strip()
        assert loaded.passphrase.get_secret_value() == passphrase
        assert loaded.s3_secret_access_key is not None

    def test_without_the_files_it_refuses_to_start(
        self, compose: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given, _ = variables(compose, "hospital-a")
        monkeypatch.delenv("XINGLIN_PASSPHRASE", raising=False)
        for key, value in given.items():
            monkeypatch.setenv(key, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value))
        monkeypatch.setattr(settings, "SECRETS_FOLDER", tmp_path)
        with pytest.raises(XinglinError, match="passphrase"):
            settings.load(None)

    def test_the_environment_comes_before_a_secret_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "xinglin_passphrase").write_text("of the file\n")
        monkeypatch.setattr(settings, "SECRETS_FOLDER", tmp_path)
        rest = {"folder": ".", "network": ".", "member": 1, "public_url": "https://a.example"}
        monkeypatch.delenv("XINGLIN_PASSPHRASE", raising=False)
        assert settings.load(None, **rest).passphrase.get_secret_value() == "of the file"
        monkeypatch.setenv("XINGLIN_PASSPHRASE", "of the environment")
        assert settings.load(None, **rest).passphrase.get_secret_value() == "of the environment"

    def test_the_example_has_every_setting_with_its_default_and_no_other(self) -> None:
        assert example_faults(EXAMPLE.read_text("utf-8")) == []

    def test_an_example_that_differs_is_found(self) -> None:
        text = EXAMPLE.read_text("utf-8")
        wrong = text.replace("#XINGLIN_PORT=8100", "#XINGLIN_PORT=8101").replace(
            "XINGLIN_MEMBER=1", "XINGLIN_NUMBER=1"
        )
        assert example_faults(wrong) == [
            "XINGLIN_MEMBER is missing",
            "XINGLIN_NUMBER is no setting",
            "XINGLIN_PORT: 8101, and the code has 8100",
        ]

    def test_every_setting_is_read_somewhere(self) -> None:
        source = "\n".join(
            path.read_text("utf-8") for path in (ROOT / "node/xinglin_node").rglob("*.py")
        )
        unread = [
            name
            for name in settings.NodeSettings.model_fields
            if not re.search(rf"(?:settings|self)\.{name}\b", source)
        ]
        assert unread == []

    def test_the_addresses_are_those_of_services_on_a_shared_network(
        self, compose: dict[str, Any]
    ) -> None:
        for name in HOSPITALS:
            given, _ = variables(compose, name)
            urls = [*json.loads(given["XINGLIN_RPC_URLS"]), given["XINGLIN_S3_ENDPOINT"]]
            for url in urls:
                host, port = url.removeprefix("http://").split(":")
                assert set(compose["services"][host]["networks"]) & set(
                    compose["services"][name]["networks"]
                )
                assert port == ("3900" if host == "objects" else str(besu.RPC_PORT))


class TestSecrets:
    def test_each_is_its_own_and_lies_in_a_closed_folder(self, made: Path) -> None:
        folder = made / "secrets"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        values = [path.read_text() for path in folder.iterdir() if path.is_file()]
        assert len(set(values)) == len(values) >= 14
        assert all(len(value.strip()) >= 26 for value in values)

    def test_none_is_made_anew_over_one_that_exists(self, made: Path) -> None:
        before = {p: p.read_bytes() for p in (made / "secrets").rglob("*") if p.is_file()}
        run(made, str(ROOT / "production/make_secrets.py"), "secrets")
        assert before == {p: p.read_bytes() for p in before}

    def test_none_stands_in_a_file_of_the_project(self, compose: dict[str, Any]) -> None:
        for name, service in compose["services"].items():
            for key, value in service.get("environment", {}).items():
                if re.search(r"PASS|SECRET|TOKEN|KEY", key):
                    assert str(value).startswith("/run/secrets/"), (name, key)
        ignored = (ROOT / ".gitignore").read_text().splitlines()
        for folder in ("/secrets/", "/network/", "/hospital-a/", "/hospital-b/", "/.env"):
            assert folder in ignored

    def test_what_waits_for_a_secret_gets_it(self, compose: dict[str, Any]) -> None:
        for name, service in compose["services"].items():
            words = [*service.get("command", []), *service.get("environment", {}).values()]
            targets = {target for of, _, target in mounts(compose) if of == name}
            for word in words:
                if str(word).startswith("/run/secrets/"):
                    assert word in targets, (name, word)
        for text, name in (
            ((ROOT / "production/proxy/nginx.conf").read_text(), "proxy"),
            ((ROOT / "production/objects/garage.toml").read_text(), "objects"),
        ):
            targets = {target for of, _, target in mounts(compose) if of == name}
            for path in re.findall(r"/run/secrets/[\w-]+", text):
                assert path in targets, path


class TestNetwork:
    def test_the_extra_data_of_genesis_decodes_to_the_validators(
        self, made: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = made / "network"
        genesis = json.loads((folder / "genesis.json").read_bytes())
        addresses = {(folder / one / "address").read_text().strip() for one in VALIDATORS}
        view = qbft.genesis(header_of(genesis, monkeypatch), rules=RULES)
        assert set(view.validators) == addresses
        profile = load_profile(folder / "network.toml")
        assert view.block_hash == BlockHash(profile.genesis)

    def test_another_set_of_validators_is_another_network(
        self, made: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        genesis = json.loads((made / "network/genesis.json").read_bytes())
        profile = load_profile(made / "network/network.toml")
        genesis["extraData"] = "0x" + qbft.genesis_extra_data(profile.validators[1:]).hex()
        view = qbft.genesis(header_of(genesis, monkeypatch), rules=RULES)
        assert set(view.validators) != set(profile.validators)
        assert view.block_hash != BlockHash(profile.genesis)
        genesis["extraData"] = genesis["extraData"][:-2]
        with pytest.raises(XinglinError):
            qbft.genesis(header_of(genesis, monkeypatch), rules=RULES)

    def test_blocks_come_as_was_settled_and_gas_is_free(self, made: Path) -> None:
        config = json.loads((made / "network/genesis.json").read_bytes())["config"]
        assert config["zeroBaseFee"] is True
        assert config["qbft"]["blockperiodseconds"] == 2
        assert config["qbft"]["emptyblockperiodseconds"] == 30
        for name in ("validator.toml", "rpc.toml"):
            given = tomllib.loads((made / "network" / name).read_text())
            assert given["min-gas-price"] == 0
            assert given["profile"] == "ENTERPRISE"
            assert given["discovery-enabled"] is False
            assert given["metrics-enabled"] is True
            assert given["permissions-nodes-config-file-enabled"] is True

    def test_strangers_accounts_are_refused_by_every_validator(self, made: Path) -> None:
        given = tomllib.loads((made / "network/validator.toml").read_text())
        assert given["permissions-accounts-config-file-enabled"] is True
        allowed = tomllib.loads((made / "network/permissions/accounts.toml").read_text())
        officer = json.loads((made / "hospital-a/institution.json").read_bytes())["accounts"][1]
        assert allowed["accounts-allowlist"] == [officer["address"].lower()]

    def test_each_node_is_where_the_others_dial_it(
        self, compose: dict[str, Any], made: Path
    ) -> None:
        allowed = tomllib.loads((made / "network/permissions/nodes.toml").read_text())
        for name in (*VALIDATORS, "rpc"):
            service = compose["services"][name]
            address = service["networks"]["chain"]["ipv4_address"]
            identity = (made / "network" / name / "node-id").read_text().strip()
            assert f"enode://{identity}@{address}:30303" in allowed["nodes-allowlist"]
            assert f"--p2p-host={address}" in service["command"]

    def test_the_proxy_s_address_is_the_one_whose_word_is_taken(
        self, compose: dict[str, Any]
    ) -> None:
        address = compose["services"]["proxy"]["networks"]["front"]["ipv4_address"]
        for name in HOSPITALS:
            assert compose["services"][name]["environment"]["FORWARDED_ALLOW_IPS"] == address

    def test_only_the_proxy_is_open_to_others(self, compose: dict[str, Any]) -> None:
        published = {
            name: service["ports"]
            for name, service in compose["services"].items()
            if "ports" in service
        }
        assert published == {"proxy": ["443:443"], "grafana": ["127.0.0.1:3000:3000"]}

    def test_the_proxy_speaks_to_services_that_it_shares_a_network_with(
        self, compose: dict[str, Any]
    ) -> None:
        text = (ROOT / "production/proxy/nginx.conf").read_text("utf-8")
        assert text.count("{") == text.count("}")
        upstreams = re.findall(r"set \$\w+ http://([\w-]+):(\d+);", text)
        assert len(upstreams) == 3
        for host, port in upstreams:
            assert "front" in compose["services"][host]["networks"]
            assert port == ("8545" if host == "rpc" else "8100")

    def test_every_image_is_pinned(self, compose: dict[str, Any]) -> None:
        images = {one["image"] for one in compose["services"].values()}
        assert "hyperledger/besu:26.8.0" in images
        assert all(re.search(r":v?\d+\.\d+", image) for image in images), images


RULES = qbft.Rules(epoch_length=besu.EPOCH_LENGTH, block_period=besu.BLOCK_PERIOD)


def header_of(genesis: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The header that a genesis file makes."""
    found: list[bytes] = []
    with monkeypatch.context() as patch:
        patch.setattr(besu, "block_hash_of", lambda header, _: found.append(header) or b"")
        besu.genesis_hash(genesis)
    return found[0]


class TestImage:
    def test_it_copies_what_is_there_and_what_is_not_kept_out(self) -> None:
        dockerfile = (ROOT / "production/Dockerfile").read_text("utf-8")
        copied = [
            source
            for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, flags=re.MULTILINE)
            for source in line.split()[:-1]
        ]
        rules = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        patterns = [one for one in rules if one and not one.startswith("#")]
        assert patterns[0] == "*"
        let_in = {one[1:] for one in patterns if one.startswith("!")}
        assert set(copied) == let_in
        assert all((ROOT / one).exists() for one in copied)

    def test_what_is_installed_is_pinned_by_hash(self) -> None:
        dockerfile = (ROOT / "production/Dockerfile").read_text("utf-8")
        assert "--require-hashes --no-deps -r requirements/demo.txt" in dockerfile
        pinned = (ROOT / "requirements/demo.txt").read_text("utf-8")
        build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]
        for requirement in build["requires"]:
            assert f"{requirement} \\" in pinned, requirement
        removed = re.search(r"pip uninstall --yes (.+) \\", dockerfile)
        assert removed is not None
        assert all(f"\n{one}==" in pinned for one in removed[1].split())


_LABELS = re.compile(r"\{[^{}]*\}")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\([^()]*\)")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_WORDS = {"or", "and", "unless", "offset", "bool", "group_left", "group_right"}


def metrics_in(expression: str) -> set[str]:
    """The metrics that an expression of Prometheus reads."""
    bare = _GROUPING.sub(" ", _LABELS.sub(" ", re.sub(r"\[[^\]]*\]", " ", expression)))
    return {
        found[0]
        for found in _NAME.finditer(bare)
        if not bare[found.end() :].lstrip().startswith("(") and found[0] not in _WORDS
    } - {""}


def exported() -> set[str]:
    """Every series that the node and the watcher can show."""
    from prometheus_client.metrics import MetricWrapperBase

    names = set(GAUGES) | BESU_METRICS | PROMETHEUS_METRICS
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    for module in ("metrics", "observed"):
        for value in vars(importlib.import_module(f"xinglin_node.health.{module}")).values():
            if isinstance(value, MetricWrapperBase):
                for family in value.describe():
                    names |= {family.name + end for end in suffixes.get(family.type, ("",))}
    return names


def expression_faults(expressions: Iterable[str]) -> list[str]:
    """What expressions ask for and nobody exports."""
    faults = []
    known = exported()
    for expression in expressions:
        faults += [f"{one}: exported by nobody" for one in sorted(metrics_in(expression) - known)]
        for condition in re.findall(r'condition=~?"([^"]*)"', expression):
            unknown = set(condition.split("|")) - {one.value for one in NodeCondition}
            faults += [f"condition {one}: there is none" for one in sorted(unknown)]
        for route in re.findall(r'route="([^"]*)"', expression):
            if route not in routes():
                faults.append(f"route {route}: served by nobody")
    return faults


def routes() -> set[str]:
    module = importlib.import_module("xinglin_node.access.endpoints")
    return {route.path for route in module.router.routes}


def alarms() -> list[dict[str, Any]]:
    return [rule for group in read_yaml(ALERTS)["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(BOARD.read_bytes())["panels"]
    return found


class TestWatching:
    def test_the_dashboard_shows_what_is_exported(self) -> None:
        shown = [target["expr"] for panel in panels() for target in panel["targets"]]
        assert len(shown) >= 18
        assert expression_faults(shown) == []

    def test_and_everything_that_was_promised(self) -> None:
        used = {
            name
            for panel in panels()
            for target in panel["targets"]
            for name in metrics_in(target["expr"])
        }
        assert {
            "xinglin_anchoring_lag_seconds",
            "xinglin_queue_weight",
            "xinglin_releases_total",
            "xinglin_refusals_total",
            "xinglin_chain_head_age_seconds",
            "xinglin_chain_validators_missing",
        } <= used

    def test_the_alarms_ask_for_what_is_exported(self) -> None:
        rules = [rule["expr"] for rule in alarms()]
        assert len(rules) >= 15
        assert expression_faults(rules) == []

    def test_what_nobody_exports_is_found(self) -> None:
        assert expression_faults(
            [
                "rate(xinglin_no_such_total[5m]) > 0",
                'sum by (instance) (xinglin_chain_rpc_nodes{condition="tired"})',
                'xinglin_requests_total{route="/v1/nowhere"}',
            ]
        ) == [
            "xinglin_no_such_total: exported by nobody",
            "condition tired: there is none",
            "route /v1/nowhere: served by nobody",
        ]

    def test_a_metric_is_told_from_the_words_around_it(self) -> None:
        expression = (
            'histogram_quantile(0.95, sum by (le, route) (rate(a_bucket{x="y_z"}[5m]))) > 2 or '
            "absent(b) unless on (instance) time() - c_d"
        )
        assert metrics_in(expression) == {"a_bucket", "b", "c_d"}

    def test_each_alarm_says_what_it_means_and_the_document_what_to_do(self) -> None:
        rows = set(re.findall(r"^\| `(\w+)` \|", OPERATIONS.read_text("utf-8"), re.MULTILINE))
        assert rows == {rule["alert"] for rule in alarms()}
        for rule in alarms():
            assert rule["labels"]["severity"] in ("page", "ticket")
            assert rule["annotations"]["summary"]

    def test_what_is_scraped_is_a_service_on_the_port_of_its_metrics(
        self, compose: dict[str, Any]
    ) -> None:
        ours = set(compose["services"]["prometheus"]["networks"])
        scraped = read_yaml(ROOT / "production/prometheus/prometheus.yml")["scrape_configs"]
        targets = [
            (job["job_name"], target)
            for job in scraped
            for static in job["static_configs"]
            for target in static["targets"]
        ]
        ports = {"node": "9100", "chain": "9200", "besu": str(besu.METRICS_PORT)}
        assert len(targets) == 8
        for job, target in targets:
            host, port = target.split(":")
            assert ours & set(compose["services"][host]["networks"]), target
            assert port == ports[job]
        jobs = set(re.findall(r'job="(\w+)"', ALERTS.read_text()))
        assert jobs <= set(ports)

    def test_grafana_finds_its_source_and_its_dashboards(self, compose: dict[str, Any]) -> None:
        folder = ROOT / "production/grafana/provisioning"
        (source,) = read_yaml(folder / "datasources/prometheus.yml")["datasources"]
        assert source["url"] == "http://prometheus:9090"
        assert {panel["datasource"]["uid"] for panel in panels()} == {source["uid"]}
        (provider,) = read_yaml(folder / "dashboards/xinglin.yml")["providers"]
        assert ("grafana", "./production/grafana/dashboards", provider["options"]["path"]) in set(
            mounts(compose)
        )


def shell_lines(text: str) -> list[list[str]]:
    """The words of every line in the document's blocks of shell, joined commands apart."""
    lines = []
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", text, flags=re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            for part in re.split(r"&&|;", line):
                words = shlex.split(part, comments=True)
                lines.append(words[1:] if words[:1] in (["do"], ["sudo"]) else words)
    return [words for words in lines if words]


def our_command(words: list[str]) -> list[str] | None:
    """What is given to `xinglin`, where a line runs it."""
    if words[0] == "xinglin":
        return words[1:]
    if words[:3] == ["docker", "compose", "run"] and "cli" in words:
        return words[words.index("cli") + 1 :]
    return None


def command_faults(words: list[str]) -> list[str]:
    """What a line asks of `xinglin` that it does not have."""
    command: Any = _cli.root
    rest = list(words)
    while hasattr(command, "get_command"):
        if not rest:
            return ["a group is no command"]
        found = command.get_command(None, rest[0])
        if found is None:
            return [f"there is no command {rest[0]}"]
        command, rest = found, rest[1:]
    options = {name: one for one in command.params for name in (*one.opts, *one.secondary_opts)}
    faults, given = [], set()
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    values = 0
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            values += 1
            continue
        option = options.get(word)
        if option is None:
            faults.append(f"there is no option {word}")
            continue
        given.add(option.name)
        if not getattr(option, "is_flag", False):
            if not rest:
                faults.append(f"{word} wants a value")
            rest = rest[1:]
    if values != len(arguments):
        faults.append(f"{len(arguments)} arguments are wanted, {values} given")
    faults += [
        f"{one.opts[0]} is not given"
        for one in command.params
        if one.required and one.param_type_name == "option" and one.name not in given
    ]
    return faults


def reloaded(words: list[str]) -> list[str]:
    """Which nodes a command lets read their lists again."""
    return [value for option, value in pairwise(words) if option == "--reload"]


class TestOperations:
    TEXT = OPERATIONS.read_text("utf-8")

    def test_every_command_of_ours_exists_with_its_options(self) -> None:
        ours = [found for words in shell_lines(self.TEXT) if (found := our_command(words))]
        assert len(ours) >= 25
        assert [(one, faults) for one in ours if (faults := command_faults(one))] == []

    @pytest.mark.parametrize(
        ("line", "fault"),
        [
            ("xinglin network genesys --out x", "there is no command genesys"),
            ("xinglin network genesis --out x --quietly", "there is no option --quietly"),
            ("xinglin network genesis", "--out is not given"),
            ("docker compose run --rm cli member vote --key k", "1 arguments are wanted, 0 given"),
            ("docker compose run --rm cli network", "a group is no command"),
        ],
    )
    def test_one_that_does_not_is_found(self, line: str, fault: str) -> None:
        found = our_command(shlex.split(line))
        assert found is not None
        assert command_faults(found) == [fault]

    def test_who_may_connect_is_told_to_every_validator_of_the_machine(
        self, compose: dict[str, Any]
    ) -> None:
        # One that is not told refuses the newcomer until it is started again.
        lists = [words for words in map(our_command, shell_lines(self.TEXT)) if words]
        lists = [words for words in lists if words[:2] == ["network", "node"]]
        assert len(lists) == 3
        every = reloaded(compose["services"]["permissions"]["command"])
        assert len(every) == 4
        assert [reloaded(words) for words in lists] == [every] * 3

    def test_every_service_that_is_named_exists(self, compose: dict[str, Any]) -> None:
        verbs = {"up", "restart", "rm", "stop", "exec", "logs", "pull", "build"}
        seen = set()
        for words in shell_lines(self.TEXT):
            if words[:2] != ["docker", "compose"] or words[2] not in verbs:
                continue
            named = [one for one in words[3:] if not one.startswith("-")]
            named = named[:1] if words[2] == "exec" else named
            for name in named:
                assert name in compose["services"], words
                seen.add(name)
        assert len(seen) >= 8

    @pytest.mark.parametrize(
        "subject",
        [
            "Start",
            "Admit an institution",
            "Replace a lost validator",
            "Lose two of four and come back",
            "Rotate a validator's key",
            "Upgrade Besu",
            "Backup",
            "Restore",
            "Alarms",
        ],
    )
    def test_everything_that_was_promised_has_its_section(self, subject: str) -> None:
        assert f"\n## {subject}\n" in self.TEXT

    def test_every_file_of_production_that_is_named_exists(self) -> None:
        named: Callable[[str], list[str]] = re.compile(r"production/[\w./-]+\w").findall
        for path in (OPERATIONS, COMPOSE, ROOT / "production/example.env"):
            for one in named(path.read_text("utf-8")):
                assert (ROOT / one).exists(), one
