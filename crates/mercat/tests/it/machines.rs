//! Two machines: one serves, the other works, over the same PostgreSQL and depot.

use crate::House;
use crate::house::{BIN, NOBODYS, layout, postgres, pull, tar};
use std::process::{Command, Stdio};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_elsewhere_does_the_work() {
    let Some(url) = postgres() else { return };
    let depot = tempfile::tempdir().expect("a directory");
    let shared = format!("[database]\nurl = {url:?}\n[depot]\ndirectory = {:?}\n", depot.path());
    let house = House::with(&shared, &[]).await;
    let text = std::fs::read_to_string(house.data().join("mercat.toml")).expect("there");
    let other = house.dir.path().join("other");
    std::fs::create_dir_all(&other).expect("a directory");
    std::fs::write(other.join("mercat.toml"), &text).expect("written");
    std::fs::copy(house.data().join("master.key"), other.join("master.key")).expect("copied");
    std::fs::write(house.data().join("mercat.toml"), text.replace("[worker]\n", "[worker]\nhands = 0\n"))
        .expect("written");
    let mut house = house;
    house.kill();
    house.start();
    house.answers().await;
    let root = house.dir.path().join("images/app");
    layout(&root, &[tar(&[("bin/app", b"x")])], &["latest", "1.0.0"]);
    let allowed = [NOBODYS.to_owned()];
    let offer = house.offer("app", &format!("oci:{}", root.display()), &["latest", "1.0.0"], &allowed).await;
    house.save(&offer).await;
    house.publish("app").await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(house.status("app").await["steps"][0]["status"], "inProgress", "nobody works here");
    let mut worker = Command::new(BIN)
        .args(["--data", other.to_str().expect("plain"), "worker"])
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    house.until("app", &["waitingForPublisherReview"]).await;
    house.go_live("app").await;
    house.until("app", &["succeeded"]).await;
    assert!(pull(&house.base, "aurora/app/standard", "latest", None).await.is_some());
    let _ = worker.kill();
    let _ = worker.wait();
}
