//! The API document, and the command line's help.

use crate::House;
use crate::house::{BIN, layout, noise, sha256, tar};
use serde_json::{Value, json};
use std::io::BufRead as _;
use std::path::Path;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_api_document_names_every_api_route() {
    let house = House::open().await;
    let answer = house.http.get(format!("{}/api/openapi.json", house.base)).send().await.expect("answers");
    let document: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
    assert_eq!(document["openapi"], "3.1.0");
    let routes = mercat_web::routes::ROUTES.iter().filter(|route| route.path.starts_with("/api"));
    for route in routes {
        assert!(
            document["paths"][route.path][route.method.to_lowercase()].is_object(),
            "{} {}",
            route.method,
            route.path
        );
    }
}

#[test]
fn help_teaches_the_references_and_the_exit_codes() {
    let out = Command::new(BIN).args(["certify", "--help"]).output().expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    for part in ["oci:DIR", "docker-archive:FILE", "--output", "--sbom"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let out = Command::new(BIN).arg("--help").output().expect("it starts");
    assert!(String::from_utf8_lossy(&out.stdout).contains("64 usage"));
}

/// Runs a server until it has set itself up; gives what it said on standard error.
fn set_up(data: &Path) -> String {
    let mut server = Command::new(BIN)
        .arg("--data")
        .arg(data)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = std::io::BufReader::new(server.stdout.take().expect("piped")).lines();
    let link = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("sign-in, works once")));
    assert!(link.is_some(), "the server has set itself up");
    server.kill().expect("it runs");
    let told = server.wait_with_output().expect("it ended").stderr;
    String::from_utf8_lossy(&told).into_owned()
}

#[test]
fn doctor_says_what_is_missing_and_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let out = Command::new(BIN)
        .args(["--data", data.to_str().expect("plain"), "doctor"])
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(0), "{text}");
    assert!(text.contains("mercat advisories import") && text.contains("confines itself"), "{text}");
    assert!(text.contains("is not there yet") && !data.exists(), "looking makes nothing: {text}");
    std::fs::create_dir(&data).expect("made");
    let out = Command::new(BIN).arg("--data").arg(&data).arg("doctor").output().expect("it starts");
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stdout));
    assert_eq!(std::fs::read_dir(&data).expect("there").count(), 0, "looking makes nothing");
    // A server that is there already has the port.
    let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = format!("[server]\nlisten = \"{}\"\n", held.local_addr().expect("an address"));
    std::fs::write(data.join("mercat.toml"), listen).expect("written");
    let out = Command::new(BIN).arg("--data").arg(&data).arg("doctor").output().expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.code() == Some(0) && text.contains("is in use: by a running mercat serve"), "{text}");
    // A mail server that does not answer, and a key that is another than the one before.
    std::fs::remove_file(data.join("mercat.toml")).expect("there");
    set_up(&data);
    for (keep, code, words) in
        [(1, 0, "uploads: have room for "), (1_u64 << 40, 2, "lower [depot] keep_free_mib")]
    {
        let config = format!("[depot]\nkeep_free_mib = {keep}\n");
        std::fs::write(data.join("mercat.toml"), config).expect("written");
        let out = Command::new(BIN).arg("--data").arg(&data).arg("doctor").output().expect("it starts");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(out.status.code() == Some(code) && text.contains(words), "{text}");
    }
    std::fs::write(
        data.join("mercat.toml"),
        "[smtp]\nhost = \"127.0.0.1\"\nport = 9\nfrom = \"m@example.org\"\n",
    )
    .expect("written");
    let out = Command::new(BIN)
        .args(["--data", data.to_str().expect("plain"), "doctor"])
        .env("MERCAT_MASTER_KEY", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=")
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(2), "{text}");
    for part in ["smtp.security is starttls", "does not open what this server has sealed"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    std::fs::write(data.join("mercat.toml"), "[publishing]\ncancel = \"never\"\n").expect("written");
    let out = Command::new(BIN)
        .args(["--data", data.to_str().expect("plain"), "doctor"])
        .output()
        .expect("it starts");
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stdout).contains("from-sign-off or any-time"));
}

const RECORD: &str = r#"{"id":"CVE-2026-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm",
    "name":"x"},"versions":["1.0.0"]}]}"#;

/// Makes a directory with one record.
fn put_record(records: &Path) {
    std::fs::create_dir(records).expect("made");
    std::fs::write(records.join("CVE-2026-1.json"), RECORD).expect("written");
}

#[test]
fn doctor_reads_the_advisories_to_their_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data, records) = (dir.path().join("data"), dir.path().join("records"));
    put_record(&records);
    let mercat =
        |rest: &[&str]| Command::new(BIN).arg("--data").arg(&data).args(rest).output().expect("it starts");
    let out = mercat(&["advisories", "import", records.to_str().expect("plain")]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(mercat(&["doctor"]).status.code(), Some(0));
    // One bit of a name, which no table tells.
    let snapshot = data.join("advisories.bin");
    let mut bytes = std::fs::read(&snapshot).expect("there");
    let at = bytes.windows(10).position(|part| part == b"CVE-2026-1").expect("in plain");
    bytes[at + 9] ^= 1;
    std::fs::write(&snapshot, bytes).expect("written");
    let out = mercat(&["doctor"]);
    let told = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.code() == Some(2) && told.contains("--replace"), "{told}");
}

#[test]
fn an_import_that_could_not_read_all_says_so_by_its_code_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data, records) = (dir.path().join("data"), dir.path().join("records"));
    put_record(&records);
    std::fs::write(records.join("CVE-2026-2.json"), &RECORD[..60]).expect("written");
    let mercat =
        |rest: &[&str]| Command::new(BIN).arg("--data").arg(&data).args(rest).output().expect("it starts");
    let out = mercat(&["advisories", "import", records.to_str().expect("plain")]);
    let told = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(2), "{told}");
    assert!(told.contains("not used: ") && told.contains("CVE-2026-2.json"), "{told}");
    assert!(told.contains("1 could not be read: what they tell of will not be found"), "{told}");
    let shown = mercat(&["advisories", "show"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("1 not used"), "{shown:?}");
}

#[test]
fn a_server_says_at_once_that_its_advisories_cannot_be_used() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("advisories.bin"), [7; 100_000]).expect("written");
    let told = set_up(dir.path());
    assert!(told.contains("ERROR") && told.contains("SNP-02"), "{told}");
}

#[test]
fn advisories_that_are_named_and_are_none_are_an_error_and_no_pass() {
    let dir = tempfile::tempdir().expect("a directory");
    crate::house::layout(dir.path(), &[crate::house::tar(&[("a", b"b")])], &["latest"]);
    let file = dir.path().join("not-a-snapshot");
    std::fs::write(&file, "root:x:0:0").expect("written");
    let out = Command::new(BIN)
        .args(["--data", "/nonexistent-mercat", "certify", "--advisories", file.to_str().expect("plain")])
        .arg(format!("oci:{}:latest", dir.path().display()))
        .output()
        .expect("it starts");
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() != Some(0) && told.contains("not-a-snapshot"), "{:?} {told}", out.status);
}

fn verdict(image: &Path, cache: &Path) -> Value {
    let out = Command::new(BIN)
        .args(["--data", "/nonexistent-mercat", "certify", "--format", "json", "--cache"])
        .arg(cache)
        .arg(format!("oci:{}:latest", image.display()))
        .output()
        .expect("it starts");
    serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)))
}

/// Makes a layer unreadable, so that reading it cannot go unnoticed.
fn spoil(image: &Path, layer: &[u8]) {
    let blob = image.join("blobs/sha256").join(&sha256(&crate::house::gzip(layer))[7..]);
    let size = std::fs::metadata(&blob).expect("a blob").len();
    std::fs::write(&blob, vec![0; usize::try_from(size).expect("small")]).expect("written");
}

#[test]
fn a_cache_reads_what_is_new_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let (image, cache) = (dir.path().join("image"), dir.path().join("cache"));
    let base = tar(&[("opt/base", &noise(1 << 20, 1))]);
    layout(&image, std::slice::from_ref(&base), &["latest"]);
    let first = verdict(&image, &cache);
    assert_eq!(first["outcome"], "pass", "{first:#}");
    spoil(&image, &base);
    assert_eq!(verdict(&image, &cache), first, "nothing was read");
    let virus = tar(&[("opt/new", &crate::threats::test_string())]);
    layout(&image, &[base.clone(), virus], &["latest"]);
    spoil(&image, &base);
    let rules = |verdict: &Value| -> Vec<String> {
        let findings = verdict["findings"].as_array().expect("a list").iter();
        findings.map(|finding| finding["rule"].as_str().expect("a rule").to_owned()).collect()
    };
    let second = rules(&verdict(&image, &cache));
    assert!(second.contains(&"CTR-20".to_owned()), "the new layer was read: {second:?}");
    let fresh = rules(&verdict(&image, &dir.path().join("another")));
    let broken: Vec<&String> = fresh.iter().filter(|rule| !second.contains(rule)).collect();
    assert!(!broken.is_empty(), "the old layer is unreadable, but only without a cache: {fresh:?}");
}

#[test]
fn damage_is_told_as_damage_of_a_copy_and_made_good_in_a_cache() {
    let dir = tempfile::tempdir().expect("a directory");
    let (image, cache) = (dir.path().join("image"), dir.path().join("cache"));
    let layer = tar(&[("opt/base", &noise(1 << 20, 1))]);
    layout(&image, std::slice::from_ref(&layer), &["latest"]);
    let first = verdict(&image, &cache);
    assert_eq!(first["outcome"], "pass", "{first:#}");
    let entries = || std::fs::read_dir(&cache).expect("a cache").map(|entry| entry.expect("an entry").path());
    for damage in
        [|_: &[u8]| Vec::new(), |kept: &[u8]| kept[..kept.len() / 2].to_vec(), |_: &[u8]| b"x".to_vec()]
    {
        for entry in entries() {
            let kept = std::fs::read(&entry).expect("an entry");
            std::fs::write(&entry, damage(&kept)).expect("written");
        }
        assert_eq!(verdict(&image, &cache), first);
    }
    let blob = image.join("blobs/sha256").join(&sha256(&crate::house::gzip(&layer))[7..]);
    let whole = std::fs::read(&blob).expect("a blob");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x40;
    for damaged in [&whole[..whole.len() / 2], &flipped] {
        std::fs::write(&blob, damaged).expect("written");
        let told = verdict(&image, &dir.path().join("another"));
        let errors = told["findings"].as_array().expect("a list").iter().filter(|f| f["severity"] == "error");
        let rules: Vec<_> = errors.map(|finding| finding["rule"].as_str().unwrap_or_default()).collect();
        assert_eq!(rules, ["CTR-13"], "{told:#}");
    }
    // Fewer bytes are noticed with a cache, too; and what is said of a damaged copy is not said of a whole one.
    std::fs::write(&blob, &whole[..whole.len() / 2]).expect("written");
    assert_eq!(verdict(&image, &cache)["outcome"], "findings");
    assert_eq!(verdict(&image, &dir.path().join("third"))["outcome"], "findings");
    std::fs::write(&blob, &whole).expect("written");
    assert_eq!(verdict(&image, &cache), first);
    assert_eq!(verdict(&image, &dir.path().join("third")), first);
}

#[test]
fn a_cache_is_its_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    let (image, cache) = (dir.path().join("image"), dir.path().join("cache"));
    layout(&image, &[tar(&[("a", b"b")])], &["latest"]);
    let first = verdict(&image, &cache);
    // What is no file is not read: a pipe would be waited for without end.
    for entry in std::fs::read_dir(&cache).expect("a cache") {
        let path = entry.expect("an entry").path();
        std::fs::remove_file(&path).expect("removed");
        let made = Command::new("mkfifo").arg(&path).status().expect("it starts");
        assert!(made.success());
    }
    assert_eq!(verdict(&image, &cache), first);
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).expect("set");
    let out = Command::new(BIN)
        .args(["--data", "/nonexistent-mercat", "certify", "--cache"])
        .args([cache.as_os_str(), format!("oci:{}:latest", image.display()).as_ref()])
        .output()
        .expect("it starts");
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(2) && told.contains("chmod go-w"), "{:?} {told}", out.status);
}

#[test]
fn imports_at_the_same_time_lose_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let text = |path: &Path| path.to_str().expect("plain").to_owned();
    let imports: Vec<_> = ["npm", "PyPI", "RubyGems"]
        .iter()
        .map(|ecosystem| {
            let file = dir.path().join(format!("{ecosystem}.json"));
            let record = json!({"id": format!("X-{ecosystem}"), "modified": "2026-01-01T00:00:00Z",
                "affected": [{"package": {"ecosystem": ecosystem, "name": "a"}, "versions": ["1"]}]});
            std::fs::write(&file, record.to_string()).expect("written");
            let arguments = ["--data".into(), text(&data), "advisories".into(), "import".into(), text(&file)];
            Command::new(BIN).args(arguments).stdout(std::process::Stdio::null()).spawn().expect("it starts")
        })
        .collect();
    for mut import in imports {
        assert!(import.wait().expect("it ends").success());
    }
    let out =
        Command::new(BIN).args(["--data", &text(&data), "advisories", "show"]).output().expect("it starts");
    let shown = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(shown.contains("3 advisories of 3 records"), "{shown}");
}

#[test]
fn what_cannot_be_meant_is_usage_with_what_to_say_instead() {
    let dir = tempfile::tempdir().expect("a directory");
    let image = dir.path().join("image");
    layout(&image, &[tar(&[("a", b"b")])], &["latest"]);
    let notes = dir.path().join("notes.txt");
    std::fs::write(&notes, "notes").expect("written");
    let disk = dir.path().join("disk.img");
    std::fs::write(&disk, [0; 1024]).expect("written");
    let text = |path: &Path| path.to_str().expect("plain").to_owned();
    let reference = format!("oci:{}:latest", image.display());
    for (arguments, part) in [
        (vec![text(&notes)], "oci-archive:"),
        (vec![text(&image)], "oci:"),
        (vec!["nosuch.tar".into()], "nosuch.tar: no such file; an image"),
        (vec![text(&dir.path().join("nosuch.tar.gz"))], "nosuch.tar.gz: no such file"),
        (vec!["./nosuch".into()], "./nosuch: no such file or directory"),
        (vec!["src/nosuch".into()], "no such file in the directory src"),
        (vec![reference.clone(), "--os".into(), "linux".into()], "--os is about disks"),
        (vec![reference.clone(), "--data-disk".into()], "--data-disk is about disks"),
        (vec![reference.clone(), "--disk-format".into(), "raw".into()], "--disk-format is about disks"),
        (vec![reference.clone(), "--username".into(), "u".into()], "--username is about registries"),
        (vec![reference.clone(), "--allow".into(), "127.0.0.1:1".into()], "--allow is about registries"),
        (vec![text(&disk), "--username".into(), "u".into()], "--username is about registries"),
        (vec!["/dev/null".into()], "/dev/null is no regular file"),
        (vec![reference.clone(), "--policy".into(), "nosuch".into()], "legacy-2021"),
        (vec![reference, "--vex".into(), "nosuch".into()], "--vex nosuch"),
        (vec![text(&disk), "--cache".into(), text(dir.path())], "--cache is about images"),
        (vec![text(&disk), "--policy".into(), "nosuch".into()], "legacy-2021"),
        (vec![text(&disk), "--os".into(), "linux".into(), "--data-disk".into()], "cannot be used with"),
    ] {
        let out =
            Command::new(BIN).args(["--data", "/nonexistent-mercat", "certify"]).args(&arguments).output();
        let out = out.expect("it starts");
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(
            out.status.code() == Some(64) && told.contains(part),
            "{arguments:?}: {:?} {told}",
            out.status
        );
    }
}
