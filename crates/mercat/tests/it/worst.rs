//! The inputs that cost most, through the real program: the right code, and the memory of the inspecting
//! child within the bound that a worker is sized for.

use crate::house::BIN;
use crate::measure::peak_bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Bytes of resident memory of any process of a certification.
const MEMORY_BYTES_MAX: u64 = 256 << 20;

const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const TAR_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// A blob on its way to a layout.
struct Blob {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Write for Blob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// An OCI layout that is written blob by blob.
struct Layout {
    root: PathBuf,
}

impl Layout {
    fn new(directory: &Path, name: &str) -> Self {
        let root = directory.join(name);
        fs::create_dir_all(root.join("blobs/sha256")).expect("made");
        Self { root }
    }

    /// Writes a blob; its descriptor.
    fn blob(&self, kind: &str, write: impl FnOnce(&mut Blob) -> io::Result<()>) -> Value {
        let new = self.root.join("new");
        let file = BufWriter::new(File::create(&new).expect("made"));
        let mut blob = Blob { file, hash: Sha256::new(), bytes: 0 };
        write(&mut blob).expect("written");
        blob.flush().expect("written");
        let hex: String = blob.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        fs::rename(&new, self.root.join("blobs/sha256").join(&hex)).expect("moved");
        json!({"mediaType": kind, "digest": format!("sha256:{hex}"), "size": blob.bytes})
    }

    /// Finishes an image of these layers. Plain layers have the right diff_id, packed ones none that fits.
    fn image(self, layers: &[Value], more: &str) -> String {
        let ids: Vec<&Value> = layers.iter().map(|layer| &layer["digest"]).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {"User": "app", "Note": more},
            "rootfs": {"type": "layers", "diff_ids": ids},
        });
        let config = self.blob(CONFIG, |out| out.write_all(config.to_string().as_bytes()));
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        let manifest = self.blob(MANIFEST, |out| out.write_all(manifest.to_string().as_bytes()));
        let index = json!({"schemaVersion": 2, "manifests": [manifest]});
        fs::write(self.root.join("index.json"), index.to_string()).expect("written");
        fs::write(self.root.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
        format!("oci:{}", self.root.display())
    }
}

/// A tar header with a name, a type and a size.
fn header(name: &str, kind: u8, size: u64) -> [u8; 512] {
    let mut block = [0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..107].copy_from_slice(b"0000644");
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}

fn zeros(out: &mut impl Write, bytes: u64) -> io::Result<()> {
    io::copy(&mut io::repeat(0).take(bytes), out).map(drop)
}

/// One file as a whole plain tar.
fn file(out: &mut impl Write, name: &str, content: &[u8]) -> io::Result<()> {
    out.write_all(&header(name, b'0', content.len() as u64))?;
    out.write_all(content)?;
    zeros(out, (content.len().next_multiple_of(512) - content.len()) as u64 + 1024)
}

fn gzip(content: &mut dyn Read) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    io::copy(content, &mut out).expect("memory");
    out.finish().expect("memory")
}

/// The document of a certification, and the most resident memory that one of its processes had, in bytes.
fn certify(reference: &str) -> (String, u64) {
    let mut child = Command::new(BIN)
        .args(["--data", "/nonexistent-mercat", "certify", "--output", "json", reference])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let (mut out, mut errors) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let complaints = std::thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).map(|_| text)
    });
    let most = peak_bytes(&mut child);
    let text = reader.join().expect("reads").expect("text");
    let complaints = complaints.join().expect("reads").expect("text");
    assert!(!complaints.contains("panicked"), "{complaints}");
    (text + &complaints, most)
}

/// Certifies, and says which rule must tell; none for one that nothing but the diff_id is wrong with.
fn check(name: &str, reference: &str, rules: &[&str]) {
    let (text, most) = certify(reference);
    println!("{name}: {:.1} MB", most as f64 / 1e6);
    // What was looked for stands behind the findings, and has rules too.
    let findings = text.split("\"checks\": [").next().unwrap_or_default();
    let is_told = |rule: &&str| findings.contains(&format!("\"rule\": \"{rule}\""));
    let told = rules.is_empty() || rules.iter().any(is_told);
    let start: String = text.chars().take(3000).collect();
    assert!(told, "{name}: {rules:?} in {start}");
    assert!(text.contains("\"outcome\""), "{name}: {start}");
    assert!(most > 0 && most <= MEMORY_BYTES_MAX, "{name}: {most} bytes of memory");
}

#[test]
fn bombs_end_at_their_limits_in_little_memory() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let layout = Layout::new(directory, "gzip");
    let layer = layout.blob(TAR_GZIP, |out| {
        let mut packed = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
        packed.write_all(&header("zeros", b'0', 1 << 30))?;
        zeros(&mut packed, 1 << 30)?;
        packed.finish().map(drop)
    });
    check("1 GiB of zeros in gzip", &layout.image(&[layer], ""), &["LAY-05"]);
    let layout = Layout::new(directory, "zstd");
    let layer = layout.blob(TAR_ZSTD, |out| {
        let mut packed = zstd::Encoder::new(out, 1)?;
        packed.write_all(&header("zeros", b'0', 4 << 30))?;
        zeros(&mut packed, 4 << 30)?;
        packed.finish().map(drop)
    });
    check("4 GiB of zeros in zstd", &layout.image(&[layer], ""), &["LAY-05"]);
    let layout = Layout::new(directory, "nested");
    let once = gzip(&mut io::repeat(0).take(1 << 30));
    let ten = gzip(&mut &once.repeat(10)[..]);
    let layer = layout.blob(TAR, |out| file(out, "x.gz", &ten));
    check("10 GiB of zeros in gzip in gzip", &layout.image(&[layer], ""), &["CTR-29"]);
    let layout = Layout::new(directory, "many");
    let bomb = gzip(&mut header("zeros", b'0', 80 << 20).chain(io::repeat(0).take(80 << 20)));
    let layers: Vec<Value> = (0..24_u8)
        .map(|at| {
            // The time in the header makes each another blob.
            let mut bomb = bomb.clone();
            bomb[4] = at;
            layout.blob(TAR_GZIP, |out| out.write_all(&bomb))
        })
        .collect();
    check("24 layers that are bombs", &layout.image(&layers, ""), &["LAY-05"]);
    let layout = Layout::new(directory, "zip");
    let layer = layout.blob(TAR, |out| file(out, "x.zip", &overlapping(60_000, &vec![0; 8 << 20])));
    check("60,000 members over one bomb", &layout.image(&[layer], ""), &["ZIP-07"]);
}

/// A zip whose members all have the same bytes.
fn overlapping(members: u16, content: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(content).expect("memory");
    let packed = packed.finish().expect("memory");
    let sum = crc32fast::hash(content);
    let fields = |name: &str| {
        let mut out = [20, 0, 0, 0, 8, 0, 0, 0, 0, 0].to_vec();
        out.extend(sum.to_le_bytes());
        out.extend((packed.len() as u32).to_le_bytes().iter().chain(&(content.len() as u32).to_le_bytes()));
        out.extend((name.len() as u16).to_le_bytes().iter().chain(&[0, 0]));
        out
    };
    let mut out = [&b"PK\x03\x04"[..], &fields("0"), b"0", &packed].concat();
    let offset = out.len();
    for at in 0..members {
        let name = at.to_string();
        out.extend([&b"PK\x01\x02\x14\0"[..], &fields(&name), &[0; 14], name.as_bytes()].concat());
    }
    let size = (out.len() - offset) as u32;
    out.extend([&b"PK\x05\x06\0\0\0\0"[..], &members.to_le_bytes().repeat(2), &size.to_le_bytes()].concat());
    out.extend((offset as u32).to_le_bytes().iter().chain(&[0, 0]));
    out
}

#[test]
fn great_numbers_of_small_things_take_little_memory() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let layout = Layout::new(directory, "entries");
    let layer = layout.blob(TAR, |out| {
        (0..1_000_000).try_for_each(|at| out.write_all(&header(&format!("d{}/f{at}", at % 997), b'0', 0)))?;
        zeros(out, 1024)
    });
    check("1,000,000 entries", &layout.image(&[layer], ""), &[]);
    let layout = Layout::new(directory, "layers");
    let empty = layout.blob(TAR, |out| zeros(out, 1024));
    check("10,000 layers", &layout.image(&vec![empty; 10_000], ""), &["MAN-06"]);
    let layout = Layout::new(directory, "config");
    let empty = layout.blob(TAR, |out| zeros(out, 1024));
    check("a config of 8 MiB", &layout.image(&[empty], &"x ".repeat((8 << 19) - 2000)), &[]);
    let layout = Layout::new(directory, "dpkg");
    let status: String = (0..500_000)
        .map(|at| {
            format!("Package: p{at}\nStatus: install ok installed\nVersion: 1.{at}\nArchitecture: all\n\n")
        })
        .collect();
    let layer = layout.blob(TAR, |out| file(out, "var/lib/dpkg/status", status.as_bytes()));
    check("a dpkg database of 500,000 packages", &layout.image(&[layer], ""), &["PKG-05"]);
    let layout = Layout::new(directory, "npm");
    let packages: Vec<String> =
        (0..900_000).map(|at| format!("\"node_modules/p{at}\":{{\"version\":\"1.0.{at}\"}}")).collect();
    let lock = format!("{{\"lockfileVersion\":3,\"packages\":{{{}}}}}", packages.join(","));
    let layer = layout.blob(TAR, |out| file(out, "app/package-lock.json", lock.as_bytes()));
    check("an npm lock of 900,000 packages", &layout.image(&[layer], ""), &["PKG-07", "INC-16"]);
}

#[test]
fn a_disk_that_is_nothing_but_a_hole_takes_little_memory() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("disk.raw");
    File::create(&path).expect("made").set_len(1 << 40).expect("sized");
    check("a hole of 1 TiB", path.to_str().expect("plain"), &["VHD-07"]);
}
