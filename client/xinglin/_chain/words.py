"""
The numbers that stand for words in Consortium, as `ConsortiumConstants.sol` has them.

A test reads that file and compares.
"""

from enum import IntEnum, IntFlag


class _Word(IntEnum):
    @property
    def text(self) -> str:
        """The word as commands take and print it."""
        return self.name.lower().replace("_", "-")


class Role(_Word):
    """What a member is."""

    HOSPITAL = 1
    RESEARCH_INSTITUTE = 2
    AUDITOR = 3
    REGULATOR = 4


class Status(_Word):
    """Where a member stands; zero is not a member at that time."""

    NONE = 0
    ACTIVE = 1
    SUSPENDED = 2
    REMOVED = 3


class Power(IntFlag):
    """What an account may do. An account's powers never change."""

    GOVERN = 1
    ANCHOR = 2
    APPOINT = 4
    WITNESS = 8

    @property
    def text(self) -> str:
        """The powers by name, joined by `+`."""
        return "+".join(str(power.name).lower() for power in self) or "none"


class Kind(_Word):
    """What hospitals vote on."""

    ADMIT = 1
    SUSPEND = 2
    RESUME = 3
    REMOVE = 4
    REPLACE_ACCOUNTS = 5
    UNFREEZE = 6
    RETIRE = 7
    STOP_CHANGE = 8
    APPROVE_MODEL = 9
    WITHDRAW_MODEL = 10
    SUCCEED = 11
    MANDATE = 12


class Change(_Word):
    """What a member changes about itself, after a delay."""

    ADD_ACCOUNT = 1
    LOG_KEY = 2
    ENCRYPTION_KEY = 3
    URL = 4
    VALIDATOR = 5


class ChangeState(_Word):
    """Where a change stands."""

    PENDING = 1
    APPLIED = 2
    STOPPED = 3
