//! From facts to the words of a mail.

use mercat_domain::notice::NoticeKind;
use mercat_text::{Locale, observed, remedy, required, rule, text};

/// Digests are longer than a telephone is wide.
const STYLE: &str = "max-width:44rem;margin:1.5rem auto;padding:0 1rem;font-family:sans-serif;line-height:1.5;overflow-wrap:anywhere";

/// A finding in a mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterFinding {
    /// Rule id.
    pub rule: String,
    /// Where, in one line.
    pub place: String,
    /// What was seen.
    pub observed: String,
    /// What would have been right.
    pub required: String,
    /// What to do.
    pub fix: String,
}

/// The facts of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Which notice.
    pub kind: NoticeKind,
    /// Language.
    pub locale: Locale,
    /// `publisher/offer`.
    pub offer: String,
    /// Name of the offer.
    pub offer_name: String,
    /// Counts the offer's submissions.
    pub number: u32,
    /// Key of the title of the step concerned, or empty.
    pub step_title: String,
    /// Titles of all steps with their promised time, as keys.
    pub steps: Vec<(String, Option<String>)>,
    /// Whether a failure is ours.
    pub ours: bool,
    /// Findings.
    pub findings: Vec<LetterFinding>,
    /// Who did it.
    pub actor: String,
    /// Who can see the preview.
    pub audience: Vec<String>,
    /// Where the status is shown.
    pub status_url: String,
    /// Where the preview or the live listing is.
    pub listing_url: String,
    /// Where this server shows what it is about.
    pub link_url: String,
    /// More arguments of the words.
    pub args: Vec<(String, String)>,
    /// Keys of labels with their values; empty values are left out.
    pub details: Vec<(String, String)>,
}

impl Letter {
    /// A letter with nothing but its kind and language.
    pub fn about(kind: NoticeKind, locale: Locale) -> Self {
        let text = String::new;
        Self {
            kind,
            locale,
            offer: text(),
            offer_name: text(),
            number: 0,
            step_title: text(),
            steps: vec![],
            ours: false,
            findings: vec![],
            actor: text(),
            audience: vec![],
            status_url: text(),
            listing_url: text(),
            link_url: text(),
            args: vec![],
            details: vec![],
        }
    }
}

/// A mail in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Subject.
    pub subject: String,
    /// Text body.
    pub text: String,
    /// HTML body.
    pub html: String,
}

/// Writes a mail.
pub fn render(letter: &Letter) -> Rendered {
    let id = letter.kind.id().to_ascii_lowercase();
    let number = letter.number.to_string();
    let words = |key: &str, args: &[(&str, &str)]| text(letter.locale, key, args);
    let step = if letter.step_title.is_empty() { String::new() } else { words(&letter.step_title, &[]) };
    let audience = letter.audience.join(", ");
    let own = letter.args.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let args = [
        ("offer", letter.offer_name.as_str()),
        ("key", letter.offer.as_str()),
        ("number", number.as_str()),
        ("step", step.as_str()),
        ("actor", letter.actor.as_str()),
        ("audience", audience.as_str()),
    ];
    // What belongs to this letter goes before what letters have in common.
    let args: Vec<(&str, &str)> = args.into_iter().chain(own).collect();
    let subject = one_line(&words(&format!("mail-{id}-subject"), &args));
    let mut paragraphs = vec![words(&format!("mail-{id}-body"), &args)];
    if letter.ours {
        paragraphs.push(words("mail-ours", &args));
    }
    if letter.kind == NoticeKind::Accepted {
        let line = |(title, estimate): &(String, Option<String>)| {
            let time = estimate.as_ref().map_or("-".to_owned(), |key| words(key, &[]));
            format!("- {}: {time}", words(title, &[]))
        };
        paragraphs.push(letter.steps.iter().map(line).collect::<Vec<_>>().join("\n"));
    }
    for finding in &letter.findings {
        let fix = remedy(letter.locale, &finding.rule, &finding.fix);
        let required = required(letter.locale, &finding.rule, &finding.required);
        let observed = observed(letter.locale, &finding.observed);
        let lines = [
            format!("[{}] {}: {}", finding.rule, rule(letter.locale, &finding.rule), observed),
            format!("  {}: {}", words("finding-place", &[]), finding.place),
            format!("  {}: {}", words("finding-required", &[]), required),
            format!("  {}: {}", words("finding-fix", &[]), fix),
        ];
        paragraphs.push(lines.join("\n"));
    }
    if matches!(letter.kind, NoticeKind::StepFailed | NoticeKind::CertificationFeedback) {
        paragraphs.push(words("mail-next-steps", &args));
    }
    let details: Vec<String> = letter
        .details
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| format!("{}: {value}", words(key, &[])))
        .collect();
    if !details.is_empty() {
        paragraphs.push(details.join("\n"));
    }
    let links = [
        ("mail-status-link", &letter.status_url),
        ("mail-listing-link", &letter.listing_url),
        (if letter.kind == NoticeKind::SignIn { "mail-sign-in" } else { "mail-link" }, &letter.link_url),
    ];
    let links = links.iter().filter(|(_, url)| !url.is_empty());
    let links: Vec<(String, &str)> = links.map(|(key, url)| (words(key, &[]), url.as_str())).collect();
    let footer = match letter.kind {
        NoticeKind::SignIn => "mail-footer-sign-in",
        _ if letter.status_url.is_empty() => "mail-footer-part",
        _ => "mail-footer",
    };
    let footer = words(footer, &args);
    let paragraph = |text: &String| format!("<p>{}</p>", escape(text));
    let link = |(label, url): &(String, &str)| {
        let url = escape(url);
        format!("<p>{}: <a href=\"{url}\">{url}</a></p>", escape(label))
    };
    let html: String =
        paragraphs.iter().map(paragraph).chain(links.iter().map(link)).chain([paragraph(&footer)]).collect();
    paragraphs.extend(links.iter().map(|(label, url)| format!("{label}: {url}")));
    paragraphs.push(footer);
    Rendered {
        subject,
        text: paragraphs.join("\n\n").replace("\r\n", "\n"),
        html: format!(
            "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"></head><body style=\"{STYLE}\">{html}</body></html>",
            letter.locale.code()
        ),
    }
}

/// Subjects are one line: whatever a name contains.
fn one_line(text: &str) -> String {
    let plain =
        |c: char| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}') { ' ' } else { c };
    // An encoded word (RFC 2047) in a name would be decoded by the reader, line ends and all.
    text.replace("=?", "= ?").chars().map(plain).take(200).collect()
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("<br>"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(kind: NoticeKind, locale: Locale) -> Letter {
        Letter {
            offer: "aurora/gateway".into(),
            offer_name: "Aurora\r\nBcc: x@example.org <b>".into(),
            number: 3,
            step_title: "step-certify".into(),
            steps: vec![("step-certify".into(), Some("estimate-one-week".into()))],
            ours: false,
            findings: vec![LetterFinding {
                rule: "CTR-21".into(),
                fix: "revoke".into(),
                ..LetterFinding::default()
            }],
            actor: "op".into(),
            audience: vec!["s1".into()],
            status_url: "http://x/status".into(),
            ..Letter::about(kind, locale)
        }
    }

    #[test]
    fn every_notice_has_words_in_both_languages_and_one_line_as_subject() {
        for kind in NoticeKind::ALL {
            for locale in [Locale::En, Locale::Ja] {
                let mail = render(&letter(kind, locale));
                assert!(!mail.subject.contains(['\r', '\n']), "{}", mail.subject);
                assert!(!mail.html.contains("<b>"), "names are escaped");
                assert!(!mail.text.contains("mail-"), "a key without words: {}", mail.text);
                assert!(mail.text.contains("http://x/status"));
                assert!(
                    mail.html.contains("<a href=\"http://x/status\">http://x/status</a>"),
                    "{}",
                    mail.html
                );
            }
        }
    }
}
