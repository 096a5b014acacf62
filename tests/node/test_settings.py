"""Settings: secrets have no defaults, and what is wrong is named without its value."""

from pathlib import Path

import pytest

from xinglin.errors import UsageError
from xinglin_node.settings import NodeSettings, load

REQUIRED = {
    "folder": "/tmp/node",
    "passphrase": "secret words",
    "network": "/tmp/network.toml",
    "member": 1,
    "public_url": "http://localhost:8100",
}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("XINGLIN_"):
            monkeypatch.delenv(name)


class TestLoad:
    @pytest.mark.parametrize("missing", sorted(REQUIRED))
    def test_what_has_no_default_must_be_given(self, missing: str) -> None:
        given = {key: value for key, value in REQUIRED.items() if key != missing}
        with pytest.raises(UsageError, match=missing):
            load(**given)

    def test_the_environment_goes_before_the_file(self, tmp_path: Path, monkeypatch) -> None:
        file = tmp_path / "node.toml"
        lines = [f"{key} = {value!r}" for key, value in REQUIRED.items() if key != "passphrase"]
        file.write_text("\n".join([*lines, "port = 8200"]))
        monkeypatch.setenv("XINGLIN_PASSPHRASE", "from outside")
        monkeypatch.setenv("XINGLIN_PORT", "8300")
        settings = load(file)
        assert settings.port == 8300
        assert settings.passphrase.get_secret_value() == "from outside"
        assert load(file, port=8400).port == 8400

    def test_a_wrong_value_is_named_and_not_repeated(self) -> None:
        with pytest.raises(UsageError) as refused:
            load(**REQUIRED, port="8100; rm", database_url=["postgresql://u:hunter2@h/d"])
        assert "port" in str(refused.value)
        assert "hunter2" not in str(refused.value)
        assert "rm" not in str(refused.value)

    def test_an_unknown_setting_is_refused(self) -> None:
        with pytest.raises(UsageError, match="prot"):
            load(**REQUIRED, prot=1)

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="nothing at"):
            load(tmp_path / "none.toml")

    def test_secrets_are_not_shown(self) -> None:
        settings = NodeSettings(**REQUIRED, database_url="postgresql://u:hunter2@h/d")
        assert "secret words" not in repr(settings)
        assert "hunter2" not in repr(settings)
