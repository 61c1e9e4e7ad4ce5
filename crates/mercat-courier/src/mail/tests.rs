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

fn sink() -> Option<(Child, u16, BufReader<std::process::ChildStdout>)> {
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
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/src/mail/sink.py"), &free.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert_eq!(line.trim(), "ready", "pip install aiosmtpd");
    Some((child, free, out))
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_hostile_texts_inject_no_header_and_no_recipient() {
    const MAILS: usize = 10_000;
    let Some((mut child, port, out)) = sink() else { return };
    let reader = std::thread::spawn(move || {
        out.lines()
            .map_while(Result::ok)
            .map(|line| serde_json::from_str(&line).expect("JSON"))
            .collect::<Vec<Value>>()
    });
    let config = SmtpConfig {
        host: "127.0.0.1".into(),
        port,
        from: "Mercat <market@example.org>".into(),
        security: "none".into(),
        username: String::new(),
        password_file: None,
    };
    let mailer = Mailer::new(&config).expect("a mailer");
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
