//! A layer in two stages, each in its own thread: unpacking with the digests, and all that looks at the bytes.

use mercat_artifact::ReadError;
use mercat_artifact::layer::{Caps, Hashed, LayerReader};
use mercat_artifact::oci::Compression;
use mercat_domain::Digest;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// Bytes that pass from one stage to the next at a time.
const PIECE_BYTES: usize = 128 << 10;
/// Pieces between the stages.
const PIECES: usize = 4;

/// What passed through a layer's first stage.
#[derive(Debug)]
pub(crate) struct Through {
    /// The blob, as far as it was read.
    pub(crate) packed: Hashed,
    /// What came out of it.
    pub(crate) unpacked: Hashed,
    /// What the blob holds beside that.
    pub(crate) aside: Vec<u8>,
}

/// Which stage takes the digest of what comes out: the one that has less to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lighter {
    Unpacking,
    Work,
}

/// Unpacks a layer beside `work`, which reads what comes out. Gives back what `work` made, and what passed; the digest of
/// what comes out is that of all of it when `work` reads all of it.
pub(crate) fn unpacked<T>(
    blob: &mut (dyn Read + Send),
    compression: Compression,
    caps: Caps,
    lighter: Lighter,
    work: impl FnOnce(&mut Pieces) -> T,
) -> io::Result<(T, Through)> {
    // What is not packed has one digest.
    let digest_in = |stage| (compression != Compression::None && lighter == stage).then(Sha256::new);
    let mut out = digest_in(Lighter::Unpacking);
    let (full, incoming) = sync_channel(PIECES);
    let (empty, spare) = channel();
    std::thread::scope(|scope| {
        let unpacking = scope.spawn(move || {
            let mut size = 0;
            let (packed, aside) = unpack(LayerReader::new(blob, compression, caps), &full, &spare, |piece| {
                size += piece.len() as u64;
                if let Some(out) = &mut out {
                    out.update(piece);
                }
            });
            (packed, aside, size, out)
        });
        let digest = digest_in(Lighter::Work);
        let mut pieces = Pieces { incoming, empty, digest, piece: Vec::new(), taken: 0, ended: false };
        let done = work(&mut pieces);
        let digest = pieces.digest.take();
        drop(pieces);
        let joined = unpacking.join().map_err(|_| io::Error::other("the unpacking thread ended early"));
        let (packed, aside, size, out) = joined?;
        let unpacked = match out.or(digest) {
            None => packed.clone(),
            Some(out) => Hashed { digest: Digest::from_sha256(&out.finalize()), size },
        };
        Ok((done, Through { packed, unpacked, aside }))
    })
}

type Piece = Result<Vec<u8>, ReadError>;

fn unpack<R: Read>(
    mut layer: LayerReader<R>,
    full: &SyncSender<Piece>,
    spare: &Receiver<Vec<u8>>,
    mut passes: impl FnMut(&[u8]),
) -> (Hashed, Vec<u8>) {
    let finish = |layer: LayerReader<R>| {
        let aside = layer.aside().to_vec();
        (layer.finish(), aside)
    };
    loop {
        let mut piece = spare.try_recv().unwrap_or_default();
        piece.resize(PIECE_BYTES, 0);
        let mut filled = 0;
        let mut ended = None;
        while filled < PIECE_BYTES && ended.is_none() {
            match layer.read(&mut piece[filled..]) {
                Ok(0) => ended = Some(Ok(())),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => ended = Some(Err(ReadError::from(error))),
            }
        }
        piece.truncate(filled);
        passes(&piece);
        // A reader that is gone wants no more.
        if filled > 0 && full.send(Ok(piece)).is_err() {
            return finish(layer);
        }
        match ended {
            None => {}
            Some(Ok(())) => return finish(layer),
            Some(Err(error)) => {
                let _ = full.send(Err(error));
                return finish(layer);
            }
        }
    }
}

/// The unpacked bytes, as they come.
pub(crate) struct Pieces {
    incoming: Receiver<Piece>,
    empty: Sender<Vec<u8>>,
    digest: Option<Sha256>,
    piece: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.piece.len() && !self.ended {
            let piece = match self.incoming.recv() {
                Ok(piece) => piece?,
                Err(_) => {
                    self.ended = true;
                    break;
                }
            };
            if let Some(digest) = &mut self.digest {
                digest.update(&piece);
            }
            let _ = self.empty.send(std::mem::replace(&mut self.piece, piece));
            self.taken = 0;
        }
        let rest = &self.piece[self.taken..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
