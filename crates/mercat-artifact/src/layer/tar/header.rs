//! One 512-byte header block.

/// Which magic the header carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Magic {
    /// `ustar\0` `00`.
    Ustar,
    /// `ustar ` ` \0`.
    Gnu,
}

pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) mode: u32,
    pub(super) size: u64,
    pub(super) kind: u8,
    /// Major and minor number, of a device.
    pub(super) device: (u64, u64),
    /// Names of the owners, where they are other than names of owners are, and what is in fields that nobody reads.
    pub(super) owners: Vec<u8>,
}

type Bad = (&'static str, String);

pub(super) fn parse(block: &[u8; 512]) -> Result<Header, Bad> {
    let stored = number(&block[148..156], "checksum")?;
    let sum: u64 = block
        .iter()
        .enumerate()
        .map(|(at, b)| if (148..156).contains(&at) { 32 } else { u64::from(*b) })
        .sum();
    if stored != sum {
        return Err(("TAR-01", format!("the header checksum is {stored}, not {sum}")));
    }
    let magic = match &block[257..265] {
        b"ustar\x0000" => Magic::Ustar,
        b"ustar  \0" => Magic::Gnu,
        other => return Err(("TAR-02", format!("the magic {:?}", String::from_utf8_lossy(other)))),
    };
    let prefix = &block[345..500];
    if !magic.allows_prefix() && prefix.iter().any(|byte| *byte != 0) {
        return Err(("TAR-21", "a GNU header that uses the field of the ustar prefix".into()));
    }
    // The last twelve bytes are unused; one dialect marks itself there and cuts the prefix short.
    if block[500..].iter().any(|byte| *byte != 0) {
        return Err(("TAR-21", "bytes behind the fields of the header".into()));
    }
    let mut name = text(&block[..100], "name")?;
    let prefix = text(prefix, "prefix")?;
    if !prefix.is_empty() {
        name = [prefix, vec![b'/'], name].concat();
    }
    for (range, field) in [(108..116, "uid"), (116..124, "gid"), (136..148, "mtime")] {
        number(&block[range], field)?;
    }
    let device = match block[156] {
        b'3' | b'4' => (number(&block[329..337], "devmajor")?, number(&block[337..345], "devminor")?),
        _ => (0, 0),
    };
    Ok(Header {
        name,
        link: text(&block[157..257], "link name")?,
        mode: u32::try_from(number(&block[100..108], "mode")? & 0o7777).unwrap_or(0),
        size: number(&block[124..136], "size")?,
        kind: block[156],
        device,
        owners: owners(block),
    })
}

fn owners(block: &[u8; 512]) -> Vec<u8> {
    const NAME_BYTES_MAX: usize = 16;
    let mut out = Vec::new();
    for range in [265..297, 297..329, 329..345] {
        let field = &block[range];
        let end = field.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let is_name =
            |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_- \0".contains(byte);
        if end > NAME_BYTES_MAX || !field[..end].iter().all(is_name) {
            out.extend_from_slice(&field[..end]);
            out.push(b'\n');
        }
    }
    out
}

/// Text up to the first NUL; after it only NULs, because readers differ about what follows.
fn text(field: &[u8], what: &str) -> Result<Vec<u8>, Bad> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    if field[end..].iter().any(|byte| *byte != 0) {
        return Err(("TAR-12", format!("bytes after the NUL of the {what}")));
    }
    Ok(field[..end].to_vec())
}

/// An octal number with blanks and NULs around it, or a positive base-256 number.
fn number(field: &[u8], what: &str) -> Result<u64, Bad> {
    let bad = |why: &str| ("TAR-03", format!("the {what} field: {why}"));
    if field[0] & 0x80 != 0 {
        if field[0] != 0x80 {
            return Err(bad("a negative or huge base-256 number"));
        }
        let mut value: u64 = 0;
        for byte in &field[1..] {
            value = value
                .checked_mul(256)
                .and_then(|value| value.checked_add(u64::from(*byte)))
                .ok_or_else(|| bad("a base-256 number beyond 64 bits"))?;
        }
        return Ok(value);
    }
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let digits = field[..end].trim_ascii();
    if field[end..].iter().any(|byte| !matches!(byte, 0 | b' ')) {
        return Err(bad("bytes after its end"));
    }
    let mut value: u64 = 0;
    for digit in digits {
        if !(b'0'..=b'7').contains(digit) {
            return Err(bad("not octal"));
        }
        value = value
            .checked_mul(8)
            .map(|value| value + u64::from(digit - b'0'))
            .ok_or_else(|| bad("too large"))?;
    }
    Ok(value)
}
