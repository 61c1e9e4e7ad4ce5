//! Images of bad intent under real bubblewrap. This program is also the child that unpacks and becomes bubblewrap, so
//! it has a `main` of its own.

use mercat_artifact::oci::Compression;
use mercat_boot::start::{self, Image, Layer, Started, Test as Start};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// A name, and what it holds.
type Test = (&'static str, fn());

const TESTS: &[Test] = &[
    ("no_directory_is_made_on_the_host", no_directory_is_made_on_the_host),
    ("a_working_directory_behind_links_is_the_one_in_the_image", a_working_directory_behind_links),
    ("what_an_image_writes_has_a_limit_and_fills_no_disk", what_an_image_writes_has_a_limit),
    ("an_image_may_change_all_of_its_files", an_image_may_change_all_of_its_files),
    ("processes_have_a_limit_that_is_the_image_s_own", processes_have_a_limit),
    ("nothing_is_left_of_an_image_that_locks_its_directories", nothing_is_left_behind),
    ("a_refusal_that_names_a_long_path_is_one", a_refusal_that_names_a_long_path),
    ("what_an_image_tries_to_reach_is_heard_and_not_reached", what_an_image_tries_to_reach),
];

/// First argument of the program when it starts the image of its second argument as whoever it is.
const AS_ANYBODY: &str = "as-anybody";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(start::SUBCOMMAND) {
        return ExitCode::from(start::child());
    }
    if std::env::args().nth(1).as_deref() == Some(AS_ANYBODY) {
        let image = std::env::args().nth(2).expect("an image");
        let image = serde_json::from_str(&image).expect("an image");
        let started = start::start(&std::env::current_exe().expect("this program"), &image, 2).started;
        let _ = write!(std::io::stdout(), "{started:?}");
        return ExitCode::SUCCESS;
    }
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    let mut out = std::io::stderr();
    if !can_start() {
        let _ = writeln!(out, "skipped: no bubblewrap that can make a container, or no static busybox");
        return ExitCode::SUCCESS;
    }
    for (name, test) in TESTS.iter().filter(|(name, _)| name.contains(&wanted)) {
        let _ = writeln!(out, "test {name} ...");
        test();
    }
    ExitCode::SUCCESS
}

fn busybox() -> Option<&'static str> {
    ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).is_file())
}

fn can_start() -> bool {
    let words = ["--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true"];
    let works = Command::new("bwrap").args(words).output().is_ok_and(|out| out.status.success());
    works && busybox().is_some()
}

/// An image in a directory that everybody may pass, with a busybox whose shell runs `/bin/app`.
struct Made {
    dir: tempfile::TempDir,
    image: Image,
}

impl Made {
    fn new(script: &str, fill: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mode = |path: &Path| std::fs::set_permissions(path, PermissionsExt::from_mode(0o777));
        mode(dir.path()).expect("a mode");
        let tree = dir.path().join("tree");
        std::fs::create_dir_all(tree.join("bin")).expect("a directory");
        std::fs::copy(busybox().expect("it is there"), tree.join("bin/busybox")).expect("copied");
        symlink("busybox", tree.join("bin/sh")).expect("a link");
        std::fs::write(tree.join("bin/app"), format!("#!/bin/sh\n{script}\n")).expect("written");
        mode(&tree.join("bin/app")).expect("a mode");
        fill(&tree);
        let blob = dir.path().join("layer.tar");
        let packed = Command::new("tar").arg("-C").arg(&tree).arg("-cf").arg(&blob).arg(".").status();
        assert!(packed.expect("tar starts").success());
        let image = Image {
            layers: vec![Layer::new(blob, Compression::None)],
            command: vec!["/bin/app".to_owned()],
            environment: Vec::new(),
            directory: String::new(),
            user: String::new(),
        };
        Self { dir, image }
    }

    fn start(&self) -> Started {
        self.test().started
    }

    fn test(&self) -> Start {
        start::start(&std::env::current_exe().expect("this program"), &self.image, 5)
    }
}

/// A directory that everybody may write, which no test shares.
fn open_directory() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).expect("a mode");
    let path = dir.path().to_owned();
    (dir, path)
}

fn no_directory_is_made_on_the_host() {
    let (_dir, host) = open_directory();
    let below = host.join("made");
    for directory in [format!("/../oldroot{}", below.display()), "/w/made".to_owned(), "/r/made".to_owned()] {
        let mut made = Made::new("exit 0", |tree| {
            symlink(format!("/oldroot{}", host.display()), tree.join("w")).expect("a link");
            symlink(format!("../../../../oldroot{}", host.display()), tree.join("r")).expect("a link");
        });
        made.image.directory.clone_from(&directory);
        let started = made.start();
        assert!(!below.exists(), "{directory} made a directory on the host");
        assert_eq!(started, Started::Ended, "{directory}");
    }
    for name in ["proc", "dev", "sys"] {
        let made = Made::new("exit 0", |tree| {
            symlink(format!("/oldroot{}", below.display()), tree.join(name)).expect("a link");
        });
        let started = made.start();
        assert!(!below.exists(), "/{name} made a directory on the host");
        assert_eq!(started, Started::Ended, "/{name}");
    }
}

fn a_working_directory_behind_links() {
    let mut made = Made::new("exec busybox test $(busybox pwd) = /srv/data/new", |tree| {
        std::fs::create_dir_all(tree.join("srv/data")).expect("a directory");
        symlink("/srv", tree.join("link")).expect("a link");
    });
    made.image.directory = "/link/data/../data/./new".to_owned();
    assert_eq!(made.start(), Started::Ended);
    made.image.directory = "/bin/busybox/x".to_owned();
    let Started::Failed { why } = made.start() else { panic!("a file is no directory") };
    assert!(why.contains("WorkingDir"), "{why}");
    assert!(made.dir.path().is_dir());
}

fn what_an_image_writes_has_a_limit() {
    let made = Made::new(
        "fill() { busybox dd if=/dev/zero of=$1 bs=1M count=$2 2>/dev/null; }\n\
         for part in 1 2 3 4 5 6 7 8; do fill /part$part 100 || full=yes; done\n\
         busybox test \"$full\" = yes || exit 11\n\
         fill /dev/shm/part 100 && exit 12\n\
         fill /dev/part 100 && exit 13\n\
         exit 0",
        |_| {},
    );
    assert_eq!(made.start(), Started::Ended);
}

fn an_image_may_change_all_of_its_files() {
    let made = Made::new(
        "set -e\n\
         busybox rm -r /etc && busybox mkdir -p /etc/new && busybox test ! -e /etc/old\n\
         echo two >> /srv/file && busybox mv /srv/file /srv/moved\n\
         busybox test \"$(busybox cat /srv/moved)\" = \"$(busybox printf 'one\\ntwo')\"\n\
         echo x > /written && echo x > /dev/null && echo x > /dev/shm/x\n\
         busybox chmod 700 /srv && busybox ln -s /srv /link",
        |tree| {
            std::fs::create_dir_all(tree.join("etc")).expect("a directory");
            std::fs::write(tree.join("etc/old"), "old").expect("written");
            std::fs::create_dir_all(tree.join("srv")).expect("a directory");
            std::fs::write(tree.join("srv/file"), "one\n").expect("written");
        },
    );
    assert_eq!(made.start(), Started::Ended);
}

fn processes_have_a_limit() {
    let script = |count: u32| {
        format!("for i in $(busybox seq {count}); do busybox sleep 30 & done || exit 11\nexit 0")
    };
    assert_eq!(Made::new(&script(100), |_| {}).start(), Started::Ended);
    let Started::Failed { why } = Made::new(&script(600), |_| {}).start() else { panic!("no limit") };
    assert!(why.contains("fork"), "{why}");
}

/// As somebody who is not root: root removes whatever is there.
fn nothing_is_left_behind() {
    use std::os::unix::process::CommandExt;
    let made = Made::new(
        "busybox mkdir -p /locked/inside /srv/inside && busybox chmod 0 /locked /srv && exit 0",
        |tree| std::fs::create_dir_all(tree.join("srv")).expect("a directory"),
    );
    let (_dir, temporary) = open_directory();
    let program = made.dir.path().join("program");
    std::fs::copy(std::env::current_exe().expect("this program"), &program).expect("copied");
    let mut command = Command::new(&program);
    command.args([AS_ANYBODY, &serde_json::to_string(&made.image).expect("JSON")]);
    command.current_dir("/").env("TMPDIR", &temporary);
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let out = command.output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&out.stdout), "Ended", "{out:?}");
    assert_eq!(std::fs::read_dir(&temporary).expect("reads").count(), 0, "the tree is gone");
}

fn a_refusal_that_names_a_long_path() {
    let mut made =
        Made::new("exit 0", |tree| std::fs::write(tree.join("file"), "no directory").expect("written"));
    let upper = made.dir.path().join("upper");
    // Each letter of it is two in what the child says.
    let path = format!("file/{}", vec!["\"".repeat(200); 17].join("/"));
    std::fs::create_dir_all(upper.join(&path)).expect("directories");
    let blob = made.dir.path().join("upper.tar");
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(&upper).arg("--no-recursion").arg("-cf").arg(&blob).arg(&path);
    assert!(tar.status().expect("tar starts").success());
    made.image.layers.push(Layer::new(blob, Compression::None));
    let started = made.start();
    let Started::Failed { why } = &started else { panic!("{started:?}") };
    assert!(why.contains("cannot be unpacked") && why.len() < 1000, "{why}");
}

fn what_an_image_tries_to_reach() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = server.local_addr().expect("an address").port();
    let calls = format!(
        "busybox nc -w 1 192.0.2.7 4444 && exit 11\n\
         busybox nc -w 1 127.0.0.1 {port} && exit 12\n\
         busybox nc -w 1 ::1 {port} && exit 13\n\
         busybox nc -w 1 2001:db8::7 443 && exit 14\n\
         busybox nslookup db.example 192.0.2.53 && exit 15\n\
         busybox ip link add name way type dummy && exit 16\n\
         busybox ip route add unreachable 192.0.2.0/24 && exit 17\n"
    );
    let wanted = ["DNS db.example at 192.0.2.53", "TCP 192.0.2.7:4444", "TCP [2001:db8::7]:443"];
    // One that ends at once, and one that has to be ended.
    for (end, started) in [("exit 0", Started::Ended), ("exec busybox sleep 60", Started::Runs)] {
        let test = Made::new(&format!("{calls}{end}"), |_| {}).test();
        assert_eq!(test.started, started);
        let heard = test.calls.expect("somebody listened");
        assert_eq!(heard.made.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
        assert!(!heard.more);
    }
    let silent = Made::new("exit 0", |_| {}).test();
    assert_eq!(silent.calls, Some(start::Calls::default()));
    let many =
        Made::new("for i in $(busybox seq 80); do busybox nc -w 1 192.0.2.$i 80; done; exit 0", |_| {})
            .test();
    let heard = many.calls.expect("somebody listened");
    assert!(heard.made.len() == 50 && heard.more, "{heard:?}");
}
