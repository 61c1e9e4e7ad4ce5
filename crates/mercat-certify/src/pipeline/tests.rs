use super::*;

#[test]
fn all_bytes_come_in_order_and_an_early_end_of_the_reader_ends_the_unpacking() {
    let bytes: Vec<u8> = (0..5_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let read_all = |pieces: &mut Pieces| {
        let mut out = Vec::new();
        pieces.read_to_end(&mut out).map(|_| out)
    };
    let (out, through) =
        unpacked(&mut &bytes[..], Compression::None, Caps::default(), Lighter::Unpacking, read_all)
            .expect("ends");
    assert!(out.expect("reads") == bytes);
    assert_eq!((through.packed.size, &through.unpacked), (bytes.len() as u64, &through.packed));
    let early = unpacked(&mut &bytes[..], Compression::None, Caps::default(), Lighter::Unpacking, |_| ())
        .expect("ends");
    assert!(early.1.packed.size < bytes.len() as u64);
}

#[test]
fn what_breaks_the_stream_comes_after_the_bytes_before_it() {
    let mut damaged: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b];
    let read = |pieces: &mut Pieces| pieces.read_to_end(&mut Vec::new()).map_err(ReadError::from);
    let (done, _) =
        unpacked(&mut damaged, Compression::Gzip, Caps::default(), Lighter::Unpacking, read).expect("ends");
    assert!(matches!(done, Err(ReadError::Refused { code: "GZ-07", .. })), "{done:?}");
}

#[test]
fn both_digests_are_taken_in_either_stage() {
    let bytes: Vec<u8> = (0..500_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &bytes).expect("into memory");
    let packed = packed.finish().expect("into memory");
    for lighter in [Lighter::Unpacking, Lighter::Work] {
        let read_all = |pieces: &mut Pieces| pieces.read_to_end(&mut Vec::new());
        let (read, through) =
            unpacked(&mut &packed[..], Compression::Gzip, Caps::default(), lighter, read_all).expect("ends");
        assert_eq!(read.expect("reads"), bytes.len());
        for (through, bytes) in [(through.packed, &packed), (through.unpacked, &bytes)] {
            let digest = Digest::from_sha256(&Sha256::digest(bytes));
            assert_eq!((through.digest, through.size), (digest, bytes.len() as u64), "{lighter:?}");
        }
    }
}
