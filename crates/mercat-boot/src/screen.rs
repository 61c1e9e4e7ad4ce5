//! Screenshots: QEMU's portable pixmap, read strictly, written as PNG.

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

/// Largest side of a screen in pixels.
const SIDE_MAX: u32 = 8192;

/// A P6 pixmap with 8 bits a sample as PNG; `None` when it is anything else.
pub(crate) fn png(pixmap: &[u8]) -> Option<Vec<u8>> {
    let mut rest = pixmap.strip_prefix(b"P6")?;
    let mut fields = [0u32; 3];
    for field in &mut fields {
        let start = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
        let digits = rest.get(start..)?;
        let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
        *field = std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()?;
        rest = digits.get(end..)?;
    }
    let [width, height, most] = fields;
    let pixels = rest.strip_prefix(b"\n")?;
    let sides = 1..=SIDE_MAX;
    let size = u64::from(width) * u64::from(height) * 3;
    if most != 255 || !sides.contains(&width) || !sides.contains(&height) || pixels.len() as u64 != size {
        return None;
    }
    let mut out = Vec::new();
    PngEncoder::new(&mut out).write_image(pixels, width, height, ExtendedColorType::Rgb8).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::png;

    #[test]
    fn a_pixmap_becomes_a_png_and_anything_else_nothing() {
        let good = b"P6\n2 1\n255\nabcdef";
        let image = image::load_from_memory(&png(good).expect("a PNG")).expect("reads").to_rgb8();
        assert_eq!(image.as_raw(), b"abcdef");
        for end in 0..good.len() {
            assert!(png(&good[..end]).is_none(), "cut at {end}");
        }
        for bad in [
            b"P5\n2 1\n255\nabcdef".as_slice(),
            b"P6\n99999 1\n255\n",
            b"P6\n0 0\n255\n",
            b"P6\n2 1\n15\nabcdef",
            b"P6\n2 1\n255\nabcdefg",
        ] {
            assert!(png(bad).is_none());
        }
    }
}
