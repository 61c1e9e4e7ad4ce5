//! Passwords of accounts: `passwd(5)` and `shadow(5)`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Bytes of a file of accounts that are read.
pub const FILE_BYTES_MAX: u64 = 4 << 20;
/// Accounts that are named.
const NAMED_MAX: usize = 20;
/// Accounts with the rights of root that are kept; where there are as many, there may be more.
pub const ROOTS_MAX: usize = 1000;
/// Names of accounts that are kept; where there are as many, there may be more.
pub const USERS_MAX: usize = 1000;
/// Letters of a name that are told.
const NAME_CHARS_MAX: usize = 40;

/// The files in which accounts have their passwords.
pub const IN_USE: [&str; 2] = ["etc/shadow", "etc/passwd"];
/// The copies that the tools keep of them, what other sources of accounts have, and the templates of images.
const COPIES: [&str; 6] = [
    "etc/shadow-",
    "etc/passwd-",
    "usr/etc/shadow",
    "usr/etc/passwd",
    "var/lib/extrausers/shadow",
    "var/lib/extrausers/passwd",
];

/// Whether a file of a layer holds accounts or groups with their passwords, or a copy.
pub fn is_of_accounts(path: &str) -> bool {
    IN_USE.contains(&path) || COPIES.contains(&path) || path == "etc/group"
}

/// What a file of accounts tells about passwords. The passwords themselves are not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Accounts {
    /// Whether it is no regular file of its own, so that nobody looked into it.
    pub link: bool,
    /// The first accounts with a password, in order.
    pub named: BTreeSet<String>,
    /// How many more there are.
    pub more: u64,
    /// Names with the rights of root whose password is empty, the first of them in order.
    pub empty_roots: BTreeSet<String>,
    /// Names of others whose password is empty, the first of them in order.
    pub empty_users: BTreeSet<String>,
    /// Of `passwd`: names beside `root` that engines take for user 0, the first of them in order.
    pub roots: BTreeSet<String>,
    /// The first names of the file, whoever they are.
    pub users: BTreeSet<String>,
}

impl Accounts {
    /// Reads a file.
    pub fn of(text: &str) -> Self {
        // Engines look for a name in lines of one field, too.
        let users = text.lines().filter_map(|line| line.trim().split(':').next());
        let users: BTreeSet<&str> = users.filter(|name| !name.is_empty()).collect();
        let users = users.into_iter().take(USERS_MAX).map(str::to_owned).collect();
        let mut out = Self { users, ..Self::default() };
        for (name, password, rest) in entries(text) {
            // What is no number is 0 to engines (moby/sys/user). Lines of `shadow` have more fields.
            let number = rest.split(':').next().unwrap_or_default();
            let is_zero = rest.split(':').count() <= 5 && number.parse::<i64>().unwrap_or(0) == 0;
            let is_name = !matches!(name, "" | "+" | "-" | "root") && !name.starts_with("+@");
            if is_zero && is_name && out.roots.len() < ROOTS_MAX {
                out.roots.insert(name.to_owned());
            }
            // Those of NIS only include others.
            if name.is_empty() || name.starts_with(['+', '-']) {
                continue;
            }
            // Of `passwd` the third field is the number: 0 is root under any name.
            let mut fields = rest.split(':');
            let is_root =
                name == "root" || fields.next() == Some("0") && fields.next().is_some_and(is_number);
            let told = || name.chars().take(NAME_CHARS_MAX).flat_map(char::escape_debug).collect::<String>();
            let empty = if is_root { &mut out.empty_roots } else { &mut out.empty_users };
            if password.is_empty() && empty.len() < NAMED_MAX {
                empty.insert(told());
            }
            if is_password(password) {
                let name = told();
                if !out.named.contains(&name) {
                    out.named.insert(name);
                    if out.named.len() > NAMED_MAX {
                        out.named.pop_last();
                        out.more += 1;
                    }
                }
            }
        }
        out
    }

    /// Whether it says nothing of interest about passwords and rights.
    pub fn is_calm(&self) -> bool {
        Self { users: BTreeSet::new(), ..self.clone() } == Self::default()
    }

    /// The accounts beside `root` that are user 0, in words.
    pub fn other_roots(&self) -> String {
        let told = |name: &String| {
            name.chars().take(NAME_CHARS_MAX).flat_map(char::escape_debug).collect::<String>()
        };
        // Those of NIS only include others.
        let roots = || self.roots.iter().filter(|name| !name.starts_with(['+', '-']));
        let names = roots().take(NAMED_MAX).map(told).collect::<Vec<_>>().join(", ");
        match roots().count().saturating_sub(NAMED_MAX) {
            0 => names,
            more => format!("{names} and {more} more"),
        }
    }

    /// The accounts with a password, in words; nothing where there is none.
    pub fn with_password(&self) -> Option<String> {
        let names = self.named.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if self.more > 0 { format!(" and {} more", self.more) } else { String::new() };
        (!names.is_empty()).then(|| format!("accounts with a password: {names}{more}"))
    }
}

/// The accounts of a file: name, password, and the fields behind.
pub fn entries(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        Some((fields.next()?, fields.next()?, fields.next().unwrap_or_default()))
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether somebody can sign in by a password field: what `crypt(3)` can come to, of 13 letters or more where it names
/// no method. Anything else locks the account, also an empty field, as the shadow file's own convention says: `pam_unix`
/// refuses it unless `nullok` is set.
pub fn is_password(field: &str) -> bool {
    let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte));
    field.starts_with('$')
        || field.len() >= 13 && letters(field)
        || field.len() == 20 && field.strip_prefix('_').is_some_and(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_told_by_account_and_never_themselves() {
        let stock = "root:*:19000:0:99999:7:::\ndaemon:!:19000::::::\nbin:!!:19000::::::\n_apt:!*:1::::::\nnobody:x:1\n\
                     root:locked::0:99999:7:::\nold:!$6$a$b:1\nnone:*LK*:1\n";
        assert!(Accounts::of(stock).is_calm());
        assert!(
            Accounts::of("# admin:$6$a$b:1\n\nroot\n:$6$a$b:1\n+::::::\n-user\n+@group:$1$a$b\n").is_calm()
        );
        let found = Accounts::of(
            "old:abJnggxhB/yWI:1\nadmin:$6$salt$SECRET:19000:0:::::\r\nroot::19000::::::\nbsd:_J9..rasmBYk8r9AiWNc:1\n",
        );
        assert_eq!(found.with_password().as_deref(), Some("accounts with a password: admin, bsd, old"));
        let empty = |text: &str| Accounts::of(text).empty_roots.into_iter().collect::<Vec<_>>();
        assert_eq!(empty("root:x:0:0::/:\ntoor::0:0:root:/root:/bin/sh\neve::0:0::/:\n"), ["eve", "toor"]);
        let others = "www::33:33::/:/bin/sh\nshadowed::0::::::\n";
        assert_eq!(empty(others), [""; 0]);
        assert_eq!(Accounts::of(others).empty_users.into_iter().collect::<Vec<_>>(), ["shadowed", "www"]);
        assert!(found.empty_roots.contains("root") && !format!("{found:?}").contains("SECRET"));
        let passwd =
            "root:x:0:0::/:\ntoor:x:0:0::/:\nzero:x:000:1::/:\nodd:x:y:1::/:\nshort:x\napp:x:1000:1000::/:\n";
        assert_eq!(Accounts::of(passwd).roots.iter().collect::<Vec<_>>(), ["odd", "short", "toor", "zero"]);
        assert_eq!(Accounts::of(passwd).other_roots(), "odd, short, toor, zero");
        assert_eq!(Accounts::of("+nis::::::\n-bad::::::\n").other_roots(), "");
        let roots: String = (0..30).map(|at| format!("r{at:02}:x:0:0::/:\n")).collect();
        let told = Accounts::of(&roots).other_roots();
        assert!(told.starts_with("r00, r01") && told.ends_with(", r19 and 10 more"), "{told}");
        let many: String = (0..1000).rev().map(|at| format!("u{at:04}\u{1b}:$1$a$b:1\n")).collect();
        let found = Accounts::of(&many).with_password().unwrap_or_default();
        assert!(
            found.contains("u0000\\u{1b}, ") && found.ends_with(" and 980 more") && found.len() < 400,
            "{found}"
        );
    }
}
