//! One disk, one verdict.

use super::*;
use mercat_disk::Declared;
use mercat_disk::layout::{LaidOut, Target, data_ranges, layout};

#[test]
fn the_same_disk_gives_the_same_verdict_from_every_container() {
    let machine = Machine::clean();
    let directory = tempfile::tempdir().expect("a directory");
    let Some(file) = machine.disk(directory.path()) else { return };
    let raw: Arc<dyn ReadAt> = Arc::new(FileReadAt::new(file).expect("a file"));
    let mut documents = Vec::new();
    for (target, declared) in [
        (Target::Raw, Declared::Raw),
        (Target::VhdFixed, Declared::Vhd),
        (Target::Vhdx, Declared::Vhdx),
        (Target::Qcow2, Declared::Qcow2),
    ] {
        let ranges = data_ranges(&raw).expect("reads");
        let described = layout(target, raw.size(), &ranges, [7; 16]).expect("fits");
        let file = Arc::new(LaidOut::new(described, Arc::clone(&raw)));
        let disk = mercat_disk::open(file, Some(declared)).expect("opens");
        let facts = disk.facts.clone();
        documents.push((declared, machine.judge(Arc::new(disk), facts).to_json()));
    }
    let subject = format!("\"subject\": \"{}\"", mercat_disk::digest::disk_digest(&raw).expect("reads"));
    for (declared, document) in &documents {
        assert_eq!(document, &documents[0].1, "{declared:?}");
        assert!(document.contains(&subject));
    }
}

#[test]
fn hard_links_are_read_once_and_shards_read_everything_between_them() {
    let mut machine = Machine::clean();
    machine.bytes_of("opt/app/large", vec![7; 300_000]);
    let directory = tempfile::tempdir().expect("a directory");
    machine.write(&directory.path().join("source"));
    let source = directory.path().join("source/opt/app");
    let before = machine.inspect();
    fs::create_dir_all(&source).expect("made");
    for name in ["second", "third"] {
        fs::hard_link(source.join("large"), source.join(name)).expect("linked");
    }
    let linked = machine.disk_again(directory.path());
    let (Some(before), Some(linked)) = (before, linked) else { return };
    let of = |verdict: &Verdict| verdict.disk.as_ref().map(|disk| disk.volumes[0].clone()).expect("a disk");
    let (before, linked) = (of(&before), of(&linked));
    assert_eq!((linked.files, linked.file_bytes), (before.files, before.file_bytes));
    assert_eq!(linked.entries, before.entries + 2);
}

impl Machine {
    /// A disk of a source directory that is there.
    fn disk_again(&self, directory: &Path) -> Option<Verdict> {
        let image = directory.join("again.img");
        mke2fs(&directory.join("source"), &image, "root", ROOT_BYTES)?;
        let mut disk = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(directory.join("again.raw"))
            .expect("opens");
        disk.set_len(self.bytes).expect("sized");
        copy(&image, &mut disk, 0);
        let disk: Arc<dyn ReadAt> = Arc::new(FileReadAt::new(disk).expect("a file"));
        let facts = facts(Format::Raw, disk.size());
        Some(self.judge(disk, facts))
    }
}
