"""Every error that is raised on purpose is in the drawn tree."""

import ast
import re
from pathlib import Path

import pytest

from xinglin import errors

ROOT = Path(__file__).parents[1]
LIBRARY = sorted((ROOT / "client" / "xinglin").rglob("*.py"))

_BUILTINS_THAT_MAY_BE_RAISED = {
    "KeyboardInterrupt": "_cli/demo.py",
    "ValueError": "document.py",
    "click.Abort": "_cli",
    "typer.Exit": "_cli",
    "typer.Abort": "_cli",
    "SystemExit": "_cli",
}
"""What is not ours, and where alone it may be raised: pydantic and click ask for them."""


def drawn_tree() -> dict[str, str]:
    """Each drawn name, with the name it hangs below."""
    parents: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"( *)[*+-] (\w+)", line)
        if match is None:
            continue
        depth, name = len(match[1]), match[2]
        path = [step for step in path if step[0] < depth]
        parents[name] = path[-1][1] if path else "Exception"
        path.append((depth, name))
    return parents


def classes() -> dict[str, type[BaseException]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    }


class TestTheTree:
    def test_it_is_drawn_as_it_is(self) -> None:
        actual = {name: value.__mro__[1].__name__ for name, value in classes().items()}
        assert drawn_tree() == actual

    def test_every_error_says_what_it_is_for(self) -> None:
        assert all(value.__doc__ for value in classes().values())


class TestWhatIsRaised:
    @pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.name)
    def test_the_library_raises_its_own_errors_only(self, path: Path) -> None:
        # Whoever uses the library catches XinglinError; anything else would pass it by.
        tree = ast.parse(path.read_text("utf-8"))
        local = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
            # A private one that never leaves its module may be any exception.
            and (node.name[0] == "_" or any(ast.unparse(b) in drawn_tree() for b in node.bases))
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
                continue
            name = ast.unparse(node.exc.func)
            if name[0].islower() and "." not in name:
                continue  # a variable or function that holds one of them
            short = name.removeprefix("errors.")
            allowed = _BUILTINS_THAT_MAY_BE_RAISED.get(name)
            relative = path.relative_to(ROOT / "client" / "xinglin").as_posix()
            assert (
                short in drawn_tree()
                or name in local
                or (allowed is not None and relative.startswith(allowed))
            ), f"{relative}:{node.lineno} raises {name}"
