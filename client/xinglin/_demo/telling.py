"""How the story is told: a progress bar while it runs, a line for each thing seen, a table."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from xinglin.canonical import JsonValue


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the final table."""

    chapter: str
    what: str
    outcome: str


@dataclass
class Telling:
    """What was told so far."""

    console: Console
    quiet: bool
    rows: list[Row] = field(default_factory=list[Row])
    started: float = field(default_factory=time.monotonic)
    _progress: Progress | None = None
    _task: TaskID | None = None
    _chapter: str = ""

    @contextmanager
    def shown(self, chapters: int) -> Iterator[None]:
        """Show a progress bar of so many chapters while the block runs."""
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            console=self.console,
            disable=self.quiet,
        ) as progress:
            self._progress = progress
            self._task = progress.add_task("the story", total=chapters)
            yield

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """Tell one chapter."""
        self._chapter = title
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=title)
        yield
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)

    @contextmanager
    def counting(self, what: str, total: int) -> Iterator["Counter"]:
        """Count something with a bar of its own."""
        counter = Counter(self._progress, None)
        if self._progress is not None:
            counter = Counter(self._progress, self._progress.add_task(f"  {what}", total=total))
        yield counter
        if self._progress is not None and counter.task is not None:
            self._progress.remove_task(counter.task)

    def say(self, text: str) -> None:
        """A line in passing."""
        if not self.quiet:
            self.console.print(f"  {text}", markup=False, soft_wrap=True)

    def row(self, what: str, outcome: str) -> None:
        """A line that stays: it is said, and stands in the final table."""
        self.rows.append(Row(self._chapter, what, outcome))
        self.say(f"{what}: {outcome}")

    def table(self) -> Table:
        """The final table."""
        # A contract's error is one long word: it is folded, for cut short it would name nothing.
        outcome = Column("what happened", overflow="fold")
        table = Table("", "what was tried", outcome, title="杏林", show_lines=False)
        last = ""
        for row in self.rows:
            table.add_row("" if row.chapter == last else row.chapter, row.what, row.outcome)
            last = row.chapter
        return table

    def to_json(self) -> list[JsonValue]:
        """The final table as JSON."""
        return [
            {"chapter": row.chapter, "what": row.what, "outcome": row.outcome} for row in self.rows
        ]


@dataclass(frozen=True, slots=True)
class Counter:
    """A bar that counts; safe to use from threads."""

    progress: Progress | None
    task: TaskID | None

    def advance(self, count: int = 1) -> None:
        """Count on."""
        if self.progress is not None and self.task is not None:
            self.progress.advance(self.task, count)
