//! Passwords of accounts: `passwd(5)` and `shadow(5)`.

use crate::facts::Note;

/// Accounts that one note names.
const NAMED_MAX: usize = 20;
/// Letters of a name that are told.
const NAME_CHARS_MAX: usize = 40;

/// Whether a file of a layer holds accounts with their passwords, or is the copy that the tools keep of one.
pub(crate) fn is_of_accounts(path: &str) -> bool {
    matches!(path, "etc/shadow" | "etc/shadow-" | "etc/passwd" | "etc/passwd-")
}

/// Whether nobody can sign in with a password field. An empty one is judged as the shadow file's own
/// convention says: `pam_unix` refuses it unless `nullok` is set, and the shells of such accounts are none.
pub(crate) fn is_locked(field: &str) -> bool {
    field.is_empty() || field == "x" || field.starts_with(['*', '!'])
}

/// What is wrong with the accounts of a layer, a note for those with a password and one for root with an empty one
/// (CVE-2019-5021). The password itself is not told.
pub(crate) fn notes(path: &str, text: &str) -> Vec<Note> {
    let entries = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next().filter(|name| !name.is_empty())?, fields.next()?))
    });
    // Of NIS, an entry that only includes others.
    let entries: Vec<(&str, &str)> = entries.filter(|(name, _)| !name.starts_with(['+', '-'])).collect();
    let open = entries.iter().filter(|(_, password)| !is_locked(password));
    let mut names: Vec<String> = open
        .map(|(name, _)| name.chars().take(NAME_CHARS_MAX).flat_map(char::escape_debug).collect())
        .collect();
    names.sort();
    names.dedup();
    let more = names.len().saturating_sub(NAMED_MAX);
    names.truncate(NAMED_MAX);
    let mut out = Vec::new();
    let fix = "lock them (passwd -l), and let whoever deploys the image set one";
    if !names.is_empty() {
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let observed = format!("accounts with a password: {}{more}", names.join(", "));
        out.push(Note::new("CTR-35", path, observed, "locked passwords", fix));
    }
    if entries.iter().any(|(name, password)| *name == "root" && password.is_empty()) {
        let observed = "root needs no password where programs accept an empty one".to_owned();
        out.push(Note::new("CTR-35-EMPTY", path, observed, "a locked password", fix));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(String, String)> {
        notes("etc/shadow", text).into_iter().map(|note| (note.rule, note.observed)).collect()
    }

    #[test]
    fn passwords_are_told_by_account_and_never_themselves() {
        let stock = "root:*:19000:0:99999:7:::\ndaemon:!:19000::::::\nbin:!!:19000::::::\n_apt:!*:1::::::\nnobody:x:1\n";
        assert_eq!(told(stock), []);
        assert_eq!(told("# admin:$6$a$b:1\n\nroot\n:$6$a$b:1\n+::::::\n-user\n+@group:pw\n"), []);
        let found =
            told("admin:$6$salt$SECRET:19000:0:::::\r\nroot::19000::::::\nold:abJnggxhB/yWI:1::::::\n");
        assert_eq!(
            found.iter().map(|(rule, _)| rule.as_str()).collect::<Vec<_>>(),
            ["CTR-35", "CTR-35-EMPTY"]
        );
        assert_eq!(found[0].1, "accounts with a password: admin, old");
        let many: String = (0..1000).map(|at| format!("u{at:04}\u{1b}:$1$a$b:1\n")).collect();
        let found = told(&many);
        assert!(found[0].1.ends_with("u0019\\u{1b} and 980 more") && found[0].1.len() < 400, "{found:?}");
    }
}
