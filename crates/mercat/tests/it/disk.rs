//! A full disk: nothing is acknowledged that is not kept, and work goes on by itself when there is room.

use crate::House;
use crate::house::{NOBODYS, layout, noise, tar};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::process::Command;
use std::time::Duration;

struct Mount(std::path::PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A small file system at a directory, or nothing, said aloud.
fn small(at: &std::path::Path, megabytes: u32) -> Option<Mount> {
    let size = format!("size={megabytes}m");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "mercat-test"]).arg(at).output();
    if mounted.is_ok_and(|out| out.status.success()) {
        return Some(Mount(at.to_owned()));
    }
    crate::house::skipped(
        "skipped: a small file system cannot be mounted here, so a full disk was not tested",
    );
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_database_acknowledges_nothing_and_keeps_what_it_acknowledged() {
    let disk = tempfile::tempdir().expect("a directory");
    let Some(_mount) = small(disk.path(), 8) else { return };
    let url = format!("sqlite:{}", disk.path().join("mercat.db").display());
    let mut house = House::with(&format!("[database]\nurl = {url:?}\n"), &[]).await;
    let save = async |house: &House, offer: &str| {
        let body = json!({"publisher": "aurora", "offer": offer, "type": "container", "name": offer, "termsOfUse": "x".repeat(60_000)});
        house.api(Method::PUT, &format!("/publishers/aurora/offers/{offer}"), Some(body)).await.0
    };
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![0; 6 << 20]).expect("written");
    let mut kept = Vec::new();
    let mut refused = None;
    for at in 0..200 {
        let offer = format!("o{at}");
        match save(&house, &offer).await {
            status if status.is_success() => kept.push(offer),
            status => {
                refused = Some((offer, status));
                break;
            }
        }
    }
    let (offer, status) = refused.expect("the disk fills up");
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    std::fs::remove_file(&filler).expect("room again");
    assert!(save(&house, &offer).await.is_success(), "it resumes by itself");
    kept.push(offer);
    house.kill();
    house.start();
    house.answers().await;
    for offer in &kept {
        let (status, body) =
            house.api(Method::GET, &format!("/publishers/aurora/offers/{offer}"), None).await;
        assert_eq!((status, body["name"].as_str()), (StatusCode::OK, Some(offer.as_str())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_depot_is_our_delay_and_ends_when_there_is_room() {
    let depot = tempfile::tempdir().expect("a directory");
    let Some(_mount) = small(depot.path(), 16) else { return };
    let house = House::with(&format!("[depot]\ndirectory = {:?}\n", depot.path()), &[]).await;
    let filler = depot.path().join("filler");
    std::fs::write(&filler, vec![0; 12 << 20]).expect("written");
    let root = house.dir.path().join("images/big");
    let noise = noise(8_000_000, 1);
    layout(&root, &[tar(&[("big", &noise)])], &["latest", "1.0.0"]);
    let allowed = [NOBODYS.to_owned()];
    house
        .save(&house.offer("big", &format!("oci:{}", root.display()), &["latest", "1.0.0"], &allowed).await)
        .await;
    house.publish("big").await;
    let mut step = serde_json::Value::Null;
    for _ in 0..200 {
        step = house.status("big").await["steps"][0].clone();
        if step["progress"]["wait"]["code"] == "wait-store" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(step["progress"]["wait"]["code"], "wait-store", "{step:#}");
    assert_eq!(step["status"], "inProgress");
    std::fs::remove_file(&filler).expect("room again");
    let status = house.until("big", &["waitingForPublisherReview", "failed"]).await;
    assert_eq!(status["status"], "waitingForPublisherReview", "{status:#}");
}
