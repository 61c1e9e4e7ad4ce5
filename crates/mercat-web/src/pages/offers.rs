//! All offers: what needs somebody first, with filters in the address.

use super::filled::Query;
use super::look::{Look, Pager};
use super::portal::my_publishers;
use super::{Answer, Frame, fail, show};
use crate::Site;
use crate::guard::Caller;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use mercat_app::AppError;
use mercat_domain::offer::status_key;
use mercat_domain::run::{Shown, State as RunState, Step, title_key};
use mercat_domain::{Millis, OfferKind};
use mercat_store::{OfferRow, find};
use serde::Deserialize;
use std::sync::Arc;

const PAGE: usize = 50;

/// A group of offers that is counted, and can be shown alone. The order is that of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Fix,
    Waiting,
    Running,
    Ours,
    Never,
    Canceled,
    Live,
}

impl Group {
    const ALL: [Self; 7] =
        [Self::Fix, Self::Waiting, Self::Running, Self::Ours, Self::Live, Self::Never, Self::Canceled];

    fn of(row: &OfferRow) -> Self {
        match RunState::parse(&row.now.state) {
            None => Self::Never,
            Some(RunState::Running | RunState::WaitingForApproval) => Self::Running,
            Some(RunState::WaitingForPublisherReview) => Self::Waiting,
            Some(RunState::Failed) if row.now.ours => Self::Ours,
            Some(RunState::Failed) => Self::Fix,
            Some(RunState::Canceled) => Self::Canceled,
            Some(RunState::Succeeded) => Self::Live,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Fix => "fix",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Ours => "ours",
            Self::Never => "never",
            Self::Canceled => "canceled",
            Self::Live => "live",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Fix => Shown::NeedsFix.key(),
            Self::Waiting => Shown::WaitingForYou.key(),
            Self::Running => Shown::InProgress.key(),
            Self::Ours => Shown::Ours.key(),
            Self::Never => "ui-never-published",
            Self::Canceled => "status-canceled",
            Self::Live => "live-yes",
        }
    }

    /// What a step in this state looks like.
    fn shown(self) -> Shown {
        match self {
            Self::Fix => Shown::NeedsFix,
            Self::Waiting => Shown::WaitingForYou,
            Self::Running => Shown::InProgress,
            Self::Ours => Shown::Ours,
            Self::Never | Self::Canceled => Shown::NotStarted,
            Self::Live => Shown::Complete,
        }
    }
}

struct Line {
    row: OfferRow,
    group: Group,
    status: String,
    /// Findings that would block what is live, if it were published today.
    blocking: usize,
}

impl Line {
    fn tone(&self) -> &'static str {
        self.group.shown().tone()
    }

    fn icon(&self) -> &'static str {
        self.group.shown().icon()
    }

    fn changed(&self) -> Option<Millis> {
        Some(self.row.now.at).filter(|at| *at > 0)
    }
}

struct Chip {
    words: String,
    count: usize,
    url: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "offers.html")]
struct Offers {
    f: Frame,
    publishers: Vec<String>,
    asked: Asked,
    chips: Vec<Chip>,
    lines: Vec<Line>,
    any: bool,
    pager: Pager,
}

impl Offers {
    /// What somebody does who belongs to no publisher.
    fn no_publisher(&self) -> String {
        self.f.t(if self.f.operator { "ui-no-publisher-operator" } else { "ui-no-publisher-explain" })
    }
}

#[derive(Deserialize, Default, Clone)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    show: String,
    #[serde(default, rename = "type")]
    kind: String,
    page: Option<usize>,
}

impl Asked {
    fn url(&self, show: &str, page: Option<usize>) -> String {
        let mut pairs = vec![("q", self.q.clone()), ("show", show.to_owned()), ("type", self.kind.clone())];
        pairs.extend(page.map(|page| ("page", page.to_string())));
        pairs.retain(|(_, value)| !value.is_empty());
        let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        if query.is_empty() { "/portal".to_owned() } else { format!("/portal?{query}") }
    }

    fn fits(&self, row: &OfferRow) -> bool {
        let words = self.q.to_lowercase();
        let text = format!("{} {}/{}", row.name, row.publisher, row.offer).to_lowercase();
        words.split_whitespace().all(|word| text.contains(word))
            && (self.kind.is_empty() || self.kind == row.kind)
    }
}

/// The status of the list (domain rules 1.3), with the step where there is one.
fn status(f: &Frame, row: &OfferRow) -> String {
    let state = RunState::parse(&row.now.state);
    let kind = OfferKind::parse(&row.kind).unwrap_or(OfferKind::Container);
    let step = Step::parse(&row.now.step).map(|step| f.t(title_key(kind, step)));
    let words = f.t(if state.is_none() { Group::Never.key() } else { status_key(state) });
    match (state, step) {
        (Some(RunState::Running | RunState::Failed), Some(step)) => format!("{words}: {step}"),
        _ => words,
    }
}

pub(super) async fn page(
    State(site): State<Arc<Site>>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Answer {
    let read = async {
        let publishers = my_publishers(&site, &caller).await?;
        let mut rows = Vec::new();
        for publisher in &publishers {
            rows.extend(find::<OfferRow>(&*site.app.ledger, "publisher", publisher).await?);
        }
        Ok::<_, AppError>((publishers, rows))
    };
    let (publishers, rows) = read.await.map_err(fail(&caller))?;
    let f = Frame::new(&caller);
    let any = !rows.is_empty();
    let mut lines: Vec<Line> = rows
        .into_iter()
        .filter(|row| asked.fits(&row.row))
        .map(|row| Line {
            group: Group::of(&row.row),
            status: status(&f, &row.row),
            row: row.row,
            blocking: 0,
        })
        .collect();
    let chip = |group: Option<Group>| {
        let name = group.map_or("", Group::name);
        Chip {
            words: f.t(group.map_or("ui-all", Group::key)),
            count: lines.iter().filter(|line| group.is_none_or(|group| group == line.group)).count(),
            url: asked.url(name, None),
            chosen: asked.show == name,
        }
    };
    let groups = std::iter::once(None).chain(Group::ALL.into_iter().map(Some));
    let chips: Vec<Chip> = groups.map(chip).filter(|chip| chip.count > 0 || chip.chosen).collect();
    lines.retain(|line| asked.show.is_empty() || asked.show == line.group.name());
    // What needs somebody comes first; of those, what changed last.
    lines.sort_by_key(|line| (line.group, std::cmp::Reverse(line.row.now.at)));
    let page = asked.page.unwrap_or(1).max(1);
    let last = lines.len().div_ceil(PAGE).max(1);
    let pager = Pager {
        previous: (page > 1).then(|| asked.url(&asked.show, Some((page - 1).min(last)))),
        next: (page < last).then(|| asked.url(&asked.show, Some(page + 1))),
        words: f.t1("ui-page", "page", &format!("{page} / {last}")),
    };
    let first = (page - 1).saturating_mul(PAGE);
    let mut lines: Vec<Line> = lines.into_iter().skip(first).take(PAGE).collect();
    for line in lines.iter_mut().filter(|line| line.row.live.is_some()) {
        let standing = site.app.standing(&line.row).await.map_err(fail(&caller))?;
        line.blocking = standing.map_or(0, |row| row.blocking().count());
    }
    Ok(show(StatusCode::OK, &Offers { f, publishers, asked, chips, lines, any, pager }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_belongs_to_no_publisher_is_told_how_offers_come_about() {
        let page = |operator: bool, publishers: &[&str]| {
            let mut f = Frame::new(&Caller::stranger(&axum::http::HeaderMap::new()));
            (f.signed_in, f.operator) = (true, operator);
            let publishers = publishers.iter().map(|id| (*id).to_owned()).collect();
            let pager = Pager { previous: None, next: None, words: String::new() };
            let (asked, chips, lines) = (Asked::default(), Vec::new(), Vec::new());
            Offers { f, publishers, asked, chips, lines, any: false, pager }.render().expect("a page")
        };
        let told = "You have no part in a publisher";
        for (operator, way) in [(true, "href=\"/portal/operator\">"), (false, "Ask the owner")] {
            let page = page(operator, &[]);
            assert!(page.contains(told) && page.contains(way), "{page}");
            assert!(!page.contains("href=\"/portal/new\""), "an offer needs a publisher: {page}");
        }
        let page = page(true, &["aurora"]);
        assert!(page.contains("Create your first offer") && page.contains("href=\"/portal/new\""), "{page}");
        assert!(!page.contains(told), "{page}");
    }
}
