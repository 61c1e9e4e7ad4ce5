//! What every page needs: words, times, sizes, icons.

use crate::guard::Caller;
use crate::routes;
use jiff::tz::{Offset, TimeZone};
use mercat_domain::access::{Answer, Object, Principal, may};
use mercat_domain::calendar::{DAY, HOUR, MINUTE};
use mercat_domain::run::{Step, title_key};
use mercat_domain::{Millis, OfferKind};
use mercat_store::FindingRow;
use mercat_text::{Locale, has, text};

/// Words and facts of one answer.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) locale: Locale,
    pub(crate) signed_in: bool,
    pub(crate) operator: bool,
    pub(crate) other: &'static str,
    path: String,
    who: Principal,
    pub(crate) now: Millis,
}

impl Frame {
    pub(crate) fn new(caller: &Caller) -> Self {
        let other = if caller.locale == Locale::En { "ja" } else { "en" };
        Self {
            locale: caller.locale,
            signed_in: caller.who.user.is_some(),
            operator: caller.who.operator,
            other,
            path: caller.path.clone(),
            who: caller.who.clone(),
            now: jiff::Timestamp::now().as_millisecond(),
        }
    }

    /// Whether the reader may do something about a publisher, by its route below `/portal/publishers/{publisher}`.
    pub(crate) fn lets(&self, publisher: &str, method: &str, tail: &str) -> bool {
        let route = routes::find(method, &format!("/portal/publishers/{{publisher}}{tail}"));
        route.is_some_and(|route| may(&self.who, route.action, Object::Publisher(publisher)) == Answer::Allow)
    }

    /// The pages of a publisher that the reader may see, with their words. Pages that are added later are named here.
    pub(crate) fn pages(&self, publisher: &str) -> Vec<(&'static str, String)> {
        let all = ["numbers", "insights", "leads", "exceptions", "notices", "webhooks", "mail"];
        let seen = |page: &&str| self.lets(publisher, "GET", &format!("/{page}"));
        all.into_iter().filter(seen).map(|page| (page, self.t(&format!("ui-{page}")))).collect()
    }

    pub(crate) fn t(&self, key: &str) -> String {
        text(self.locale, key, &[])
    }

    pub(crate) fn t1(&self, key: &str, name: &str, value: &str) -> String {
        text(self.locale, key, &[(name, value)])
    }

    /// The words of a value out of a fixed list; the value itself where it has none.
    pub(crate) fn word(&self, family: &str, value: &str) -> String {
        let key = format!("{family}-{value}");
        if has(self.locale, &key) { self.t(&key) } else { value.to_owned() }
    }

    /// Until when a destination rests, where that is after the time at which a delivery is due.
    pub(crate) fn after(&self, due: &Millis, rests: &Option<Millis>) -> Option<Millis> {
        rests.filter(|until| until > due)
    }

    /// The name of a step by its id.
    pub(crate) fn step(&self, id: &str) -> String {
        Step::parse(id).map_or_else(|| id.to_owned(), |step| self.t(title_key(OfferKind::Container, step)))
    }

    /// What an answer such as `lead.unreachable: ...` means; empty for one without such a code.
    pub(crate) fn meaning(&self, response: &str) -> String {
        let code = response.split_once(": ").and_then(|(code, _)| code.split_once('.'));
        // Of the words for leads, those that are about any receiver.
        let any = |code: &str| ["timeout", "tls", "denied", "unreachable"].contains(&code);
        let code = code.filter(|(family, code)| *family == "lead" || any(code));
        let key = code.map(|(_, code)| format!("lead-error-{}", code.replace('_', "-")));
        key.filter(|key| has(self.locale, key)).map(|key| self.t(&key)).unwrap_or_default()
    }

    /// What to do about a finding, in the reader's language where the rule has words of its own.
    pub(crate) fn fix(&self, finding: &FindingRow) -> String {
        // What a reviewer let pass is said in the finding itself.
        let words = match finding.is_excused() {
            true => finding.fix.clone(),
            false => mercat_text::remedy(self.locale, &finding.rule, &finding.fix),
        };
        self.required(&words)
    }

    /// What was seen, in the reader's language.
    pub(crate) fn observed(&self, english: &str) -> String {
        mercat_text::observed(self.locale, english)
    }

    /// What a finding's rule requires, in the reader's language where the rule has words of its own.
    pub(crate) fn requires(&self, finding: &FindingRow) -> String {
        mercat_text::required(self.locale, &finding.rule, &finding.required)
    }

    /// What a field requires, in the reader's language.
    pub(crate) fn required(&self, english: &str) -> String {
        mercat_text::requirement(self.locale, english)
    }

    /// The words of `category` or of the last part of `category/subcategory`.
    pub(crate) fn category(&self, path: &str) -> String {
        self.word("category", path.rsplit('/').next().unwrap_or(path))
    }

    /// The part of an address that stands for `category` or `category/subcategory`.
    pub(crate) fn category_url(&self, path: &str) -> String {
        match path.split_once('/') {
            None => path.to_owned(),
            Some((category, sub)) => format!("{category}?page=1&subcategories={sub}"),
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        self.locale.code()
    }

    /// The value of `aria-current` for a link of the head.
    pub(crate) fn at(&self, prefix: &str) -> bool {
        self.path == prefix || self.path.starts_with(&format!("{prefix}/"))
    }

    /// An icon of the set; decoration, for the word beside it says the same.
    pub(crate) fn icon(&self, name: &str) -> &'static str {
        icon(name)
    }

    /// A point in time as HTML: relative within a day before or after, in full otherwise, exact for machines.
    pub(crate) fn time(&self, at: &Millis) -> String {
        let exact = mercat_app::rfc3339(*at);
        let full = self.date(at);
        let shown = match self.now - at {
            0..MINUTE => self.t("ui-just-now"),
            past @ MINUTE..DAY => self.t1("ui-ago", "span", &self.span(&past)),
            ahead if (-DAY..0).contains(&ahead) => self.t1("ui-in", "span", &self.span(&-ahead)),
            _ => full.clone(),
        };
        format!("<time datetime=\"{exact}\" title=\"{full}\">{shown}</time>")
    }

    /// In full, in the reader's usual zone: Japan's for Japanese, else UTC.
    pub(crate) fn date(&self, at: &Millis) -> String {
        let Ok(at) = jiff::Timestamp::from_millisecond(*at) else { return String::new() };
        match self.locale {
            Locale::Ja => {
                let zone = TimeZone::fixed(Offset::constant(9));
                at.to_zoned(zone).strftime("%Y年%-m月%-d日 %H:%M JST").to_string()
            }
            Locale::En => at.strftime("%-d %b %Y %H:%M UTC").to_string(),
        }
    }

    /// A duration in its largest unit that says enough.
    pub(crate) fn span(&self, millis: &Millis) -> String {
        let (key, count) = match *millis {
            ms if ms < 1000 => return self.t("ui-span-instant"),
            ms if ms < MINUTE => ("ui-span-seconds", ms / 1000),
            ms if ms < 2 * HOUR => ("ui-span-minutes", ms / MINUTE),
            ms if ms < 2 * DAY => ("ui-span-hours", ms / HOUR),
            ms => ("ui-span-days", ms / DAY),
        };
        self.t1(key, "n", &count.max(0).to_string())
    }

    /// Bytes for people.
    pub(crate) fn size(&self, bytes: &u64) -> String {
        match *bytes {
            tiny if tiny < 1000 => format!("{tiny} B"),
            small if small < 10_000_000 => format!("{} kB", small.div_ceil(1000)),
            medium if medium < 10_000_000_000 => format!("{} MB", medium / 1_000_000),
            large => format!("{} GB", large / 1_000_000_000),
        }
    }

    /// Our drawing for an offer without a logo.
    pub(crate) fn default_logo(&self, kind: &str) -> &'static str {
        if kind == "virtual-machine" { "/static/virtual-machine.svg" } else { "/static/container.svg" }
    }
}

/// Drawn by us on a grid of 24, in the colour of the text around.
fn icon(name: &str) -> &'static str {
    macro_rules! svg {
        ($path:literal) => {
            concat!(
                "<svg class=\"icon\" viewBox=\"0 0 24 24\" aria-hidden=\"true\" focusable=\"false\">",
                $path,
                "</svg>"
            )
        };
    }
    match name {
        "done" => svg!("<path d=\"m5 12.5 4.500 4.500L19 7.500\"/>"),
        "problem" => svg!("<path d=\"M12 3.500 2.500 20h19z\"/><path d=\"M12 10v4.500m0 2.800v.1\"/>"),
        "run" => svg!("<path d=\"M20 12a8 8 0 1 1-2.400-5.700M20 3.500V8h-4.500\"/>"),
        "you" => {
            svg!("<circle cx=\"12\" cy=\"8\" r=\"4\"/><path d=\"M4.500 20.500a7.500 7.500 0 0 1 15 0\"/>")
        }
        "late" => svg!("<circle cx=\"12\" cy=\"12\" r=\"8.500\"/><path d=\"M12 7v5.300l3.300 2\"/>"),
        "none" => svg!("<circle cx=\"12\" cy=\"12\" r=\"8.500\"/>"),
        "off" => svg!("<circle cx=\"12\" cy=\"12\" r=\"8.500\"/><path d=\"m6 6 12 12\"/>"),
        "again" => svg!("<path d=\"M4 10h12a4.500 4.500 0 0 1 0 9H9M8 6l-4 4 4 4\"/>"),
        "info" => svg!("<circle cx=\"12\" cy=\"12\" r=\"8.500\"/><path d=\"M12 11v5.500m0-9v.1\"/>"),
        "copy" => {
            svg!("<rect x=\"8\" y=\"8\" width=\"12\" height=\"12\" rx=\"2\"/><path d=\"M16 8V4H4v12h4\"/>")
        }
        "down" => svg!("<path d=\"M12 4v11m-5-4.500 5 5 5-5M5 20h14\"/>"),
        "find" => svg!("<circle cx=\"10.500\" cy=\"10.500\" r=\"6.500\"/><path d=\"m15.500 15.500 5 5\"/>"),
        "box" => {
            svg!("<path d=\"M4 8.500 12 4l8 4.500v8L12 21l-8-4.500zM4 8.500l8 4.500 8-4.500M12 13v8\"/>")
        }
        "shield" => svg!(
            "<path d=\"M12 3.500 5 6v6c0 4.500 3 7.500 7 9 4-1.500 7-4.500 7-9V6zm-3.500 8.300 2.500 2.500 4.500-5\"/>"
        ),
        _ => "",
    }
}
