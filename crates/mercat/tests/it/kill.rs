//! SIGKILL at random moments of a full publish: one visible effect each, and the same end.

use crate::House;
use crate::house::{NOBODYS, layout, noise, postgres, tar};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const KILLS: u32 = 50;
const OFFERS: [&str; 4] = ["a1", "a2", "a3", "a4"];

/// S2-20: it may take days, and nobody has to stay.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_change_nothing_on_sqlite() {
    compare("").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_change_nothing_on_postgres() {
    if let Some(url) = postgres() {
        compare(&format!("[database]\nurl = {url:?}\n")).await;
    }
}

async fn compare(config: &str) {
    let (rounds, killed) = publish_all(config, KILLS, u32::MAX).await;
    let (_, calm) = publish_all("", 0, rounds).await;
    assert_eq!(calm, killed);
}

/// Publishes offers to live, round after round with a new version each, killing the server while any of
/// them is being worked on, until `kills` fell into work or `rounds` are over. Tells how many rounds it took
/// and everything that anybody can see in the end.
async fn publish_all(config: &str, kills: u32, rounds: u32) -> (u32, Value) {
    let mut house = House::with(config, &[]).await;
    let (mut working, mut idle, mut round) = (0, 0, 0);
    let mut submissions = Vec::new();
    let mut random = u64::from_le_bytes(*uuid::Uuid::new_v4().as_bytes().first_chunk().expect("eight bytes"));
    while round < rounds && (working < kills || rounds != u32::MAX) {
        round += 1;
        for name in OFFERS {
            submissions.push((name, begin(&house, name, round).await));
        }
        let end = Instant::now() + Duration::from_secs(120);
        let mut lived = false;
        loop {
            assert!(Instant::now() < end, "{working} kills, {:#}", house.status(OFFERS[0]).await);
            let (mut running, mut over) = (0, 0);
            for name in OFFERS {
                match house.status(name).await["status"].as_str() {
                    Some("running") => running += 1,
                    Some("waitingForPublisherReview") => {
                        house.go_live(name).await;
                        running += 1;
                    }
                    Some("succeeded") => over += 1,
                    Some("failed" | "canceled") => panic!("{:#}", house.status(name).await),
                    _ => {}
                }
            }
            if over == OFFERS.len() {
                break;
            }
            if working >= kills {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Longer lives now and then, so that the longest step can end.
            let span = if lived { 60 } else { 500 };
            tokio::time::sleep(Duration::from_millis((random >> 33) % span)).await;
            lived = !lived;
            house.kill();
            *(if running > 0 { &mut working } else { &mut idle }) += 1;
            house.start();
            house.answers().await;
        }
    }
    assert!(working >= kills, "only {working} kills fell into work");
    let mut out = Vec::new();
    for (name, submission) in &submissions {
        for _ in 0..200 {
            if house.message_ids().iter().filter(|id| id.contains(submission)).count() >= 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        out.push(seen_of(&house, name, submission).await);
    }
    eprintln!(
        "{round} rounds of {} offers, {working} kills during work, {idle} beside it, {} leads and {} mails received",
        OFFERS.len(),
        house.leads.lock().expect("no panic").len(),
        house.mails.lock().expect("no panic").len()
    );
    (round, json!({"submissions": out, "regions": regions(&house.data().join("regions"))}))
}

/// Publishes the next version of an offer.
async fn begin(house: &House, name: &str, round: u32) -> String {
    let root = house.dir.path().join("images").join(name);
    let filler = noise(4_000_000, u64::from(round) * 97 + u64::from(name.as_bytes()[1]));
    let version = format!("1.0.{round}");
    let layers = [tar(&[("usr/lib/big", &filler)]), tar(&[("bin/app", name.as_bytes())])];
    layout(&root, &layers, &["latest", &version]);
    let allowed = [NOBODYS.to_owned()];
    let offer = house.offer(name, &format!("oci:{}", root.display()), &["latest", &version], &allowed).await;
    house.save(&offer).await;
    house.publish(name).await["submission"].as_str().expect("an id").to_owned()
}

async fn seen_of(house: &House, name: &str, submission: &str) -> Value {
    let path = format!("/publishers/aurora/offers/{name}/submissions/{submission}");
    let status = house.api(reqwest::Method::GET, &path, None).await.1;
    assert_eq!(status["submission"], submission);
    let steps: Vec<String> = status["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| {
            format!("{} {}", step["id"].as_str().expect("text"), step["status"].as_str().expect("text"))
        })
        .collect();
    let leads = house.leads.lock().expect("no panic").clone();
    let leads: BTreeSet<&str> = leads
        .iter()
        .filter_map(|lead| lead["leadId"].as_str())
        .filter(|id| id.contains(submission))
        .collect();
    let mails = house.message_ids();
    let mails: Vec<String> =
        mails.iter().filter(|id| id.contains(submission)).map(|id| id.replace(submission, "")).collect();
    let (_, history) =
        house.api(reqwest::Method::GET, &format!("/publishers/aurora/offers/{name}/history"), None).await;
    let history: Vec<&str> =
        history.as_array().expect("a list").iter().filter_map(|event| event["type"].as_str()).collect();
    json!({"steps": steps, "leads": leads.len(), "mails": mails, "history": history, "images": status["images"]})
}

/// Every file of every region with its size; temporary parts of killed writers are not served by anybody.
fn regions(root: &std::path::Path) -> Vec<String> {
    let mut out = Vec::new();
    let mut queue = vec![root.to_owned()];
    while let Some(dir) = queue.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                queue.push(path);
            } else if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
                let size = entry.metadata().map_or(0, |meta| meta.len());
                out.push(format!("{} {size}", path.strip_prefix(root).expect("below").display()));
            }
        }
    }
    out.sort();
    out
}
