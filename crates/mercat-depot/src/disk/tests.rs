use super::*;
use mercat_disk::digest::{disk_digest, each_data};
use mercat_disk::{Declared, ReadAt};
use std::io;
use std::sync::Arc;

struct Files(Depot);

impl ChunkSource for Files {
    fn get(&self, digest: &Digest, _: u64) -> io::Result<Vec<u8>> {
        std::fs::read(self.0.local_path(digest).expect("local"))
    }
}

fn disk(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed;
    let mut disk: Vec<u8> = (0..bytes)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        })
        .collect();
    // Nothing that a reader would take for another format.
    disk[..4096].fill(0);
    disk[2 << 20..4 << 20].fill(0);
    disk
}

fn write(depot: &Depot, disk: &[u8], span: Option<u64>) -> (Digest, u64) {
    let opened = mercat_disk::open(Arc::new(disk.to_vec()), Some(Declared::Raw)).expect("opens");
    let mut writer = DiskWriter::new(depot, tokio::runtime::Handle::current(), opened.facts.clone(), None);
    if let Some(span) = span {
        writer.set_span(span);
    }
    each_data(&opened, 0, |offset, bytes| {
        writer
            .data(offset, bytes)
            .map(|_| ())
            .map_err(|error| mercat_artifact::ReadError::from(io::Error::other(error)))
    })
    .expect("stored");
    let new = writer.new_bytes;
    (writer.finish().expect("finished").0, new)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

#[tokio::test]
async fn a_disk_comes_back_byte_for_byte_and_zeros_cost_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let depot = Depot::local(dir.path()).expect("opens");
    blocking(move || {
        let disk = disk(1, 12 << 20);
        let (root, new) = write(&depot, &disk, Some(4 << 20));
        assert!(new <= 10 << 20, "{new}");
        let stored = Stored::open(&root, Box::new(Files(depot))).expect("opens");
        let mut read = vec![1; disk.len()];
        stored.read_at(0, &mut read).expect("reads");
        assert!(read == disk);
        stored.read_at(12_345, &mut read[..100_000]).expect("reads");
        assert!(read[..100_000] == disk[12_345..112_345]);
        assert_eq!(disk_digest(&stored).expect("reads"), stored.index().disk);
        assert_eq!(disk_digest(&disk).expect("reads"), stored.index().disk);
        assert_eq!(stored.next_data(2 << 20).expect("reads").map(|range| range.start), Some(4 << 20));
    })
    .await;
}

#[tokio::test]
async fn a_second_version_stores_only_what_changed() {
    let dir = tempfile::tempdir().expect("a directory");
    let depot = Depot::local(dir.path()).expect("opens");
    blocking(move || {
        let mut disk = disk(2, 16 << 20);
        write(&depot, &disk, None);
        disk[9 << 20..(9 << 20) + 100].fill(7);
        let (_, new) = write(&depot, &disk, None);
        assert!(new > 0 && new <= 512 << 10, "{new}");
        assert_eq!(write(&depot, &disk, None).1, 0);
    })
    .await;
}

#[tokio::test]
async fn a_try_that_died_goes_on_at_the_last_durable_segment() {
    let dir = tempfile::tempdir().expect("a directory");
    let depot = Depot::local(dir.path()).expect("opens");
    blocking(move || {
        let disk = disk(3, 16 << 20);
        let (whole, _) = write(&depot, &disk, Some(4 << 20));
        let facts = mercat_disk::open(Arc::new(disk.clone()), Some(Declared::Raw)).expect("opens").facts;
        let new = |stage| {
            let mut writer = DiskWriter::new(&depot, tokio::runtime::Handle::current(), facts.clone(), stage);
            writer.set_span(4 << 20);
            writer
        };
        let mut first = new(None);
        let mut stage = None;
        each_data(&disk, 0, |offset, bytes| {
            if offset < 9 << 20
                && let Some(kept) = first.data(offset, bytes).map_err(io::Error::other)?
            {
                stage = Some(kept);
            }
            Ok::<_, mercat_artifact::ReadError>(())
        })
        .expect("reads");
        let stage = stage.expect("a segment was closed");
        assert_eq!(stage.from, 8 << 20);
        let text = serde_json::to_string(&stage).expect("text");
        let mut second = new(serde_json::from_str(&text).expect("the same"));
        each_data(&disk, stage.from, |offset, bytes| {
            second.data(offset, bytes).map_err(io::Error::other)?;
            Ok::<_, mercat_artifact::ReadError>(())
        })
        .expect("reads");
        assert_eq!(second.finish().expect("finished").0, whole);
    })
    .await;
}

#[tokio::test]
async fn a_damaged_chunk_is_told_and_written_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let depot = Depot::local(dir.path()).expect("opens");
    blocking(move || {
        let disk = disk(4, 5 << 20);
        let (root, _) = write(&depot, &disk, None);
        let runtime = tokio::runtime::Handle::current();
        let index = runtime.block_on(DiskIndex::load(&depot, &root)).expect("an index");
        let holdings = runtime.block_on(index.holdings(&depot)).expect("all there");
        let (chunk, size) = holdings.blobs.iter().max_by_key(|(_, size)| *size).expect("chunks").clone();
        std::fs::write(depot.local_path(&chunk).expect("local"), vec![9; size as usize]).expect("damaged");
        let stored = Stored::open(&root, Box::new(Files(depot.clone()))).expect("opens");
        let read = stored.read_at(0, &mut vec![0; disk.len()]);
        assert!(read.expect_err("damaged").to_string().contains("could not be read"));
        write(&depot, &disk, None);
        stored.read_at(0, &mut vec![0; disk.len()]).expect("repaired");
    })
    .await;
}
