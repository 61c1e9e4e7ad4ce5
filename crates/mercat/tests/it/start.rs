//! The start test of container images, under real bubblewrap.

use crate::House;
use crate::house::{has, layout, skipped, tar};
use mercat_certify::Policy;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

/// Whether bubblewrap can make a container here, and there is a shell to put into it.
fn can_start() -> bool {
    let words = [
        "--unshare-user",
        "--unshare-net",
        "--unshare-pid",
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "true",
    ];
    let works =
        has("bwrap") && Command::new("bwrap").args(words).output().is_ok_and(|out| out.status.success());
    let alone = Command::new("busybox").args(["ldd", "/bin/busybox"]).output().is_ok();
    if !works || !alone {
        skipped(
            "skipped: no bubblewrap that can make a container, or no busybox, so no entry point was started",
        );
    }
    works && alone
}

/// An image whose entry point, `/bin/app`, is a script for the shell of a static busybox.
fn image(root: &Path, script: &str) {
    let tree = root.with_extension("tree");
    fs::create_dir_all(tree.join("bin")).expect("a directory");
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).is_file());
    fs::copy(busybox.expect("it is there"), tree.join("bin/busybox")).expect("copied");
    symlink("busybox", tree.join("bin/sh")).expect("a link");
    fs::write(tree.join("bin/app"), format!("#!/bin/sh\n{script}\n")).expect("written");
    fs::set_permissions(tree.join("bin/app"), fs::Permissions::from_mode(0o755)).expect("a mode");
    let packed =
        Command::new("tar").arg("-C").arg(&tree).args(["-cf", "-", "bin"]).output().expect("tar starts");
    layout(root, &[packed.stdout], &["1.0.0", "latest"]);
}

async fn house(severity: &str) -> House {
    let mut house = House::open().await;
    let policy = Policy::built_in()
        .replacen("start = \"off\"", "start = \"when-available\"", 1)
        .replacen("start_seconds = 10", "start_seconds = 3", 1)
        .replacen("CTR-25 = \"warning\"", &format!("CTR-25 = \"{severity}\""), 1);
    fs::write(house.data().join("policy.toml"), policy).expect("written");
    house.kill();
    house.start();
    house.answers().await;
    house
}

/// Publishes an image with this entry point, and gives the status when certification is over.
async fn published(house: &House, offer: &str, script: &str) -> Value {
    published_with(house, offer, script, &[]).await
}

async fn published_with(house: &House, offer: &str, script: &str, fields: &[(&str, Value)]) -> Value {
    let root = house.dir.path().join("images").join(offer);
    image(&root, script);
    let reference = format!("oci:{}", root.display());
    let customer = house.subscription().await.0;
    let mut document = house.offer(offer, &reference, &["1.0.0", "latest"], &[customer]).await;
    for (field, value) in fields {
        document["plans"][0][field] = value.clone();
    }
    house.save(&document).await;
    house.publish(offer).await;
    house.until(offer, &["failed", "waitingForPublisherReview"]).await
}

fn messages(status: &Value) -> String {
    status["steps"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_point_that_runs_or_ends_well_passes_in_a_box_without_a_way_out() {
    if !can_start() {
        return;
    }
    let house = house("error").await;
    let status = published(&house, "runs", "exec busybox sleep 60").await;
    assert!(messages(&status).contains("message-start-runs"), "{status:#}");
    let script = format!(
        "busybox test $(busybox id -u) = 1000 || exit 11\n\
         busybox test $(busybox ip -o link | busybox wc -l) = 1 || exit 12\n\
         busybox test ! -e {} || exit 13\n\
         busybox mount -t tmpfs none /bin && exit 14\n\
         busybox unshare -r busybox true && exit 15\n\
         busybox wget -q -T 2 -O /dev/null {} && exit 16\n\
         busybox test \"$HOSTNAME\" = mercat && busybox touch /written || exit 17\n\
         exit 0",
        house.data().display(),
        house.base,
    );
    let status = published(&house, "ends", &script).await;
    assert!(messages(&status).contains("message-start-ended"), "{status:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_point_that_fails_is_told_with_what_it_said() {
    if !can_start() {
        return;
    }
    let house = house("error").await;
    let status = published(&house, "fails", "echo no database here >&2; exit 3").await;
    let found = House::blocking(&status);
    let finding = found.iter().find(|finding| finding["rule"] == "CTR-25");
    let finding = finding.unwrap_or_else(|| panic!("{status:#}"));
    let observed = finding["observed"].as_str().expect("text");
    assert!(observed.contains("code 3") && observed.contains("no database here"), "{observed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_entry_point_calls_is_told_and_it_starts_as_its_plan_says() {
    if !can_start() {
        return;
    }
    let house = house("error").await;
    let script = "busybox nc -w 1 192.0.2.9 25\n\
                  busybox test \"$MODE $MORE $1\" = 'fast yes word' || exit 9\n\
                  exit 0";
    let fields = [
        ("edgeEnv", serde_json::json!([{"name": "MODE", "value": "fast"}])),
        ("edgeCreateOptions", serde_json::json!(r#"{"Env":["MORE=yes"],"Entrypoint":["/bin/app","word"]}"#)),
    ];
    let status = published_with(&house, "calls", script, &fields).await;
    assert_eq!(House::blocking(&status), Vec::<Value>::new(), "{status:#}");
    let steps = messages(&status);
    assert!(steps.contains("message-start-ended"), "{status:#}");
    assert!(steps.contains("CTR-31") && steps.contains("TCP 192.0.2.9:25"), "{status:#}");
    // Without what the plan sets, the same image does not start.
    let status = published(&house, "bare", script).await;
    assert!(House::blocking(&status).iter().any(|finding| finding["rule"] == "CTR-25"), "{status:#}");
}

#[test]
fn a_start_that_the_policy_asks_for_is_no_pass_of_the_command_line() {
    let dir = tempfile::tempdir().expect("a directory");
    layout(dir.path(), &[tar(&[("bin/sh", b"sh"), ("bin/app", b"#!/bin/sh\n")])], &["1.0.0"]);
    let policy = dir.path().join("policy.toml");
    let result = |start: &str| {
        let pack = Policy::built_in().replacen("start = \"off\"", &format!("start = \"{start}\""), 1);
        fs::write(&policy, pack).expect("written");
        let out = Command::new(env!("CARGO_BIN_EXE_mercat"))
            .args(["--data", "/nonexistent", "certify", "--output", "json", "--policy"])
            .args([&policy, &Path::new(&format!("oci:{}", dir.path().display())).to_owned()])
            .output()
            .expect("it starts");
        let verdict: Value = serde_json::from_slice(&out.stdout).expect("a verdict");
        let checks = verdict["checks"].as_array().expect("checks").clone();
        checks.iter().find(|check| check["rule"] == "CTR-25").map(|check| check["result"].clone())
    };
    assert_eq!(result("off"), None);
    assert_eq!(result("required"), Some(json!("boot-only")));
    assert_eq!(result("when-available"), Some(json!("boot-only")));
}

#[test]
fn an_image_without_what_it_starts_is_told_by_its_names_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let certify = |files: &[(&str, &[u8])]| {
        layout(dir.path(), &[tar(files)], &["1.0.0"]);
        let out = Command::new(env!("CARGO_BIN_EXE_mercat"))
            .args(["--data", "/nonexistent", "certify", "--output", "json"])
            .arg(format!("oci:{}", dir.path().display()))
            .output()
            .expect("it starts");
        serde_json::from_slice::<Value>(&out.stdout).expect("a verdict")
    };
    let rules = |verdict: &Value, list: &str| -> Vec<Value> {
        let all = verdict[list].as_array().expect("a list").iter();
        all.filter(|one| one["rule"] == "CTR-25").cloned().collect()
    };
    let verdict = certify(&[("bin/other", b"#!/bin/sh\n")]);
    let found = rules(&verdict, "findings");
    assert_eq!(found.len(), 1, "{verdict:#}");
    assert_eq!(found[0]["severity"], "warning");
    assert_eq!(found[0]["observed"], "Entrypoint starts \"/bin/app\", which is not in the image");
    assert_eq!(rules(&verdict, "checks")[0]["result"], "warning");
    let verdict = certify(&[("bin/app", b"#!/bin/sh\n")]);
    let script = "Entrypoint starts \"/bin/app\", a script for \"/bin/sh\", which is not in the image";
    assert_eq!(rules(&verdict, "findings")[0]["observed"], script);
    let verdict = certify(&[("bin/sh", b"sh"), ("bin/app", b"#!/bin/sh\n")]);
    assert_eq!((rules(&verdict, "findings").len(), rules(&verdict, "checks").len()), (0, 0), "{verdict:#}");
}

/// What a plan starts instead need not be what the image starts.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_starts_something_else_is_not_judged_by_what_the_image_starts() {
    let house = House::open().await;
    let root = house.dir.path().join("images/shared");
    layout(&root, &[tar(&[("bin/other", b"other")])], &["1.0.0", "latest"]);
    let reference = format!("oci:{}", root.display());
    for (offer, options, is_told) in
        [("first", r#"{"Env":["A=b"]}"#, true), ("second", r#"{"Entrypoint":["/bin/other"]}"#, false)]
    {
        let customer = house.subscription().await.0;
        let mut document = house.offer(offer, &reference, &["1.0.0", "latest"], &[customer]).await;
        document["plans"][0]["edgeCreateOptions"] = json!(options);
        house.save(&document).await;
        house.publish(offer).await;
        let status = house.until(offer, &["failed", "waitingForPublisherReview"]).await;
        assert_eq!(messages(&status).contains("\"CTR-25\""), is_told, "{options} {status:#}");
    }
}
