//! SIGKILL at random moments of a full publish: one visible effect each, and the same end.

use crate::House;
use crate::house::{layout, postgres, tar};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const KILLS: u32 = 50;
const OFFERS: [&str; 6] = ["a1", "a2", "a3", "a4", "a5", "a6"];

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
    let calm = one_publish("", 0).await;
    let killed = one_publish(config, KILLS).await;
    assert_eq!(calm, killed);
}

/// Publishes offers to live, with kills while any of them is being worked on, and tells everything that
/// anybody can see in the end.
async fn one_publish(config: &str, kills: u32) -> Value {
    let mut house = House::with(config, &[]).await;
    let allowed = ["11111111-2222-4333-8444-555555555555".to_owned()];
    let mut ids = BTreeMap::new();
    for (at, name) in OFFERS.iter().enumerate() {
        let root = house.dir.path().join("images").join(name);
        let filler: Vec<u8> = (0..8_000_000_u32)
            .map(|n| (n.wrapping_add(at as u32).wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        layout(
            &root,
            &[tar(&[("usr/lib/big", &filler)]), tar(&[("bin/app", name.as_bytes())])],
            &["latest", "1.0.0"],
        );
        let offer =
            house.offer(name, &format!("oci:{}", root.display()), &["latest", "1.0.0"], &allowed).await;
        house.save(&offer).await;
        ids.insert(*name, house.publish(name).await["submission"].as_str().expect("an id").to_owned());
    }
    let mut random = u64::from_le_bytes(*uuid::Uuid::new_v4().as_bytes().first_chunk().expect("eight bytes"));
    let (mut working, mut idle) = (0, 0);
    let end = Instant::now() + Duration::from_secs(400);
    loop {
        assert!(Instant::now() < end, "{working} kills, {:#}", house.status(OFFERS[0]).await);
        let (mut running, mut over) = (0, 0);
        for name in OFFERS {
            match house.status(name).await["status"].as_str() {
                Some("running") => running += 1,
                // The second half of the kills falls into the production phase.
                Some("waitingForPublisherReview") if working >= kills / 2 || running == 0 => {
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
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis((random >> 33) % 300)).await;
        house.kill();
        *(if running > 0 { &mut working } else { &mut idle }) += 1;
        house.start();
        house.answers().await;
    }
    assert!(working >= kills, "only {working} kills fell into work; make the work longer");
    let mut out = Vec::new();
    for (name, submission) in &ids {
        for _ in 0..200 {
            if house.message_ids().iter().filter(|id| id.contains(submission)).count() >= 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        out.push(seen_of(&house, name, submission).await);
    }
    eprintln!(
        "{working} kills during work, {idle} beside it, {} leads and {} mails received",
        house.leads.lock().expect("no panic").len(),
        house.mails.lock().expect("no panic").len()
    );
    json!({"offers": out, "regions": regions(&house.data().join("regions"))})
}

async fn seen_of(house: &House, name: &str, submission: &str) -> Value {
    let status = house.status(name).await;
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
