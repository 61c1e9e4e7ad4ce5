//! What is looked for besides in settings, scripts and programs in source.

use crate::context::*;
use crate::kind::{Check, Kind, written};

/// How the last words of passwords' names go on behind their first letter, or begin.
const WORDS: &[&str] = &[
    "assword",
    "ASSWORD",
    "asswd",
    "ASSWD",
    "assphrase",
    "ASSPHRASE",
    "_pass",
    "_PASS",
    "Pass",
    "pass:",
    "pass=",
    "pass\"",
    "pass'",
    "pass>",
    "equirepass",
    "masterauth",
    "_pwd",
    "_PWD",
    "Pwd=",
    "Pwd\"",
    "Pwd'",
    "Pwd>",
    "Pwd:",
    "Pwd ",
    "pwd=",
    "pwd\"",
    "pwd'",
    "pwd>",
    "pwd:",
    "pwd ",
    "PWD=",
    "PWD\"",
    "PWD'",
    "PWD:",
    "bindpw",
];

const BY_STRING: &[&str] = &["DENTIFIED BY", "dentified by", "ConvertTo-SecureString"];

/// In settings and scripts of a shell.
pub(super) const SETTINGS: &[Kind] = &[
    written("password", WORDS, in_settings).with(Check::Named),
    written("password in a command", BY_STRING, next_string),
    written("password in a command", &[" -U ", " -U'", " -U\""], samba_user),
    written("password in a command", &["lftp -", "lftp s"], lftp_user),
    written("password in a command", &["openssl "], openssl),
    written("password in a command", &["htpasswd -"], htpasswd),
    written("password in a command", &["zip -"], zip),
    written("password in a command", &["| passwd --stdin"], passwd_from_input),
    written("password in a password file", &[":{SHA", ":{SSHA", ":{PLAIN}"], marked_password),
];

/// In programs in source.
pub(super) const PROGRAMS: &[Kind] = &[
    written("password", WORDS, in_program).with(Check::Named),
    written("password in a command", BY_STRING, next_string),
];
