//! Keys, tokens and logins whose surroundings must be read.

use crate::context::*;
use crate::kind::{Kind, written};

/// Every letter and digit that a scheme may end with, in front of `://`.
const SCHEMES: &[&str] = &[
    "a://", "b://", "c://", "d://", "e://", "f://", "g://", "h://", "i://", "j://", "k://", "l://", "m://",
    "n://", "o://", "p://", "q://", "r://", "s://", "t://", "u://", "v://", "w://", "x://", "y://", "z://",
    "2://", "3://",
];

/// `SG.` and every character that may follow.
const SENDGRID: &[&str] = &[
    "SG.A", "SG.B", "SG.C", "SG.D", "SG.E", "SG.F", "SG.G", "SG.H", "SG.I", "SG.J", "SG.K", "SG.L", "SG.M",
    "SG.N", "SG.O", "SG.P", "SG.Q", "SG.R", "SG.S", "SG.T", "SG.U", "SG.V", "SG.W", "SG.X", "SG.Y", "SG.Z",
    "SG.a", "SG.b", "SG.c", "SG.d", "SG.e", "SG.f", "SG.g", "SG.h", "SG.i", "SG.j", "SG.k", "SG.l", "SG.m",
    "SG.n", "SG.o", "SG.p", "SG.q", "SG.r", "SG.s", "SG.t", "SG.u", "SG.v", "SG.w", "SG.x", "SG.y", "SG.z",
    "SG.0", "SG.1", "SG.2", "SG.3", "SG.4", "SG.5", "SG.6", "SG.7", "SG.8", "SG.9", "SG._", "SG.-",
];

/// How private keys in DER begin: their version, and whether a sequence or octets follow. Of those of RSA alone
/// (PKCS #1) kernels and libraries carry published ones for their self-tests.
const DER: &[&str] = &["\x02\x01\x00\x30", "\x02\x01\x01\x30", "\x02\x01\x01\x04", "\x02\x01\x00\x02"];

/// How private keys in DER begin in base64, which settings and environments have without the lines around (`MIIEvQIBADAN`):
/// version and what follows of those whose lengths have two bytes (RSA in PKCS #8 and PKCS #1), one (curves in PKCS #8
/// and SEC 1), or the algorithm where it is of Edwards' or Montgomery's curves (RFC 8410), in either version.
const BARE: &[&str] = &[
    "IBADAN",
    "IBADAL",
    "IBADCC",
    "IBAAKC",
    "IBAAKB",
    "AgEAMB",
    "AgEBBD",
    "AgEBBE",
    "MHcCAQEE",
    "AQAwBQYDK2V",
    "AQEwBQYDK2V",
];

/// Names of the algorithms that seal private keys in DER, without what is no ASCII: PBES2
/// (RFC 8018, 1.2.840.113549.1.5.13), those of PKCS #12 (RFC 7292, 1.2.840.113549.1.12.1) and of Java's key
/// stores (1.3.6.1.4.1.42.2). Each four bytes more that are looked for slow the search of all text.
const SEALED_DER: &[&str] = &["\x0d\x01\x05\x0d", "\x0d\x01\x0c\x01", "\x2b\x06\x01\x04\x01\x2a\x02"];

/// The port in PostgreSQL's password files: none, behind all that a host may end with, or how those end that the server
/// and the programs in front of it have: 5432 and its neighbours, 6432, 6543, 26257, 54322.
const PGPASS: &[&str] = &[
    "*:*:", "a:*:", "b:*:", "c:*:", "d:*:", "e:*:", "f:*:", "g:*:", "h:*:", "i:*:", "j:*:", "k:*:", "l:*:",
    "m:*:", "n:*:", "o:*:", "p:*:", "q:*:", "r:*:", "s:*:", "t:*:", "u:*:", "v:*:", "w:*:", "x:*:", "y:*:",
    "z:*:", "0:*:", "1:*:", "2:*:", "3:*:", "4:*:", "5:*:", "6:*:", "7:*:", "8:*:", "9:*:", "430:", "431:",
    "432:", "433:", "434:", "435:", "436:", "437:", "438:", "439:", "543:", "322:", "257:",
];

/// `-----BEGIN` in hexadecimal digits, and the names of algorithms in private keys as DER: RSA, curves, those of Edwards. As
/// for those in DER, each slows the search of all text: they are looked for in small letters alone.
const HEXADECIMAL: &[&str] =
    &["2d2d2d2d2d424547494e", "2D2D2D2D2D424547494E", "2a864886f70d010101", "2a8648ce3d0201", "06032b6570"];

/// Constants of WordPress that are secret.
const WORDPRESS: &[&str] =
    &["AUTH_KEY", "LOGGED_IN_KEY", "NONCE_KEY", "AUTH_SALT", "LOGGED_IN_SALT", "NONCE_SALT"];

pub(super) const KINDS: &[Kind] = &[
    written("private key", &["PRIVATE KEY"], private_key),
    written("private key", DER, der_key),
    written("private key", SEALED_DER, sealed_der_key),
    written("private key", BARE, bare_key),
    written("private key", &["<RSAKeyValue>"], xml_key),
    written("private key", &["private-key (", ":private-key(", ":protected-private-key("], gnupg_key),
    written("private key", &["RSA2\0"], blob_key),
    written("private key", &["== ed25519v1-secret: type0 =="], onion_key),
    written("private key", &["PRIVATE%20KEY"], in_percent),
    written("PuTTY private key", &["PuTTY-User-Key-File-"], putty_key),
    written("private JSON Web Key", &["\"kty\""], web_key),
    // `-----BEGIN` at each of the three places of a group, and a registry login as programs
    // indent it.
    written(
        "file in base64",
        &[
            "LS0tLS1CRUdJTi",
            "0tLS0tQkVHSU",
            "tLS0tLUJFR0lO",
            "eyJhdXRocyI6",
            "ewoJImF1dGhz",
            "ewogICJhdXRocyI6",
            "ewogICAgImF1dGhz",
            // The same around what is compressed.
            "SDRzSU",
        ],
        in_base64,
    ),
    written("file in gzip and base64", &["H4sI"], in_gzip),
    written("file in hexadecimal", HEXADECIMAL, in_hexadecimal),
    written("file in UTF-32", &["-\0\0\0-\0\0\0-\0\0\0-\0\0\0-\0\0\0B"], in_utf_32),
    written(
        "file in escapes",
        &["\\u00", "\\x2d\\x2d\\x2d\\x2d\\x2d", "\\x2D\\x2D\\x2D\\x2D\\x2D"],
        in_escapes,
    ),
    written("JSON Web Token", &["eyJh", "eyJ0", "eyJr", "eyJj", "eyJ4", "eyJi"], web_token),
    written("registry credentials", &["\"auth\""], registry_login),
    written(
        "Kubernetes Secret",
        &["kind: Secret", "\"kind\":\"Secret\"", "\"kind\": \"Secret\""],
        kubernetes_secret,
    ),
    written("HTTP basic credentials", &["uthorization: Basic "], basic_header),
    written("bearer token", &["uthorization: Bearer "], bearer_header),
    written("URL with a password", SCHEMES, url_password),
    written("shared access signature", &["&sig=", "?sig=", "0026sig=", "amp;sig="], shared_access),
    written(
        "shadow password hash",
        &[":$6$", ":$5$", ":$1$", ":$y$", ":$gy$", ":$7$", ":$2a$", ":$2b$", ":$2y$", ":$apr1$"],
        password_hash,
    ),
    written("netrc login", &["machine "], netrc),
    written("PostgreSQL password file", PGPASS, pgpass),
    written("npm registry login", &["_auth=", "_auth =", "_password=", "_password ="], npm_login),
    written("MySQL password", &["[client", "[mysql", "[mariadb"], option_file),
    written("database password", &["DB_PASSWORD"], php_constant),
    written("WordPress secret key", WORDPRESS, php_constant),
    written("Java property password", &[".password"], property),
    written("database password", &["datasource:"], data_source),
    written("password in a command", &["-password"], option_password),
    written(
        "password in a command",
        &[
            "mysql -",
            "mysqldump -",
            "mysqladmin -",
            "mariadb -",
            "mariadb-dump -",
            "mariadb-admin -",
            " -u root",
            " -uroot",
        ],
        mysql_option,
    ),
    written(
        "password in a command",
        &["docker login -", "podman login -", "skopeo login -", "registry login -"],
        login_option,
    ),
    written("password in a command", &["sshpass -p"], sshpass_option),
    written("password in a command", &[" -u ", " -u'", " -u\"", "\"-u\"", " --user ", " --user="], curl_user),
    written(
        "password in a connection string",
        &[";Password=", ";password=", ";Pwd=", ";PWD="],
        connection_string,
    ),
    written("password in a connection string", &[":3306)/"], go_login),
    written("password", &["assword=", "assword =", "ASSWORD=", "ASSWORD =", "assword\" value="], password),
    written("password", &["environ.get(", "os.getenv(", "process.env."], default_of_variable),
    written("password in a command", &["_password BY '"], sql),
    written(
        "password in a command",
        &["| chpasswd", "|chpasswd", "| sudo chpasswd", "|sudo chpasswd"],
        change_password,
    ),
    written(
        "password in a command",
        &["ldapsearch -", "ldapmodify -", "ldapadd -", "ldapwhoami -", "ldapdelete -", "ldappasswd -"],
        ldap_option,
    ),
    written("password in a command", &["redis-cli -"], redis_option),
    written("password in a command", &["sqlcmd -"], sqlcmd_option),
    written(
        "password in a command",
        &["mongo -", "mongosh -", "mongodump -", "cypher-shell -"],
        login_option,
    ),
    written(
        "password in a command",
        &["-passin", "-passout", "-passphrase", "-storepass", "-keypass", "-requirepass", "\nrequirepass "],
        named_option,
    ),
    written("Kubernetes Secret", &["stringData:"], string_data),
    written("password of a login", &["password:"], yaml_login),
    written(
        "password of a login",
        &["\"password\":", "'password':", "\"Password\":", "\"PASSWORD\":", "'PASSWORD':"],
        object_login,
    ),
    written("OpenAI key", &["T3BlbkFJ"], openai_key),
    written("SendGrid key", SENDGRID, sendgrid_key),
    written(
        "Azure service key",
        &["+ASt", "AIoT", "+ARm", "+AEh", "AzCa", "AzSe", "AzFu", "ACDb"],
        azure_marked_key,
    ),
];
