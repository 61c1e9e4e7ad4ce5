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
    "PWD ",
    "PASS=",
    "PASS:",
    "PASS\"",
    "PASS'",
    "PASS ",
    "pass =",
    "_pw=",
    "_pw:",
    "_pw ",
    "_PW=",
    "_PW ",
    "pw = ",
    "psk=",
    "psk =",
    "bindpw",
    "uthtok =",
    "uthtok=",
];

/// The word for a password in languages of markets.
const ELSEWHERE: &[&str] =
    &["asswort", "ennwort", "ot_de_passe", "otdepasse", "ontrase\u{f1}a", "パスワード", "暗証番号"];

/// How the last words of tokens' names go on behind their first letter.
const TOKENS: &[&str] = &[
    "oken(",
    "ecret(",
    "oken:",
    "oken\"",
    "oken'",
    "oken=",
    "oken =",
    "oken>",
    "oken ",
    "ecret:",
    "ecret\"",
    "ecret'",
    "ecret=",
    "ecret =",
    "ecret>",
    "ecretKey",
    "piKey",
    "OKEN:",
    "OKEN\"",
    "OKEN'",
    "OKEN=",
    "OKEN =",
    "ECRET:",
    "ECRET\"",
    "ECRET'",
    "ECRET=",
    "ECRET =",
    "pikey",
    "PIKEY",
    "ssuerSigningKey",
];

/// Objects of settings with what tokens are signed with.
const ISSUERS: &[&str] = &[
    "\"Jwt\"",
    "\"JWT\"",
    "\"jwt\"",
    "\"JwtSettings\"",
    "\"JwtConfig\"",
    "\"JwtOptions\"",
    "\"JwtBearer\"",
    "\"TokenSettings\"",
    "\"Tokens\"",
];

const BY_STRING: &[&str] = &["DENTIFIED BY", "dentified by", "ConvertTo-SecureString"];

/// Calls that are given a name and a password.
const CALLS: &[&str] = &[
    "auth=(",
    "BasicAuth(",
    ".login(",
    "getConnection(",
    "etworkCredential(",
    "new PDO(",
    "mysqli_connect(",
    "new mysqli(",
    "DBI->connect(",
];

/// In settings and scripts of a shell.
pub(super) const SETTINGS: &[Kind] = &[
    written("password", WORDS, in_settings).with(Check::Named),
    written("password in a command", BY_STRING, next_string),
    written("password in a command", &[" -U ", " -U'", " -U\""], samba_user),
    written("password in a command", &["lftp -", "lftp s"], lftp_user),
    written("password in a command", &["openssl "], openssl),
    written("password in a command", &["htpasswd -"], htpasswd),
    written("password in a command", &["zip -"], sqlcmd_option),
    written(
        "password in a command",
        &["| passwd --stdin", "| sudo -S", "--password-stdin", "| cryptsetup "],
        passwd_from_input,
    ),
    written("password in a command", &["mysqladmin ", "nmcli ", "xfreerdp ", "wlfreerdp "], behind_word),
    written("password in a command", &["SET requirepass ", "insecure-password "], next_word),
    written("password", &["rwcommunity ", "rocommunity ", "stats auth ", "-password password "], next_word)
        .with(Check::Named),
    written("password", &["createUser ", ": PSK \"", ": EAP \"", ": XAUTH \""], service_secret)
        .with(Check::Named),
    written("password", ELSEWHERE, in_other_language).with(Check::Named),
    written("password in a command", &["sqlplus ", "impdp ", "expdp ", "CONNECT ", "connect "], oracle_login),
    written("password in a command", &["net user ", "ctl add_user ", "ctl change_password "], second_word),
    written("password in a command", &["7z a -", "7z x -", "rar a -", "rar x -"], mysql_option),
    written("password in a command", &["az login -"], login_option),
    written("password in a command", &["ipmitool -", "mosquitto_pub -", "mosquitto_sub -"], sqlcmd_option),
    written("token or application secret", TOKENS, token_in_settings).with(Check::Named),
    written("application secret", ISSUERS, issuer_key),
    written("password in a password file", &["user = ", "user=", "user \"", "user\t", "\n-u "], curl_login),
    written(
        "password of a mail server",
        &[":587 ", ":587\t", ":465 ", ":465\t", ":25 ", ":25\t", ":submission", ":smtps"],
        mail_login,
    ),
    written("password in a list", &["chpasswd:", "chpasswd <", "chpasswd -", "chpasswd<"], password_list),
    written("password in a password file", &[":{SHA", ":{SSHA", ":{PLAIN}"], marked_password),
];

/// In programs in source.
pub(super) const PROGRAMS: &[Kind] = &[
    written("password", WORDS, in_program).with(Check::Named),
    written("password in a command", BY_STRING, next_string),
    written("password", ELSEWHERE, in_other_language).with(Check::Named),
    written("token or application secret", TOKENS, token_in_program).with(Check::Named),
    written("password of a login", CALLS, login_call),
    written("password of a login", &["@tcp("], login_in_front),
];
