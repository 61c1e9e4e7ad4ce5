//! Unix `compress` (.Z): LZW with codes of 9 to 16 bits, in groups of eight.

use crate::ReadError;
use std::io::{self, Read};

const CLEAR: usize = 256;
const CHUNK: usize = 16 << 10;

/// The content of a `.Z` file. `Z-01` is a header that is none, `Z-02` a code that cannot stand where it
/// does, `Z-03` a stream that ends inside a code.
pub struct CompressReader<R> {
    inner: R,
    table: Option<Table>,
    /// Bytes that were decoded, last first.
    stack: Vec<u8>,
    input: Vec<u8>,
    taken: usize,
    offset: u64,
    /// Bits that were read and not used, and how many.
    bits: u64,
    have: u32,
}

struct Table {
    block_mode: bool,
    width_max: u32,
    width: u32,
    /// Codes of this width since it began: a change of width begins at a group of eight.
    codes: u64,
    prefix: Vec<u16>,
    suffix: Vec<u8>,
    next: usize,
    previous: Option<usize>,
    first: u8,
}

impl<R: Read> CompressReader<R> {
    /// Wraps a reader that stands at the magic.
    pub fn new(inner: R) -> Self {
        let (stack, input) = (Vec::new(), Vec::new());
        Self { inner, table: None, stack, input, taken: 0, offset: 0, bits: 0, have: 0 }
    }

    fn refused(&self, code: &'static str, what: &str) -> ReadError {
        ReadError::refused(code, self.offset, what)
    }

    fn byte(&mut self) -> Result<Option<u8>, ReadError> {
        if self.taken == self.input.len() {
            self.input.clear();
            self.taken = 0;
            self.inner.by_ref().take(CHUNK as u64).read_to_end(&mut self.input)?;
        }
        let byte = self.input.get(self.taken).copied();
        self.taken += usize::from(byte.is_some());
        self.offset += u64::from(byte.is_some());
        Ok(byte)
    }

    fn begin(&mut self) -> Result<Table, ReadError> {
        let head = (self.byte()?, self.byte()?, self.byte()?);
        let (Some(0x1f), Some(0x9d), Some(flags)) = head else {
            return Err(self.refused("Z-01", "not a compress header"));
        };
        let width_max = u32::from(flags & 0x1f);
        // Of codes of 9 bits at most, no two readers make the same.
        if flags & 0x60 != 0 || !(10..=16).contains(&width_max) {
            return Err(self.refused("Z-01", "reserved bits, or codes that are not of up to 10 to 16 bits"));
        }
        let block_mode = flags & 0x80 != 0;
        Ok(Table {
            block_mode,
            width_max,
            width: 9,
            codes: 0,
            prefix: vec![0; 1 << width_max],
            suffix: vec![0; 1 << width_max],
            next: if block_mode { 257 } else { 256 },
            previous: None,
            first: 0,
        })
    }

    fn code(&mut self, width: u32) -> Result<Option<usize>, ReadError> {
        while self.have < width {
            match self.byte()? {
                Some(byte) => self.bits |= u64::from(byte) << self.have,
                // The last byte is filled up with zero bits.
                None if self.bits == 0 && self.have < 8 => return Ok(None),
                None => return Err(self.refused("Z-03", "the stream ends inside a code")),
            }
            self.have += 8;
        }
        let code = self.bits & ((1 << width) - 1);
        self.bits >>= width;
        self.have -= width;
        Ok(Some(usize::try_from(code).unwrap_or(0)))
    }

    /// Passes over the rest of a group of eight codes.
    fn align(&mut self, table: &mut Table) -> Result<(), ReadError> {
        while !table.codes.is_multiple_of(8) {
            table.codes += 1;
            if self.code(table.width).unwrap_or(None).is_none() {
                break;
            }
        }
        table.codes = 0;
        Ok(())
    }

    /// Decodes one code onto the stack; `false` at the end.
    fn step(&mut self, table: &mut Table) -> Result<bool, ReadError> {
        if table.next >= 1 << table.width && table.width < table.width_max {
            self.align(table)?;
            table.width += 1;
        }
        let Some(code) = self.code(table.width)? else { return Ok(false) };
        table.codes += 1;
        if code == CLEAR && table.block_mode {
            self.align(table)?;
            (table.width, table.next, table.previous) = (9, 257, None);
            return Ok(true);
        }
        let Some(previous) = table.previous else {
            if code > 255 {
                return Err(self.refused("Z-02", "a stream that does not begin with a byte"));
            }
            table.first = code as u8;
            table.previous = Some(code);
            self.stack.push(table.first);
            return Ok(true);
        };
        let mut at = code;
        if code >= table.next {
            if code > table.next {
                return Err(self.refused("Z-02", "a code that was not defined"));
            }
            self.stack.push(table.first);
            at = previous;
        }
        while at > 255 {
            self.stack.push(table.suffix[at]);
            at = usize::from(table.prefix[at]);
        }
        table.first = at as u8;
        self.stack.push(table.first);
        if table.next < table.prefix.len() {
            table.prefix[table.next] = previous as u16;
            table.suffix[table.next] = table.first;
            table.next += 1;
        }
        table.previous = Some(code);
        Ok(true)
    }
}

impl<R: Read> Read for CompressReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut table = match self.table.take() {
            Some(table) => table,
            None => self.begin()?,
        };
        let mut made = 0;
        while made < buffer.len() {
            if let Some(byte) = self.stack.pop() {
                buffer[made] = byte;
                made += 1;
            } else if !self.step(&mut table)? {
                break;
            }
        }
        self.table = Some(table);
        Ok(made)
    }
}
