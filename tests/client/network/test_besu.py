"""The files of a production network: complete, strict, equal to what real networks wrote."""

import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from xinglin import headers
from xinglin._network.besu import (
    BesuOptions,
    accounts_permissions,
    genesis_block,
    genesis_hash,
    unlock_key,
    write_network,
)
from xinglin._network.profile import load
from xinglin.errors import KeyFileError, UsageError
from xinglin.headers import qbft
from xinglin.headers.header import BlockHash, parse
from xinglin.names import Address

PASSPHRASE = "correct horse"


def vectors() -> dict[str, Any]:
    root = Path(__file__).parents[3]
    shared = Path(os.environ.get("XINGLIN_SHARED", root.parent / "shared"))
    path = shared / "vectors" / "qbft" / "qbft-headers.json"
    if not path.exists():
        pytest.skip("the published QBFT vectors are not here")
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("besu") / "network"
    write_network(folder, BesuOptions(chain_id=7, validators=4), PASSPHRASE)
    return folder


class TestGenesis:
    def test_extra_data_is_byte_for_byte_that_of_a_real_network(self) -> None:
        real = vectors()["genesis"]
        validators = [Address(one) for one in reversed(real["validators"])]
        ours = genesis_block(BesuOptions(chain_id=7), validators)
        assert ours["extraData"] == real["extraData"]

    def test_no_fork_is_scheduled_that_profile_and_trust_root_could_not_name(
        self, written: Path
    ) -> None:
        config = json.loads((written / "genesis.json").read_bytes())["config"]
        forks = {key: at for key, at in config.items() if key.endswith(("Block", "Time"))}
        assert forks == {"berlinBlock": 0, "londonBlock": 0}

    def test_extra_data_decodes_to_the_validators(self, written: Path) -> None:
        profile = load(written / "network.toml")
        genesis = json.loads((written / "genesis.json").read_bytes())
        extra = bytes.fromhex(genesis["extraData"][2:])
        assert extra == qbft.genesis_extra_data(profile.validators)
        addresses = {
            (written / f"validator{n}" / "address").read_text().strip() for n in (1, 2, 3, 4)
        }
        assert set(profile.validators) == addresses

    def test_the_light_client_begins_from_the_hash_in_the_profile(self, written: Path) -> None:
        # The hash is computed here and not asked of a node: a wrong field would show as
        # another hash than the one that Besu reports.
        genesis = json.loads((written / "genesis.json").read_bytes())
        profile = load(written / "network.toml")
        assert genesis_hash(genesis) == profile.genesis
        rules = headers.rules_of("qbft", epoch_length=30_000, block_period=2)
        from xinglin._network import besu

        captured: list[bytes] = []

        def keep(header: bytes, engine: headers.Engine) -> bytes:
            captured.append(header)
            return headers.block_hash_of(header, engine)

        original, besu.block_hash_of = besu.block_hash_of, keep  # type: ignore[assignment]
        try:
            genesis_hash(genesis)
        finally:
            besu.block_hash_of = original
        view = headers.begin(captured[0], block_hash=BlockHash(profile.genesis), rules=rules)
        assert set(view.validators) == set(profile.validators)
        assert parse(captured[0]).base_fee == 0

    def test_gas_is_free_and_blocks_come_as_said(self, written: Path) -> None:
        config = json.loads((written / "genesis.json").read_bytes())["config"]
        assert config["zeroBaseFee"] is True
        assert config["qbft"]["blockperiodseconds"] == 2
        assert config["qbft"]["emptyblockperiodseconds"] == 30

    def test_accounts_in_genesis_would_change_the_hash_and_are_refused(self) -> None:
        genesis = genesis_block(BesuOptions(chain_id=7), [Address("0x" + "1" * 40)])
        genesis["alloc"] = {"0x" + "2" * 40: {"balance": "0x1"}}
        with pytest.raises(UsageError, match="without accounts"):
            genesis_hash(genesis)


class TestFiles:
    def test_settings_are_toml_and_say_what_production_needs(self, written: Path) -> None:
        validator = tomllib.loads((written / "validator.toml").read_text())
        assert validator["min-gas-price"] == 0
        assert validator["profile"] == "ENTERPRISE"
        assert validator["discovery-enabled"] is False
        assert validator["permissions-nodes-config-file-enabled"] is True
        assert validator["permissions-accounts-config-file-enabled"] is True
        answering = tomllib.loads((written / "rpc.toml").read_text())
        assert set(answering["rpc-http-api"]) == {"ETH", "NET", "WEB3"}
        assert "QBFT" in validator["rpc-http-api"]

    def test_every_file_that_the_settings_name_is_there(self, written: Path) -> None:
        for name in ("validator.toml", "rpc.toml"):
            for value in tomllib.loads((written / name).read_text()).values():
                if isinstance(value, str) and value.startswith("/network/"):
                    assert (written / value.removeprefix("/network/")).is_file(), value

    def test_permissions_hold_exactly_the_nodes_of_the_network(self, written: Path) -> None:
        allowed = tomllib.loads((written / "permissions" / "nodes.toml").read_text())
        ids = {
            (written / name / "node-id").read_text().strip()
            for name in ("validator1", "validator2", "validator3", "validator4", "rpc")
        }
        assert {one.split("//")[1].split("@")[0] for one in allowed["nodes-allowlist"]} == ids
        dialled = json.loads((written / "static-nodes.json").read_bytes())
        assert set(dialled) < set(allowed["nodes-allowlist"])

    def test_no_key_is_in_the_clear(self, written: Path, tmp_path: Path) -> None:
        secrets: list[str] = []
        for number in (1, 2, 3, 4):
            out = tmp_path / f"key{number}"
            unlock_key(written / f"validator{number}" / "key.json", out, PASSPHRASE)
            secrets.append(out.read_text().removeprefix("0x"))
        for path in written.rglob("*"):
            if path.is_file():
                text = path.read_text()
                assert not any(secret in text for secret in secrets), path

    def test_an_account_is_the_address_of_its_node_s_key(
        self, written: Path, tmp_path: Path
    ) -> None:
        # QBFT signs blocks with the node's key: an account of another key would seal nothing.
        out = tmp_path / "key"
        address = unlock_key(written / "validator1" / "key.json", out, PASSPHRASE)
        assert address == (written / "validator1" / "address").read_text().strip()
        assert stat.S_IMODE(out.stat().st_mode) == 0o600

    def test_a_wrong_passphrase_opens_nothing(self, written: Path, tmp_path: Path) -> None:
        with pytest.raises(KeyFileError):
            unlock_key(written / "validator1" / "key.json", tmp_path / "key", "wrong")
        assert not (tmp_path / "key").exists()

    def test_a_folder_with_something_in_it_is_left_alone(self, written: Path) -> None:
        before = (written / "genesis.json").read_bytes()
        with pytest.raises(UsageError, match="new or empty"):
            write_network(written, BesuOptions(), PASSPHRASE)
        assert (written / "genesis.json").read_bytes() == before

    def test_keys_without_a_passphrase_are_not_written(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="passphrase"):
            write_network(tmp_path / "n", BesuOptions(), "")
        assert not (tmp_path / "n").exists()

    def test_the_list_of_accounts_takes_addresses_only(self) -> None:
        with pytest.raises(UsageError, match="checksum"):
            accounts_permissions([Address('0x"]\nx=["')])
