//! Small file systems of every kind with changed bytes: whatever is changed, reading ends, in time, with a
//! refusal or with files, and never with a panic.

use super::*;
use proptest::prelude::*;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A disk with some bytes replaced.
struct Patched {
    base: Arc<Vec<u8>>,
    patches: Vec<(u64, u8)>,
}

impl ReadAt for Patched {
    fn size(&self) -> u64 {
        self.base.len() as u64
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.base.read_at(offset, buffer)?;
        for (at, byte) in &self.patches {
            if let Some(index) = at.checked_sub(offset).filter(|index| *index < buffer.len() as u64) {
                buffer[index as usize] = *byte;
            }
        }
        Ok(())
    }
}

/// A disk and the sectors of it that hold something, file content left out where that is known.
type Subject = Option<(Arc<Vec<u8>>, Vec<u64>)>;

fn subject(disk: Vec<u8>) -> Subject {
    assert_eq!(code(disk.clone()), "read");
    let busy = |(_, sector): &(usize, &[u8])| {
        sector.iter().any(|byte| *byte != 0) && !sector.starts_with(b"content")
    };
    let sectors = disk.chunks(512).enumerate().filter(busy).map(|(index, _)| index as u64 * 512).collect();
    Some((Arc::new(disk), sectors))
}

/// A few files, none of whose content looks like metadata.
fn small(root: &Path) {
    let block = |count: usize| "content ".repeat(64 * count).into_bytes();
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    for number in 0..40 {
        fs::write(root.join("a").join(format!("file-{number}")), block(number % 4)).unwrap();
    }
    fs::write(root.join("a/b/c/large"), block(300)).unwrap();
    symlink("a/b", root.join("link")).unwrap();
    symlink("t".repeat(200), root.join("a/long")).unwrap();
    let pieces = fs::File::create(root.join("pieces")).unwrap();
    for piece in 0..12 {
        pieces.write_all_at(&block(2), piece * 20_000).unwrap();
    }
}

fn image(size: u64, make: impl Fn(&Path, &Path)) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (root, image) = (folder.path().join("root"), folder.path().join("image"));
    fs::create_dir(&root).unwrap();
    small(&root);
    blank(&image, size);
    make(&root, &image);
    fs::read(&image).unwrap()
}

pub(super) fn ext(options: &[&str]) -> Option<Vec<u8>> {
    has("mke2fs").then(|| {
        image(4 << 20, |root, image| {
            let last = ["-d", root.to_str().unwrap(), image.to_str().unwrap()];
            run("mke2fs", &[&["-q", "-F", "-N", "128"], options, &last[..]].concat(), "");
        })
    })
}

/// A file system whose journal must be replayed.
pub(super) fn journaled() -> Option<Vec<u8>> {
    let disk = ext(&["-t", "ext3", "-b", "1024", "-J", "size=1"])?;
    let folder = tempfile::tempdir().unwrap();
    let (image, block) = (folder.path().join("image"), folder.path().join("block"));
    fs::write(&image, disk).unwrap();
    fs::write(&block, "content ".repeat(128)).unwrap();
    let block = block.display();
    let script = format!("jo\njw -b 3000,3001 {block}\njc\njo\njw -b 3002 {block}\njw -r 3000\njc\n");
    run("debugfs", &["-w", "-f", "-", image.to_str().unwrap()], &script);
    Some(fs::read(&image).unwrap())
}

fn fat() -> Option<Vec<u8>> {
    (has("mkfs.fat") && has("mcopy")).then(|| {
        image(1 << 20, |root, image| {
            let image = image.to_str().unwrap();
            run("mkfs.fat", &[image], "");
            fs::remove_file(root.join("a/long")).unwrap();
            run("mcopy", &["-i", image, "-s", root.join("a").to_str().unwrap(), "::/"], "");
        })
    })
}

fn ntfs() -> Option<Vec<u8>> {
    (has("mkntfs") && has("ntfscp")).then(|| {
        image(2 << 20, |root, image| {
            let image = image.to_str().unwrap();
            run("mkntfs", &["-F", "-Q", "-q", image], "");
            for number in 0..30 {
                let file = root.join("a").join(format!("file-{number}"));
                run("ntfscp", &["-q", image, file.to_str().unwrap(), &format!("a-longer-name-{number}")], "");
            }
        })
    })
}

fn xfs() -> Option<Vec<u8>> {
    has("mkfs.xfs").then(|| {
        image(320 << 20, |root, image| {
            let mut proto = "/\n0 0\nd--755 0 0\n".to_owned();
            for (folder, files) in [("one", 10), ("leaf", 200)] {
                proto.push_str(&format!("{folder} d--755 0 0\n"));
                for number in 0..files {
                    let file = root.join("a").join(format!("file-{}", number % 40));
                    proto.push_str(&format!("a-longer-name-{number} ---644 0 0 {}\n", file.display()));
                }
                proto.push_str("$\n");
            }
            proto.push_str(&format!("link l--777 0 0 {}\n$\n", "t".repeat(500)));
            let path = root.join("proto");
            fs::write(&path, proto).unwrap();
            let path = path.to_str().unwrap();
            run("mkfs.xfs", &["-q", "-m", "crc=0", "-p", path, image.to_str().unwrap()], "");
        })
    })
}

fn iso() -> Option<Vec<u8>> {
    has("genisoimage").then(|| {
        image(0, |root, image| {
            run(
                "genisoimage",
                &["-quiet", "-R", "-J", "-o", image.to_str().unwrap(), root.to_str().unwrap()],
                "",
            );
        })
    })
}

/// A disk with a partition table around a file system.
fn parted(script: &str, content: &[u8]) -> Option<Vec<u8>> {
    has("sfdisk").then(|| {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        blank(&image, 8 << 20);
        run("sfdisk", &["-q", image.to_str().unwrap()], script);
        let mut disk = fs::read(&image).unwrap();
        disk[1 << 20..][..content.len()].copy_from_slice(content);
        disk
    })
}

fn change(subject: &Subject, changes: &[(usize, u16, u8)]) {
    let Some((base, sectors)) = subject else { return };
    let place = |(sector, byte, value): &(usize, u16, u8)| {
        (sectors[sector % sectors.len()] + u64::from(byte % 512), *value)
    };
    let patches = changes.iter().map(place).collect();
    let start = Instant::now();
    let result = read_all(Arc::new(Patched { base: base.clone(), patches }));
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    if let Err(ReadError::Io(error)) = result {
        panic!("{error}");
    }
}

/// How many cases each file system gets; more when the environment says so.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64)
}

macro_rules! survives {
    ($($name:ident: $make:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]
            $(
                #[test]
                fn $name(changes in proptest::collection::vec((any::<usize>(), any::<u16>(), any::<u8>()), 1..8)) {
                    static SUBJECT: OnceLock<Subject> = OnceLock::new();
                    change(SUBJECT.get_or_init(|| $make.and_then(subject)), &changes);
                }
            )*
        }
    };
}

survives! {
    ext2_with_changed_bytes_ends: ext(&["-t", "ext2", "-b", "1024"]);
    ext4_with_changed_bytes_ends: ext(&["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^has_journal"]);
    ext4_with_inline_data_and_changed_bytes_ends:
        ext(&["-t", "ext4", "-b", "1024", "-O", "inline_data,^metadata_csum,^has_journal"]);
    a_journal_with_changed_bytes_ends: journaled();
    fat_with_changed_bytes_ends: fat();
    ntfs_with_changed_bytes_ends: ntfs();
    xfs_with_changed_bytes_ends: xfs();
    iso_with_changed_bytes_ends: iso();
    a_gpt_with_changed_bytes_ends: parted("label: gpt\n2048,8192\n", &ext(&["-t", "ext2"]).unwrap_or_default());
    an_mbr_with_changed_bytes_ends:
        parted("label: dos\n2048,8192,83\n10240,4096,5\n10300,100\n10500,100\n", &[]);
    squashfs_with_changed_bytes_ends: super::squash::sample();
    lvm_with_changed_bytes_ends: Some(lvm::sample());
}
