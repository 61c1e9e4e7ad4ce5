//! CRC-32C (Castagnoli), which VHDX uses for headers of a few KiB: a table of ours instead of a
//! dependency.

const POLYNOMIAL: u32 = 0x82f6_3b78;

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ POLYNOMIAL } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

/// The checksum of the bytes with four bytes taken as zeros: the checksum field itself.
pub(super) fn crc32c(bytes: &[u8], zeroed_at: usize) -> u32 {
    let zeroed = zeroed_at..zeroed_at + 4;
    !bytes.iter().enumerate().fold(!0, |crc, (at, byte)| {
        let byte = if zeroed.contains(&at) { 0 } else { *byte };
        (crc >> 8) ^ TABLE[usize::from(byte ^ (crc & 0xff) as u8)]
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_published_check_values_come_out() {
        assert_eq!(super::crc32c(b"123456789", 9), 0xe306_9283);
        assert_eq!(super::crc32c(&[0; 32], 32), 0x8a91_36aa);
        assert_eq!(super::crc32c(&[[0xff; 4], [0; 4]].concat(), 0), super::crc32c(&[0; 8], 0));
    }
}
