"""
Everything this library raises on purpose.

* XinglinError
  + UsageError                    the caller asked for what cannot be meant
  + InvalidEncoding               bytes or text that do not parse, or not in the one form
  + VerificationError             a check that was made and did not hold
    - InclusionProofError
    - ConsistencyProofError
    - SignatureError
    - CheckpointError
    - CommitmentError
    - HistoryError
    - SealError
    - UnwrapError
    - AppointmentError
    - RequestError
    - GrantError
    - HeaderError
    - StateProofError
    - EvidenceError
    - TrustError
    - InferenceError
  + ConsentError                  a release was refused, with the term that refused it
  + ChainError                    the chain answered, and said no
    - ContractError               a revert that our contracts declare, with its values
    - WrongChain                  another chain id, genesis, or code than expected
    - TransactionLost
    - ViewStale
  + ServiceError                  a node answered with a problem
  + Unreachable                   a service could not be reached
  + KeyFileError                  a key file that does not open

Packages that stand on this library hang their own errors below `XinglinError`.
A message says what was expected and what came. It never names a person.
"""


class XinglinError(Exception):
    """Base of every error raised on purpose."""


class UsageError(XinglinError):
    """The caller asked for what cannot be meant: wrong arguments, wrong order, a missing part."""


class InvalidEncoding(XinglinError):
    """Bytes or text that do not parse, or that parse but are not in their one form."""


class VerificationError(XinglinError):
    """A check that was made and did not hold."""


class InclusionProofError(VerificationError):
    """A leaf is not shown to be under the root."""


class ConsistencyProofError(VerificationError):
    """A newer tree is not shown to extend the older one."""


class SignatureError(VerificationError):
    """A signature is malformed, malleable, or by another key than the one expected."""


class CheckpointError(VerificationError):
    """A checkpoint or receipt is not what its log's key signed."""


class CommitmentError(VerificationError):
    """A disclosure does not open the commitment in its entry."""


class HistoryError(VerificationError):
    """A subject's list of entries has a gap, a repeat, a shifted index or a false disclosure."""


class SealError(VerificationError):
    """A sealed blob does not open: altered, cut short, or of another record or key."""


class UnwrapError(VerificationError):
    """A wrap does not open with this identity and context."""


class AppointmentError(VerificationError):
    """A person does not speak for the member named, or not at that time."""


class RequestError(VerificationError):
    """An access request breaks a rule of its form."""


class GrantError(VerificationError):
    """A grant or its terms break a rule of their form."""


class HeaderError(VerificationError):
    """A block header is not one that the validators sealed after its parent."""


class StateProofError(VerificationError):
    """A proof of contract state does not lead to the state root."""


class EvidenceError(VerificationError):
    """A bundle's evidence does not show what the bundle claims."""


class TrustError(VerificationError):
    """A bundle belongs to another network, chain or deployment than the trust root names."""


class InferenceError(VerificationError):
    """An inference, run again, does not give what was recorded."""


class ConsentError(XinglinError):
    """A release was refused. `term` names the condition that refused it."""

    def __init__(self, term: str, message: str) -> None:
        super().__init__(f"{term}: {message}")
        self.term = term
        """One of `xinglin.grant.TERMS`."""


class ChainError(XinglinError):
    """The chain answered, and said no."""


class ContractError(ChainError):
    """
    A revert that our contracts declare, with the same name and the same values.

    `name` is the Solidity error's, `arguments` its fields in order.
    """

    def __init__(self, name: str, arguments: dict[str, object]) -> None:
        shown = ", ".join(
            f"{key}={value.hex() if isinstance(value, bytes) else value}"
            for key, value in arguments.items()
        )
        super().__init__(f"{name}({shown})")
        self.name = name
        self.arguments = arguments


class WrongChain(ChainError):
    """The endpoint serves another chain, genesis or code than the profile names."""


class TransactionLost(ChainError):
    """A transaction that was sent is neither mined nor pending any more."""


class ViewStale(ChainError):
    """The newest final block known is older than the rule allows."""


class ServiceError(XinglinError):
    """
    A node answered with a problem (RFC 9457).

    `problem` is the last part of its type, `urn:xinglin:problem:<name>`.
    """

    def __init__(self, status: int, problem: str, *, expected: str = "", got: str = "") -> None:
        detail = "; ".join(
            part for part in (expected and f"expected {expected}", got and f"got {got}") if part
        )
        super().__init__(f"{status} {problem}" + (f": {detail}" if detail else ""))
        self.status = status
        self.problem = problem
        self.expected = expected
        self.got = got


class Unreachable(XinglinError):
    """A service could not be reached, or did not answer in time."""


class KeyFileError(XinglinError):
    """A key file is damaged, of another kind, or its passphrase is wrong."""
