"""What the documents show, runs; what they name, exists."""

import doctest
import importlib
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import xinglin
from xinglin import _cli

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("contracts/*.md")])

LIBRARY = sorted(
    module.name
    for module in pkgutil.walk_packages(xinglin.__path__, prefix="xinglin.")
    if not module.name.startswith(("xinglin._cli", "xinglin._demo", "xinglin.__main__"))
)


def python_blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


class TestReadme:
    TEXT = (ROOT / "README.md").read_text("utf-8")

    def test_its_python_runs_and_prints_the_note(self) -> None:
        (block,) = python_blocks(self.TEXT)
        shown = subprocess.run(
            [sys.executable, "-c", block], capture_output=True, text=True, check=True
        )
        assert shown.stdout == "头痛三天，舌红苔黄。\n"
        assert len([line for line in block.splitlines() if line.strip()]) == 10

    def test_its_commands_are_targets_of_make(self) -> None:
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
        named = set(re.findall(r"\bmake ([a-z-]+)", self.TEXT))
        assert {"demo", "test"} <= named <= set(targets)

    def test_the_makefile_has_ten_targets_or_fewer(self) -> None:
        targets = re.findall(
            r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE
        )
        assert len(targets) <= 11  # ten, and the list of them


class TestLinks:
    @pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
    def test_every_relative_link_leads_to_a_file(self, path: Path) -> None:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), target

    @pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
    def test_every_file_that_is_named_exists(self, path: Path) -> None:
        folders = "docs|contracts|client|node|ml|tests|scripts"
        pattern = rf"`((?:{folders})/[\w./-]+\.(?:md|py|sol|js|json|toml))`"
        for target in re.findall(pattern, path.read_text("utf-8")):
            assert (ROOT / target).exists(), target


class TestExamples:
    @pytest.mark.parametrize("name", LIBRARY)
    def test_those_in_docstrings_run(self, name: str) -> None:
        module = importlib.import_module(name)
        results = doctest.testmod(module, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
        assert results.failed == 0


class TestModules:
    @pytest.mark.parametrize("name", LIBRARY)
    def test_each_says_what_it_is_for(self, name: str) -> None:
        assert (importlib.import_module(name).__doc__ or "").strip()


class TestImportIsCheap:
    def test_it_loads_none_of_the_heavy_ones(self) -> None:
        code = (
            "import sys, xinglin, json; import xinglin.seal, xinglin.merkle, xinglin.grant; "
            "print(json.dumps([m for m in ('web3', 'torch', 'fastapi', 'httpx', 'onnxruntime', "
            "'eth_account') if m in sys.modules]))"
        )
        shown = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert json.loads(shown.stdout) == []


def helps() -> dict[tuple[str, ...], Any]:
    """Every command and group that there is, as one types it."""
    found: dict[tuple[str, ...], Any] = {}

    def walk(path: tuple[str, ...], command: Any) -> None:
        found[path] = command
        for name in getattr(command, "list_commands", lambda _: ())(None):
            walk((*path, name), command.get_command(None, name))

    walk((), _cli.root)
    return found


def commands() -> dict[tuple[str, ...], Any]:
    """Every command, without the groups that they are in."""
    return {path: one for path, one in helps().items() if not hasattr(one, "list_commands")}


class TestCommands:
    def test_those_that_were_promised_are_there(self) -> None:
        promised = """keys new, keys show, keys recover, network up, network down, network status,
        network deploy, network genesis, network export, node init, node serve, subject enrol,
        subject history, record submit, record show, record open, record list, consent grant,
        consent witness, consent revoke, consent show, access request, access open, access list,
        verify, member propose, member vote, member list, member change, member freeze,
        appointment issue, appointment reissue, appointment withdraw, model register, model vote,
        model list, inference rerun, ner predict, demo"""
        there = {" ".join(command) for command in commands()}
        assert {" ".join(one.split()) for one in promised.split(",")} <= there

    def test_each_has_help_that_teaches_and_json(self) -> None:
        every = helps()
        for path, command in commands().items():
            assert command.help, path
            # An example of its own, or its group's, which shows how its commands follow.
            around = [every[path[:depth]] for depth in range(1, len(path) + 1)]
            told = [
                text for one in around for text in (one.help, getattr(one, "epilog", "")) if text
            ]
            assert any(f"xinglin {path[0]}" in text for text in told), path
            options = {opt for param in command.params for opt in param.opts}
            runs_until_stopped = path in (("node", "serve"), ("network", "watch"))
            assert "--json" in options or runs_until_stopped, path

    def test_help_ends_with_0_and_nonsense_with_2(self) -> None:
        for arguments, code in ((["--help"], 0), (["keys", "--help"], 0), (["nonsense"], 2)):
            with pytest.raises(SystemExit) as ended:
                _cli.main(arguments)
            assert ended.value.code == code
