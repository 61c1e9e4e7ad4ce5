//! What certifying an image costs, as ratios to peers measured in the same run: `cargo bench -p mercat --bench certify`.
//!
//! The images are Debian by `mmdebstrap` where that is installed, else programs of this machine. Every ratio is the
//! median of five pairs, each command in turn. Under `cargo test --bench certify` one small image is measured
//! once, so that this does not rot. `MERCAT_BENCH_INPUTS` names a directory in which the images are kept and found again.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends on what it did not expect"
)]

mod measure;

use measure::peak_bytes;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PAIRS: usize = 5;
const SIGNATURES: usize = 100_000;
const HASHES: usize = 1_000_000;
const PEER_SIGNATURES: usize = 10_000;

struct Image {
    name: &'static str,
    layout: PathBuf,
    tars: Vec<PathBuf>,
}

fn main() {
    let dir = tempfile::Builder::new().prefix("mercat-bench").tempdir().unwrap();
    if !std::env::args().any(|argument| argument == "--bench") {
        let image = image(dir.path(), "small", &[programs(dir.path(), "small", &["bin"])]);
        let data = knowledge(dir.path(), 1000, 1000);
        against_reference(&image, &data, 1);
        return;
    }
    let data = knowledge(dir.path(), SIGNATURES, HASHES);
    let inputs = std::env::var_os("MERCAT_BENCH_INPUTS").map_or_else(|| dir.path().to_owned(), PathBuf::from);
    fs::create_dir_all(&inputs).unwrap();
    let images = images(&inputs);
    for image in &images {
        against_reference(image, &data, PAIRS);
    }
    memory(&images, &data);
    cores(images.last().unwrap(), &data);
    republish(dir.path(), &images, &data);
    let medium = &images[images.len().min(2) - 1];
    limit(&images, &data);
    bill_of_materials(medium, &data);
    engines(dir.path(), medium, &data);
}

fn has(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

fn images(dir: &Path) -> Vec<Image> {
    const MEDIUM: &str = "python3,python3-pip,nodejs,openjdk-17-jre-headless,nginx-light,git,libcommons-lang3-java,libjackson2-databind-java";
    const LARGE: &str = "openjdk-17-jdk-headless,golang-go,clang,rustc,gcc";
    let debian = |name: &str, packages: &str| {
        let tar = dir.join(format!("{name}.tar"));
        if tar.exists() {
            return Some(tar);
        }
        let include = format!("--include={packages}");
        let mut command = Command::new("mmdebstrap");
        command.args(["--quiet", "--variant=minbase"]);
        if !packages.is_empty() {
            command.arg(include);
        }
        command.args(["bookworm", tar.to_str().unwrap()]);
        command.status().is_ok_and(|status| status.success()).then_some(tar)
    };
    let found = (|| Some([debian("base", "")?, debian("tools", MEDIUM)?, debian("compilers", LARGE)?]))();
    match found {
        Some([base, tools, compilers]) => vec![
            image(dir, "small", std::slice::from_ref(&base)),
            image(dir, "medium", &[base.clone(), tools.clone()]),
            image(dir, "large", &[base, tools, compilers]),
        ],
        None => {
            println!("absent: mmdebstrap or its mirror; images: programs and libraries of this machine");
            let (bin, lib) = (programs(dir, "bin", &["bin"]), programs(dir, "lib", &["lib"]));
            vec![image(dir, "small", std::slice::from_ref(&bin)), image(dir, "medium", &[bin, lib])]
        }
    }
}

fn programs(dir: &Path, name: &str, parts: &[&str]) -> PathBuf {
    let tar = dir.join(format!("{name}.tar"));
    let status = Command::new("tar")
        .args(["-C", "/usr", "--sort=name", "--hard-dereference", "--format=ustar", "--owner=0", "--group=0"])
        .args(["-cf", tar.to_str().unwrap()])
        .args(parts)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success() && tar.exists(), "tar: {status}");
    tar
}

fn sha256(path: &Path) -> String {
    let mut file = File::open(path).unwrap();
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// An OCI layout with one gzip layer for each tar.
fn image(dir: &Path, name: &'static str, tars: &[PathBuf]) -> Image {
    let layout = dir.join(name);
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let (mut layers, mut ids) = (Vec::new(), Vec::new());
    for tar in tars {
        let packed = tar.with_extension("tar.gz");
        if !packed.exists() {
            let out = File::create(&packed).unwrap();
            let status = Command::new("gzip").arg("-6c").arg(tar).stdout(out).status().unwrap();
            assert!(status.success(), "gzip: {status}");
        }
        let digest = sha256(&packed);
        let blob = blobs.join(&digest);
        // A copy onto a link of itself would leave nothing of it.
        if !blob.exists() && fs::hard_link(&packed, &blob).is_err() {
            fs::copy(&packed, &blob).unwrap();
        }
        let size = fs::metadata(&packed).unwrap().len();
        layers.push(serde_json::json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": format!("sha256:{digest}"), "size": size,
        }));
        ids.push(format!("sha256:{}", sha256(tar)));
    }
    let put = |document: &serde_json::Value, kind: &str| {
        let path = layout.join("new");
        let text = document.to_string();
        fs::write(&path, &text).unwrap();
        let digest = sha256(&path);
        fs::rename(&path, blobs.join(&digest)).unwrap();
        serde_json::json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": text.len()})
    };
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {"User": "app"}, "rootfs": {"type": "layers", "diff_ids": ids},
    });
    let config = put(&config, "application/vnd.oci.image.config.v1+json");
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest =
        serde_json::json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers});
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [put(&manifest, kind)]});
    fs::write(layout.join("index.json"), index.to_string()).unwrap();
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    Image { name, layout, tars: tars.to_vec() }
}

/// Bytes that nobody made, the same in every run.
fn random(count: usize) -> impl FnMut() -> String {
    let mut state = 0x1234_5678_9abc_def1_u64;
    move || {
        let mut out = String::new();
        for _ in 0..count {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let _ = write!(out, "{:02x}", (state >> 24) as u8);
        }
        out
    }
}

fn knowledge(dir: &Path, signatures: usize, hashes: usize) -> PathBuf {
    let (data, list) = (dir.join("data"), dir.join("signatures.txt"));
    let mut file = std::io::BufWriter::new(File::create(&list).unwrap());
    let (mut body, mut hash) = (random(20), random(32));
    (0..signatures).for_each(|at| writeln!(file, "S{at}={}", body()).unwrap());
    (0..hashes).for_each(|at| writeln!(file, "{}:{}:H{at}", hash(), 1000 + at * 37).unwrap());
    file.flush().unwrap();
    drop(file);
    let status = Command::new(env!("CARGO_BIN_EXE_mercat"))
        .args(["--data", data.to_str().unwrap(), "signatures", "import", list.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "signatures: {status}");
    println!(
        "{signatures} byte signatures, {hashes} hashes, built-in malware rules and kinds of credentials"
    );
    data
}

fn certify(image: &Image, data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mercat"));
    command.args(["--data", data.to_str().unwrap(), "certify", "--output", "json"]);
    command.arg(format!("oci:{}", image.layout.display()));
    command
}

fn timed(command: &mut Command) -> Duration {
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    let taken = start.elapsed();
    assert!(status.code().is_some_and(|code| code < 64), "{command:?}: {status}");
    taken
}

/// Processor seconds of a command, with its children.
fn processor(command: &Command) -> f64 {
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''")))
        .collect();
    let script = format!("{} >/dev/null 2>&1; times", words.join(" "));
    let out = Command::new("sh").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let last = text.lines().last().unwrap_or_default();
    let seconds = |word: &str| {
        let (minutes, rest) = word.trim_end_matches('s').split_once('m').unwrap_or(("0", "0"));
        minutes.parse::<f64>().unwrap_or(0.0) * 60.0 + rest.parse::<f64>().unwrap_or(0.0)
    };
    last.split_whitespace().map(seconds).sum()
}

fn reference(image: &Image) -> Command {
    let mut script = String::new();
    for tar in &image.tars {
        let packed = tar.with_extension("tar.gz");
        let _ = write!(script, "sha256sum '{0}'; gzip -dc '{0}' | sha256sum;", packed.display());
    }
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    command
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn against_reference(image: &Image, data: &Path, pairs: usize) {
    let packed: u64 =
        image.tars.iter().map(|tar| fs::metadata(tar.with_extension("tar.gz")).unwrap().len()).sum();
    let unpacked: u64 = image.tars.iter().map(|tar| fs::metadata(tar).unwrap().len()).sum();
    let (mut wall, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..pairs {
        let one = timed(&mut reference(image)).as_secs_f64();
        let other = timed(&mut certify(image, data)).as_secs_f64();
        wall.push(other / one);
        ours.push(other);
        theirs.push(one);
    }
    let processors = processor(&certify(image, data)) / processor(&reference(image)).max(1e-9);
    println!(
        "{:<7} {:.0} MB in {} layers, {:.0} MB unpacked: certify {:.2} s, sha256sum and gzip -dc | sha256sum {:.2} s: {:.2} x wall, {processors:.2} x processor",
        image.name,
        packed as f64 / 1e6,
        image.tars.len(),
        unpacked as f64 / 1e6,
        median(ours),
        median(theirs),
        median(wall),
    );
}

/// What the fastest programs of this machine need for the bytes alone: the digests of the blobs, unpacking with the digests of
/// what comes out, as many bytes once more for the digests of the files, and what the archives inside hold as if it were
/// unpacked and digested at the rate of the layers. Nothing that does this on as many processors takes less than its share
/// of that.
fn limit(images: &[Image], data: &Path) {
    let Some(unpacker) = ["igzip", "gzip"].into_iter().find(|program| has(program)) else { return };
    if !has("openssl") {
        return println!("absent: openssl");
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    for image in images {
        const DIGEST: &str = "openssl dgst -sha256";
        let each = |script: &dyn Fn(std::path::Display<'_>, std::path::Display<'_>) -> String| {
            let scripts =
                image.tars.iter().map(|tar| script(tar.with_extension("tar.gz").display(), tar.display()));
            let mut command = Command::new("sh");
            command.args(["-c", &scripts.collect::<String>()]);
            median((0..PAIRS).map(|_| processor(&command)).collect()) / processors as f64
        };
        let opened = each(&|packed, _| format!("{unpacker} -dc '{packed}' | {DIGEST};"));
        let layers = opened + each(&|packed, tar| format!("{DIGEST} '{packed}'; {DIGEST} '{tar}';"));
        let unpacked: u64 = image.tars.iter().map(|tar| fs::metadata(tar).unwrap().len()).sum();
        let nested = nested_bytes(image, data);
        let whole = layers + opened * nested as f64 / unpacked as f64;
        let reference = median((0..PAIRS).map(|_| timed(&mut reference(image)).as_secs_f64()).collect());
        println!(
            "limit, {:<7} {unpacker}, and openssl dgst of blobs, layers and files: {layers:.2} s on each of {processors} processors, {:.2} x sha256sum and gzip -dc | sha256sum; with {:.0} MB of archives inside {whole:.2} s, {:.2} x",
            image.name,
            layers / reference,
            nested as f64 / 1e6,
            whole / reference,
        );
    }
}

/// Bytes that come out of archives inside of an image.
fn nested_bytes(image: &Image, data: &Path) -> u64 {
    let out = certify(image, data).output().unwrap();
    let verdict: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let layers =
        verdict["images"].as_array().unwrap().iter().flat_map(|image| image["layers"].as_array().unwrap());
    layers.map(|layer| layer["nestedBytes"].as_u64().unwrap()).sum()
}

/// Peak resident memory of a command or its child in MB.
fn peak(command: &mut Command) -> f64 {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    peak_bytes(&mut child) as f64 / 1e6
}

fn memory(images: &[Image], data: &Path) {
    let peaks: Vec<f64> = images.iter().map(|image| peak(&mut certify(image, data))).collect();
    for (image, peak) in images.iter().zip(&peaks) {
        println!(
            "peak memory, {:<7} {peak:>7.1} MB, {:.2} x of the smallest image",
            image.name,
            peak / peaks[0]
        );
    }
}

fn cores(image: &Image, data: &Path) {
    if !has("taskset") {
        return println!("absent: taskset");
    }
    let on_one = |command: Command| {
        let mut bound = Command::new("taskset");
        bound.args(["-c", "0"]).arg(command.get_program()).args(command.get_args());
        bound
    };
    let ratios: Vec<f64> = (0..PAIRS)
        .map(|_| {
            let one = timed(&mut on_one(certify(image, data))).as_secs_f64();
            one / timed(&mut certify(image, data)).as_secs_f64()
        })
        .collect();
    println!("all cores are {:.2} x as fast as one, on {}", median(ratios), image.name);
}

/// The same image again, and the same with one layer more, beside reading all of it.
fn republish(dir: &Path, images: &[Image], data: &Path) {
    let image = images.last().unwrap();
    let mut tars = image.tars.clone();
    tars.push(programs(dir, "new", &["games", "include"]));
    let grown = self::image(dir, "grown", &tars);
    let alone = self::image(dir, "alone", &tars[tars.len() - 1..]);
    let cached = |image: &Image, cache: &Path| {
        let mut command = certify(image, data);
        command.arg("--cache").arg(cache);
        timed(&mut command).as_secs_f64()
    };
    let (mut cold, mut first, mut same) = (Vec::new(), Vec::new(), Vec::new());
    let (mut more, mut layer) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let cache = tempfile::tempdir_in(dir).unwrap();
        cold.push(cached(image, cache.path()));
        first.push(cached(image, cache.path()));
        same.extend((0..PAIRS).map(|_| cached(image, cache.path())));
        more.push(cached(&grown, cache.path()));
        layer.push(timed(&mut certify(&alone, data)).as_secs_f64());
    }
    let (cold, same) = (median(cold), median(same));
    println!(
        "{} with --cache: first {cold:.2} s, unchanged {:.1} ms ({:.2} % of it; right behind it {:.0} ms), one new layer {:.2} s (that layer alone: {:.2} s)",
        image.name,
        same * 1e3,
        100.0 * same / cold,
        median(first) * 1e3,
        median(more),
        median(layer),
    );
}

fn bill_of_materials(image: &Image, data: &Path) {
    let Some(syft) = ["syft"].into_iter().find(|program| has(program)) else {
        return println!("absent: syft");
    };
    let theirs = || {
        let mut command = Command::new(syft);
        command
            .args(["scan", "-q", "-o", "cyclonedx-json"])
            .arg(format!("oci-dir:{}", image.layout.display()));
        command.env("SYFT_CHECK_FOR_APP_UPDATE", "false");
        command
    };
    let alone = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mercat"));
        command.args(["--data", data.to_str().unwrap(), "sbom"]);
        command.arg(format!("oci:{}", image.layout.display()));
        command
    };
    let (mut times, mut whole, mut ours, mut reading) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let syft = timed(&mut theirs()).as_secs_f64();
        let sbom = timed(&mut alone()).as_secs_f64();
        times.push(syft / sbom);
        whole.push(syft / timed(&mut certify(image, data)).as_secs_f64());
        ours.push(sbom);
        reading.push(timed(&mut reference(image)).as_secs_f64() / sbom);
    }
    println!(
        "bill of materials alone, on {}: mercat sbom {:.2} s; sha256sum and gzip -dc | sha256sum {:.1} x, syft {:.1} x its time and {:.1} x its memory; syft {:.1} x the time of the whole certification and {:.1} x its memory",
        image.name,
        median(ours),
        median(reading),
        median(times),
        peak(&mut theirs()) / peak(&mut alone()),
        median(whole),
        peak(&mut theirs()) / peak(&mut certify(image, data)),
    );
}

/// The engines that people run instead, over the unpacked files, with a tenth of the byte signatures.
fn engines(dir: &Path, image: &Image, data: &Path) {
    let tree = dir.join("tree");
    fs::create_dir_all(&tree).unwrap();
    for tar in &image.tars {
        let _ = Command::new("tar")
            .args([
                "-C",
                tree.to_str().unwrap(),
                "--no-same-owner",
                "--exclude=./dev",
                "-xf",
                tar.to_str().unwrap(),
            ])
            .stderr(Stdio::null())
            .status();
    }
    let ours = timed(&mut certify(image, data)).as_secs_f64();
    let (mut rules, mut database) = (String::new(), String::new());
    let mut body = random(20);
    for at in 0..PEER_SIGNATURES {
        let hex = body();
        let _ = writeln!(rules, "rule r{at} {{ strings: $a = {{ {hex} }} condition: $a }}");
        let _ = writeln!(database, "S{at}:0:*:{hex}");
    }
    let (yar, ndb) = (dir.join("rules.yar"), dir.join("signatures.ndb"));
    fs::write(&yar, rules).unwrap();
    fs::write(&ndb, database).unwrap();
    let database = format!("--database={}", ndb.display());
    let tree = tree.to_str().unwrap();
    let peers: [(&str, Vec<&str>); 2] = [
        ("clamscan", vec!["-r", "--quiet", "--max-filesize=4000M", "--max-scansize=4000M", &database, tree]),
        ("yara", vec!["-r", "-N", yar.to_str().unwrap(), tree]),
    ];
    for (program, arguments) in peers {
        if !has(program) {
            println!("absent: {program}");
            continue;
        }
        let taken = timed(Command::new(program).args(&arguments)).as_secs_f64();
        println!(
            "{program}, {PEER_SIGNATURES} signatures, over the unpacked {}: {:.1} x the time of the whole certification",
            image.name,
            taken / ours
        );
    }
}
