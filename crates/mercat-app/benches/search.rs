//! Search over many live offers: how long reading them takes, and how long an answer does.
//!
//! `cargo bench -p mercat-app --bench search` fills a SQLite ledger with 100,000 offers (`MERCAT_BENCH_OFFERS`
//! names another number) and prints times; under `cargo test` it takes 2,000 and checks the answers.

use mercat_app::{App, Asked, Facet, MasterKey, Settings};
use mercat_domain::access::Principal;
use mercat_store::{CardRow, Commit, Expect, NewEvent, OfferRow, put};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const WORDS: [&str; 12] = [
    "gateway",
    "database",
    "仮想マシン",
    "monitor",
    "サーバー",
    "edge",
    "storage",
    "認証",
    "router",
    "analytics",
    "コンテナー",
    "backup",
];
const CATEGORIES: [&str; 4] = ["compute", "databases", "internet-of-things", "networking"];

fn offer(number: usize) -> OfferRow {
    let word = |step: usize| WORDS[(number / step) % WORDS.len()];
    let category = CATEGORIES[number % CATEGORIES.len()].to_owned();
    let card = CardRow {
        title: format!("{} {} {number}", word(1), word(7)),
        summary: format!("A {} for {} sites", word(3), word(11)),
        categories: vec![category.clone(), format!("{category}/solutions")],
        public: !number.is_multiple_of(50),
        audience: if number.is_multiple_of(50) { vec!["sub".to_owned()] } else { Vec::new() },
        publisher_name: format!("Publisher {}", number % 300),
        text: format!("Long text about {} and {}. 製品の説明: {}。", word(5), word(13), word(17)),
        licenses: vec!["free".to_owned()],
        platforms: vec!["linux/amd64".to_owned()],
        markets: vec!["JP".to_owned(), "US".to_owned()],
        ..CardRow::default()
    };
    OfferRow {
        publisher: format!("publisher-{}", number % 300),
        offer: format!("offer-{number}"),
        kind: if number.is_multiple_of(3) { "virtual-machine" } else { "container" }.to_owned(),
        live: Some(format!("submission-{number}")),
        card: Some(card),
        ..OfferRow::default()
    }
}

async fn fill(app: &App, count: usize) {
    for from in (0..count).step_by(1000) {
        let mut commit = Commit::new();
        commit.writes = (from..count.min(from + 1000)).map(|at| put(&offer(at), Expect::Any)).collect();
        commit.events.push(NewEvent {
            subject: "bench".into(),
            kind: "filled".into(),
            ..NewEvent::default()
        });
        app.ledger.commit(&commit).await.expect("filled");
    }
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100).saturating_sub(1)]
}

#[expect(clippy::print_stdout, reason = "the result of a benchmark")]
#[tokio::main]
async fn main() {
    let measured = std::env::args().any(|argument| argument == "--bench");
    let named = std::env::var("MERCAT_BENCH_OFFERS").ok().and_then(|number| number.parse().ok());
    let count = named.unwrap_or(if measured { 100_000 } else { 2_000 });
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite:{}", directory.path().join("mercat.db").display());
    let ledger = mercat_store::open(&url).await.expect("a ledger");
    let settings = Settings::new("http://here");
    let app = App::new(ledger, settings, MasterKey::new([1; 32]));
    fill(&app, count).await;
    let nobody = Principal::default();
    let began = Instant::now();
    let all = app.search(&nobody, &Asked { limit: 24, ..Asked::default() }).await.expect("answers");
    println!("{count} offers read and inverted in {:?}", began.elapsed());
    assert_eq!(all.total, count - count.div_ceil(50), "private offers are not counted");
    let mut chosen = BTreeMap::new();
    chosen.insert(Facet::Category, "compute".to_owned());
    let words = ["", "gateway", "仮想マシン", "router edge", "サーバ backup", "no-such-word", "offer"];
    for words in words {
        for chosen in [BTreeMap::new(), chosen.clone()] {
            let asked = Asked { words: words.into(), chosen, limit: 24, ..Asked::default() };
            let mut times = Vec::new();
            let mut total = 0;
            for _ in 0..if measured { 200 } else { 2 } {
                let began = Instant::now();
                total = app.search(&nobody, &asked).await.expect("answers").total;
                times.push(began.elapsed());
            }
            let (median, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
            println!("{words:?} {:?}: {total} found, median {median:?}, p99 {p99:?}", asked.chosen);
        }
    }
}
