//! Where the links of a listing lead (F009, policy number 100.5).

use mercat_domain::Document;
use mercat_domain::document::Value;
use mercat_domain::finding::{Finding, Place, Severity};
use mercat_policy::Policy;

/// Links that are tried; a listing has 25 useful ones, and what its texts hold.
const LINKS_MAX: usize = 50;
/// Links to one host; nobody is to be asked more often because somebody else writes listings.
const OF_HOST_MAX: usize = 3;
/// Letters of a media type that are told.
const KIND_CHARS_MAX: usize = 60;

/// One link of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The field that holds it.
    pub field: String,
    /// Where it leads.
    pub url: String,
}

/// What came of trying a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// A page, or a page for whoever signs in.
    Leads,
    /// An answer that is no page: its status.
    Broken(u16),
    /// A file that browsers save, by its media type.
    Downloads(String),
    /// Nobody answers under this address: why.
    Silent(String),
    /// This server may not go there, or it took too long: nothing is known.
    Untried,
}

impl Tried {
    /// Reads an answer: its status, `Content-Type` and `Content-Disposition`.
    pub fn of(status: u16, content_type: &str, disposition: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let kind: String =
            kind.chars().take(KIND_CHARS_MAX).map(|letter| letter.to_ascii_lowercase()).collect();
        let is_saved = disposition.trim_start().to_ascii_lowercase().starts_with("attachment")
            || [
                "application/octet-stream",
                "application/zip",
                "application/x-msdownload",
                "application/gzip",
            ]
            .contains(&kind.as_str())
            || kind.starts_with("application/x-msi")
            || kind.starts_with("application/vnd.microsoft.portable-executable");
        match status {
            200..=299 if is_saved => Self::Downloads(kind),
            404 | 410 => Self::Broken(status),
            // Who has no account there, asks as a program or comes when they are busy is turned away; there is something.
            _ => Self::Leads,
        }
    }
}

/// The links of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    /// Those that are to be tried, each once, in the order of their fields.
    pub tried: Vec<Link>,
    /// How many more there are than are tried.
    pub left: usize,
}

/// The links that customers can follow.
pub fn links(offer: &Document) -> Links {
    let mut out = Links::default();
    let mut add = |field: &str, url: &str| {
        let url = url.trim();
        let Some(host) = host_of(url) else { return };
        if out.tried.iter().any(|known| known.url == url) {
            return;
        }
        let of_host = out.tried.iter().filter(|known| host_of(&known.url).as_ref() == Some(&host)).count();
        if of_host < OF_HOST_MAX && out.tried.len() < LINKS_MAX {
            out.tried.push(Link { field: field.to_owned(), url: url.to_owned() });
        } else {
            out.left += 1;
        }
    };
    for field in ["privacyUrl", "supportUrl"] {
        add(field, offer.text(field));
    }
    if let Some(Value::Rows(rows)) = offer.fields.get("usefulLinks") {
        rows.iter().filter_map(|row| row.get("url")).for_each(|url| add("usefulLinks", url));
    }
    for field in ["description", "descriptionJa", "termsOfUse"] {
        hrefs(offer.text(field)).iter().for_each(|url| add(field, url));
    }
    for plan in &offer.plans {
        for key in ["description", "descriptionJa"] {
            let field = format!("plans/{}/{key}", plan.id);
            hrefs(plan.text(key)).iter().for_each(|url| add(&field, url));
        }
    }
    out
}

/// The host of a link to a page, with its port.
fn host_of(url: &str) -> Option<String> {
    let lower = url.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"))?;
    Some(rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned())
}

/// Targets of the links of a text in the HTML that listings may have (F019).
fn hrefs(html: &str) -> Vec<String> {
    // Only ASCII letters change, so positions stay.
    let lower = html.to_ascii_lowercase();
    let mut out = Vec::new();
    for (at, mark) in lower.match_indices("href") {
        let rest = html[at + mark.len()..].trim_start();
        let Some(rest) = rest.strip_prefix('=').map(str::trim_start) else { continue };
        let quoted = ['"', '\''].into_iter().find_map(|quote| rest.strip_prefix(quote)?.split(quote).next());
        out.extend(quoted.map(|url| htmlize::unescape_attribute(url).into_owned()));
    }
    out
}

/// Findings about links that were tried, and that others were not: `left` more than `tried` tells. Where not one led
/// anywhere and nobody answered, this server may be the reason, and nothing is held against the listing.
pub fn judge_links(tried: &[(Link, Tried)], left: usize, policy: &Policy) -> Vec<Finding> {
    let told = |field: &str, observed: String, fix: &str| Finding {
        rule: "LST-08".to_owned(),
        severity: Severity::Info,
        place: Place { field: field.to_owned(), ..Place::default() },
        observed,
        required: "links that lead to a page".to_owned(),
        fix: fix.to_owned(),
    };
    let finding = |field: &str, observed, fix: &str| policy.weigh(told(field, observed, fix));
    let answered = tried.iter().any(|(_, came)| !matches!(came, Tried::Silent(_) | Tried::Untried));
    let mut out = Vec::new();
    for (Link { field, url }, came) in tried {
        // Behind a question mark stand credentials, in links that should not be in a listing.
        let url: String = url.split(['?', '#']).next().unwrap_or_default().chars().take(200).collect();
        let fix = "correct the link, or take it out";
        out.extend(match came {
            Tried::Broken(status) => finding(field, format!("{url} answers with status {status}"), fix),
            Tried::Silent(why) if answered => finding(field, format!("{url}: {why}"), fix),
            Tried::Downloads(kind) => {
                let fix = "link to the page that offers the file";
                finding(field, format!("{url} begins a download ({kind})"), fix)
            }
            Tried::Leads | Tried::Silent(_) | Tried::Untried => None,
        });
    }
    let unknown = tried.iter().filter(|(_, came)| match came {
        Tried::Untried => true,
        Tried::Silent(_) => !answered,
        _ => false,
    });
    let unknown = unknown.count() + left;
    if unknown > 0 && policy.asks_for("LST-08") {
        let observed = format!("{unknown} links were not tried to their end");
        out.push(told("", observed, "open them by hand: this server could not, or tries no more than these"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::offer;
    use std::collections::BTreeMap;

    fn link(url: &str) -> Link {
        Link { field: "privacyUrl".to_owned(), url: url.to_owned() }
    }

    #[test]
    fn links_are_found_in_fields_rows_and_texts_each_once() {
        let mut offer = offer(&[
            ("privacyUrl", "https://a.example/privacy"),
            ("supportUrl", ""),
            (
                "description",
                "<p><A HREF = 'https://&#98;.example/?x=1&amp;y=2'>b</A> <a href=\"https://a.example/privacy\">a</a> <a href=\"mailto:x@example.org\">m</a> href é <a href=https://c.example>c</a></p>",
            ),
        ]);
        let row = BTreeMap::from([("url".to_owned(), "http://d.example/".to_owned())]);
        offer.fields.insert("usefulLinks".to_owned(), Value::Rows(vec![row]));
        let many: Vec<_> = (0..9)
            .map(|at| BTreeMap::from([("url".to_owned(), format!("HTTPS://e.example/{at}"))]))
            .collect();
        let mut crowded = offer.clone();
        crowded.fields.insert("usefulLinks".to_owned(), Value::Rows(many));
        let crowded = links(&crowded);
        assert_eq!(crowded.tried.iter().filter(|link| link.url.contains("e.example")).count(), 3);
        assert_eq!(crowded.left, 6);
        let found: Vec<String> =
            links(&offer).tried.into_iter().map(|link| format!("{} {}", link.field, link.url)).collect();
        assert_eq!(
            found,
            [
                "privacyUrl https://a.example/privacy",
                "usefulLinks http://d.example/",
                "description https://b.example/?x=1&y=2"
            ]
        );
    }

    #[test]
    fn answers_are_pages_downloads_or_broken() {
        assert_eq!(Tried::of(200, "text/html; charset=utf-8", ""), Tried::Leads);
        assert_eq!(Tried::of(403, "", ""), Tried::Leads);
        assert_eq!(Tried::of(404, "text/html", ""), Tried::Broken(404));
        assert_eq!(Tried::of(503, "text/html", ""), Tried::Leads);
        assert_eq!(Tried::of(200, &"x".repeat(100_000), "attachment"), Tried::Downloads("x".repeat(60)));
        assert_eq!(Tried::of(200, "Application/ZIP", ""), Tried::Downloads("application/zip".to_owned()));
        assert_eq!(
            Tried::of(200, "text/html", "Attachment; filename=x"),
            Tried::Downloads("text/html".to_owned())
        );
        assert_eq!(Tried::of(200, "application/pdf", "inline"), Tried::Leads);
    }

    #[test]
    fn silence_everywhere_is_no_fault_of_the_listing() {
        let pack = Policy::built_in().replace("LST-08 = \"off\"", "LST-08 = \"warning\"");
        let policy = Policy::parse(&pack).unwrap_or_else(|error| panic!("{error}"));
        let silent = || Tried::Silent("the name is not known".to_owned());
        let judged = |tried: &[(Link, Tried)]| {
            judge_links(tried, 0, &policy).into_iter().map(|finding| finding.observed).collect::<Vec<_>>()
        };
        let unknown = "2 links were not tried to their end";
        assert_eq!(judged(&[(link("https://a"), silent()), (link("https://b"), Tried::Untried)]), [unknown]);
        let more = judge_links(&[(link("https://a"), Tried::Leads)], 7, &policy);
        assert_eq!(more.len(), 1);
        assert_eq!((more[0].severity, more[0].observed.starts_with("7 links")), (Severity::Info, true));
        assert_eq!(
            judged(&[(link("https://a?key=SECRET"), silent()), (link("https://b"), Tried::Leads)]),
            ["https://a: the name is not known"]
        );
        assert_eq!(
            judged(&[
                (link("https://a"), Tried::Broken(404)),
                (link("https://b"), Tried::Downloads("application/zip".to_owned()))
            ]),
            ["https://a answers with status 404", "https://b begins a download (application/zip)"]
        );
        let off = Policy::parse(Policy::built_in()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(judge_links(&[(link("https://a"), Tried::Broken(404))], 1, &off), []);
    }
}
