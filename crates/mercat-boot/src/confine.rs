//! What a child that touches bytes of others may still do.
//!
//! It confines itself before it reads a byte: Landlock leaves it the named paths and, on kernels
//! that know how, no network; resource limits bound its memory, time, files and output. A program
//! of somebody else (QEMU) is started by [`child`], which confines itself and then becomes it.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, make_bitflags,
};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Bounds of a child.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Limits {
    /// Address space in bytes.
    pub memory_bytes: u64,
    /// Processor time in seconds, of all threads together.
    pub cpu_secs: u64,
    /// Open files.
    pub files: u64,
    /// Largest file that it may write, in bytes.
    pub file_bytes: u64,
}

/// Paths that stay open to a child. What does not exist is left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Paths {
    /// Files and directories that may be read.
    pub readable: Vec<PathBuf>,
    /// Files and directories that may be read and started or mapped as programs.
    pub executable: Vec<PathBuf>,
    /// Directories in which files may be made, written and removed.
    pub writable: Vec<PathBuf>,
    /// Devices that may be read and written.
    pub devices: Vec<PathBuf>,
    /// Directories in which anything but devices may be made.
    #[serde(default)]
    pub trees: Vec<PathBuf>,
}

/// Where programs keep their libraries.
const LIBRARIES: &[&str] = &["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib"];

impl Paths {
    /// What any program needs: itself, its libraries, and a directory to work in.
    pub fn of_program(program: &std::path::Path, directory: &std::path::Path) -> Self {
        let libraries = LIBRARIES.iter().map(PathBuf::from);
        Self {
            readable: vec!["/etc/ld.so.cache".into(), "/dev/urandom".into()],
            executable: libraries.chain([program.to_owned()]).collect(),
            writable: vec![directory.to_owned()],
            ..Self::default()
        }
    }
}

/// Confines this process for good. Returns what the kernel enforces: `confined`, `partly
/// confined` or `limits only`.
///
/// # Errors
/// When a limit cannot be set.
pub fn confine(paths: &Paths, limits: &Limits) -> Result<&'static str, String> {
    let limit = |resource, value: u64| {
        // What was given less has less: nobody may raise it.
        let value = getrlimit(resource).maximum.map_or(value, |most| most.min(value));
        setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
            .map_err(|error| format!("the resource limit {resource:?} cannot be set to {value}: {error}"))
    };
    limit(Resource::As, limits.memory_bytes)?;
    limit(Resource::Cpu, limits.cpu_secs)?;
    limit(Resource::Nofile, limits.files)?;
    limit(Resource::Fsize, limits.file_bytes)?;
    limit(Resource::Core, 0)?;
    landlock(paths).map_err(|error| format!("landlock: {error}"))
}

fn landlock(paths: &Paths) -> Result<&'static str, landlock::RulesetError> {
    let abi = ABI::V4;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .create()?;
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let device = make_bitflags!(AccessFs::{ReadFile | WriteFile});
    let write = read | make_bitflags!(AccessFs::{WriteFile | MakeReg | MakeSock | RemoveFile | Truncate});
    let tree = write | make_bitflags!(AccessFs::{MakeDir | MakeSym | RemoveDir | Refer});
    let parts = [
        (&paths.readable, read),
        (&paths.executable, read | AccessFs::Execute),
        (&paths.writable, write),
        (&paths.devices, device),
        (&paths.trees, tree),
    ];
    for (paths, access) in parts {
        for path in paths {
            rules = allow(rules, path, access)?;
        }
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => "confined",
        RulesetStatus::PartiallyEnforced => "partly confined",
        RulesetStatus::NotEnforced => "limits only",
    })
}

fn allow(
    rules: RulesetCreated,
    path: &PathBuf,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, landlock::RulesetError> {
    // Rights of directories do not apply to files, and the kernel refuses them there.
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(ABI::V4) };
    match PathFd::new(path) {
        Ok(fd) => rules.add_rule(PathBeneath::new(fd, access)),
        Err(_) => Ok(rules),
    }
}

/// A program of somebody else, and what it may do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its working directory, and the place of its temporary files.
    pub directory: PathBuf,
    /// Paths that stay open to it.
    pub paths: Paths,
    /// Its bounds.
    pub limits: Limits,
    /// Process that it must not outlive.
    parent: Option<i32>,
}

impl Job {
    /// A job of this process.
    pub fn new(
        program: PathBuf,
        arguments: Vec<String>,
        directory: PathBuf,
        paths: Paths,
        limits: Limits,
    ) -> Self {
        let parent = Some(own_id());
        Self { program, arguments, directory, paths, limits, parent }
    }

    /// Starts the job through this program's hidden subcommand [`SUBCOMMAND`], in a process group
    /// of its own, without environment. Its standard output starts with one line that says how it
    /// is confined. It ends when the thread that called this ends.
    ///
    /// # Errors
    /// When this program cannot be started.
    pub fn start(&self, this_program: &std::path::Path) -> std::io::Result<Child> {
        let job = serde_json::to_string(self).map_err(std::io::Error::other)?;
        Command::new(this_program)
            .args([SUBCOMMAND, &job])
            .env_clear()
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
    }
}

/// The id of this process.
pub(crate) fn own_id() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// The id of the process that started this one, or of whoever took its place.
pub(crate) fn parent_id() -> Option<i32> {
    rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get())
}

/// First argument of the program when it must become a confined program.
pub const SUBCOMMAND: &str = "confined";

/// The child's whole life before it becomes the program of its job, named in its second argument.
/// Returns an exit code when it cannot.
pub fn child() -> u8 {
    let done =
        std::env::args().nth(2).ok_or_else(|| "no job".to_owned()).and_then(|job| become_program(&job));
    let Err(why) = done else { return 0 };
    let _ = writeln!(std::io::stderr(), "{why}");
    2
}

fn become_program(job: &str) -> Result<(), String> {
    let job: Job = serde_json::from_str(job).map_err(|error| error.to_string())?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| error.to_string())?;
    let parent = parent_id();
    // It may have ended before the signal was ordered.
    if parent != job.parent {
        return Err("the process that started this is gone".to_owned());
    }
    let how = confine(&job.paths, &job.limits)?;
    let mut out = std::io::stdout();
    writeln!(out, "{how}").and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    let error = Command::new(&job.program)
        .args(&job.arguments)
        .env_clear()
        .env("TMPDIR", &job.directory)
        .env("LC_ALL", "C")
        .current_dir(&job.directory)
        .exec();
    Err(format!("{}: {error}", job.program.display()))
}
