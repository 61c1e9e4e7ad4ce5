//! What customers wait for in a large market: `cargo bench -p mercat --bench storefront`.
//!
//! 100,000 live offers (`MERCAT_BENCH_OFFERS` names another number) lie in SQLite, and in PostgreSQL where
//! `MERCAT_TEST_POSTGRES` names a server. The real program answers over loopback, on the same cores as whoever asks.
//! Requests go out at fixed times, whether or not earlier ones were answered, and each is timed from when it was to go
//! out. Beside them the server judges all offers again, as whenever more is known; they have no artifacts, so that this
//! is work for the database alone. Under `cargo test` a few offers are asked for a few times, so that this does not rot.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends on what it did not expect"
)]

use mercat_store::{
    CardRow, Commit, Expect, Ledger, ListedPlan, ListingRow, NewEvent, OfferRow, Query, StandingRow,
    SubmissionRow, list, put,
};
use serde_json::json;
use std::process::{Child, Command, Stdio};
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

struct Plan {
    offers: usize,
    seconds: u32,
    searches: u32,
    listings: u32,
}

fn rows(number: usize) -> (OfferRow, ListingRow, SubmissionRow) {
    let word = |step: usize| WORDS[(number / step) % WORDS.len()];
    let category = CATEGORIES[number % CATEGORIES.len()].to_owned();
    let (publisher, offer) = (format!("publisher-{}", number % 300), format!("offer-{number}"));
    let submission = format!("submission-{number}");
    let title = format!("{} {} {number}", word(1), word(7));
    let summary = format!("A {} for {} sites", word(3), word(11));
    let categories = vec![category.clone(), format!("{category}/solutions")];
    let card = CardRow {
        title: title.clone(),
        summary: summary.clone(),
        categories: categories.clone(),
        public: true,
        publisher_name: publisher.clone(),
        text: format!("Long text about {} and {}. 製品の説明: {}。", word(5), word(13), word(17)),
        licenses: vec!["free".to_owned()],
        platforms: vec!["linux/amd64".to_owned()],
        markets: vec!["JP".to_owned(), "US".to_owned()],
        ..CardRow::default()
    };
    let row = OfferRow {
        publisher: publisher.clone(),
        offer: offer.clone(),
        kind: "container".to_owned(),
        live: Some(submission.clone()),
        card: Some(card),
        ..OfferRow::default()
    };
    let plan = ListedPlan {
        id: "standard".to_owned(),
        title: "Standard".to_owned(),
        summary: "One".to_owned(),
        markets: vec!["JP".to_owned()],
        ..ListedPlan::default()
    };
    let listing = ListingRow {
        submission: submission.clone(),
        publisher: publisher.clone(),
        publisher_name: publisher.clone(),
        offer: offer.clone(),
        title,
        summary,
        description: format!("<p>{}</p>", "Text about it. ".repeat(50)),
        categories,
        plans: vec![plan],
        ..ListingRow::default()
    };
    let document = json!({"publisher": publisher, "offer": offer, "type": "container", "plans": []});
    let row_of_run = SubmissionRow { id: submission, publisher, offer, document, ..SubmissionRow::default() };
    (row, listing, row_of_run)
}

async fn fill(ledger: &dyn Ledger, count: usize) {
    for from in (0..count).step_by(1000) {
        let mut commit = Commit::new();
        for number in from..count.min(from + 1000) {
            let (offer, listing, submission) = rows(number);
            commit.writes.push(put(&offer, Expect::Any));
            commit.writes.push(put(&listing, Expect::Any));
            commit.writes.push(put(&submission, Expect::Any));
        }
        let event = NewEvent { subject: "bench".into(), kind: "filled".into(), ..NewEvent::default() };
        commit.events.push(event);
        ledger.commit(&commit).await.unwrap();
    }
}

/// Offers that were judged again.
async fn judged(ledger: &dyn Ledger) -> usize {
    let (mut after, mut count) = (String::new(), 0);
    loop {
        let query = Query { after, limit: 10_000, ..Query::default() };
        let rows = list::<StandingRow>(ledger, query).await.unwrap();
        let Some(last) = rows.last() else { return count };
        count += rows.iter().filter(|found| found.row.judged > 0).count();
        after = format!("{}/{}", last.row.publisher, last.row.offer);
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100).saturating_sub(1)]
}

/// Asks at a rate for a time; every answer must be good.
async fn load(name: &str, client: &reqwest::Client, rate: u32, seconds: u32, url: impl Fn(u32) -> String) {
    let began = tokio::time::Instant::now();
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..rate * seconds {
        let due = began + Duration::from_secs(1) * number / rate;
        tokio::time::sleep_until(due).await;
        let (client, url) = (client.clone(), url(number));
        asked.spawn(async move {
            let answer = client.get(&url).send().await.unwrap();
            assert!(answer.status().is_success(), "{url}: {}", answer.status());
            let size = answer.bytes().await.unwrap().len();
            (due.elapsed(), size)
        });
    }
    let answers = asked.join_all().await;
    let mut times: Vec<Duration> = answers.iter().map(|(time, _)| *time).collect();
    let bytes: usize = answers.iter().map(|(_, size)| size).sum::<usize>() / answers.len();
    let (median, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
    println!(
        "{name}: {} answers at {rate}/s, {bytes} bytes each, median {median:?}, p99 {p99:?}",
        times.len()
    );
}

async fn measure(plan: &Plan, database: &str) {
    let dir = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = listener.local_addr().unwrap().to_string();
    drop(listener);
    let url = match database {
        "" => format!("sqlite:{}", dir.path().join("mercat.db").display()),
        url => url.to_owned(),
    };
    let config = format!("[server]\nlisten = {listen:?}\n[database]\nurl = {url:?}\n");
    std::fs::write(dir.path().join("mercat.toml"), config).unwrap();
    let ledger = mercat_store::open(&url).await.unwrap();
    fill(&*ledger, plan.offers).await;
    let server = Command::new(env!("CARGO_BIN_EXE_mercat"))
        .args(["--data", dir.path().to_str().unwrap(), "serve"])
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn();
    let _server = Server(server.unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let base = format!("http://{listen}");
    let began = Instant::now();
    while client.get(format!("{base}/api/v1/health")).send().await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let found = client.get(format!("{base}/marketplace?q=gateway")).send().await.unwrap();
    assert!(found.text().await.unwrap().contains("/marketplace/apps/publisher-"), "the offers are found");
    let name = if database.is_empty() { "SQLite" } else { "PostgreSQL" };
    println!("{name}: {} offers, first search answered {:?} after the start", plan.offers, began.elapsed());

    let words = |number: u32| WORDS[number as usize % WORDS.len()];
    let search = |number: u32| {
        let more = if number.is_multiple_of(3) { words(number / 3) } else { "" };
        let asked = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("q", format!("{} {more}", words(number)).trim())
            .finish();
        format!("{base}/marketplace?{asked}")
    };
    load("  search", &client, plan.searches, plan.seconds, search).await;
    let listing = |number: u32| {
        let category = CATEGORIES[number as usize % CATEGORIES.len()];
        format!("{base}/marketplace/apps/category/{category}?page={}", number % 20 + 1)
    };
    load("  listing", &client, plan.listings, plan.seconds, listing).await;
    let product = |number: u32| {
        let number = number as usize * 7919 % plan.offers;
        format!("{base}/marketplace/apps/publisher-{}.offer-{number}", number % 300)
    };
    load("  product page", &client, plan.searches, plan.seconds, product).await;
    // One after the other: what one customer waits for, the connection included.
    let mut times = Vec::new();
    for number in 0..plan.searches {
        let began = Instant::now();
        let answer = client.get(product(number + 1_000_000)).send().await.unwrap();
        assert!(answer.status().is_success());
        answer.bytes().await.unwrap();
        times.push(began.elapsed());
    }
    let (median, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
    println!("  product page, one after the other: median {median:?}, p99 {p99:?}");
    let (count, passed) = (judged(&*ledger).await, began.elapsed());
    println!("  offers judged again meanwhile: {count} in {passed:?}");
    assert!(count > 0, "a market whose offers were never judged by what is known judges them");
}

#[tokio::main]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let measured = std::env::args().any(|argument| argument == "--bench");
    let named = std::env::var("MERCAT_BENCH_OFFERS").ok().and_then(|number| number.parse().ok());
    let plan = match measured {
        true => Plan { offers: named.unwrap_or(100_000), seconds: 15, searches: 300, listings: 1_000 },
        false => Plan { offers: 300, seconds: 1, searches: 20, listings: 20 },
    };
    measure(&plan, "").await;
    match std::env::var("MERCAT_TEST_POSTGRES") {
        Ok(url) if measured => measure(&plan, &url).await,
        Ok(_) => {}
        Err(_) => println!("PostgreSQL: absent (MERCAT_TEST_POSTGRES is not set)"),
    }
}
