//! What disks cost, as ratios to peers measured in the same run: `cargo bench -p mercat --bench disks`.
//!
//! The guest is a Debian by `mmdebstrap` where that is installed, else the programs of this machine.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends on what it did not expect"
)]

#[path = "../src/demo/guest.rs"]
#[allow(dead_code, unreachable_pub)]
mod guest;
mod measure;

use measure::peak_bytes;
use mercat_depot::disk::{DiskWriter, Stored};
use mercat_depot::{Copies, Depot, Region, held_disk};
use mercat_disk::digest::each_data;
use mercat_disk::{Declared, FileReadAt, ReadAt, ReadError};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const GIB: u64 = 1 << 30;

fn main() {
    if !guest::can_build() {
        println!("absent: mke2fs; nothing was measured");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let disk = dir.path().join("debian.raw");
    guest::build_from(&disk, 4 * GIB, &tree).unwrap();
    let data = allocated(&disk, &dir.path().join("data"));
    println!("disk of 4 GiB with {:.1} MB of data", data as f64 / 1e6);
    certify(dir.path(), &disk);
    memory(dir.path(), &tree, &disk);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(versions(dir.path(), &disk));
}

fn has(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The files of a guest, in a directory.
fn tree(dir: &Path) -> PathBuf {
    let tree = dir.join("tree");
    if has("mmdebstrap") {
        let done = Command::new("mmdebstrap")
            .args([
                "--quiet",
                "--variant=minbase",
                "--include=linux-image-cloud-amd64,openssh-server,cloud-init,python3",
            ])
            .args(["bookworm", tree.to_str().unwrap()])
            .status();
        if done.is_ok_and(|status| status.success()) {
            println!("guest: Debian by mmdebstrap");
            return tree;
        }
    }
    println!("absent: mmdebstrap or its mirror; guest: /usr/lib and /usr/bin of this machine");
    std::fs::create_dir_all(tree.join("usr")).unwrap();
    for part in ["lib", "bin"] {
        let _ = Command::new("cp").args(["-a", &format!("/usr/{part}")]).arg(tree.join("usr")).status();
    }
    tree
}

/// The bytes of a sparse file that are allocated, one behind the other.
fn allocated(disk: &Path, to: &Path) -> u64 {
    let opened =
        mercat_disk::open(Arc::new(FileReadAt::new(File::open(disk).unwrap()).unwrap()), Some(Declared::Raw))
            .unwrap();
    let mut out = File::create(to).unwrap();
    let mut bytes = 0;
    each_data(&opened, 0, |_, data| {
        bytes += data.len() as u64;
        out.write_all(data).map_err(ReadError::from)
    })
    .unwrap();
    bytes
}

/// The best of three, after one that warms the page cache.
fn best(mut work: impl FnMut()) -> Duration {
    work();
    (0..3)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn quiet(program: &str, args: &[&str]) {
    let status =
        Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.code().is_some_and(|code| code < 64), "{program} {args:?}: {status}");
}

fn certify(dir: &Path, disk: &Path) {
    let mercat = env!("CARGO_BIN_EXE_mercat");
    let name = disk.to_str().unwrap();
    let ours = best(|| quiet(mercat, &["--data", "/nonexistent", "certify", name, "--output", "json"]));
    println!("certify                     {:>7.2} s", ours.as_secs_f64());
    let data = dir.join("data");
    let sum = best(|| quiet("sha256sum", &[data.to_str().unwrap()]));
    println!(
        "sha256sum of its data       {:>7.2} s   certify is {:.2} x",
        sum.as_secs_f64(),
        ratio(ours, sum)
    );
    let sum = best(|| quiet("sha256sum", &[name]));
    println!(
        "sha256sum of the raw file   {:>7.2} s   certify is {:.2} x",
        sum.as_secs_f64(),
        ratio(ours, sum)
    );
    if has("qemu-img") {
        let out = dir.join("converted.vhd");
        let args = [
            "convert",
            "-f",
            "raw",
            "-O",
            "vpc",
            "-o",
            "subformat=fixed,force_size",
            name,
            out.to_str().unwrap(),
        ];
        let convert = best(|| quiet("qemu-img", &args));
        println!(
            "qemu-img convert to VHD     {:>7.2} s   certify is {:.2} x",
            convert.as_secs_f64(),
            ratio(ours, convert)
        );
        let _ = std::fs::remove_file(out);
    } else {
        println!("absent: qemu-img");
    }
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64().max(1e-9)
}

/// Peak resident memory of an inspection, in bytes.
fn peak(disk: &Path) -> u64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mercat"));
    command.args(["--data", "/nonexistent", "certify", disk.to_str().unwrap(), "--output", "json"]);
    peak_bytes(&mut command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn memory(dir: &Path, tree: &Path, small: &Path) {
    let large = dir.join("large.raw");
    guest::build_from(&large, 64 * GIB, tree).unwrap();
    let (small, large) = (peak(small), peak(&large));
    println!("peak memory, 4 GiB disk     {:>7.1} MB", small as f64 / 1e6);
    println!(
        "peak memory, 64 GiB disk    {:>7.1} MB  {:.2} x",
        large as f64 / 1e6,
        large as f64 / small as f64
    );
}

fn store(depot: &Depot, disk: &Path) -> (mercat_domain::Digest, u64) {
    let file = FileReadAt::new(File::open(disk).unwrap()).unwrap();
    let opened = mercat_disk::open(Arc::new(file), Some(Declared::Raw)).unwrap();
    let mut writer = DiskWriter::new(depot, tokio::runtime::Handle::current(), opened.facts.clone(), None);
    each_data(&opened, 0, |offset, bytes| {
        writer.data(offset, bytes).map(|_| ()).map_err(|error| ReadError::Io(std::io::Error::other(error)))
    })
    .unwrap();
    let new = writer.new_bytes;
    (writer.finish().unwrap().0, new)
}

/// Replaces one block in a hundred, in runs of 16, and leaves the rest.
fn change(disk: &Path) -> u64 {
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(disk).unwrap();
    let opened = FileReadAt::new(File::open(disk).unwrap()).unwrap();
    let mut runs = Vec::new();
    each_data(&opened, 8 << 20, |offset, bytes| {
        runs.extend((0..bytes.len() as u64 / 65_536).map(|at| offset + at * 65_536));
        Ok::<_, ReadError>(())
    })
    .unwrap();
    let mut changed = 0;
    for at in runs.iter().step_by(100) {
        let mut block = vec![0; 65_536];
        file.seek(SeekFrom::Start(*at)).unwrap();
        file.read_exact(&mut block).unwrap();
        block.iter_mut().for_each(|byte| *byte = byte.wrapping_add(1) | 1);
        file.seek(SeekFrom::Start(*at)).unwrap();
        file.write_all(&block).unwrap();
        changed += block.len() as u64;
    }
    changed
}

async fn versions(dir: &Path, disk: &Path) {
    let depot = Depot::local(&dir.join("depot")).unwrap();
    let region = Region::Directory { name: "east".into(), path: dir.join("east") };
    let stored = |disk: PathBuf| {
        let depot = depot.clone();
        tokio::task::spawn_blocking(move || store(&depot, &disk))
    };
    let send = async |root: &mercat_domain::Digest, version: &str| {
        let held = held_disk(&depot, root, version).await.unwrap();
        let copies = Copies {
            repository: "aurora/appliance/small".into(),
            tags: [(version.to_owned(), root.clone())].into(),
            manifests: held.manifests.into_iter().collect(),
            blobs: held.blobs,
            near: String::new(),
        };
        region.copy(&depot, "production", &copies, &()).await.unwrap()
    };
    let start = Instant::now();
    let (first, _) = stored(disk.to_owned()).await.unwrap();
    println!("store in the depot          {:>7.2} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let all = send(&first, "1.0.0").await;
    println!(
        "provision to one region     {:>7.2} s   {:.1} MB sent",
        start.elapsed().as_secs_f64(),
        all as f64 / 1e6
    );
    let start = Instant::now();
    let again = send(&first, "1.0.0").await;
    println!("the same again, verified    {:>7.2} s   {again} bytes sent", start.elapsed().as_secs_f64());
    let changed = change(disk);
    let (second, _) = stored(disk.to_owned()).await.unwrap();
    let sent = send(&second, "1.1.0").await;
    println!(
        "second version              {:>7.1} MB changed ({:.1} % of the data), {:.1} MB sent ({:.1} %)",
        changed as f64 / 1e6,
        100.0 * changed as f64 / all as f64,
        sent as f64 / 1e6,
        100.0 * sent as f64 / all as f64
    );
    let runtime = tokio::runtime::Handle::current();
    let read = tokio::task::spawn_blocking(move || {
        let start = Instant::now();
        let stored = Stored::open(&second, depot.chunks(runtime)).unwrap();
        let mut bytes = 0;
        each_data(&stored, 0, |_, data| {
            bytes += data.len() as u64;
            Ok::<_, ReadError>(())
        })
        .unwrap();
        (start.elapsed(), bytes, stored.size())
    });
    let (took, bytes, _) = read.await.unwrap();
    println!(
        "read back from chunks       {:>7.2} s   {:.1} MB, every chunk verified",
        took.as_secs_f64(),
        bytes as f64 / 1e6
    );
}
