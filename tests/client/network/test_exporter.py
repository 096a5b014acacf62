"""What the chain looks like, as numbers: what is not known any more is absent, never old."""

import re
import threading
from pathlib import Path

import httpx
import pytest
from tests.client.headers.chains import key_of
from tests.client.network.sealed import SealedNodes

from xinglin._chain.profile import NetworkProfile
from xinglin._chain.rpc import RpcPool
from xinglin._network.anvil import Anvil, find_anvil
from xinglin._network.engine import NetworkOptions
from xinglin._network.exporter import Exporter, serve
from xinglin._network.process import free_ports
from xinglin.errors import UsageError


class TestExporter:
    def test_it_shows_a_real_chain_s_numbers_and_no_old_ones(self, tmp_path: Path) -> None:
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


class TestValidators:
    """On a chain that is truly sealed, block by block."""

    def test_who_misses_its_turns_is_counted_and_each_one_s_blocks_are_shown(self) -> None:
        nodes = SealedNodes(3, blocks=20, sealing=2)
        lines = seen(nodes)
        assert "xinglin_chain_head_number 20" in lines
        assert "xinglin_chain_headers_valid 1" in lines
        assert "xinglin_chain_validators 3" in lines
        assert "xinglin_chain_validators_missing 1" in lines
        sealed = {line for line in lines if line.startswith("xinglin_chain_sealed_recently{")}
        assert {line.lower() for line in sealed} == {
            f'xinglin_chain_sealed_recently{{validator="{key.address}"}} {count}'
            for key, count in zip(nodes.keys, (6, 6, 0), strict=True)
        }

    def test_where_all_seal_none_is_missing(self) -> None:
        assert "xinglin_chain_validators_missing 0" in seen(SealedNodes(3, blocks=20))

    def test_a_header_that_the_validators_did_not_seal_is_said_and_nothing_else_of_them(
        self,
    ) -> None:
        nodes = SealedNodes(3, blocks=20)
        nodes.seal(1, by=[key_of("a stranger")])
        lines = seen(nodes)
        assert "xinglin_chain_headers_valid 0" in lines
        assert not [line for line in lines if line.startswith("xinglin_chain_validators")]
        assert "xinglin_chain_head_number 21" in lines, "the nodes' word is shown as theirs"


def seen(nodes: SealedNodes) -> list[str]:
    """The numbers that a look at these nodes shows."""
    exporter = Exporter(nodes.pool)
    exporter.look()
    return [line for line in exporter.page().decode().splitlines() if not line.startswith("#")]
