//! Events told to a publisher's own systems.

use crate::House;
use crate::house::{has, layout, skipped, tar};
use crate::leads::{Receiver, live_offer, trust};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

async fn make(house: &House, url: &str, events: &[&str]) -> (String, String) {
    let body = json!({"url": url, "events": events});
    let (status, made) = house.api(Method::POST, "/publishers/aurora/webhooks", Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let text = |key: &str| made[key].as_str().expect("text").to_owned();
    (text("id"), text("secret"))
}

async fn deliveries(house: &House, hook: &str) -> Vec<Value> {
    let (status, body) =
        house.api(Method::GET, &format!("/publishers/aurora/webhooks/{hook}/deliveries"), None).await;
    assert_eq!(status, StatusCode::OK);
    body.as_array().expect("a list").clone()
}

async fn until(house: &House, hook: &str, count: usize, state: &str) -> Vec<Value> {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let rows = deliveries(house, hook).await;
        if rows.len() >= count && rows.iter().all(|row| row["state"] == state) {
            return rows;
        }
        let waiting: Vec<&Value> = rows.iter().filter(|row| row["state"] != state).collect();
        assert!(Instant::now() < end, "{} of {count}: {waiting:#?}", rows.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_at_the_receiver_once_through_faults_and_deaths() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let receiver = Receiver::open_tls("webhook-id").await;
    let mut house = House::with("[leads]\nfirst_retry_ms = 50\n", std::slice::from_ref(&receiver.host)).await;
    trust(&mut house, &receiver).await;
    let (hook, _) = make(&house, &format!("https://{}/hook", receiver.host), &[]).await;
    let (quiet, _) = make(&house, &format!("https://{}/other", receiver.host), &["lead.*"]).await;
    receiver.misbehaves.store(true, Ordering::SeqCst);
    live_offer(&house, "gateway", &json!({"leadDestination": "none"})).await;
    for _ in 0..30 {
        assert_eq!(
            house.api(Method::POST, &format!("/publishers/aurora/webhooks/{hook}/test"), None).await.0,
            StatusCode::ACCEPTED
        );
    }
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        house.kill();
        house.start();
        house.answers().await;
    }
    let rows = until(&house, &hook, 36, "delivered").await;
    let kept = receiver.kept.lock().expect("no panic").clone();
    let mut ids: Vec<&str> = rows.iter().map(|row| row["event"].as_str().expect("an id")).collect();
    ids.sort_unstable();
    assert_eq!(kept.keys().map(String::as_str).collect::<Vec<_>>(), ids, "each is there, and nothing else");
    let asked = receiver.asked.load(Ordering::SeqCst);
    assert!(asked as usize > ids.len() * 13 / 10, "{asked} requests: the faults were met");
    eprintln!("{} events, {asked} requests, 8 of 20 with a fault, 4 deaths", ids.len());
    let types: Vec<&str> = rows.iter().rev().map(|row| row["type"].as_str().expect("a type")).collect();
    for kind in
        ["submission.accepted", "submission.waiting", "submission.live", "step.complete", "webhook.test"]
    {
        assert!(types.contains(&kind), "{types:?}");
    }
    let live = kept.values().find(|event| event["type"] == "mercat.submission.live.v1").expect("told");
    assert_eq!(
        (&live["specversion"], &live["subject"], &live["data"]["state"]),
        (&json!("1.0"), &json!("aurora/gateway"), &json!("succeeded"))
    );
    assert!(deliveries(&house, &quiet).await.is_empty(), "it asked for leads only");

    // Sent again by hand: the same event under the same id.
    let before = receiver.kept.lock().expect("no panic").len();
    let body = json!({"id": rows[0]["id"]});
    let path = format!("/publishers/aurora/webhooks/{hook}/replay");
    assert_eq!(house.api(Method::POST, &path, Some(body)).await.0, StatusCode::ACCEPTED);
    until(&house, &hook, 36, "delivered").await;
    assert_eq!(receiver.kept.lock().expect("no panic").len(), before);
}

/// A receiver that keeps head and body as they came, and answers with a status.
pub(crate) async fn witness(status: u16) -> (Arc<Mutex<Vec<(axum::http::HeaderMap, String)>>>, String) {
    let seen: Arc<Mutex<Vec<(axum::http::HeaderMap, String)>>> = Arc::default();
    let kept = seen.clone();
    let take = move |headers: axum::http::HeaderMap, body: String| {
        kept.lock().expect("no panic").push((headers, body));
        async move { axum::http::StatusCode::from_u16(status).expect("a status") }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let app = axum::Router::new().route("/hook", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (seen, host)
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_pass_the_check_of_the_standard_library_through_a_change_of_secrets() {
    let (seen, host) = witness(204).await;
    let house = House::with("", std::slice::from_ref(&host)).await;
    let (hook, first) = make(&house, &format!("http://{host}/hook"), &[]).await;
    let path = format!("/publishers/aurora/webhooks/{hook}");
    house.api(Method::POST, &format!("{path}/test"), None).await;
    until(&house, &hook, 1, "delivered").await;
    let (_, second) = house.api(Method::POST, &format!("{path}/rotate"), None).await;
    let second = second["secret"].as_str().expect("shown once").to_owned();
    house.api(Method::POST, &format!("{path}/test"), None).await;
    until(&house, &hook, 2, "delivered").await;
    // The secret is shown once and kept sealed.
    let (_, listed) = house.api(Method::GET, "/publishers/aurora/webhooks", None).await;
    assert!(!listed.to_string().contains("whsec_") && first != second);

    let Ok(python) = std::env::var("MERCAT_TEST_PYTHON") else {
        skipped("skipped: MERCAT_TEST_PYTHON is not set, so signatures were not checked by another library");
        return;
    };
    if !has(&python) {
        return;
    }
    let check = |(headers, body): &(axum::http::HeaderMap, String), secret: &str| {
        let header = |name: &str| headers[name].to_str().expect("text");
        let ids = [header("webhook-id"), header("webhook-timestamp"), header("webhook-signature")];
        let program = "import sys; from standardwebhooks.webhooks import Webhook; s, b, i, t, g = sys.argv[1:]; \
                       Webhook(s).verify(b, {'webhook-id': i, 'webhook-timestamp': t, 'webhook-signature': g})";
        let out =
            Command::new(&python).args(["-c", program, secret, body]).args(ids).output().expect("it starts");
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!text.contains("ModuleNotFoundError"), "pip install standardwebhooks: {text}");
        out.status.success()
    };
    let seen = seen.lock().expect("no panic").clone();
    assert!(check(&seen[0], &first) && !check(&seen[0], &second));
    assert!(check(&seen[1], &first) && check(&seen[1], &second), "both for a day");
    let mut forged = seen[1].clone();
    forged.1 = forged.1.replace("webhook.test", "webhook.live");
    assert!(!check(&forged, &second));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_is_not_asked_again_and_a_private_one_never() {
    let (seen, host) = witness(410).await;
    let mut house = House::with("", std::slice::from_ref(&host)).await;
    let (hook, _) = make(&house, &format!("http://{host}/hook"), &[]).await;
    let path = format!("/publishers/aurora/webhooks/{hook}");
    house.api(Method::POST, &format!("{path}/test"), None).await;
    until(&house, &hook, 1, "dead").await;
    let (_, listed) = house.api(Method::GET, "/publishers/aurora/webhooks", None).await;
    assert_eq!(listed[0]["active"], false);
    house.api(Method::POST, &format!("{path}/test"), None).await;
    until(&house, &hook, 2, "dead").await;
    assert_eq!(seen.lock().expect("no panic").len(), 1, "nothing is sent to a webhook that is off");
    // The publisher names it, the server's network is not theirs: neither when it is named, nor later.
    let named = async |url: &str, events: &[&str]| {
        let body = json!({"url": url, "events": events});
        house.api(Method::POST, "/publishers/aurora/webhooks", Some(body)).await
    };
    for bad in [
        "ftp://x.example/",
        "https://user@x.example/",
        "nothing",
        "https://x.example/ y",
        "http://x.example/",
        "https://169.254.169.254/latest",
        "https://x.example:22/",
        "https://localhost/",
    ] {
        let (status, body) = named(bad, &[]).await;
        assert_eq!(
            (status, body["errors"][0]["path"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some("url")),
            "{bad}"
        );
    }
    for bad in ["bogus.event", "submission.liv", "Submission.live", "*.live", ""] {
        let (status, body) = named("https://x.example/", &["lead.*", bad]).await;
        assert_eq!(
            (status, body["errors"][0]["path"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some("events")),
            "{bad:?}"
        );
    }
    for good in ["*", "submission.*", "lead.dead", "webhook.test"] {
        assert_eq!(named("https://x.example/", &[good]).await.0, StatusCode::CREATED, "{good}");
    }
    let (later, _) = make(&house, &format!("http://{host}/later"), &[]).await;
    let config = house.data().join("mercat.toml");
    let text = std::fs::read_to_string(&config).expect("reads").replace(&format!("{host:?}, "), "");
    assert!(!text.contains(&host));
    std::fs::write(&config, text).expect("written");
    house.kill();
    house.start();
    house.answers().await;
    // Whoever presses the button sees what became of it.
    let page = format!("{}/portal/publishers/aurora/webhooks/{later}", house.base);
    let pressed = house.http.post(&page).bearer_auth(&house.token).form(&[("action", "ping")]);
    assert_eq!(pressed.send().await.expect("answers").status(), StatusCode::SEE_OTHER);
    let shown = house.http.get(&page).bearer_auth(&house.token).send().await.expect("answers");
    let shown = shown.text().await.expect("text");
    assert!(shown.contains("webhook.denied") && shown.contains("next try"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_why_a_delivery_waits() {
    let (seen, host) = witness(500).await;
    let config = "[leads]\nfirst_retry_ms = 600000\n";
    let house = House::with(config, std::slice::from_ref(&host)).await;
    let (hook, _) = make(&house, &format!("http://{host}/hook"), &[]).await;
    let test = async |count: usize| {
        house.api(Method::POST, &format!("/publishers/aurora/webhooks/{hook}/test"), None).await;
        let end = Instant::now() + Duration::from_secs(20);
        while seen.lock().expect("no panic").len() < count {
            assert!(Instant::now() < end);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let page = async |part: &str, count: usize| {
        let url = format!("{}/portal/publishers/aurora/webhooks/{hook}", house.base);
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = house.http.get(&url).bearer_auth(&house.token).send().await.expect("answers");
            let shown = answer.text().await.expect("text");
            if shown.matches(part).count() == count {
                return shown;
            }
            assert!(Instant::now() < end, "{part}: {shown}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    for count in 1..=4 {
        test(count).await;
    }
    assert!(!page("(tries: 1)", 4).await.contains("Resting after failures"), "four are not enough");
    test(5).await;
    page("(tries: 1)", 5).await;
    // What happens meanwhile is not tried, and nobody says that it was.
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("a", b"b")])], &["latest", "1.0.0"]);
    let allowed = house.subscription().await.0;
    let image = format!("oci:{}", root.display());
    house.save(&house.offer("app", &image, &["latest", "1.0.0"], &[allowed]).await).await;
    house.publish("app").await;
    let shown = page("submission.accepted<br>", 1).await;
    let row = shown.split("submission.accepted<br>").nth(1).and_then(|rest| rest.split("</tr>").next());
    let row = row.expect("a row");
    assert!(row.contains("Resting after failures") && !row.contains("tries:"), "{row}");
    assert_eq!(seen.lock().expect("no panic").len(), 5);
    // Whoever tests it, having repaired it, does not wait.
    test(6).await;
    page("(tries: 1)", 6).await;
}
