//! Unpacking one cluster or grain, with decoders that are used again.

use flate2::{Decompress, FlushDecompress, Status};
use std::sync::{Mutex, PoisonError};
use zstd::stream::raw::{DParameter, Decoder, Operation};

/// Windows of up to 8 MiB: four times the largest cluster.
const WINDOW_LOG_MAX: u32 = 23;

/// How clusters are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// RFC 1951, as in qcow2.
    Deflate,
    /// RFC 1950, as in VMDK.
    Zlib,
    /// RFC 8878, one frame.
    Zstd,
}

/// What came out: bytes read and bytes written.
pub(super) struct Unpacked {
    pub(super) read: usize,
    pub(super) written: usize,
}

enum Engine {
    Flate(Box<Decompress>),
    Zstd(Decoder<'static>),
}

struct Scratch {
    engine: Engine,
    packed: Vec<u8>,
}

/// Decoders for as many threads as ask at once.
pub(super) struct Unpacker {
    packing: Packing,
    idle: Mutex<Vec<Scratch>>,
}

impl Unpacker {
    pub(super) fn new(packing: Packing) -> Self {
        Self { packing, idle: Mutex::default() }
    }

    /// Lets `fill` read the packed bytes, and unpacks them into a buffer. `None` when the stream is
    /// broken or does not end within buffer and packed bytes.
    pub(super) fn unpack<E>(
        &self,
        packed_bytes: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
        buffer: &mut [u8],
    ) -> Result<Option<Unpacked>, E> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(mut scratch) = idle.or_else(|| self.scratch()) else { return Ok(None) };
        scratch.packed.resize(packed_bytes, 0);
        fill(&mut scratch.packed)?;
        let unpacked = match &mut scratch.engine {
            Engine::Flate(engine) => inflate(engine, self.packing, &scratch.packed, buffer),
            Engine::Zstd(engine) => zstd_frame(engine, &scratch.packed, buffer),
        };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        Ok(unpacked)
    }

    fn scratch(&self) -> Option<Scratch> {
        let engine = match self.packing {
            Packing::Deflate | Packing::Zlib => {
                Engine::Flate(Box::new(Decompress::new(self.packing == Packing::Zlib)))
            }
            Packing::Zstd => {
                let mut decoder = Decoder::new().ok()?;
                decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).ok()?;
                Engine::Zstd(decoder)
            }
        };
        Some(Scratch { engine, packed: Vec::new() })
    }
}

fn inflate(engine: &mut Decompress, packing: Packing, packed: &[u8], buffer: &mut [u8]) -> Option<Unpacked> {
    engine.reset(packing == Packing::Zlib);
    loop {
        let (read, written) = totals(engine)?;
        let input = packed.get(read..)?;
        let room = buffer.get_mut(written..)?;
        let status = engine.decompress(input, room, FlushDecompress::Finish).ok()?;
        let after = totals(engine)?;
        if status == Status::StreamEnd {
            return Some(Unpacked { read: after.0, written: after.1 });
        }
        if after == (read, written) {
            return None;
        }
    }
}

fn totals(engine: &Decompress) -> Option<(usize, usize)> {
    Some((usize::try_from(engine.total_in()).ok()?, usize::try_from(engine.total_out()).ok()?))
}

fn zstd_frame(engine: &mut Decoder<'static>, packed: &[u8], buffer: &mut [u8]) -> Option<Unpacked> {
    engine.reinit().ok()?;
    let (mut read, mut written) = (0, 0);
    loop {
        let status = engine.run_on_buffers(packed.get(read..)?, buffer.get_mut(written..)?).ok()?;
        read += status.bytes_read;
        written += status.bytes_written;
        if status.remaining == 0 {
            return Some(Unpacked { read, written });
        }
        if status.bytes_read == 0 && status.bytes_written == 0 {
            return None;
        }
    }
}
