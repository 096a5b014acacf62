// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The words of the network as numbers. Zero is never one of them, so that a value that was
// forgotten is refused and not taken for the first of its kind.

// --- Roles of a member -----------------------------------------------------------------

// Keeps records; the only role that votes.
uint8 constant ROLE_HOSPITAL = 1;
// Reads what was consented.
uint8 constant ROLE_RESEARCH_INSTITUTE = 2;
// Checks, and reads content under a mandate only.
uint8 constant ROLE_AUDITOR = 3;
// May only observe: none of its accounts anchors or witnesses.
uint8 constant ROLE_REGULATOR = 4;

// --- Status of a member ----------------------------------------------------------------

// Not a member at that time.
uint8 constant STATUS_NONE = 0;
uint8 constant STATUS_ACTIVE = 1;
// Anchors, and takes things away; gives, votes and changes nothing.
uint8 constant STATUS_SUSPENDED = 2;
// For ever. Anchors for `GRACE_AFTER_REMOVAL` more.
uint8 constant STATUS_REMOVED = 3;

// A removed member may anchor this long, so that nothing it logged is left unproven.
uint48 constant GRACE_AFTER_REMOVAL = 90 days;

// --- Powers of an account, a set of bits -----------------------------------------------

// Proposes, votes, requests changes, registers models, ends accounts, revokes as custodian.
uint8 constant POWER_GOVERN = 1;
// Anchors checkpoints: the node's hot key, which should hold nothing else.
uint8 constant POWER_ANCHOR = 2;
// Signs and withdraws appointments.
uint8 constant POWER_APPOINT = 4;
// Witnesses and revokes grants of people without a device.
uint8 constant POWER_WITNESS = 8;
uint8 constant ALL_POWERS = 15;

// --- Kinds of proposals; the payload of each is in `IConsortium.propose` ---------------

uint8 constant KIND_ADMIT = 1;
uint8 constant KIND_SUSPEND = 2;
uint8 constant KIND_RESUME = 3;
uint8 constant KIND_REMOVE = 4;
uint8 constant KIND_REPLACE_ACCOUNTS = 5;
uint8 constant KIND_UNFREEZE = 6;
uint8 constant KIND_RETIRE = 7;
uint8 constant KIND_STOP_CHANGE = 8;
uint8 constant KIND_APPROVE_MODEL = 9;
uint8 constant KIND_WITHDRAW_MODEL = 10;
uint8 constant KIND_SUCCEED = 11;
uint8 constant KIND_MANDATE = 12;

// --- What a member changes about itself; payloads in `IConsortium.requestChange` -------

uint8 constant CHANGE_ADD_ACCOUNT = 1;
uint8 constant CHANGE_LOG_KEY = 2;
uint8 constant CHANGE_ENCRYPTION_KEY = 3;
uint8 constant CHANGE_URL = 4;
uint8 constant CHANGE_VALIDATOR = 5;

// --- States of a change ----------------------------------------------------------------

uint8 constant CHANGE_PENDING = 1;
uint8 constant CHANGE_APPLIED = 2;
uint8 constant CHANGE_STOPPED = 3;

// --- Bounds ----------------------------------------------------------------------------

// No decision is ever one hospital's.
uint256 constant LEAST_QUORUM = 2;
uint256 constant LEAST_FOUNDERS = 3;
// Accounts one member may add by itself over its lifetime. A successor copies all of them
// in its constructor, which no single member may make impossible.
uint256 constant MAX_OWN_ACCOUNTS = 256;
uint256 constant MAX_NAME_LENGTH = 200;
uint256 constant MAX_URL_LENGTH = 500;
uint256 constant MAX_KEY_LENGTH = 4096;
// Neither a vote nor a change may be left hanging longer than this.
uint48 constant MAX_PERIOD = 366 days;
