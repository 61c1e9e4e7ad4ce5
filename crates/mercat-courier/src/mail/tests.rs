//! What strangers wrote, in mails that another library reads.

use super::*;
use crate::{Letter, LetterFinding, render};
use futures::StreamExt;
use mercat_domain::notice::NoticeKind;
use mercat_text::Locale;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// Pieces that end a header, a body or a command somewhere, or look as if they did.
const EVIL: &[&str] = &[
    "\r\nBcc: evil@example.net",
    "\nBcc: evil@example.net",
    "\rBcc: evil@example.net",
    "\r\n\r\n<b>body</b>",
    "\r\n.\r\n",
    "\n.\n",
    "\n.\r\n",
    "\r.\r",
    "\r\n.\nMAIL FROM:<evil@example.net>",
    "\u{2028}Bcc: evil@example.net",
    "\u{2029}X-Injected: 1",
    "\u{85}X-Injected: 1",
    "\0",
    "\u{0b}",
    "\u{0c}X-Injected: 1",
    "\u{1e}",
    "%0d%0aBcc:evil",
    "=?utf-8?q?=0D=0ABcc:_evil?=",
    "=?utf-8?b?DQpCY2M6IGV2aWw=?=",
    "<b>",
    "<script>x()</script>",
    "\"",
    "\\",
    "<c@d.example>",
    ",evil@example.net",
    ";evil@example.net",
    "> , <evil@example.net",
    "(comment)",
    " ",
    "日本語",
    "é",
    "👍",
    "\u{202e}gpj",
    "=00",
    "=",
    ".",
    "..",
    "From ",
    "\r\n..\r\nQUIT\r\n",
    "&amp;",
    "{ $offer }",
];

/// The same numbers on every machine.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % count
    }

    fn text(&mut self, start: &str) -> String {
        let mut out = start.to_owned();
        for _ in 0..self.below(4) {
            out.push_str(EVIL[self.below(EVIL.len())]);
        }
        if self.below(50) == 0 {
            out.push_str(&"long ".repeat(600));
        }
        if self.below(50) == 0 {
            out.push_str(&"x".repeat(3000));
        }
        out
    }

    fn address(&mut self, number: usize) -> String {
        let plain = format!("r{number}@example.org");
        match self.below(12) {
            0 => self.text(&plain),
            1 => format!("{}@example.org", self.text("a")),
            2 => format!("\"{}\"@example.org", self.text("q")),
            3 => format!("a@b>,<c{number}@d.example"),
            4 => format!("{}@example.org", "l".repeat(self.below(400) + 1)),
            5 => format!("r{number}@{}", self.text("例え.example")),
            6 => format!("Name {} <{plain}>", self.text("")),
            _ => plain,
        }
    }
}

fn sink(records: &Value) -> Option<(Child, u16, BufReader<std::process::ChildStdout>)> {
    let Ok(python) = std::env::var("MERCAT_TEST_PYTHON") else {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: MERCAT_TEST_PYTHON is not set, so no other library read our mails"
        );
        return None;
    };
    let free =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let mut child = Command::new(python)
        .args([
            concat!(env!("CARGO_MANIFEST_DIR"), "/src/mail/sink.py"),
            &free.to_string(),
            &records.to_string(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert_eq!(line.trim(), "ready", "pip install aiosmtpd dkimpy pynacl");
    Some((child, free, out))
}

fn read(out: BufReader<std::process::ChildStdout>) -> std::thread::JoinHandle<Vec<Value>> {
    let mails = out.lines().map_while(Result::ok).map(|line| serde_json::from_str(&line).expect("JSON"));
    std::thread::spawn(move || mails.collect())
}

fn settings(port: u16) -> SmtpConfig {
    SmtpConfig {
        host: "127.0.0.1".into(),
        port,
        from: "Mercat <market@example.org>".into(),
        security: "none".into(),
        username: String::new(),
        password_file: None,
        dkim: None,
    }
}

/// Private and public half of a key, as OpenSSL makes them.
fn key(dir: &std::path::Path, name: &str, make: &[&str]) -> (std::path::PathBuf, Vec<u8>) {
    let path = dir.join(name);
    let run = |args: &[&str]| {
        let out = Command::new("openssl").args(args).current_dir(dir).output().expect("openssl runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    };
    run(&[make, &["-out", name]].concat());
    let public = run(&["pkey", "-in", name, "-pubout", "-outform", "DER"]);
    (path, public)
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_mails_are_what_another_library_verifies_and_a_changed_one_is_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let rsa =
        key(dir.path(), "rsa.pem", &["genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048"]);
    let old = key(dir.path(), "old.pem", &["rsa", "-in", "rsa.pem", "-traditional"]);
    let ed = key(dir.path(), "ed.pem", &["genpkey", "-algorithm", "ed25519"]);
    let base = |bytes: &[u8]| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes);
    let records = serde_json::json!({
        "rsa._domainkey.example.org.": format!("v=DKIM1; k=rsa; p={}", base(&rsa.1)),
        "old._domainkey.example.org.": format!("v=DKIM1; k=rsa; p={}", base(&old.1)),
        // The last 32 bytes are the key itself.
        "ed._domainkey.example.org.": format!("v=DKIM1; k=ed25519; p={}", base(&ed.1[ed.1.len() - 32..])),
    });
    let Some((mut child, port, out)) = sink(&records) else { return };
    let reader = read(out);
    let mut numbers = Numbers(11);
    let mut sent = 0;
    for (selector, key_file) in [("rsa", &rsa.0), ("old", &old.0), ("ed", &ed.0)] {
        let dkim = DkimSettings {
            domain: "example.org".into(),
            selector: selector.into(),
            key_file: key_file.clone(),
        };
        let mailer = Mailer::new(&SmtpConfig { dkim: Some(dkim), ..settings(port) }).expect("a mailer");
        for number in 0..40 {
            let letter = Letter {
                offer: "aurora/gateway".into(),
                offer_name: numbers.text("Offer "),
                actor: numbers.text("actor "),
                args: vec![("message".into(), numbers.text("message "))],
                status_url: "http://x/status".into(),
                ..Letter::about(NoticeKind::Support, Locale::ALL[number % 2])
            };
            let to = ["somebody@example.net".to_owned()];
            mailer.send(&render(&letter), &to, &format!("{selector}{number}@mercat")).await.expect("taken");
            sent += 1;
        }
    }
    drop(child.stdin.take());
    child.wait().expect("it ends");
    let seen = reader.join().expect("no panic");
    assert_eq!(seen.len(), sent);
    for mail in &seen {
        assert_eq!((&mail["dkim"], &mail["changed"]), (&Value::Bool(true), &Value::Bool(false)), "{mail}");
    }
}

#[test]
fn a_key_or_domain_that_cannot_sign_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("key.pem");
    let refused = |domain: &str, text: &str| {
        std::fs::write(&file, text).expect("written");
        let dkim = DkimSettings { domain: domain.into(), selector: "s".into(), key_file: file.clone() };
        match Mailer::new(&SmtpConfig { dkim: Some(dkim), ..settings(25) }) {
            Err(MailError::Config(why)) => why,
            _ => panic!("{domain} {text} was taken"),
        }
    };
    assert!(refused("example.com", "").contains("does not sign for \"example.org\""));
    assert!(refused("ample.org", "").contains("does not sign for"));
    assert!(refused("example.org", "").contains("key.pem: no private key in PEM"));
    // The certificate instead of the key.
    let pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    assert!(refused("example.org", pem).contains("openssl genpkey"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_hostile_texts_inject_no_header_and_no_recipient() {
    const MAILS: usize = 10_000;
    let Some((mut child, port, out)) = sink(&Value::Null) else { return };
    let reader = read(out);
    let mailer = Mailer::new(&settings(port)).expect("a mailer");
    let mut numbers = Numbers(7);
    let mails = (0..MAILS).map(|number| {
        let kind = NoticeKind::ALL[numbers.below(NoticeKind::ALL.len())];
        let locale = Locale::ALL[numbers.below(2)];
        let letter = Letter {
            offer: "aurora/gateway".into(),
            offer_name: numbers.text("Offer "),
            actor: numbers.text("actor "),
            audience: vec![numbers.text("s")],
            findings: vec![LetterFinding {
                rule: "CTR-21".into(),
                observed: numbers.text("seen "),
                ..LetterFinding::default()
            }],
            args: vec![
                ("message".into(), numbers.text("message ")),
                ("title".into(), numbers.text("title ")),
            ],
            details: vec![("lead-company".into(), numbers.text("company "))],
            status_url: "http://x/status".into(),
            ..Letter::about(kind, locale)
        };
        let (to, id) = (numbers.address(number), format!("n{number}.test@mercat"));
        (render(&letter), to, id)
    });
    let mailer = &mailer;
    // At the same time, because a mail mostly waits for the network.
    let ended = futures::stream::iter(mails).map(async |(mail, to, id)| {
        match mailer.send(&mail, std::slice::from_ref(&to), &id).await {
            Ok(()) => Some((format!("<{id}>"), to)),
            // An address that is none is refused here; the server refuses some that it does not like.
            Err(MailError::Message(_) | MailError::Server(_)) => None,
            Err(error) => panic!("{error}"),
        }
    });
    let ended: Vec<_> = ended.buffer_unordered(10).collect().await;
    let sent: BTreeMap<String, String> = ended.into_iter().flatten().collect();
    let refused = MAILS - sent.len();
    drop(child.stdin.take());
    child.wait().expect("it ends");
    let seen = reader.join().expect("no panic");
    assert_eq!(seen.len(), sent.len(), "as many as were sent: none was split in two");
    assert!(sent.len() > MAILS / 2 && refused > MAILS / 20, "{} sent, {refused} refused", sent.len());
    let ours =
        ["auto-submitted", "content-type", "date", "from", "message-id", "mime-version", "subject", "to"];
    for mail in &seen {
        let to = &sent[mail["id"].as_str().expect("its id")];
        let rcpt = mail["rcpt"].as_array().expect("a list");
        // Of what was given, the address that it stands for; quotes around a local part are not part of it, and the
        // receiver leaves out what such quotes hold of spaces.
        let bare = |text: &str| text.replace(['"', ' '], "").to_lowercase();
        let address = bare(to.parse::<Mailbox>().expect("it was taken").email.as_ref());
        assert_eq!(rcpt.len(), 1, "{mail}");
        assert_eq!(rcpt[0].as_str().map(bare), Some(address), "{mail}");
        assert_eq!(mail["from"], "market@example.org");
        let headers = mail["headers"].as_array().expect("a list").iter();
        let mut headers: Vec<String> =
            headers.map(|name| name.as_str().expect("text").to_ascii_lowercase()).collect();
        headers.sort();
        assert_eq!(headers, ours, "{mail}");
        assert_eq!(mail["parts"], serde_json::json!(["text/plain", "text/html"]), "{mail}");
        assert_eq!(
            (&mail["bare"], mail["longest"].as_u64().is_some_and(|longest| longest <= 998)),
            (&Value::Bool(false), true),
            "{mail}"
        );
        assert!(!mail["subject"].as_str().expect("text").contains(['\r', '\n']));
        assert!(
            mail["text"].as_str().expect("text").contains("http://x/status"),
            "nothing is cut off: {mail}"
        );
    }
}
