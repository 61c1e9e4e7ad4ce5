//! The start test of a container image (CTR-25): its entry point runs for some seconds under bubblewrap, as one user,
//! without network, capabilities or a way to the host's files. What it tries to reach is told (CTR-31).
//!
//! A container shares the host's kernel, so this is weaker than the machine that a disk is started in; whoever runs
//! the test decides that. The image is unpacked by a child that may write nowhere but into its tree, then a second
//! child becomes bubblewrap, with what the image writes over its tree in memory. Both run as nobody where this program
//! runs as root.

mod calls;
mod network;
mod overlay;
mod unpack;

use crate::confine::{self, Limits, Paths};
use mercat_artifact::ReadError;
use mercat_artifact::layer::{Caps, LayerReader};
use mercat_artifact::oci::Compression;
pub use network::{Calls, Ear};
use rustix::process::{Gid, Resource, Rlimit, Signal, Uid, setrlimit};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use unpack::{Tree, UnpackError};

/// First argument of the program when it must unpack an image, or become bubblewrap.
pub const SUBCOMMAND: &str = "start-image";

/// Bytes that an image may unpack to here.
const BYTES_MAX: u64 = 16 << 30;
/// Seconds that unpacking may take.
const UNPACK_SECS: u64 = 900;
/// Bytes of what the image says that are kept, from the end.
const SAID_BYTES_MAX: usize = 4 << 10;
/// As many of what the unpacking child says: one line, which may name a path whose letters are six each.
const UNPACKED_BYTES_MAX: usize = 64 << 10;
/// Letters of a path that are told.
const PATH_CHARS_MAX: usize = 200;
/// Whoever runs the image where this program runs as root.
const NOBODY: u32 = 65534;
/// Bytes of `/dev/shm`, as container runtimes give.
const SHARED_BYTES_MAX: &str = "67108864";
/// Address space of one process. Programs that reserve much and use little need much.
const ADDRESSES_MAX: u64 = 32 << 30;
/// Memory of one process that it can write.
const DATA_BYTES_MAX: u64 = 2 << 30;
/// Processes and threads of an image.
const PROCESSES_MAX: u64 = 256;
/// What a container runtime sets when the image does not.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A layer as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Layer {
    /// Its blob.
    pub blob: PathBuf,
    /// `none`, `gzip` or `zstd`.
    compression: String,
}

impl Layer {
    /// A blob and how it is compressed.
    pub fn new(blob: PathBuf, compression: Compression) -> Self {
        let compression = match compression {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        };
        Self { blob, compression: compression.to_owned() }
    }
}

/// What to start, by the image's config.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Image {
    /// Layers, lowest first.
    pub layers: Vec<Layer>,
    /// `Entrypoint` and `Cmd`.
    pub command: Vec<String>,
    /// `Env`, as `NAME=value`.
    pub environment: Vec<String>,
    /// `WorkingDir`.
    pub directory: String,
    /// `User`.
    pub user: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Started {
    /// It was still running when its time was over.
    Runs,
    /// It ended by itself with code 0.
    Ended,
    /// It did not start, or ended otherwise.
    Failed {
        /// How, with the last that it said.
        why: String,
    },
    /// It was not started, for a reason of ours.
    NotRun {
        /// The reason.
        why: String,
    },
}

impl Started {
    /// Whether the next start would end alike. What failed may have lacked memory or room that is there by then.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Runs | Self::Ended)
    }
}

/// bubblewrap, when it is installed.
pub fn program() -> Option<PathBuf> {
    ["/usr/bin/bwrap", "/usr/local/bin/bwrap"].iter().map(PathBuf::from).find(|path| path.is_file())
}

#[derive(Debug, Serialize, Deserialize)]
enum Job {
    Unpack { image: Image, tree: PathBuf },
    Become { program: PathBuf, place: PathBuf, arguments: Vec<String>, seconds: u64 },
    Listen { parent: Option<i32> },
}

/// What the unpacking child says.
#[derive(Debug, Serialize, Deserialize)]
enum Unpacked {
    /// The user and group that the image names, and where in the tree its working directory is.
    Done(u32, u32, String),
    /// What the image is to blame for.
    Refused(String),
    Ours(String),
}

/// A start, and what the image did meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// What came of it.
    pub started: Started,
    /// What it tried to reach; `None` where it was not started, or nobody could listen.
    pub calls: Option<Calls>,
}

impl From<Started> for Test {
    fn from(started: Started) -> Self {
        Self { started, calls: None }
    }
}

/// Starts an image, and gives it some seconds. `this_program` calls [`child`] when its first argument is
/// [`SUBCOMMAND`].
pub fn start(this_program: &Path, image: &Image, seconds: u32) -> Test {
    match try_start(this_program, image, seconds) {
        Ok(test) => test,
        Err(why) => Started::NotRun { why }.into(),
    }
}

fn try_start(this_program: &Path, image: &Image, seconds: u32) -> Result<Test, String> {
    let told = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let bwrap = program().ok_or("bubblewrap (bwrap) is not installed")?;
    if image.command.is_empty() {
        return Ok(Started::Failed { why: "the image has neither Entrypoint nor Cmd".to_owned() }.into());
    }
    // Below a directory that others may pass: nobody cannot reach a data directory.
    let place = tempfile::tempdir().map_err(told("no temporary directory"))?;
    let place = place.path();
    let tree = place.join(overlay::TREE);
    for path in [&tree, &place.join(overlay::OVER)] {
        std::fs::create_dir(path).map_err(told("the tree"))?;
    }
    if is_root() {
        for path in [place, &tree, &place.join(overlay::OVER)] {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).map_err(told("the tree"))?;
        }
    }
    let become_bwrap = |arguments, seconds| become_bwrap(this_program, &bwrap, place, arguments, seconds);
    let probe = arguments(place, (0, 0), None);
    let done = become_bwrap(probe, 5).and_then(|child| watch(child, 5, SAID_BYTES_MAX, || ()))?;
    if !matches!(done.status, Some(status) if status.success()) {
        return Err(format!("bubblewrap cannot make a container here: {}", done.said));
    }
    let job = Job::Unpack { image: image.clone(), tree: tree.clone() };
    let unpacking = spawn(this_program, &job, Stdio::null()).map_err(told("the unpacking child"))?;
    let done = watch(unpacking, UNPACK_SECS, UNPACKED_BYTES_MAX, || ())?;
    let (user, group, directory) = match serde_json::from_str(done.said.lines().last().unwrap_or_default()) {
        Ok(Unpacked::Done(user, group, directory)) => (user, group, directory),
        Ok(Unpacked::Refused(why)) => return Ok(Started::Failed { why }.into()),
        Ok(Unpacked::Ours(why)) => return Err(why),
        Err(_) => return Err(format!("the unpacking child ended early: {}", done.said)),
    };
    let image = Image { directory, ..image.clone() };
    let arguments = arguments(place, (user, group), Some(&image));
    let child = become_bwrap(arguments, u64::from(seconds))?;
    let mut calls = None;
    let done = watch(child, u64::from(seconds), SAID_BYTES_MAX, || calls = network::heard(place))?;
    Ok(Test { started: judge(&done), calls })
}

fn judge(done: &Done) -> Started {
    let how = match done.status {
        None => return Started::Runs,
        Some(status) if status.success() => return Started::Ended,
        Some(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("it ended with code {code}"),
            (None, signal) => format!("signal {} ended it", signal.unwrap_or_default()),
        },
    };
    let after = done.after.as_secs_f64();
    let said = done.said.trim();
    // What bubblewrap says where the image has no such program.
    if let Some((program, why)) = said.strip_prefix("bwrap: execvp ").and_then(|said| said.rsplit_once(": "))
    {
        return Started::Failed { why: format!("{program} cannot be started: {why}") };
    }
    Started::Failed { why: format!("{how} after {after:.1} s; the last that it said: {said}") }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// How bubblewrap is called: for an image, or, to see whether it can at all, for nothing.
fn arguments(place: &Path, (user, group): (u32, u32), image: Option<&Image>) -> Vec<String> {
    let mut out: Vec<String> = [
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
        "--hostname",
        "mercat",
        "--clearenv",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut add = |words: &[&str]| out.extend(words.iter().map(|word| (*word).to_owned()));
    add(&["--uid", &user.to_string(), "--gid", &group.to_string()]);
    // bubblewrap would make what is missing while the host is still within reach of `..` and of links: all these
    // directories are in the tree already.
    let root = place.join(overlay::ROOT);
    match image {
        Some(_) => add(&["--bind", &root.to_string_lossy(), "/"]),
        None => add(&["--ro-bind", "/", "/"]),
    }
    add(&["--proc", "/proc", "--dev", "/dev", "--size", SHARED_BYTES_MAX, "--tmpfs", "/dev/shm"]);
    add(&["--remount-ro", "/dev"]);
    let Some(image) = image else {
        add(&["--", "/bin/true"]);
        return out;
    };
    add(&["--setenv", "HOSTNAME", "mercat", "--setenv", "PATH", PATH]);
    for variable in &image.environment {
        if let Some((name, value)) = variable.split_once('=').filter(|(name, _)| !name.is_empty()) {
            add(&["--setenv", name, value]);
        }
    }
    add(&["--chdir", &image.directory, "--"]);
    out.extend(image.command.iter().cloned());
    out
}

fn become_bwrap(
    this: &Path,
    bwrap: &Path,
    place: &Path,
    arguments: Vec<String>,
    seconds: u64,
) -> Result<Child, String> {
    let job = Job::Become { program: bwrap.to_owned(), place: place.to_owned(), arguments, seconds };
    let mut child = spawn(this, &job, Stdio::piped()).map_err(|error| format!("bubblewrap: {error}"))?;
    let filter = calls::filter()?;
    // A child that is gone already says why by how it ends.
    let _ = child.stdin.take().map(|mut input| input.write_all(&filter));
    Ok(child)
}

fn spawn(this: &Path, job: &Job, input: Stdio) -> io::Result<Child> {
    Command::new(this)
        .args([SUBCOMMAND, &serde_json::to_string(job).map_err(io::Error::other)?])
        .env_clear()
        .current_dir("/")
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

/// How a child ended, if it did.
struct Done {
    status: Option<ExitStatus>,
    after: Duration,
    said: String,
}

/// Waits for a child at most so long, then ends it, lets `at_end` have its turn, and ends all that it started. Keeps
/// the last that it said.
fn watch(mut child: Child, seconds: u64, said_max: usize, at_end: impl FnOnce()) -> Result<Done, String> {
    let begun = Instant::now();
    let (out, errors) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|threads| {
        let out = threads.spawn(|| out.map(|stream| last_said(stream, said_max)).unwrap_or_default());
        let errors = threads.spawn(|| errors.map(|stream| last_said(stream, said_max)).unwrap_or_default());
        let status = loop {
            match child.try_wait().map_err(|error| error.to_string())? {
                Some(status) => break Some(status),
                None if begun.elapsed() >= Duration::from_secs(seconds) => break None,
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let after = begun.elapsed();
        if status.is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
        at_end();
        if let Some(group) = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap_or_default()) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let _ = child.wait();
        let said = [errors.join().unwrap_or_default(), out.join().unwrap_or_default()].concat();
        Ok(Done { status, after, said: String::from_utf8_lossy(&said).into_owned() })
    })
}

/// The last bytes of a stream; it is read to its end.
fn last_said(mut stream: impl Read, bytes_max: usize) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count) = stream.read(&mut buffer) {
        if count == 0 {
            break;
        }
        kept.extend_from_slice(&buffer[..count]);
        let surplus = kept.len().saturating_sub(bytes_max);
        kept.drain(..surplus);
    }
    kept
}

/// The children's whole life, with their job in the second argument. Returns an exit code when it does not become
/// another program.
pub fn child() -> u8 {
    let job = std::env::args().nth(2).ok_or_else(|| "no job".to_owned());
    let job = job.and_then(|job| serde_json::from_str(&job).map_err(|error| error.to_string()));
    let done = job.and_then(|job| match job {
        Job::Unpack { image, tree } => {
            let said = unpack(&image, &tree).unwrap_or_else(Unpacked::Ours);
            let text = serde_json::to_string(&said).map_err(|error| error.to_string())?;
            writeln!(io::stdout(), "{text}").map_err(|error| error.to_string())
        }
        Job::Become { program, place, arguments, seconds } => {
            become_program(&program, &place, &arguments, seconds)
        }
        Job::Listen { parent } => network::listen(parent),
    });
    let Err(why) = done else { return 0 };
    let _ = writeln!(io::stderr(), "{why}");
    2
}

/// This thread is the only one of its process.
fn drop_root() -> Result<(), String> {
    if !is_root() {
        return Ok(());
    }
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    rustix::thread::set_thread_groups(&[])
        .and_then(|()| rustix::thread::set_thread_res_gid(group, group, group))
        .and_then(|()| rustix::thread::set_thread_res_uid(user, user, user))
        .map_err(|error| format!("root cannot be given up: {error}"))
}

fn become_program(program: &Path, place: &Path, arguments: &[String], seconds: u64) -> Result<(), String> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| error.to_string())?;
    let limit = |resource, value: u64| {
        setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
            .map_err(|error| format!("a resource limit cannot be set: {error}"))
    };
    limit(Resource::As, ADDRESSES_MAX)?;
    limit(Resource::Data, DATA_BYTES_MAX)?;
    limit(Resource::Cpu, seconds * 4 + 10)?;
    limit(Resource::Nofile, 4096)?;
    limit(Resource::Fsize, overlay::BYTES_MAX)?;
    limit(Resource::Core, 0)?;
    // All its processes together may still want more memory than there is: then they end, not this server.
    std::fs::write("/proc/self/oom_score_adj", "1000").map_err(|error| format!("oom_score_adj: {error}"))?;
    drop_root()?;
    overlay::mount(place)?;
    network::lead_everything_here().map_err(|error| format!("a network of its own: {error}"))?;
    let listen = Job::Listen { parent: Some(confine::own_id()) };
    let listen = serde_json::to_string(&listen).map_err(|error| error.to_string())?;
    // The network leads nowhere whether or not somebody listens; that nobody does is told.
    let _ = network::listener(place, &[SUBCOMMAND, &listen]);
    // In user namespaces of its own, where the processes of this server do not count.
    limit(Resource::Nproc, PROCESSES_MAX)?;
    // The filter comes over standard input, of which the image then finds nothing.
    let told = |error: rustix::io::Errno| format!("standard input: {error}");
    let filter = rustix::io::dup(io::stdin()).map_err(told)?;
    let nothing = File::open("/dev/null").map_err(|error| format!("/dev/null: {error}"))?;
    rustix::stdio::dup2_stdin(&nothing).map_err(told)?;
    let error = Command::new(program)
        .args(["--seccomp", &filter.as_raw_fd().to_string()])
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .exec();
    Err(format!("{}: {error}", program.display()))
}

fn unpack(image: &Image, tree: &Path) -> Result<Unpacked, String> {
    // Blobs are this program's; the tree is nobody's.
    let open = |layer: &Layer| {
        let compression = match layer.compression.as_str() {
            "gzip" => Compression::Gzip,
            "zstd" => Compression::Zstd,
            _ => Compression::None,
        };
        File::open(&layer.blob).map(|file| (file, compression)).map_err(|error| format!("a layer: {error}"))
    };
    let layers: Vec<_> = image.layers.iter().map(open).collect::<Result<_, _>>()?;
    drop_root()?;
    let paths = Paths { trees: vec![tree.to_owned()], ..Paths::default() };
    let limits = Limits { memory_bytes: 1 << 30, cpu_secs: UNPACK_SECS, files: 256, file_bytes: BYTES_MAX };
    let how = confine::confine(&paths, &limits)?;
    if how == "limits only" {
        return Err("this kernel cannot confine what unpacks the image (Landlock)".to_owned());
    }
    let mut tree = Tree::new(tree.to_owned(), BYTES_MAX);
    for (file, compression) in layers {
        let caps = Caps { unpacked_bytes: BYTES_MAX, ..Caps::default() };
        match tree.lay(LayerReader::new(file, compression, caps), caps.entries) {
            Ok(()) => {}
            Err(UnpackError::Layer(error @ ReadError::Refused { .. })) => {
                return Ok(Unpacked::Refused(format!("a layer cannot be unpacked: {error}")));
            }
            Err(UnpackError::Path { path, error }) if is_of_image(&error) => {
                return Ok(Unpacked::Refused(format!("{} cannot be unpacked: {error}", shown(&path))));
            }
            Err(error) => return Err(format!("the image was not unpacked: {error}")),
        }
    }
    let directory = match tree.furnish(&image.directory) {
        Ok(directory) => directory,
        Err(UnpackError::Path { path, error }) if is_of_image(&error) => {
            return Ok(Unpacked::Refused(format!("WorkingDir {} cannot be made: {error}", shown(&path))));
        }
        Err(error) => return Err(format!("the image was not unpacked: {error}")),
    };
    Ok(match user(&tree, &image.user) {
        Some((user, group)) => Unpacked::Done(user, group, directory),
        None => Unpacked::Refused(format!("the user {:?} is not in the image", image.user)),
    })
}

/// The beginning of a path, so that the reason behind it is not cut off.
fn shown(path: &str) -> String {
    path.chars().take(PATH_CHARS_MAX).collect()
}

/// Whether any runtime would fail to unpack this path.
fn is_of_image(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, NotADirectory, NotFound};
    matches!(error.kind(), InvalidInput | NotADirectory | NotFound)
}

/// `User` as numbers: `name`, `number`, each with `:group` behind it or not.
fn user(tree: &Tree, text: &str) -> Option<(u32, u32)> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    let line = |file: &str, name: &str| -> Option<Vec<String>> {
        let mut text = String::new();
        tree.open(file).ok()?.take(1 << 20).read_to_string(&mut text).ok()?;
        let mut lines = text.lines().map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>());
        lines.find(|fields| fields.first().is_some_and(|first| first == name))
    };
    let number = |fields: &[String], at: usize| fields.get(at)?.parse::<u32>().ok();
    let (user, own_group) = match user.parse::<u32>() {
        Ok(number) => (number, 0),
        Err(_) if user.is_empty() => (0, 0),
        Err(_) => {
            let fields = line("etc/passwd", user)?;
            (number(&fields, 2)?, number(&fields, 3)?)
        }
    };
    let group = match group.parse::<u32>() {
        Ok(number) => number,
        Err(_) if group.is_empty() => own_group,
        Err(_) => number(&line("etc/group", group)?, 2)?,
    };
    Some((user, group))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(status: Option<i32>, said: &str) -> Done {
        let status = status.map(ExitStatus::from_raw);
        Done { status, after: Duration::from_millis(200), said: said.to_owned() }
    }

    #[test]
    fn what_runs_or_ends_well_starts_and_what_fails_says_how() {
        assert_eq!(judge(&done(None, "ready")), Started::Runs);
        assert_eq!(judge(&done(Some(0), "")), Started::Ended);
        let absent = done(Some(1 << 8), "bwrap: execvp /usr/bin/a: b: No such file or directory\n");
        let Started::Failed { why } = judge(&absent) else { panic!("it failed") };
        assert_eq!(why, "/usr/bin/a: b cannot be started: No such file or directory");
        let Started::Failed { why } = judge(&done(Some(3 << 8), "no database\n")) else {
            panic!("it failed")
        };
        assert_eq!(why, "it ended with code 3 after 0.2 s; the last that it said: no database");
        let Started::Failed { why } = judge(&done(Some(11), "")) else { panic!("it failed") };
        assert!(why.starts_with("signal 11"), "{why}");
    }

    #[test]
    fn only_what_runs_is_known_for_the_next_time() {
        assert!(Started::Runs.holds() && Started::Ended.holds());
        let why = || "signal 9 ended it, or the disk was full".to_owned();
        assert!(!Started::Failed { why: why() }.holds() && !Started::NotRun { why: why() }.holds());
    }

    #[test]
    fn users_are_found_by_name_and_number() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("etc")).expect("a directory");
        std::fs::write(dir.path().join("etc/passwd"), "root:x:0:0::/:\napp:x:101:102::/:\n")
            .expect("written");
        std::fs::write(dir.path().join("etc/group"), "staff:x:50:\n").expect("written");
        let tree = Tree::new(dir.path().to_owned(), 0);
        for (text, wanted) in [
            ("", Some((0, 0))),
            ("1000", Some((1000, 0))),
            ("1000:7", Some((1000, 7))),
            ("app", Some((101, 102))),
            ("app:staff", Some((101, 50))),
            ("nobody-here", None),
            ("app:nothing", None),
        ] {
            assert_eq!(user(&tree, text), wanted, "{text}");
        }
    }

    #[test]
    fn variables_and_arguments_of_the_image_stay_what_they_are() {
        let image = Image {
            layers: Vec::new(),
            command: vec!["/app".into(), "--bind".into()],
            environment: vec!["A=b=c".into(), "=x".into(), "--bind=/".into()],
            directory: "/srv".into(),
            user: String::new(),
        };
        let words = arguments(Path::new("/t"), (1, 2), Some(&image));
        let end = words.iter().position(|word| word == "--").expect("an end of options");
        assert_eq!(words[end + 1..], ["/app", "--bind"]);
        let set: Vec<_> = words.windows(3).filter(|three| three[0] == "--setenv").collect();
        assert_eq!(set.last().map(|three| &three[1..]), Some(&["--bind".to_owned(), "/".to_owned()][..]));
        assert!(set.iter().any(|three| three[1] == "A" && three[2] == "b=c"));
    }
}
