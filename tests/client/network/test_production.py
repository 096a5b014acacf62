"""What production is started from: it parses, and names nothing that is not there."""

import importlib
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from xinglin._chain.profile import NetworkProfile
from xinglin._chain.rpc import RpcPool
from xinglin._network.anvil import Anvil, find_anvil
from xinglin._network.besu import BesuOptions, write_network
from xinglin._network.engine import NetworkOptions
from xinglin._network.exporter import GAUGES, serve
from xinglin._network.process import free_ports
from xinglin.errors import UsageError

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "docker-compose.yml"

ENVIRONMENT = {
    "POSTGRES_PASSWORD": "p",
    "S3_ACCESS_KEY_ID": "k",
    "S3_SECRET_ACCESS_KEY": "s",
    "HOSPITAL_A_URL": "https://a.example",
    "HOSPITAL_B_URL": "https://b.example",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def network_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("production") / "network"
    write_network(folder, BesuOptions(chain_id=7), "passphrase")
    return folder


def mounts(compose: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Service, source and target of every mount."""
    for name, service in compose["services"].items():
        for mount in service.get("volumes", []):
            plain = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", mount)
            source, target = plain.split(":")[:2]
            yield name, source, target


class TestCompose:
    def test_debian_s_docker_compose_parses_it(self) -> None:
        program = shutil.which("docker-compose")
        if program is None:
            pytest.skip("Debian's docker-compose is not installed")
        command = [program, "-f", str(COMPOSE), "config", "--quiet"]
        environment = {**os.environ, **ENVIRONMENT}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def test_without_its_secrets_it_does_not_start(self) -> None:
        program = shutil.which("docker-compose")
        if program is None:
            pytest.skip("Debian's docker-compose is not installed")
        environment = {key: value for key, value in os.environ.items() if key not in ENVIRONMENT}
        command = [program, "-f", str(COMPOSE), "config", "--quiet"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert "set it in .env" in done.stderr

    def test_every_variable_of_a_node_is_a_setting_that_the_code_reads(
        self, compose: dict[str, Any]
    ) -> None:
        settings = pytest.importorskip("xinglin_node.settings").NodeSettings
        known = {f"XINGLIN_{name.upper()}" for name in settings.model_fields}
        required = {
            f"XINGLIN_{name.upper()}"
            for name, described in settings.model_fields.items()
            if described.is_required() and name != "passphrase"
        }
        for name in ("hospital-a", "hospital-b"):
            given = set(compose["services"][name]["environment"])
            assert given <= known, given - known
            assert required <= given, required - given

    def test_the_node_s_settings_load_from_what_compose_gives(
        self, compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        module = pytest.importorskip("xinglin_node.settings")
        for key, value in compose["services"]["hospital-a"]["environment"].items():
            filled = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: ENVIRONMENT[found[1]], value)
            monkeypatch.setenv(key, filled)
        loaded = module.load(None, passphrase="p")
        assert loaded.member == 1
        assert loaded.pad_checkpoints is True
        assert loaded.database_url.get_secret_value() == "postgresql://xinglin:p@postgres/hospital_a"

    def test_every_mounted_file_is_in_the_project_or_written_by_the_command(
        self, compose: dict[str, Any], network_folder: Path
    ) -> None:
        for name, source, _ in mounts(compose):
            if source.startswith("./production/"):
                assert (ROOT / source).exists(), (name, source)
        for service in compose["services"].values():
            for word in service.get("command", []):
                for path in re.findall(r"/network/([\w./-]+)", word):
                    assert (network_folder / path).is_file(), path

    def test_a_validator_s_address_is_the_one_that_others_dial(
        self, compose: dict[str, Any], network_folder: Path
    ) -> None:
        dialled = json.loads((network_folder / "static-nodes.json").read_bytes())
        for number in (1, 2, 3, 4):
            service = compose["services"][f"validator{number}"]
            address = service["networks"]["chain"]["ipv4_address"]
            identity = (network_folder / f"validator{number}" / "node-id").read_text().strip()
            assert f"enode://{identity}@{address}:30303" in dialled
            assert f"--p2p-host={address}" in service["command"]

    def test_no_key_is_unlocked_onto_a_disk(self, compose: dict[str, Any]) -> None:
        unlocked = [
            (name, source) for name, source, target in mounts(compose) if target == "/run/xinglin"
        ]
        assert len(unlocked) == 10
        assert all(source.startswith("/dev/shm/") for _, source in unlocked)

    def test_no_secret_stands_in_it(self, compose: dict[str, Any]) -> None:
        text = COMPOSE.read_text("utf-8")
        for found in re.findall(r"(?:PASSWORD|SECRET\w*|PASSPHRASE)[\w]*: +(\S+)", text):
            assert found.startswith(("${", "/run/secrets/")), found
        ignored = (ROOT / ".gitignore").read_text()
        assert "secrets" in ignored

    def test_the_versions_are_pinned(self, compose: dict[str, Any]) -> None:
        images = {one["image"] for one in compose["services"].values() if "image" in one}
        assert "hyperledger/besu:26.8.0" in images
        assert all(re.search(r":v?\d", image) for image in images), images


def metrics_of(expressions: list[str]) -> set[str]:
    return {name for one in expressions for name in re.findall(r"\bxinglin_[a-z_]+\b", one)}


def exported() -> set[str]:
    module = importlib.import_module("xinglin_node.health.metrics")
    from prometheus_client.metrics import MetricWrapperBase

    names: set[str] = set(GAUGES)
    for value in vars(module).values():
        if isinstance(value, MetricWrapperBase):
            for family in value.describe():
                suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
                names |= {family.name + one for one in suffixes.get(family.type, ("",))}
    return names


class TestWatching:
    def test_every_metric_of_the_dashboard_is_one_that_is_exported(self) -> None:
        pytest.importorskip("xinglin_node")
        board = json.loads((ROOT / "production/grafana/dashboards/xinglin.json").read_bytes())
        used = metrics_of([one["expr"] for panel in board["panels"] for one in panel["targets"]])
        assert used
        assert used <= exported(), used - exported()

    def test_every_metric_of_the_alarms_too_and_each_alarm_is_explained(self) -> None:
        pytest.importorskip("xinglin_node")
        rules = yaml.safe_load((ROOT / "production/prometheus/alerts.yml").read_text("utf-8"))
        alarms = [rule for group in rules["groups"] for rule in group["rules"]]
        used = metrics_of([rule["expr"] for rule in alarms])
        assert used <= exported(), used - exported()
        operations = (ROOT / "docs" / "operations.md").read_text("utf-8")
        for rule in alarms:
            assert f"`{rule['alert']}`" in operations, rule["alert"]

    def test_what_is_scraped_is_a_service_of_the_network(self, compose: dict[str, Any]) -> None:
        scraped = yaml.safe_load((ROOT / "production/prometheus/prometheus.yml").read_text("utf-8"))
        for job in scraped["scrape_configs"]:
            for config in job["static_configs"]:
                for target in config["targets"]:
                    assert target.split(":")[0] in compose["services"], target

    def test_the_watcher_shows_a_real_chain_s_numbers(self, tmp_path: Path) -> None:
        try:
            find_anvil()
        except UsageError as error:
            pytest.skip(str(error))
        engine = Anvil()
        profile: NetworkProfile = engine.up(tmp_path, NetworkOptions())
        port = free_ports(1)[0]
        try:
            with serve(RpcPool(profile), port=port) as exporter:
                exporter.look()
                page = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
                assert 'xinglin_chain_rpc_nodes{condition="good"} 1' in page
                assert "xinglin_chain_view_age_seconds" in page
                engine.down(tmp_path)
                exporter.look()
                page = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
                # An old number would look like health: what is not known is absent.
                assert 'xinglin_chain_rpc_nodes{condition="good"} 0' in page
                assert not re.search(r"^xinglin_chain_view_age_seconds \d", page, re.MULTILINE)
        finally:
            engine.down(tmp_path)
        assert not [one for one in threading.enumerate() if one.name.startswith("Thread-serve")]
