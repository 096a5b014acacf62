"""
Besu's list of accounts that may send transactions, made from Consortium's member accounts.

So "relayed by anyone" means by any member: a stranger is refused before a contract is asked.
The list is only a fence; contracts refuse strangers themselves, on every engine.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from xinglin._chain.consortium import Consortium
from xinglin._chain.rpc import RpcPool
from xinglin._network.besu import accounts_permissions
from xinglin._network.engine import Progress, silent
from xinglin._network.peers import read_again
from xinglin.errors import ChainError, Unreachable, UsageError
from xinglin.names import Address

LOOK_SECONDS = 10.0
"""Seconds between two looks at the members: an ended account is to be out of the list soon."""


def member_accounts(pool: RpcPool) -> list[Address]:
    """
    Return the accounts in force of all members.

    Of removed ones too, however long ago: they anchor for a while, and only they can revoke
    what they witnessed (I5). What else they may not do, the contracts refuse.
    """
    view = pool.final_view()
    accounts = Consortium(pool).member_accounts(at=view)
    return sorted({account.address for account in accounts})


def write_accounts(pool: RpcPool, out: Path, reload: Sequence[str] = ()) -> list[Address]:
    """
    Write the list whole, and let the nodes named in `reload` read it again.

    Raises as `read_again` where one of them does not; the list stands then.
    """
    accounts = member_accounts(pool)
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        beside.write_text(accounts_permissions(accounts), "ascii")
        beside.replace(out)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from error
    read_again(reload)
    return accounts


def keep_accounts(
    pool: RpcPool,
    out: Path,
    reload: Sequence[str] = (),
    progress: Progress = silent,
    *,
    rounds: int | None = None,
    pause: float = LOOK_SECONDS,
) -> None:
    """
    Write the list again whenever the members' accounts change; `rounds` is for tests.

    A chain that cannot be read leaves the last list standing, and is tried again. All nodes
    are told again until each of them has read the newest.
    """
    known: list[Address] | None = None
    told = True
    done = 0
    while rounds is None or done < rounds:
        try:
            if member_accounts(pool) != known:
                known = write_accounts(pool, out)
                told = False
                progress(f"{len(known)} accounts may send transactions")
        except (ChainError, Unreachable) as error:
            progress(f"the list stands as it is: {error}")
        try:
            if not told:
                read_again(reload)
                told = True
        except (ChainError, Unreachable) as error:
            progress(f"the list is written, and {error}")
        done += 1
        if rounds is None or done < rounds:
            time.sleep(pause)
