"""How a network stands, for `network status` and `network validator list`: as JSON and in words."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from xinglin._chain.answers import View
from xinglin._chain.consortium import Consortium
from xinglin._chain.nodes import NodeState
from xinglin._chain.profile import FinalityRule, NetworkProfile, safe_depth
from xinglin._chain.rpc import RpcPool
from xinglin._cli import output
from xinglin._network.watching import RecordedValidator, Sealing, differences, recorded, watch
from xinglin.canonical import JsonValue
from xinglin.names import Address


@dataclass(frozen=True, slots=True)
class Validators:
    """Who is on record beside who seals."""

    sealing: Sealing
    record: tuple[RecordedValidator, ...]

    @property
    def only_on_record(self) -> tuple[Address, ...]:
        """On record, and may not seal."""
        return differences(self.record, self.sealing)[0] if self.record else ()

    @property
    def only_sealing(self) -> tuple[Address, ...]:
        """May seal, and is on nobody's record; nobody has a record where none is kept."""
        return differences(self.record, self.sealing)[1] if self.record else ()

    @property
    def difference(self) -> str:
        """What a vote or a change of the record has to mend, in words; nothing where they agree."""
        parts = [
            ("on record and may not seal", [self._named(who) for who in self.only_on_record]),
            ("may seal and on no record", self.only_sealing),
        ]
        return "; ".join(f"{what}: {', '.join(who)}" for what, who in parts if who)

    def _named(self, validator: Address) -> str:
        owners = [one for one in self.record if one.validator == validator]
        return f"{validator} ({', '.join(f'{one.name}, member {one.member}' for one in owners)})"

    def to_json(self) -> dict[str, JsonValue]:
        """As `--json` prints it."""
        sealing = self.sealing
        return {
            "block": sealing.number,
            "onRecord": [
                {"member": one.member, "name": one.name, "validator": one.validator}
                for one in self.record
            ],
            "maySeal": sealing.validators,
            "sealed": {who: sealing.recent.get(who, 0) for who in sealing.validators},
            "span": sealing.span,
            "missing": sealing.missing,
            "onlyOnRecord": self.only_on_record,
            "onlySealing": self.only_sealing,
        }

    def lines(self) -> list[str]:
        """As a person reads it: one line for each validator."""
        names = {one.validator: f"{one.name} (member {one.member})" for one in self.record}
        lines = [
            f"{who} sealed {self.sealing.recent.get(who, 0)} of the last {self.sealing.span}: "
            f"{names.get(who, 'on no record')}"
            for who in self.sealing.validators
        ]
        lines += [
            f"{who} is on record and may not seal: {names[who]}" for who in self.only_on_record
        ]
        return lines


@dataclass(frozen=True, slots=True)
class Standing:
    """A network as one look finds it."""

    profile: NetworkProfile
    nodes: tuple[NodeState, ...]
    view: View
    age: int
    """Seconds since the final view."""

    validators: Validators | None

    @classmethod
    def of(
        cls,
        profile: NetworkProfile,
        nodes: tuple[NodeState, ...],
        view: View,
        validators: Validators | None,
    ) -> "Standing":
        """Take what was found, now."""
        return cls(profile, nodes, view, max(0, int(time.time()) - view.time), validators)

    @property
    def stale(self) -> bool:
        """Whether nothing is released under a grant (I4)."""
        return self.age > self.profile.max_view_age

    @property
    def shallow(self) -> str:
        """What to mend where validators were voted in beyond what the profile's depth is for."""
        finality = self.profile.finality
        if self.validators is None or finality.rule is FinalityRule.IMMEDIATE:
            return ""
        sealing = len(self.validators.sealing.validators)
        needed = safe_depth(sealing)
        if finality.depth >= needed:
            return ""
        return (
            f"depth {finality.depth} in the profile, {needed} is needed for the {sealing} that may "
            "seal: raise it in every member's profile"
        )

    def to_json(self) -> dict[str, JsonValue]:
        """As `--json` prints it."""
        profile = self.profile
        value: dict[str, JsonValue] = {
            "engine": profile.engine,
            "chainId": profile.chain_id,
            "finality": {"rule": profile.finality.rule.value, "depth": profile.finality.depth},
            "fee": profile.fee.value,
            "nodes": [
                {
                    "url": node.url,
                    "condition": node.condition.value,
                    "head": node.head.number if node.head else None,
                    "detail": node.detail,
                }
                for node in self.nodes
            ],
            "final": {
                "number": self.view.number,
                "hash": "0x" + self.view.hash.hex(),
                "ageSeconds": self.age,
            },
            "stale": self.stale,
            "tooShallow": bool(self.shallow),
            "contracts": profile.contracts is not None,
        }
        if self.validators is not None:
            value["validators"] = self.validators.to_json()
        return value

    def table(self) -> Table:
        """As a person reads it."""
        profile = self.profile
        table = Table(box=None, show_header=False)
        table.add_row("engine", f"{profile.engine}, chain {profile.chain_id}, fee {profile.fee}")
        table.add_row("final view", f"block {self.view.number}, {self.age} s old")
        for node in self.nodes:
            head = node.head.number if node.head else "none"
            detail = f" ({node.detail})" if node.detail else ""
            table.add_row("node", f"{node.url} {node.condition} at {head}{detail}")
        deployed = profile.contracts is not None
        table.add_row("contracts", "as the profile says" if deployed else "not deployed")
        for line in self.validators.lines() if self.validators is not None else ():
            table.add_row("validators", line)
        if self.validators is not None and self.validators.difference:
            table.add_row("they differ", self.validators.difference)
        if self.shallow:
            table.add_row("too shallow", self.shallow)
        return table


def look_at_validators(pool: RpcPool, folder: Path, *, as_json: bool) -> Validators | None:
    """
    Follow the headers, showing how far; none where no validators seal.

    How far that was is kept in `folder`, where anything can be written there.
    """
    with output.progress(as_json=as_json) as shown:
        task = shown.add_task("following headers", total=None)
        sealing = watch(
            pool,
            saved=folder / "headers.json" if os.access(folder, os.W_OK) else None,
            progress=lambda done, total: shown.update(task, completed=done, total=total),
        )
    if sealing is None:
        return None
    if pool.profile.contracts is None:
        return Validators(sealing, ())
    # At the very block that the headers were followed to: a record that is newer would differ
    # from a set that was right when it was.
    members = Consortium(pool).members(at=pool.view_at(sealing.number))
    return Validators(sealing, recorded(members))
