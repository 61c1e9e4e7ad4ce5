//! Scanners that are missing, broken, slow or lying: the outcome is inconclusive, and never a pass.

use crate::house::{BIN, gzip, layout, skipped, tar};
use mercat_domain::Digest;
use mercat_worker::inspect::Reuse;
use mercat_worker::{InspectError, Inspection, Inspector, KnowledgeFiles, Loaded, Unconfined};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An image that passes.
fn image(dir: &Path) -> Digest {
    let files: &[(&str, &[u8])] = &[("app/run", b"#!/bin/sh\n"), ("app/LICENSE", b"Apache License")];
    Digest::parse(&layout(dir, &[tar(files)], &["latest"])).expect("a digest")
}

fn certify(dir: &Path, data: &Path, temporary: Option<&Path>) -> Output {
    let mut command = Command::new(BIN);
    command.args(["--data", data.to_str().expect("plain"), "certify", "--output", "json"]);
    command.arg(format!("oci:{}:latest", dir.display()));
    if let Some(path) = temporary {
        command.env("TMPDIR", path);
    }
    command.output().expect("it starts")
}

fn outcome(out: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let verdict: Value = serde_json::from_str(&text).unwrap_or_default();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    (out.status.code(), format!("{} {said}", verdict["outcome"].as_str().unwrap_or("no verdict")))
}

/// 2 is what the program ends with when it could not finish: with an inconclusive verdict, or with none.
fn assert_inconclusive(mode: &str, out: &Output) {
    let (code, said) = outcome(out);
    assert_eq!(code, Some(2), "{mode}: {said}");
    assert!(!said.starts_with("pass"), "{mode}: {said}");
}

/// Inspects with a program that stands in for the inspector.
async fn with_program(dir: &Path, root: &Digest, script: &str) -> Result<Inspection, InspectError> {
    let program = dir.join("engine");
    fs::write(&program, format!("#!/bin/sh\ncat >/dev/null\n{script}\n")).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("set");
    inspect(program, dir, root).await
}

async fn inspect(program: PathBuf, dir: &Path, root: &Digest) -> Result<Inspection, InspectError> {
    let inspector = Inspector {
        program,
        knowledge: KnowledgeFiles::default(),
        unconfined: Unconfined::Refused,
        listing: None,
        statements: None,
        expected: None,
        gentle: false,
        inventory_alone: false,
        loaded: Arc::new(Loaded::default()),
        patience_secs: 3,
    };
    inspector.inspect(root, dir, true, 0, Reuse::default(), |_, _| {}).await
}

/// A verdict that the real inspector gave, as a line of its.
fn honest(dir: &Path) -> String {
    let out = certify(dir, Path::new("/nonexistent"), None);
    let verdict = String::from_utf8_lossy(&out.stdout).into_owned();
    serde_json::json!({ "Verdict": verdict }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inspector_that_breaks_lies_or_hangs_gives_no_verdict() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = image(dir.path());
    let line = honest(dir.path());
    let other = line.replace(root.hex(), &"ab".repeat(32));
    assert_ne!(line, other);
    let say = |line: &str| format!("cat <<'END'\n{line}\nEND");
    assert!(with_program(dir.path(), &root, &say(&line)).await.is_ok(), "the stand-in itself works");
    let modes: Vec<(&str, String)> = vec![
        ("a crash", "kill -SEGV $$".into()),
        ("an abort", "kill -ABRT $$".into()),
        ("killed, as for want of memory", "kill -KILL $$".into()),
        ("exit code 137", "exit 137".into()),
        ("exit code 1", "exit 1".into()),
        ("silence", "exit 0".into()),
        ("something else than lines", "head -c 100000 /dev/urandom".into()),
        ("half a line", format!("printf '%s' '{}'", r#"{"Verdict":"{"#)),
        ("a line without end", "yes | tr -d '\\n'".into()),
        ("lines without end", r#"while :; do echo '{"Progress":[1,2]}'; done"#.into()),
        ("hangs before", "sleep 100".into()),
        ("hangs behind its verdict", format!("{}\nsleep 100", say(&line))),
        ("a verdict, then a crash", format!("{}\nkill -SEGV $$", say(&line))),
        ("a verdict, then exit code 3", format!("{}\nexit 3", say(&line))),
        ("a verdict with complaints", format!("{}\necho 'WARNING: skipped a file' >&2", say(&line))),
        ("two verdicts", format!("{}\n{}", say(&line), say(&line))),
        ("a verdict on something else", say(&other)),
        ("a verdict that is no document", say(r#"{"Verdict":"pass"}"#)),
        ("its own failure", say(r#"{"Failed":"out of temporary space"}"#)),
    ];
    println!("an inspector that breaks: {} modes", modes.len() + 2);
    for (mode, script) in &modes {
        let done = with_program(dir.path(), &root, script).await;
        assert!(done.is_err(), "{mode}");
    }
    assert!(inspect(dir.path().join("absent"), dir.path(), &root).await.is_err(), "no program");
    let plain = dir.path().join("plain");
    fs::write(&plain, "no program").expect("written");
    assert!(inspect(plain, dir.path(), &root).await.is_err(), "nothing that can be started");
}

fn import(data: &Path, lines: &str) {
    let file = data.join("list.txt");
    fs::write(&file, lines).expect("written");
    let out = Command::new(BIN)
        .args([
            "--data",
            data.to_str().expect("plain"),
            "signatures",
            "import",
            file.to_str().expect("plain"),
        ])
        .output()
        .expect("it starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn rules_and_signatures_that_cannot_be_used_are_never_left_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    fs::create_dir_all(&data).expect("made");
    image(dir.path());
    let passes = || certify(dir.path(), &data, None).status.code() == Some(0);
    assert!(passes(), "{:?}", outcome(&certify(dir.path(), &data, None)));
    import(&data, &format!("Test.Body={}\n{}:5:Test.Hash\n", "6162636465666768696a6b6c", "ab".repeat(32)));
    assert!(passes());
    let whole = fs::read(data.join("signatures.bin")).expect("reads");
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        bytes
    };
    let broken: Vec<(&str, &str, Vec<u8>)> = vec![
        ("an empty signature file", "signatures.bin", Vec::new()),
        ("a signature file cut short", "signatures.bin", whole[..whole.len() / 2].to_vec()),
        ("a signature file without its last byte", "signatures.bin", whole[..whole.len() - 1].to_vec()),
        (
            "a damaged byte pattern",
            "signatures.bin",
            flipped(whole.len() - 1_800_000.min(whole.len() / 3) - 1),
        ),
        ("a signature file of another form", "signatures.bin", flipped(8)),
        ("something else in its place", "signatures.bin", b"hello".repeat(100)),
        ("lines of hashes that are none", "hashes.txt", b"zz:1:x\n".to_vec()),
        ("malware rules that do not compile", "rules.yar", b"rule broken {".to_vec()),
        ("a malware rule that hits everything", "rules.yar", b"rule all { condition: true }".to_vec()),
        ("a policy pack that cannot be read", "policy.toml", b"name = 1".to_vec()),
    ];
    println!("rules and signatures: {} modes", broken.len());
    for (mode, file, bytes) in broken {
        let path = data.join(file);
        let before = fs::read(&path).ok();
        fs::write(&path, bytes).expect("written");
        let out = certify(dir.path(), &data, None);
        if mode == "a damaged byte pattern" && out.status.code() == Some(0) {
            // The byte lay in a hash table, whose digest is checked when it is imported.
            let shown = Command::new(BIN)
                .args(["--data", data.to_str().expect("plain"), "signatures", "show"])
                .output();
            assert!(!shown.expect("it starts").status.success(), "{mode}");
        } else {
            assert_inconclusive(mode, &out);
        }
        match before {
            Some(bytes) => fs::write(&path, bytes).expect("written"),
            None => fs::remove_file(&path).expect("removed"),
        }
        assert!(passes(), "after {mode}");
    }
}

#[test]
fn an_advisory_snapshot_that_cannot_be_used_is_not_an_empty_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    fs::create_dir_all(&data).expect("made");
    let status = b"Package: bash\nStatus: install ok installed\nVersion: 5.2\nArchitecture: amd64\n";
    let release = b"ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n";
    layout(dir.path(), &[tar(&[("var/lib/dpkg/status", status), ("etc/os-release", release)])], &["latest"]);
    for (mode, bytes) in [("empty", Vec::new()), ("something else", b"hello".repeat(1000))] {
        fs::write(data.join("advisories.bin"), bytes).expect("written");
        let out = certify(dir.path(), &data, None);
        assert_inconclusive(mode, &out);
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(text.contains("INC-17") && !text.contains("INC-06"), "{mode}: {text}");
    }
}

#[test]
fn without_a_place_for_temporary_files_nothing_is_certified() {
    let dir = tempfile::tempdir().expect("a directory");
    image(dir.path());
    let file = dir.path().join("file");
    fs::write(&file, "x").expect("written");
    let places = [
        ("a temporary directory that is absent", PathBuf::from("/nonexistent/tmp")),
        ("a file as temporary directory", file),
        ("a temporary directory that takes no files", PathBuf::from("/proc")),
        ("a temporary directory that may not be written", PathBuf::from("/sys")),
    ];
    println!("temporary files: {} modes", places.len());
    for (mode, place) in places {
        assert_inconclusive(mode, &certify(dir.path(), Path::new("/nonexistent"), Some(&place)));
    }
}

/// What a clamd that is not one does with each file.
#[derive(Clone, Copy, PartialEq)]
enum Clamd {
    Honest,
    AlwaysOk,
    AlwaysFound,
    NoUnpacking,
    LimitsExceeded,
    Errors,
    Closes,
    ClosesEarly,
    Silent,
    OtherFile,
    EndlessAnswer,
    Old,
    NoDate,
    Stranger,
}

fn exact(stream: &mut TcpStream, count: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; count];
    stream.read_exact(&mut out).ok().map(|()| out)
}

fn command(stream: &mut TcpStream) -> Option<String> {
    let mut out = Vec::new();
    loop {
        match exact(stream, 1)?[0] {
            0 => return String::from_utf8(out).ok(),
            byte => out.push(byte),
        }
    }
}

fn answer_clamd(mut stream: TcpStream, mode: Clamd) -> Option<()> {
    let mut request = 0;
    loop {
        match command(&mut stream)?.as_str() {
            "zVERSION" => {
                let version = match mode {
                    Clamd::Old => "ClamAV 1.4.6/27500/Mon Jan  6 09:12:01 2020",
                    Clamd::NoDate => "ClamAV 1.4.6",
                    Clamd::Stranger => "220 mail.example.org ESMTP",
                    _ => "ClamAV 1.4.6/27500/now",
                };
                stream.write_all(version.as_bytes()).ok()?;
                stream.write_all(&[0]).ok()?;
            }
            "zIDSESSION" => {}
            _ => {
                request += 1;
                if mode == Clamd::ClosesEarly {
                    return None;
                }
                let mut bytes = Vec::new();
                loop {
                    let length = u32::from_be_bytes(exact(&mut stream, 4)?.try_into().ok()?) as usize;
                    if length == 0 {
                        break;
                    }
                    bytes.extend(exact(&mut stream, length)?);
                }
                let text = said(mode, request, &bytes)?;
                stream.write_all(text.as_bytes()).ok()?;
                stream.write_all(&[0]).ok()?;
            }
        }
    }
}

fn said(mode: Clamd, request: u32, bytes: &[u8]) -> Option<String> {
    let name: Vec<u8> = ["EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes();
    let has = |bytes: &[u8]| bytes.windows(name.len()).any(|window| window == name);
    let unpacked = || {
        let mut out = Vec::new();
        let _ = flate2::read::GzDecoder::new(bytes).read_to_end(&mut out);
        out
    };
    let found = has(bytes) || mode != Clamd::NoUnpacking && has(&unpacked());
    let answer = match mode {
        Clamd::AlwaysOk => "stream: OK".to_owned(),
        Clamd::AlwaysFound => "stream: Everything FOUND".to_owned(),
        Clamd::LimitsExceeded if !found => "stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND".to_owned(),
        Clamd::Errors if !found => "stream: Can't create temporary file ERROR".to_owned(),
        Clamd::OtherFile if !found => "/etc/passwd: OK".to_owned(),
        Clamd::EndlessAnswer if !found => "x".repeat(1 << 20),
        Clamd::Closes => return None,
        Clamd::Silent => {
            std::thread::sleep(std::time::Duration::from_secs(20));
            return None;
        }
        _ if found => "stream: Eicar-Test FOUND".to_owned(),
        _ => "stream: OK".to_owned(),
    };
    Some(format!("{request}: {answer}"))
}

/// The port of a clamd that behaves so.
fn clamd(mode: Clamd) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer_clamd(stream, mode));
        }
    });
    port
}

/// The port of a clamd that answers no file clearly until it is told to.
pub(crate) fn recovering_clamd() -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let well = Arc::new(AtomicBool::new(false));
    let seen = well.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mode = if seen.load(Ordering::SeqCst) { Clamd::Honest } else { Clamd::Closes };
            std::thread::spawn(move || answer_clamd(stream, mode));
        }
    });
    (port, well)
}

fn configure(data: &Path, socket: &str, days: u32) {
    let text = format!(
        "[certification.clamd]\nsocket = \"{socket}\"\ndatabase_days_max = {days}\ntimeout_secs = 2\n"
    );
    fs::create_dir_all(data).expect("made");
    fs::write(data.join("mercat.toml"), text).expect("written");
}

#[test]
fn a_clamd_that_does_not_answer_clearly_is_inconclusive() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    image(dir.path());
    configure(&data, &format!("127.0.0.1:{}", clamd(Clamd::Honest)), 0);
    let honest = certify(dir.path(), &data, None);
    assert_eq!(honest.status.code(), Some(0), "{:?}", outcome(&honest));
    let modes = [
        ("finds nothing", Clamd::AlwaysOk, 0),
        ("finds everything", Clamd::AlwaysFound, 0),
        ("does not unpack", Clamd::NoUnpacking, 0),
        ("limits exceeded", Clamd::LimitsExceeded, 0),
        ("errors", Clamd::Errors, 0),
        ("closes", Clamd::Closes, 0),
        ("closes early", Clamd::ClosesEarly, 0),
        ("is silent", Clamd::Silent, 0),
        ("answers about another file", Clamd::OtherFile, 0),
        ("answers without end", Clamd::EndlessAnswer, 0),
        ("has an old database", Clamd::Old, 7),
        ("has no database", Clamd::NoDate, 7),
        ("is something else", Clamd::Stranger, 0),
    ];
    println!("clamd: {} modes", modes.len() + 2);
    for (name, mode, days) in modes {
        configure(&data, &format!("127.0.0.1:{}", clamd(mode)), days);
        let out = certify(dir.path(), &data, None);
        assert_inconclusive(name, &out);
    }
    configure(&data, "127.0.0.1:1", 0);
    assert_inconclusive("nobody listens", &certify(dir.path(), &data, None));
    configure(&data, "/nonexistent/clamd.sock", 0);
    assert_inconclusive("no socket", &certify(dir.path(), &data, None));
}

/// A real clamd with one signature of its own; `None` where it is not installed.
fn real_clamd(dir: &Path) -> Option<(std::process::Child, PathBuf)> {
    let database = dir.join("database");
    fs::create_dir_all(&database).expect("made");
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let test = ["X5O!P%@AP[4\\PZX54(P^)7CC)", "7}$EICAR-STANDARD-ANTI", "VIRUS-TEST-FILE!$H+H*"].concat();
    let signatures = format!("Eicar:0:*:{}\nOwn.Marker:0:*:{}\n", hex(&test), hex("own-marker-of-this-test"));
    fs::write(database.join("test.ndb"), signatures).expect("written");
    let socket = dir.join("clamd.sock");
    let configuration = format!(
        "LocalSocket {}\nDatabaseDirectory {}\nForeground yes\nTemporaryDirectory {}\nStreamMaxLength 30M\n",
        socket.display(),
        database.display(),
        dir.display()
    );
    let file = dir.join("clamd.conf");
    fs::write(&file, configuration).expect("written");
    let child = Command::new("clamd")
        .arg(format!("--config-file={}", file.display()))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .env("PATH", std::env::var("PATH").unwrap_or_default() + ":/usr/sbin")
        .spawn()
        .ok()?;
    for _ in 0..200 {
        if socket.exists() {
            return Some((child, socket));
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("clamd does not listen");
}

#[test]
fn a_real_clamd_sees_plain_files_at_every_depth() {
    let dir = tempfile::tempdir().expect("a directory");
    let Some((mut child, socket)) = real_clamd(dir.path()) else {
        return skipped("skipped: clamd is absent");
    };
    let marker = b"... own-marker-of-this-test ...";
    let packed = gzip(&tar(&[("deep/file", marker)]));
    let late = [&crate::house::noise(26 << 20, 3)[..], marker].concat();
    let files: &[(&str, &[u8])] = &[
        ("plain", marker),
        ("packed.tar.gz", &packed),
        ("late", &late),
        ("good", b"good"),
        ("LICENSE", b"MIT"),
    ];
    let root = dir.path().join("image");
    layout(&root, &[tar(files)], &["latest"]);
    let data = dir.path().join("data");
    configure(&data, socket.to_str().expect("plain"), 0);
    let out = certify(&root, &data, None);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let verdict: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{:?}", outcome(&out)));
    let found: Vec<&str> = verdict["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|finding| finding["observed"].as_str().is_some_and(|text| text.contains("Own.Marker")))
        .filter_map(|finding| finding["path"].as_str())
        .collect();
    assert_eq!(found, ["late", "packed.tar.gz!/content!/deep/file", "plain"], "{verdict:#}");
    assert!(!text.contains("INC-20"), "{verdict:#}");
    let _ = child.kill();
    let _ = child.wait();
    assert_inconclusive("a clamd that went away", &certify(&root, &data, None));
}
