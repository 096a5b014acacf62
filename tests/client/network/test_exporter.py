"""What the chain looks like, as numbers: what is not known any more is absent, never old."""

import re
import threading
from pathlib import Path

import httpx
import pytest

from xinglin._chain.profile import NetworkProfile
from xinglin._chain.rpc import RpcPool
from xinglin._network.anvil import Anvil, find_anvil
from xinglin._network.engine import NetworkOptions
from xinglin._network.exporter import serve
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
