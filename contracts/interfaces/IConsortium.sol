// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Consortium: who belongs to the network, and what its hospitals decided
/// @notice Members, their accounts, keys and status, every one with its history; and the only
/// place of votes.
/// @dev Nothing here names a person. Members are institutions; the people who act for them are
/// known through appointments, which are signed and kept off chain and of which only the
/// withdrawal, by salted digest, is stored. Numbers that stand for words (roles, statuses,
/// powers, kinds, changes) are in `ConsortiumConstants.sol`.
///
/// Present state proves the past: accounts keep `from` and `until`, statuses and keys keep their
/// history, and nothing is overwritten, so that a storage proof of today shows what held then.
/// Beginnings are inclusive and ends exclusive.
///
/// The contract is not upgradeable. A deployment ends when its hospitals name a successor, which
/// carries the same `networkId` and has copied what stood here.
interface IConsortium {
    // --- What is stored ----------------------------------------------------------------

    /// @notice One account of one member, in one storage slot. Powers never change, and an account
    /// is never used again, by this or any other member.
    struct Account {
        /// The member it acts for; zero for an unknown account.
        uint32 member;
        /// Bits of POWER_GOVERN, POWER_ANCHOR, POWER_APPOINT, POWER_WITNESS.
        uint8 powers;
        /// Unix seconds of the block that added it.
        uint48 from;
        /// Unix seconds of the block that ended it, exclusive; zero while it is in force.
        uint48 until;
    }

    /// @notice What stands about a member now, in one storage slot.
    struct Member {
        /// ROLE_…; never changes.
        uint8 role;
        /// STATUS_…, the last entry of its history.
        uint8 status;
        /// Unix seconds since when that status holds.
        uint48 statusSince;
        /// Number of its present log; grows by one with each retirement.
        uint32 generation;
        /// Unix seconds since when the present log is frozen; zero when it is not.
        uint48 frozenAt;
        /// Number of entries in its status history.
        uint32 statusCount;
    }

    /// @notice What an account may do now, as others ask.
    struct Standing {
        uint32 member;
        /// Its powers; zero when it is not in force.
        uint8 powers;
        /// ROLE_… of its member.
        uint8 role;
        /// STATUS_… of its member.
        uint8 status;
    }

    /// @notice An entry of a member's status history, in one slot.
    struct StatusChange {
        uint48 since;
        uint8 status;
    }

    /// @notice An entry of a history of keys: Ed25519 log keys or digests of encryption keys.
    struct KeyChange {
        uint48 since;
        bytes32 key;
    }

    /// @notice An entry of the history of a member's validator address, in one slot.
    struct ValidatorChange {
        uint48 since;
        /// Zero where the member runs no validator.
        address validator;
    }

    /// @notice An entry of the history of a member's node URL.
    struct UrlChange {
        uint48 since;
        string url;
    }

    /// @notice An account to be added.
    struct NewAccount {
        address account;
        uint8 powers;
    }

    /// @notice What a member brings: a founder at deployment, an applicant in KIND_ADMIT.
    struct Founder {
        /// Name of the institution, 1 to 200 bytes of UTF-8. Never changes.
        string name;
        /// Base URL of its node, at most 500 bytes; empty where it runs none.
        string url;
        /// Ed25519 public key that signs its log's checkpoints and receipts; zero where none.
        bytes32 logKey;
        /// Address of its validator; zero where it runs none.
        address validator;
        /// KEM of the encryption key: 0x647a for MLKEM768-X25519.
        uint16 kem;
        /// Encryption key, at most 4,096 bytes; empty where none. The key is in the event, and stored
        /// is its digest, SHA-256("xinglin/key/v1" 00 ‖ u16 kem ‖ key), or zero for none.
        bytes encryptionKey;
        /// At least one with POWER_GOVERN.
        NewAccount[] accounts;
    }

    /// @notice A proposal to the active hospitals.
    struct Proposal {
        uint8 kind;
        /// The member it is about, which has no vote on it; zero where it is about none.
        uint32 concerned;
        /// The member who made it. Making a proposal is not a vote for it.
        uint32 proposer;
        /// Votes for it so far; there are none against.
        uint32 votes;
        /// Unix seconds after which, inclusive, it is dead.
        uint48 deadline;
        /// Unix seconds when it was carried and executed; zero before.
        uint48 carriedAt;
        /// Number of entries in the status history of the concerned when it was made: it dies
        /// when that changes.
        uint32 statusCount;
        /// Version of the set of active hospitals under which it was made: it dies with it.
        uint64 version;
        bytes payload;
    }

    /// @notice A change that a member asked for about itself.
    struct Change {
        uint32 member;
        /// CHANGE_ADD_ACCOUNT and so on.
        uint8 what;
        /// CHANGE_PENDING, CHANGE_APPLIED or CHANGE_STOPPED.
        uint8 state;
        /// Unix seconds from which it may be applied.
        uint48 appliesFrom;
        /// Unix seconds from which it no longer may.
        uint48 appliesUntil;
        /// Account that asked; the change dies when that account ends.
        address requester;
        /// As given; of an encryption key only `abi.encode(uint16 kem, bytes32 keyDigest)`.
        bytes payload;
    }

    // --- Events ------------------------------------------------------------------------

    /// @notice A member joined under a number that never changes.
    event MemberAdmitted(uint32 indexed member, uint8 role, string name);
    /// @notice A status began to hold. Each member's history begins with one of these.
    event MemberStatusChanged(uint32 indexed member, uint8 status, uint48 since);
    /// @notice An account was added. A successor repeats those of its predecessor with their time.
    event AccountAdded(uint32 indexed member, address indexed account, uint8 powers, uint48 from);
    /// @notice An account ended, for ever.
    event AccountEnded(uint32 indexed member, address indexed account, uint48 until);
    /// @notice Another key signs the checkpoints of this member's log.
    event LogKeyChanged(uint32 indexed member, bytes32 logKey, uint48 since);
    /// @notice Another key receives what is wrapped for this member. `encryptionKey` is the key
    /// itself when a member joins, and empty when a change is applied (the key is in the payload of
    /// its `ChangeRequested`) or copied from the predecessor (whose events hold it, and `kem`,
    /// which is then zero).
    event EncryptionKeyChanged(
        uint32 indexed member, bytes32 keyDigest, uint16 kem, bytes encryptionKey, uint48 since
    );
    /// @notice A member's node is found under another URL.
    event UrlChanged(uint32 indexed member, string url, uint48 since);
    /// @notice A member's validator has another address, or none.
    event ValidatorChanged(uint32 indexed member, address validator, uint48 since);

    /// @notice A member's log was frozen by one of its accounts.
    event LogFrozen(uint32 indexed member, uint32 indexed generation, address account);
    /// @notice A frozen log may grow again.
    event LogUnfrozen(uint32 indexed member, uint32 indexed generation);
    /// @notice A log was closed; the member's next checkpoint begins generation + 1.
    event LogRetired(uint32 indexed member, uint32 indexed generation);

    /// @notice A proposal was made; the hospitals may vote until `deadline`, exclusive.
    event ProposalMade(
        uint256 indexed proposal,
        uint8 indexed kind,
        uint32 indexed concerned,
        uint32 proposer,
        bytes payload,
        uint64 version,
        uint48 deadline
    );
    /// @notice A hospital voted for a proposal.
    event VoteCast(uint256 indexed proposal, uint32 indexed member, address account, uint32 votes);
    /// @notice A proposal reached its quorum and took effect. `key` is what `carriedAt` takes.
    event ProposalCarried(
        uint256 indexed proposal, uint8 indexed kind, uint32 indexed concerned, bytes32 key
    );
    /// @notice The set of active hospitals changed; every open proposal died.
    event MembershipVersionChanged(uint64 version, uint32 activeHospitals);

    /// @notice A member asked for a change of its own.
    event ChangeRequested(
        uint256 indexed change,
        uint32 indexed member,
        uint8 indexed what,
        address requester,
        bytes payload,
        uint48 appliesFrom,
        uint48 appliesUntil
    );
    /// @notice A requested change took effect.
    event ChangeApplied(uint256 indexed change, uint32 indexed member);
    /// @notice The hospitals stopped a requested change, for ever.
    event ChangeStopped(uint256 indexed change, uint32 indexed member);

    /// @notice A member no longer vouches for a person, who is known here by digest only.
    event AppointmentWithdrawn(uint32 indexed member, bytes32 indexed digest, uint48 withdrawnAt);

    /// @notice This deployment ended and named the one that continues it.
    event SuccessorNamed(address indexed successor, uint48 endedAt);

    // --- Errors ------------------------------------------------------------------------

    /// @notice The caller's account is unknown, not in force, lacks `needed`, or its member is in
    /// no state to do this.
    error ConsortiumUnauthorizedAccount(address account, uint8 needed);
    /// @notice There is no member of that number.
    error ConsortiumUnknownMember(uint32 member);
    /// @notice There is no such proposal. Ids are made of the content, so that a vote never lands
    /// on another proposal after a reorganisation.
    error ConsortiumUnknownProposal(uint256 proposal);
    /// @notice The proposal was carried, its time is up, or the set of active hospitals or the
    /// status of the concerned changed since it was made.
    error ConsortiumStaleProposal(
        uint256 proposal, uint64 version, uint64 currentVersion, uint48 deadline, uint48 carriedAt
    );
    /// @notice A member votes once, however many accounts it has.
    error ConsortiumAlreadyVoted(uint256 proposal, uint32 member);
    /// @notice No member votes on itself.
    error ConsortiumConcernedMayNotVote(uint256 proposal, uint32 member);
    /// @notice The account is, or once was, an account of this member, or is the zero address.
    error ConsortiumAccountKnown(address account, uint32 member);
    /// @notice The change may be applied from `appliesFrom` on.
    error ConsortiumTooEarly(uint256 change, uint48 appliesFrom);
    /// @notice This deployment ended; its successor goes on.
    error ConsortiumDeploymentEnded(uint48 endedAt);
    /// @notice Nothing is decided here until the predecessor names this deployment its successor.
    error ConsortiumPredecessorOpen(address predecessor);
    /// @notice There is no such kind of proposal or of change.
    error ConsortiumUnknownKind(uint8 kind);
    /// @notice A proposal of this kind is about a member, or about none.
    error ConsortiumWrongConcerned(uint8 kind, uint32 concerned);
    /// @notice The payload of this kind of proposal or change has another length.
    error ConsortiumWrongPayload(uint8 kind, uint256 length);
    /// @notice The member's status does not allow that.
    error ConsortiumWrongStatus(uint32 member, uint8 status);
    /// @notice There is no such role.
    error ConsortiumWrongRole(uint8 role);
    /// @notice The account's powers are none, unknown, or not to be had in its member's role.
    error ConsortiumWrongPowers(address account, uint8 powers);
    /// @notice Among a member's accounts one at least must govern.
    error ConsortiumNoGovernor(uint32 member);
    /// @notice The member has added as many accounts as it may without a vote.
    error ConsortiumTooManyAccounts(uint32 member, uint256 count);
    /// @notice A name, URL or key is empty or too long.
    error ConsortiumWrongLength(uint256 length, uint256 most);
    /// @notice A founding takes three hospitals or more; a successor names no founders.
    error ConsortiumWrongFounders(uint256 count);
    /// @notice A period of the constructor is zero where it may not be, or over a year.
    error ConsortiumWrongPeriod(uint48 period);
    /// @notice There is no such change.
    error ConsortiumUnknownChange(uint256 change);
    /// @notice The change was applied or stopped, its time is up, or its requester ended.
    error ConsortiumStaleChange(uint256 change, uint8 state, uint48 appliesUntil);
    /// @notice The log is not the one, or not in the state, that the vote was about.
    error ConsortiumWrongLog(uint32 member, uint32 generation, uint48 frozenAt);
    /// @notice The account ended before.
    error ConsortiumAccountEnded(address account, uint48 until);
    /// @notice The appointment was withdrawn before.
    error ConsortiumAlreadyWithdrawn(uint32 member, bytes32 digest, uint48 withdrawnAt);
    /// @notice The contract is not a successor of this one as it now stands.
    error ConsortiumWrongSuccessor(address successor);
    /// @notice The network id is zero, or not the predecessor's.
    error ConsortiumWrongNetwork(bytes16 networkId);
    /// @notice The predecessor has ended, and so has its successor already.
    error ConsortiumWrongPredecessor(address predecessor);

    // --- Votes -------------------------------------------------------------------------

    /// @notice Put something to the active hospitals. It is not yet a vote.
    ///
    /// Payloads, each `abi.encode` of what is named; `concerned` is the member unless it says zero:
    ///
    /// | kind | concerned | payload |
    /// |---|---|---|
    /// | KIND_ADMIT | zero | `(uint8 role, Founder applicant)` |
    /// | KIND_SUSPEND, KIND_RESUME, KIND_REMOVE | member | empty |
    /// | KIND_REPLACE_ACCOUNTS | member | `(NewAccount[] accounts)` |
    /// | KIND_UNFREEZE | member | `(uint48 frozenAt)`, as it stands |
    /// | KIND_RETIRE | member | `(uint32 generation)`, the present one |
    /// | KIND_STOP_CHANGE | member | `(uint256 change)` |
    /// | KIND_APPROVE_MODEL | zero | `(bytes32 digest, bytes32 predecessor, uint32 registrar)` |
    /// | KIND_WITHDRAW_MODEL | zero | `(bytes32 digest, bytes32 reasonDigest)` |
    /// | KIND_SUCCEED | zero | `(address successor)` |
    /// | KIND_MANDATE | custodian | `(bytes32 digest)`, the EIP-712 digest of the Mandate |
    ///
    /// @dev Requirements: a GOVERN account in force of an active hospital; the deployment open.
    /// The content is judged when the last vote executes it. Emits `ProposalMade`.
    /// @return proposal The id, a hash of the content, the version and a running number.
    function propose(uint8 kind, uint32 concerned, bytes calldata payload)
        external
        returns (uint256 proposal);

    /// @notice Vote for a proposal; the vote that makes the quorum executes it.
    /// @dev Requirements: a GOVERN account in force of an active hospital other than the concerned,
    /// which has not voted on it; the proposal alive; the deployment open. Emits `VoteCast`, and
    /// with the quorum `ProposalCarried` and what follows from it.
    function vote(uint256 proposal) external;

    // --- What a member does for itself -------------------------------------------------

    /// @notice Ask for a change that takes effect after `changeDelay`, unless a vote stops it.
    ///
    /// | what | payload, `abi.encode` of |
    /// |---|---|
    /// | CHANGE_ADD_ACCOUNT | `(address account, uint8 powers)` |
    /// | CHANGE_LOG_KEY | `(bytes32 logKey)` |
    /// | CHANGE_ENCRYPTION_KEY | `(uint16 kem, bytes encryptionKey)` |
    /// | CHANGE_URL | `(string url)` |
    /// | CHANGE_VALIDATOR | `(address validator)` |
    ///
    /// @dev Requirements: a GOVERN account in force of an active member; the deployment open.
    /// Emits `ChangeRequested`.
    function requestChange(uint8 what, bytes calldata payload) external returns (uint256 change);

    /// @notice Apply a change whose delay is over.
    /// @dev Requirements: a GOVERN account in force of the same, active member; the account that
    /// asked still in force; not applied or stopped; within `voteTime` after the delay.
    /// Emits `ChangeApplied` and the event of the change.
    function applyChange(uint256 change) external;

    /// @notice End an account of one's own at once. Works in every state of member and deployment.
    /// @dev Requirements: a GOVERN account in force of the same member, or the account itself.
    /// Emits `AccountEnded`.
    function endAccount(address account_) external;

    /// @notice Stop one's own log at once, with any account. Only a vote starts it again.
    /// @dev Works in every state of member and deployment. Emits `LogFrozen`.
    function freeze() external;

    /// @notice No longer vouch for a person. Works in every state of member and deployment.
    /// @param digest EIP-712 digest of the Appointment (or of a Mandate of the member's own).
    /// @dev Requirements: a GOVERN or APPOINT account in force. Emits `AppointmentWithdrawn`.
    function withdrawAppointment(bytes32 digest) external;

    // --- The deployment ----------------------------------------------------------------

    /// @notice 16 random bytes fixed at founding and carried by every successor.
    function networkId() external view returns (bytes16);
    /// @notice The deployment that this one continues; zero for the first.
    function predecessor() external view returns (address);
    /// @notice The deployment that continues this one; zero while it is open.
    function successor() external view returns (address);
    /// @notice Unix seconds when the successor was named; zero before.
    function endedAt() external view returns (uint48);
    /// @notice Whether things are decided here: not ended, and named by the predecessor if there
    /// is one.
    function isOpen() external view returns (bool);
    /// @notice Seconds from a request of a change to its effect.
    function changeDelay() external view returns (uint48);
    /// @notice Seconds for which a proposal may be voted on.
    function voteTime() external view returns (uint48);
    /// @notice Grows with every change of what a successor copies.
    function revision() external view returns (uint64);
    /// @notice The predecessor's `revision` at the time this one copied it; naming this one as
    /// successor requires that it still is.
    function predecessorRevision() external view returns (uint64);
    /// @notice Version of the set of active hospitals.
    function membershipVersion() external view returns (uint64);
    /// @notice Number of active hospitals.
    function activeHospitals() external view returns (uint32);
    /// @notice Votes that a proposal about `concerned` needs: max(2, E/2 + 1) of the E active
    /// hospitals without the concerned.
    function quorum(uint32 concerned) external view returns (uint256);

    // --- Members -----------------------------------------------------------------------

    /// @notice Members are numbered from 1 to this.
    function memberCount() external view returns (uint32);
    /// @notice What stands about a member; zeros for an unknown one.
    function memberOf(uint32 member) external view returns (Member memory);
    /// @notice Name of the institution.
    function nameOf(uint32 member) external view returns (string memory);
    /// @notice Generation of the member's present log, and whether it is frozen.
    function logOf(uint32 member) external view returns (uint32 generation, bool frozen);
    /// @notice Status of a member at Unix second `t`; STATUS_NONE before it joined.
    function statusAt(uint32 member, uint48 t) external view returns (uint8);
    /// @notice Whole status history, oldest first.
    function statusesOf(uint32 member) external view returns (StatusChange[] memory);
    /// @notice Whole history of Ed25519 log keys, oldest first; the last is in force.
    function logKeysOf(uint32 member) external view returns (KeyChange[] memory);
    /// @notice Whole history of encryption-key digests, oldest first; the last is in force.
    function keyDigestsOf(uint32 member) external view returns (KeyChange[] memory);
    /// @notice Whole history of validator addresses, oldest first; the last is in force.
    function validatorsOf(uint32 member) external view returns (ValidatorChange[] memory);
    /// @notice Whole history of node URLs, oldest first; the last is in force.
    function urlsOf(uint32 member) external view returns (UrlChange[] memory);
    /// @notice Every account the member ever had, in the order added.
    function accountsOf(uint32 member) external view returns (address[] memory);
    /// @notice One account; zeros for an unknown one. In force at t iff from <= t and
    /// (until = 0 or t < until).
    function account(address account_)
        external
        view
        returns (uint32 member, uint8 powers, uint48 from, uint48 until);
    /// @notice Unix seconds when the member withdrew the appointment; zero if it did not.
    function withdrawnAt(uint32 member, bytes32 digest) external view returns (uint48);

    // --- Proposals and changes ---------------------------------------------------------

    /// @notice One proposal; zeros for an unknown one.
    function proposalOf(uint256 proposal) external view returns (Proposal memory);
    /// @notice Whether the member has voted for the proposal.
    function hasVoted(uint256 proposal, uint32 member) external view returns (bool);
    /// @notice Unix seconds when such a proposal was first carried; zero if none was.
    /// @param kindAndPayloadHash `keccak256(abi.encode(uint8 kind, uint32 concerned, bytes32
    /// keccak256(payload)))`.
    function carriedAt(bytes32 kindAndPayloadHash) external view returns (uint48);
    /// @notice One change; zeros for an unknown one. Changes are numbered from 1.
    function changeOf(uint256 change) external view returns (Change memory);
    /// @notice Number of changes ever requested.
    function changeCount() external view returns (uint256);

    // --- What the other contracts ask --------------------------------------------------

    /// @notice What an account may do now; zeros for an unknown one.
    function standingOf(address account_) external view returns (Standing memory);

    /// @notice All that a registry of checkpoints needs to know, in one call.
    /// @return member The member for which the account may anchor now; zero when it may not.
    /// @return generation Generation of its present log.
    /// @return frozen Whether that log is frozen.
    /// @return endedAt_ When this deployment ended; zero while it has not.
    function anchorRightOf(address account_)
        external
        view
        returns (uint32 member, uint32 generation, bool frozen, uint48 endedAt_);

    /// @notice Whether the member may anchor now: no regulator, and active, suspended, or removed for
    /// less than 90 days. Who may not anchor cannot prove a release, so it receives no new grants either.
    function mayAnchor(uint32 member) external view returns (bool);
}
