// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "./interfaces/IConsortium.sol";
import "./interfaces/ConsortiumConstants.sol";

/// @title Consortium: who belongs to the network, by vote
/// @dev Read `IConsortium` first. The order of the state variables is pinned: the slots of the first
/// eight mappings are proven by storage proofs and listed in `docs/spec/chain.md`.
contract Consortium is IConsortium {
    mapping(address account => Account) private _accounts;
    mapping(uint32 member => Member) private _members;
    mapping(uint32 member => StatusChange[]) private _statuses;
    mapping(uint32 member => mapping(bytes32 digest => uint48)) private _withdrawnAt;
    mapping(bytes32 kindAndPayloadHash => uint48) private _carriedAt;
    mapping(uint32 member => KeyChange[]) private _logKeys;
    mapping(uint32 member => KeyChange[]) private _keyDigests;
    mapping(uint32 member => ValidatorChange[]) private _validators;
    mapping(uint32 member => UrlChange[]) private _urls;
    mapping(uint32 member => string) private _names;
    mapping(uint32 member => address[]) private _accountsOf;
    mapping(uint256 proposal => Proposal) private _proposals;
    mapping(uint256 proposal => mapping(uint32 member => bool)) private _votes;
    mapping(uint256 change => Change) private _changes;

    uint48 private _endedAt;
    uint32 private _memberCount;
    uint32 private _activeHospitals;
    uint64 private _membershipVersion;
    uint64 private _revision;
    address private _successor;
    uint256 private _proposalCount;
    uint256 private _changeCount;

    /// @inheritdoc IConsortium
    bytes16 public immutable networkId;
    /// @inheritdoc IConsortium
    address public immutable predecessor;
    /// @inheritdoc IConsortium
    uint48 public immutable changeDelay;
    /// @inheritdoc IConsortium
    uint48 public immutable voteTime;
    /// @inheritdoc IConsortium
    uint64 public immutable predecessorRevision;

    /// Label of the digest of an encryption key, with its zero byte.
    bytes15 private constant KEY_LABEL = "xinglin/key/v1\x00";

    /// Words in the payload of each kind of proposal, by its number; ff where it has no one length.
    bytes13 private constant PAYLOAD_WORDS = hex"ff_ff_00_00_00_ff_01_01_01_03_02_01_01";
    uint8 private constant ANY_WORDS = 0xff;

    /// Bit k is set where a proposal of kind k is about no member.
    uint256 private constant ABOUT_NONE = (1 << KIND_ADMIT) | (1 << KIND_APPROVE_MODEL)
        | (1 << KIND_WITHDRAW_MODEL) | (1 << KIND_SUCCEED);

    /// @param networkId_ 16 random bytes, or the predecessor's.
    /// @param predecessor_ The deployment to continue, which has not ended; zero to found a network.
    /// @param founders Three hospitals or more; none where there is a predecessor.
    /// @param changeDelay_ Seconds; 72 hours, and short on development chains.
    /// @param voteTime_ Seconds; 14 days.
    constructor(
        bytes16 networkId_,
        address predecessor_,
        Founder[] memory founders,
        uint48 changeDelay_,
        uint48 voteTime_
    ) {
        if (networkId_ == 0) revert ConsortiumWrongNetwork(networkId_);
        if (changeDelay_ > MAX_PERIOD) revert ConsortiumWrongPeriod(changeDelay_);
        if (voteTime_ == 0 || voteTime_ > MAX_PERIOD) revert ConsortiumWrongPeriod(voteTime_);

        networkId = networkId_;
        predecessor = predecessor_;
        changeDelay = changeDelay_;
        voteTime = voteTime_;
        if (predecessor_ == address(0)) {
            predecessorRevision = 0;
            _found(founders);
        } else {
            if (founders.length != 0) revert ConsortiumWrongFounders(founders.length);
            predecessorRevision = IConsortium(predecessor_).revision();
            _continue(IConsortium(predecessor_), networkId_);
        }
    }

    // --- Votes -------------------------------------------------------------------------

    /// @inheritdoc IConsortium
    function propose(uint8 kind, uint32 concerned, bytes calldata payload)
        external
        returns (uint256 proposal)
    {
        _requireOpen();
        uint32 proposer = _requireVoter();
        _requireShape(kind, concerned, payload.length);

        proposal = uint256(
            keccak256(
                abi.encode(
                    kind, concerned, keccak256(payload), _membershipVersion, ++_proposalCount
                )
            )
        );
        Proposal storage made = _proposals[proposal];
        made.kind = kind;
        made.concerned = concerned;
        made.proposer = proposer;
        made.deadline = _now() + voteTime;
        made.statusCount = _members[concerned].statusCount;
        made.version = _membershipVersion;
        made.payload = payload;
        _emitMade(proposal, made);
    }

    /// @inheritdoc IConsortium
    function vote(uint256 proposal) external {
        _requireOpen();
        uint32 member = _requireVoter();
        Proposal storage made = _proposals[proposal];
        uint8 kind = made.kind;
        uint32 concerned = made.concerned;
        if (kind == 0) revert ConsortiumUnknownProposal(proposal);
        _requireAlive(proposal, made);
        if (concerned == member) revert ConsortiumConcernedMayNotVote(proposal, member);
        if (_votes[proposal][member]) revert ConsortiumAlreadyVoted(proposal, member);

        _votes[proposal][member] = true;
        uint32 votes = ++made.votes;
        emit VoteCast(proposal, member, msg.sender, votes);
        if (votes < quorum(concerned)) return;

        made.carriedAt = _now();
        bytes memory payload = made.payload;
        bytes32 key = keccak256(abi.encode(kind, concerned, keccak256(payload)));
        if (_carriedAt[key] == 0) _carriedAt[key] = _now();
        emit ProposalCarried(proposal, kind, concerned, key);
        _execute(kind, concerned, payload);
    }

    // --- What a member does for itself -------------------------------------------------

    /// @inheritdoc IConsortium
    function requestChange(uint8 what, bytes calldata payload) external returns (uint256 change) {
        _requireOpen();
        uint32 member = _requireGovernor();
        bytes memory kept = _keptPayload(what, payload);

        change = ++_changeCount;
        Change storage asked = _changes[change];
        asked.member = member;
        asked.what = what;
        asked.state = CHANGE_PENDING;
        asked.appliesFrom = _now() + changeDelay;
        asked.appliesUntil = asked.appliesFrom + voteTime;
        asked.requester = msg.sender;
        asked.payload = kept;
        emit ChangeRequested(
            change, member, what, msg.sender, payload, asked.appliesFrom, asked.appliesUntil
        );
    }

    /// @inheritdoc IConsortium
    function applyChange(uint256 change) external {
        _requireOpen();
        Change storage asked = _changes[change];
        uint32 member = asked.member;
        if (member == 0) revert ConsortiumUnknownChange(change);
        if (_requireGovernor() != member) {
            revert ConsortiumUnauthorizedAccount(msg.sender, POWER_GOVERN);
        }
        if (
            asked.state != CHANGE_PENDING || _now() >= asked.appliesUntil
                || _accounts[asked.requester].until != 0
        ) {
            revert ConsortiumStaleChange(change, asked.state, asked.appliesUntil);
        }
        if (_now() < asked.appliesFrom) revert ConsortiumTooEarly(change, asked.appliesFrom);

        asked.state = CHANGE_APPLIED;
        emit ChangeApplied(change, member);
        _apply(member, asked.what, asked.payload);
    }

    /// @inheritdoc IConsortium
    function endAccount(address account_) external {
        Account storage caller = _accounts[msg.sender];
        Account storage ending = _accounts[account_];
        bool own = _inForce(caller) && caller.member == ending.member;
        bool may = msg.sender == account_ || caller.powers & POWER_GOVERN != 0;
        if (!own || !may) revert ConsortiumUnauthorizedAccount(msg.sender, POWER_GOVERN);
        if (ending.until != 0) revert ConsortiumAccountEnded(account_, ending.until);

        _endAccount(account_);
    }

    /// @inheritdoc IConsortium
    function freeze() external {
        uint32 member = _requirePower(ALL_POWERS);
        Member storage standing = _members[member];
        if (standing.frozenAt != 0) {
            revert ConsortiumWrongLog(member, standing.generation, standing.frozenAt);
        }

        standing.frozenAt = _now();
        ++_revision;
        emit LogFrozen(member, standing.generation, msg.sender);
    }

    /// @inheritdoc IConsortium
    function withdrawAppointment(bytes32 digest) external {
        uint32 member = _requirePower(POWER_GOVERN | POWER_APPOINT);
        uint48 before = _withdrawnAt[member][digest];
        if (before != 0) revert ConsortiumAlreadyWithdrawn(member, digest, before);

        _withdrawnAt[member][digest] = _now();
        emit AppointmentWithdrawn(member, digest, _now());
    }

    // --- The deployment ----------------------------------------------------------------

    /// @inheritdoc IConsortium
    function successor() external view returns (address) {
        return _successor;
    }

    /// @inheritdoc IConsortium
    function endedAt() external view returns (uint48) {
        return _endedAt;
    }

    /// @inheritdoc IConsortium
    function isOpen() external view returns (bool) {
        return _endedAt == 0 && _isNamed();
    }

    /// @inheritdoc IConsortium
    function revision() external view returns (uint64) {
        return _revision;
    }

    /// @inheritdoc IConsortium
    function membershipVersion() external view returns (uint64) {
        return _membershipVersion;
    }

    /// @inheritdoc IConsortium
    function activeHospitals() external view returns (uint32) {
        return _activeHospitals;
    }

    /// @inheritdoc IConsortium
    function quorum(uint32 concerned) public view returns (uint256) {
        uint256 electors = _activeHospitals;
        if (_isVoter(_members[concerned])) --electors;
        uint256 majority = electors / 2 + 1;
        return majority < LEAST_QUORUM ? LEAST_QUORUM : majority;
    }

    // --- Members -----------------------------------------------------------------------

    /// @inheritdoc IConsortium
    function memberCount() external view returns (uint32) {
        return _memberCount;
    }

    /// @inheritdoc IConsortium
    function memberOf(uint32 member) external view returns (Member memory) {
        return _members[member];
    }

    /// @inheritdoc IConsortium
    function nameOf(uint32 member) external view returns (string memory) {
        return _names[member];
    }

    /// @inheritdoc IConsortium
    function logOf(uint32 member) external view returns (uint32 generation, bool frozen) {
        Member storage standing = _members[member];
        return (standing.generation, standing.frozenAt != 0);
    }

    /// @inheritdoc IConsortium
    function statusAt(uint32 member, uint48 t) external view returns (uint8) {
        StatusChange[] storage history = _statuses[member];
        for (uint256 i = history.length; i > 0; --i) {
            if (history[i - 1].since <= t) return history[i - 1].status;
        }
        return STATUS_NONE;
    }

    /// @inheritdoc IConsortium
    function statusesOf(uint32 member) external view returns (StatusChange[] memory) {
        return _statuses[member];
    }

    /// @inheritdoc IConsortium
    function logKeysOf(uint32 member) external view returns (KeyChange[] memory) {
        return _logKeys[member];
    }

    /// @inheritdoc IConsortium
    function keyDigestsOf(uint32 member) external view returns (KeyChange[] memory) {
        return _keyDigests[member];
    }

    /// @inheritdoc IConsortium
    function validatorsOf(uint32 member) external view returns (ValidatorChange[] memory) {
        return _validators[member];
    }

    /// @inheritdoc IConsortium
    function urlsOf(uint32 member) external view returns (UrlChange[] memory) {
        return _urls[member];
    }

    /// @inheritdoc IConsortium
    function accountsOf(uint32 member) external view returns (address[] memory) {
        return _accountsOf[member];
    }

    /// @inheritdoc IConsortium
    function account(address account_)
        external
        view
        returns (uint32 member, uint8 powers, uint48 from, uint48 until)
    {
        Account storage found = _accounts[account_];
        return (found.member, found.powers, found.from, found.until);
    }

    /// @inheritdoc IConsortium
    function withdrawnAt(uint32 member, bytes32 digest) external view returns (uint48) {
        return _withdrawnAt[member][digest];
    }

    // --- Proposals and changes ---------------------------------------------------------

    /// @inheritdoc IConsortium
    function proposalOf(uint256 proposal) external view returns (Proposal memory) {
        return _proposals[proposal];
    }

    /// @inheritdoc IConsortium
    function hasVoted(uint256 proposal, uint32 member) external view returns (bool) {
        return _votes[proposal][member];
    }

    /// @inheritdoc IConsortium
    function carriedAt(bytes32 kindAndPayloadHash) external view returns (uint48) {
        return _carriedAt[kindAndPayloadHash];
    }

    /// @inheritdoc IConsortium
    function changeOf(uint256 change) external view returns (Change memory) {
        return _changes[change];
    }

    /// @inheritdoc IConsortium
    function changeCount() external view returns (uint256) {
        return _changeCount;
    }

    // --- What the other contracts ask --------------------------------------------------

    /// @inheritdoc IConsortium
    function standingOf(address account_) external view returns (Standing memory) {
        Account storage found = _accounts[account_];
        Member storage member = _members[found.member];
        uint8 powers = _inForce(found) ? found.powers : 0;
        return Standing(found.member, powers, member.role, member.status);
    }

    /// @inheritdoc IConsortium
    function anchorRightOf(address account_)
        external
        view
        returns (uint32 member, uint32 generation, bool frozen, uint48 endedAt_)
    {
        Account storage found = _accounts[account_];
        Member storage standing = _members[found.member];
        if (_inForce(found) && found.powers & POWER_ANCHOR != 0 && _mayAnchor(standing)) {
            member = found.member;
        }
        return (member, standing.generation, standing.frozenAt != 0, _endedAt);
    }

    /// @inheritdoc IConsortium
    function mayAnchor(uint32 member) external view returns (bool) {
        return _mayAnchor(_members[member]);
    }

    // --- Founding and succession -------------------------------------------------------

    function _found(Founder[] memory founders) private {
        if (founders.length < LEAST_FOUNDERS) revert ConsortiumWrongFounders(founders.length);
        for (uint256 i = 0; i < founders.length; ++i) {
            _admit(ROLE_HOSPITAL, founders[i]);
        }
    }

    /// @dev Copies what stands in the predecessor: members with their numbers, roles, names and
    /// logs, accounts and statuses with their history, and the keys and addresses in force. Open
    /// proposals and pending changes are not copied: they end with the predecessor.
    function _continue(IConsortium from, bytes16 networkId_) private {
        if (from.networkId() != networkId_) revert ConsortiumWrongNetwork(networkId_);
        if (from.endedAt() != 0) revert ConsortiumWrongPredecessor(address(from));
        _memberCount = from.memberCount();
        _activeHospitals = from.activeHospitals();
        _membershipVersion = from.membershipVersion();
        for (uint32 member = 1; member <= _memberCount; ++member) {
            _copyMember(from, member);
            _copyAccounts(from, member);
            _copyKeys(from, member);
        }
        emit MembershipVersionChanged(_membershipVersion, _activeHospitals);
    }

    function _copyMember(IConsortium from, uint32 member) private {
        _members[member] = from.memberOf(member);
        _names[member] = from.nameOf(member);
        emit MemberAdmitted(member, _members[member].role, _names[member]);
        StatusChange[] memory statuses = from.statusesOf(member);
        for (uint256 i = 0; i < statuses.length; ++i) {
            _statuses[member].push(statuses[i]);
            emit MemberStatusChanged(member, statuses[i].status, statuses[i].since);
        }
    }

    function _copyAccounts(IConsortium from, uint32 member) private {
        address[] memory accounts = from.accountsOf(member);
        _accountsOf[member] = accounts;
        for (uint256 i = 0; i < accounts.length; ++i) {
            Account storage copied = _accounts[accounts[i]];
            (copied.member, copied.powers, copied.from, copied.until) = from.account(accounts[i]);
            emit AccountAdded(member, accounts[i], copied.powers, copied.from);
            if (copied.until != 0) emit AccountEnded(member, accounts[i], copied.until);
        }
    }

    function _copyKeys(IConsortium from, uint32 member) private {
        KeyChange[] memory keys = from.logKeysOf(member);
        _pushLogKey(member, keys[keys.length - 1]);
        KeyChange[] memory digests = from.keyDigestsOf(member);
        _pushKeyDigest(member, digests[digests.length - 1], 0, "");
        ValidatorChange[] memory validators = from.validatorsOf(member);
        _pushValidator(member, validators[validators.length - 1]);
        UrlChange[] memory urls = from.urlsOf(member);
        _pushUrl(member, urls[urls.length - 1]);
    }

    // --- What votes do -----------------------------------------------------------------

    /// @dev KIND_APPROVE_MODEL, KIND_WITHDRAW_MODEL and KIND_MANDATE do nothing here: others read
    /// that they were carried.
    function _execute(uint8 kind, uint32 concerned, bytes memory payload) private {
        if (kind == KIND_ADMIT) {
            (uint8 role, Founder memory applicant) = abi.decode(payload, (uint8, Founder));
            _admit(role, applicant);
        } else if (kind == KIND_SUSPEND) {
            _requireStatus(concerned, STATUS_ACTIVE);
            _setStatus(concerned, STATUS_SUSPENDED);
        } else if (kind == KIND_RESUME) {
            _requireStatus(concerned, STATUS_SUSPENDED);
            _setStatus(concerned, STATUS_ACTIVE);
        } else if (kind == KIND_REMOVE) {
            uint8 status = _members[concerned].status;
            if (status == STATUS_REMOVED) revert ConsortiumWrongStatus(concerned, status);
            _setStatus(concerned, STATUS_REMOVED);
        } else if (kind == KIND_REPLACE_ACCOUNTS) {
            _replaceAccounts(concerned, abi.decode(payload, (NewAccount[])));
        } else if (kind == KIND_UNFREEZE) {
            _unfreeze(concerned, abi.decode(payload, (uint48)));
        } else if (kind == KIND_RETIRE) {
            _retire(concerned, abi.decode(payload, (uint32)));
        } else if (kind == KIND_STOP_CHANGE) {
            _stopChange(concerned, abi.decode(payload, (uint256)));
        } else if (kind == KIND_SUCCEED) {
            _succeed(abi.decode(payload, (address)));
        }
    }

    function _admit(uint8 role, Founder memory applicant) private {
        if (role == 0 || role > ROLE_REGULATOR) revert ConsortiumWrongRole(role);
        uint256 length = bytes(applicant.name).length;
        if (length == 0) revert ConsortiumWrongLength(length, MAX_NAME_LENGTH);
        _requireLength(length, MAX_NAME_LENGTH);
        _requireLength(bytes(applicant.url).length, MAX_URL_LENGTH);
        bytes memory key = applicant.encryptionKey;
        bytes32 digest = _keyDigest(applicant.kem, key);

        uint32 member = ++_memberCount;
        _members[member].role = role;
        _names[member] = applicant.name;
        emit MemberAdmitted(member, role, applicant.name);
        _setStatus(member, STATUS_ACTIVE);
        _addAccounts(member, applicant.accounts);
        _pushLogKey(member, KeyChange(_now(), applicant.logKey));
        _pushKeyDigest(member, KeyChange(_now(), digest), applicant.kem, key);
        _pushValidator(member, ValidatorChange(_now(), applicant.validator));
        _pushUrl(member, UrlChange(_now(), applicant.url));
    }

    function _setStatus(uint32 member, uint8 status) private {
        Member storage standing = _members[member];
        bool voted = _isVoter(standing);

        standing.status = status;
        standing.statusSince = _now();
        ++standing.statusCount;
        _statuses[member].push(StatusChange(_now(), status));
        ++_revision;
        emit MemberStatusChanged(member, status, _now());

        bool votes = _isVoter(standing);
        if (voted == votes) return;
        if (votes) ++_activeHospitals;
        else --_activeHospitals;
        emit MembershipVersionChanged(++_membershipVersion, _activeHospitals);
    }

    function _replaceAccounts(uint32 member, NewAccount[] memory accounts) private {
        address[] storage old = _accountsOf[member];
        uint256 count = old.length;
        for (uint256 i = 0; i < count; ++i) {
            if (_inForce(_accounts[old[i]])) _endAccount(old[i]);
        }
        _addAccounts(member, accounts);
    }

    function _unfreeze(uint32 member, uint48 frozenAt) private {
        Member storage standing = _members[member];
        if (frozenAt == 0 || standing.frozenAt != frozenAt) {
            revert ConsortiumWrongLog(member, standing.generation, standing.frozenAt);
        }
        standing.frozenAt = 0;
        ++_revision;
        emit LogUnfrozen(member, standing.generation);
    }

    function _retire(uint32 member, uint32 generation) private {
        Member storage standing = _members[member];
        if (standing.generation != generation) {
            revert ConsortiumWrongLog(member, standing.generation, standing.frozenAt);
        }
        ++standing.generation;
        standing.frozenAt = 0;
        ++_revision;
        emit LogRetired(member, generation);
    }

    function _stopChange(uint32 member, uint256 change) private {
        Change storage asked = _changes[change];
        if (asked.member != member) revert ConsortiumUnknownChange(change);
        if (asked.state != CHANGE_PENDING) {
            revert ConsortiumStaleChange(change, asked.state, asked.appliesUntil);
        }
        asked.state = CHANGE_STOPPED;
        emit ChangeStopped(change, member);
    }

    /// @dev The successor must have copied what stands here to the last change: otherwise an
    /// account that ended since would live again there.
    function _succeed(address next) private {
        if (next.code.length == 0) revert ConsortiumWrongSuccessor(next);
        IConsortium following = IConsortium(next);
        if (
            following.networkId() != networkId || following.predecessor() != address(this)
                || following.predecessorRevision() != _revision
        ) revert ConsortiumWrongSuccessor(next);

        _successor = next;
        _endedAt = _now();
        emit SuccessorNamed(next, _now());
    }

    // --- What changes do ---------------------------------------------------------------

    /// @dev What is stored of a change's payload, once its shape is checked.
    function _keptPayload(uint8 what, bytes calldata payload) private pure returns (bytes memory) {
        if (what == CHANGE_ADD_ACCOUNT) {
            if (payload.length != 64) revert ConsortiumWrongPayload(what, payload.length);
        } else if (what == CHANGE_LOG_KEY || what == CHANGE_VALIDATOR) {
            if (payload.length != 32) revert ConsortiumWrongPayload(what, payload.length);
        } else if (what == CHANGE_ENCRYPTION_KEY) {
            (uint16 kem, bytes memory key) = abi.decode(payload, (uint16, bytes));
            return abi.encode(kem, _keyDigest(kem, key));
        } else if (what == CHANGE_URL) {
            _requireLength(bytes(abi.decode(payload, (string))).length, MAX_URL_LENGTH);
        } else {
            revert ConsortiumUnknownKind(what);
        }
        return payload;
    }

    function _apply(uint32 member, uint8 what, bytes memory payload) private {
        if (what == CHANGE_ADD_ACCOUNT) {
            uint256 count = _accountsOf[member].length;
            if (count >= MAX_OWN_ACCOUNTS) revert ConsortiumTooManyAccounts(member, count);
            (address account_, uint8 powers) = abi.decode(payload, (address, uint8));
            _addAccount(member, account_, powers);
        } else if (what == CHANGE_LOG_KEY) {
            _pushLogKey(member, KeyChange(_now(), abi.decode(payload, (bytes32))));
        } else if (what == CHANGE_ENCRYPTION_KEY) {
            (uint16 kem, bytes32 digest) = abi.decode(payload, (uint16, bytes32));
            _pushKeyDigest(member, KeyChange(_now(), digest), kem, "");
        } else if (what == CHANGE_URL) {
            _pushUrl(member, UrlChange(_now(), abi.decode(payload, (string))));
        } else {
            _pushValidator(member, ValidatorChange(_now(), abi.decode(payload, (address))));
        }
    }

    // --- Accounts and keys -------------------------------------------------------------

    function _addAccounts(uint32 member, NewAccount[] memory accounts) private {
        bool governed = false;
        for (uint256 i = 0; i < accounts.length; ++i) {
            _addAccount(member, accounts[i].account, accounts[i].powers);
            if (accounts[i].powers & POWER_GOVERN != 0) governed = true;
        }
        if (!governed) revert ConsortiumNoGovernor(member);
    }

    function _addAccount(uint32 member, address account_, uint8 powers) private {
        Account storage added = _accounts[account_];
        if (account_ == address(0) || added.member != 0) {
            revert ConsortiumAccountKnown(account_, added.member);
        }
        uint8 allowed = _members[member].role == ROLE_REGULATOR
            ? POWER_GOVERN | POWER_APPOINT
            : ALL_POWERS;
        if (powers == 0 || powers & ~allowed != 0) revert ConsortiumWrongPowers(account_, powers);

        _accounts[account_] = Account(member, powers, _now(), 0);
        _accountsOf[member].push(account_);
        ++_revision;
        emit AccountAdded(member, account_, powers, _now());
    }

    function _endAccount(address account_) private {
        Account storage ending = _accounts[account_];
        ending.until = _now();
        ++_revision;
        emit AccountEnded(ending.member, account_, _now());
    }

    function _pushLogKey(uint32 member, KeyChange memory change) private {
        _logKeys[member].push(change);
        ++_revision;
        emit LogKeyChanged(member, change.key, change.since);
    }

    function _pushKeyDigest(
        uint32 member,
        KeyChange memory change,
        uint16 kem,
        bytes memory encryptionKey
    ) private {
        _keyDigests[member].push(change);
        ++_revision;
        emit EncryptionKeyChanged(member, change.key, kem, encryptionKey, change.since);
    }

    function _pushValidator(uint32 member, ValidatorChange memory change) private {
        _validators[member].push(change);
        ++_revision;
        emit ValidatorChanged(member, change.validator, change.since);
    }

    function _pushUrl(uint32 member, UrlChange memory change) private {
        _urls[member].push(change);
        ++_revision;
        emit UrlChanged(member, change.url, change.since);
    }

    function _keyDigest(uint16 kem, bytes memory key) private pure returns (bytes32) {
        _requireLength(key.length, MAX_KEY_LENGTH);
        if (key.length == 0) return 0;
        return sha256(abi.encodePacked(KEY_LABEL, kem, key));
    }

    function _emitMade(uint256 proposal, Proposal storage made) private {
        emit ProposalMade(
            proposal,
            made.kind,
            made.concerned,
            made.proposer,
            made.payload,
            made.version,
            made.deadline
        );
    }

    // --- Checks ------------------------------------------------------------------------

    function _requireOpen() private view {
        if (_endedAt != 0) revert ConsortiumDeploymentEnded(_endedAt);
        if (!_isNamed()) revert ConsortiumPredecessorOpen(predecessor);
    }

    /// @dev The caller's member, if its account is in force and has one of `powers`.
    function _requirePower(uint8 powers) private view returns (uint32 member) {
        Account storage caller = _accounts[msg.sender];
        if (!_inForce(caller) || caller.powers & powers == 0) {
            revert ConsortiumUnauthorizedAccount(msg.sender, powers);
        }
        return caller.member;
    }

    /// @dev The caller's member, if it is active and its account governs.
    function _requireGovernor() private view returns (uint32 member) {
        member = _requirePower(POWER_GOVERN);
        if (_members[member].status != STATUS_ACTIVE) {
            revert ConsortiumUnauthorizedAccount(msg.sender, POWER_GOVERN);
        }
    }

    /// @dev The caller's member, if it is an active hospital and its account governs.
    function _requireVoter() private view returns (uint32 member) {
        member = _requireGovernor();
        if (_members[member].role != ROLE_HOSPITAL) {
            revert ConsortiumUnauthorizedAccount(msg.sender, POWER_GOVERN);
        }
    }

    function _requireShape(uint8 kind, uint32 concerned, uint256 length) private view {
        if (kind == 0 || kind > KIND_MANDATE) revert ConsortiumUnknownKind(kind);
        bool aboutNone = ABOUT_NONE & (1 << kind) != 0;
        if (aboutNone != (concerned == 0)) revert ConsortiumWrongConcerned(kind, concerned);
        if (concerned > _memberCount) revert ConsortiumUnknownMember(concerned);
        uint8 words = uint8(PAYLOAD_WORDS[kind]);
        if (words != ANY_WORDS && length != uint256(words) * 32) {
            revert ConsortiumWrongPayload(kind, length);
        }
    }

    function _requireAlive(uint256 proposal, Proposal storage made) private view {
        bool alive = made.carriedAt == 0 && made.version == _membershipVersion
            && made.statusCount == _members[made.concerned].statusCount && _now() < made.deadline;
        if (!alive) {
            revert ConsortiumStaleProposal(
                proposal, made.version, _membershipVersion, made.deadline, made.carriedAt
            );
        }
    }

    function _requireStatus(uint32 member, uint8 status) private view {
        uint8 actual = _members[member].status;
        if (actual != status) revert ConsortiumWrongStatus(member, actual);
    }

    function _requireLength(uint256 length, uint256 most) private pure {
        if (length > most) revert ConsortiumWrongLength(length, most);
    }

    function _isNamed() private view returns (bool) {
        return predecessor == address(0)
            || IConsortium(predecessor).successor() == address(this);
    }

    function _inForce(Account storage found) private view returns (bool) {
        return found.member != 0 && found.until == 0;
    }

    function _isVoter(Member storage standing) private view returns (bool) {
        return standing.role == ROLE_HOSPITAL && standing.status == STATUS_ACTIVE;
    }

    function _mayAnchor(Member storage standing) private view returns (bool) {
        if (standing.status == STATUS_REMOVED) {
            return _now() < standing.statusSince + GRACE_AFTER_REMOVAL;
        }
        return standing.status != STATUS_NONE && standing.role != ROLE_REGULATOR;
    }

    function _now() private view returns (uint48) {
        return uint48(block.timestamp);
    }
}
