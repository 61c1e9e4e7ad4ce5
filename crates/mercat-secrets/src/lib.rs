//! Credentials in bytes: keywords first, then the expression of that kind around the hit, then checks.

use aho_corasick::AhoCorasick;
use mercat_domain::Digest;
use regex::bytes::{Regex, RegexBuilder};
use sha2::Digest as _;
use std::sync::OnceLock;

/// How far a credential may reach from its keyword, either way.
pub const REACH: usize = 4096;

struct Kind {
    name: &'static str,
    keyword: &'static str,
    pattern: &'static str,
    /// Which group holds the secret, and the least Shannon entropy of it in bits per byte.
    entropy: f64,
}

const fn kind(name: &'static str, keyword: &'static str, pattern: &'static str, entropy: f64) -> Kind {
    Kind { name, keyword, pattern, entropy }
}

/// Kinds of credentials. Group 1 of each pattern is the secret.
static KINDS: &[Kind] = &[
    kind(
        "private key",
        "PRIVATE KEY",
        r"-----BEGIN (?:RSA |EC |DSA |OPENSSH |ENCRYPTED |PGP )?PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr])*((?:[A-Za-z-]+: [^\n]*\n)*(?:\s|\\[nr])*(?:[A-Za-z0-9+/=\r\n]|\\[nr]){40,})",
        3.5,
    ),
    kind("AWS access key id", "AKIA", r"(?:^|[^A-Za-z0-9])(AKIA[0-9A-Z]{16})(?:[^A-Za-z0-9]|$)", 2.8),
    kind("AWS temporary key id", "ASIA", r"(?:^|[^A-Za-z0-9])(ASIA[0-9A-Z]{16})(?:[^A-Za-z0-9]|$)", 2.8),
    kind(
        "AWS secret access key",
        "aws_secret_access_key",
        r#"(?i)aws_secret_access_key["'\s]{0,4}[=:]["'\s]{0,4}([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+]|$)"#,
        4.0,
    ),
    kind("GitHub token", "ghp_", r"(ghp_[A-Za-z0-9]{36})", 3.5),
    kind("GitHub fine-grained token", "github_pat_", r"(github_pat_[A-Za-z0-9_]{60,90})", 3.5),
    kind("GitHub app token", "ghs_", r"(ghs_[A-Za-z0-9]{36})", 3.5),
    kind("GitLab token", "glpat-", r"(glpat-[A-Za-z0-9_-]{20})", 3.0),
    kind("Slack token", "xox", r"(xox[abprs]-[A-Za-z0-9-]{20,80})", 3.0),
    kind(
        "Slack webhook",
        "hooks.slack.com",
        r"(hooks\.slack\.com/services/T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{20,})",
        3.0,
    ),
    kind("Google API key", "AIza", r"(?:^|[^A-Za-z0-9_-])(AIza[A-Za-z0-9_-]{35})(?:[^A-Za-z0-9_-]|$)", 3.5),
    kind("Google service account", "private_key_id", r#""private_key_id"\s*:\s*"([0-9a-f]{40})""#, 3.0),
    kind("Stripe live key", "k_live_", r"((?:sk|rk)_live_[A-Za-z0-9]{20,})", 3.0),
    kind("npm token", "npm_", r"(?:^|[^A-Za-z0-9_])(npm_[A-Za-z0-9]{36})(?:[^A-Za-z0-9_]|$)", 3.5),
    kind("PyPI token", "pypi-AgEIcHlwaS5vcmc", r"(pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,})", 3.5),
    kind("Docker Hub token", "dckr_pat_", r"(dckr_pat_[A-Za-z0-9_-]{27})", 3.5),
    kind("DigitalOcean token", "dop_v1_", r"(dop_v1_[a-f0-9]{64})", 3.0),
    kind("HashiCorp Vault token", "hvs.", r"(?:^|[^A-Za-z0-9])(hvs\.[A-Za-z0-9_-]{90,120})", 3.5),
    kind("SendGrid key", "SG.", r"(?:^|[^A-Za-z0-9])(SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})", 3.5),
    kind("age secret key", "AGE-SECRET-KEY-1", r"(AGE-SECRET-KEY-1[0-9A-Z]{58})", 3.5),
    kind("Azure storage key", "AccountKey=", r"AccountKey=([A-Za-z0-9+/]{86}==)", 4.5),
    kind(
        "registry credentials",
        "\"auths\"",
        r#""auths"\s*:\s*\{[^}]{0,300}"auth"\s*:\s*"([A-Za-z0-9+/=]{8,})""#,
        2.5,
    ),
    kind(
        "URL with a password",
        "://",
        r"[a-z][a-z0-9+]{2,9}://[A-Za-z0-9_.-]{1,40}:([^\s:/@\x22'<>${}*]{8,64})@[A-Za-z0-9.-]+\.[a-z]{2,}",
        3.3,
    ),
    kind(
        "shadow password hash",
        "$6$",
        r"(?m)^[a-z_][a-z0-9_-]{0,31}:(\$6\$(?:rounds=\d+\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{86}):",
        3.5,
    ),
    kind(
        "shadow password hash",
        "$y$",
        r"(?m)^[a-z_][a-z0-9_-]{0,31}:(\$y\$[./A-Za-z0-9]+\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}):",
        3.5,
    ),
];

/// Values that documentation uses and nobody can sign in with.
const KNOWN_EXAMPLES: [&[u8]; 2] = [b"AKIAIOSFODNN7EXAMPLE", b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"];

/// How keys begin that a manual prints: cloud-init's, which every distribution ships.
const KNOWN_KEYS: [&[u8]; 2] = [
    b"MIIBxwIBAAJhAKD0YSHy73nUgysO13XsJmd4fHiFyQ+00R7VVu2iV9Qco",
    b"MIIBuwIBAAKBgQDP2HLu7pTExL89USyM0264RCyWX/CMLmukxX0J",
];

fn is_example(secret: &[u8]) -> bool {
    KNOWN_EXAMPLES.contains(&secret)
        || KNOWN_KEYS.iter().any(|key| secret.trim_ascii_start().starts_with(key))
}

pub struct Rules {
    keywords: AhoCorasick,
    compiled: Vec<OnceLock<Regex>>,
    digest: String,
}

/// A credential, described without giving it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    pub kind: &'static str,
    pub redacted: String,
}

impl Rules {
    pub fn compile() -> Self {
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(KINDS.iter().map(|kind| kind.keyword))
            .expect("the built-in keywords build");
        let text: String = KINDS.iter().map(|kind| format!("{}\t{}\n", kind.keyword, kind.pattern)).collect();
        let digest = Digest::from_sha256(&sha2::Sha256::digest(text.as_bytes())).to_string();
        Self { keywords, compiled: KINDS.iter().map(|_| OnceLock::new()).collect(), digest }
    }

    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Reports each credential in a window once.
    pub fn scan(&self, window: &[u8], mut hit: impl FnMut(Secret)) {
        let mut past = [0_usize; 64];
        for found in self.keywords.find_overlapping_iter(window) {
            let at = found.pattern().as_usize();
            if found.start() < past[at] {
                continue;
            }
            let start = found.start().saturating_sub(256).max(past[at]);
            let end = (found.end() + REACH).min(window.len());
            let expression = self.compiled[at].get_or_init(|| {
                RegexBuilder::new(KINDS[at].pattern)
                    .size_limit(16 << 20)
                    .build()
                    .expect("the built-in patterns build")
            });
            // Every match: an example or a blank beside a real one must not stand in for it.
            for groups in expression.captures_iter(&window[start..end]) {
                let Some(secret) = groups.get(1) else { continue };
                past[at] = past[at].max(start + secret.end());
                if is_example(secret.as_bytes()) || entropy(secret.as_bytes()) < KINDS[at].entropy {
                    continue;
                }
                hit(Secret { kind: KINDS[at].name, redacted: redact(secret.as_bytes()) });
            }
        }
    }
}

/// The first four characters and the length: enough to find it, too little to use it.
fn redact(secret: &[u8]) -> String {
    let head: String =
        secret.iter().take(4).map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '.' }).collect();
    format!("{head}… ({} characters)", secret.len())
}

/// Shannon entropy in bits per byte.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let total = bytes.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / total)
        .map(|p| -p * p.log2())
        .sum()
}

/// The positive control: a key that is assembled here and belongs to nobody.
pub fn control() -> Vec<u8> {
    let body = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQyNTUx";
    ["-----BEGIN OPENSSH PRIV", "ATE KEY-----\n", body, "\n"].concat().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<&'static str> {
        let mut out = Vec::new();
        Rules::compile().scan(text.as_bytes(), |secret| out.push(secret.kind));
        out
    }

    #[test]
    fn each_kind_is_found_and_redacted() {
        let key = ["AKIA", "Z7QX4M2LT9WB3KDE"].concat();
        assert_eq!(kinds(&format!("id = {key}\n")), ["AWS access key id"]);
        let mut seen = String::new();
        Rules::compile().scan(key.as_bytes(), |secret| seen = secret.redacted);
        assert_eq!(seen, "AKIA… (20 characters)");
        assert_eq!(kinds(&String::from_utf8(control()).expect("text")), ["private key"]);
        let token = ["ghp", "_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6"].concat();
        assert_eq!(kinds(&token), ["GitHub token"]);
        assert_eq!(kinds("postgres://app:Xk9_pQ2vL7mZ@db.example.org/x"), ["URL with a password"]);
        let decoy = format!("AKIAIOSFODNN7EXAMPLE\n{key}\n");
        assert_eq!(kinds(&decoy), ["AWS access key id"]);
        let env = ["AWS_SECRET_ACCESS", "_KEY=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"].concat();
        assert_eq!(kinds(&env), ["AWS secret access key"]);
        let escaped = String::from_utf8(control()).expect("text").replace('\n', "\\n");
        assert_eq!(kinds(&escaped), ["private key"]);
        let pgp = [
            "-----BEGIN PGP PRIV",
            "ATE KEY BLOCK-----\n\nlQVYBGR2Kq0BDADM1uYkT9xwqjvXo5hPQnE4Zr7sLfGtCbV8aWm3RyUeIiOdKpHsNz\n",
        ]
        .concat();
        assert_eq!(kinds(&pgp), ["private key"]);
        let shadow = format!("root:$6$abcdefgh${}:19000:0:99999:7:::", "aB3dE6gH9j".repeat(9).split_at(86).0);
        assert_eq!(kinds(&shadow), ["shadow password hash"]);
    }

    #[test]
    fn what_only_looks_like_a_secret_is_left_alone() {
        let manual = format!(
            "-----BEGIN RSA PRIV{}-----\n    MIIBxwIBAAJhAKD0YSHy73nUgysO13XsJmd4fHiFyQ+00R7VVu2iV9Qcon2LZS/x\n",
            "ATE KEY"
        );
        for text in [
            manual.as_str(),
            "AKIAIOSFODNN7EXAMPLE",
            "AKIAAAAAAAAAAAAAAAAA",
            "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\n(your key here)",
            "https://user:password@example.org/",
            "postgres://user:${DB_PASSWORD}@db.example.org/x",
        ] {
            assert_eq!(kinds(text), [""; 0], "{text}");
        }
    }
}
