"""The short form of `make faults-network`: four of the nine, on four real validators."""

import contextlib
from collections.abc import Iterator

import pytest
from tests.faults.namespaces import namespaces, refusal

from xinglin._network.clique import find_geth
from xinglin.errors import UsageError

pytestmark = [pytest.mark.slow, pytest.mark.chain]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    pytest.importorskip("xinglin_node")
    try:
        find_geth()
    except UsageError as error:
        pytest.skip(str(error))
    from tests.faults.trial import trial

    with (
        contextlib.nullcontext() if refusal() else namespaces(4) as ground,
        trial(tmp_path_factory.mktemp("faults") / "world", lambda _: None, ground) as one,
    ):
        yield one


class TestFaults:
    """I3, I4, I5: nothing acknowledged is lost, no key leaves on a view too old or orphaned."""

    @pytest.mark.parametrize("name", ["one-killed", "two-killed", "all-killed", "reorganised"])
    def test_all_that_was_acknowledged_is_anchored_once_and_no_key_left_wrongly(
        self, network: object, name: str
    ) -> None:
        from tests.faults.checks import check
        from tests.faults.faults import FAULTS
        from tests.faults.trial import Trial

        assert isinstance(network, Trial)
        FAULTS[name](network, True)
        seen = check(network)
        assert seen["acknowledged"] > 0
        assert seen["roots"] > 0
