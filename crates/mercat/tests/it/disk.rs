//! A full disk: nothing is acknowledged that is not kept, and work goes on by itself when there is room.

use crate::House;
use crate::house::{layout, noise, tar};
use std::process::Command;
use std::time::Duration;

struct Mount(std::path::PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_depot_is_our_delay_and_ends_when_there_is_room() {
    let depot = tempfile::tempdir().expect("a directory");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=16m", "mercat-test"])
        .arg(depot.path())
        .output();
    if !mounted.is_ok_and(|out| out.status.success()) {
        crate::house::skipped(
            "skipped: a small file system cannot be mounted here, so a full disk was not tested",
        );
        return;
    }
    let _mount = Mount(depot.path().to_owned());
    let house = House::with(&format!("[depot]\ndirectory = {:?}\n", depot.path()), &[]).await;
    let filler = depot.path().join("filler");
    std::fs::write(&filler, vec![0; 12 << 20]).expect("written");
    let root = house.dir.path().join("images/big");
    let noise = noise(8_000_000, 1);
    layout(&root, &[tar(&[("big", &noise)])], &["latest", "1.0.0"]);
    let allowed = ["11111111-2222-4333-8444-555555555555".to_owned()];
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
