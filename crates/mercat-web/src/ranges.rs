//! The part of a body that a request asks for (RFC 9110, 14.2).

use axum::http::HeaderMap;
use axum::http::header::RANGE;
use std::ops::Range;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Part(Range<u64>),
    Beyond,
    /// Several ranges or none that can be read: the whole is sent, as RFC 9110 allows.
    Ignored,
}

fn parse_range(text: &str, size: u64) -> Asked {
    let Some((from, to)) = text.split_once('-') else { return Asked::Ignored };
    match (from.trim().parse::<u64>(), to.trim().parse::<u64>(), from.trim(), to.trim()) {
        (Ok(from), Ok(to), ..) if from <= to && from < size => {
            Asked::Part(from..to.saturating_add(1).min(size))
        }
        (Ok(_), Ok(_), ..) => Asked::Beyond,
        (Ok(from), _, _, "") if from < size => Asked::Part(from..size),
        (Ok(_), _, _, "") => Asked::Beyond,
        (_, Ok(last), "", _) if last > 0 && size > 0 => Asked::Part(size.saturating_sub(last)..size),
        (_, Ok(_), "", _) => Asked::Beyond,
        _ => Asked::Ignored,
    }
}

/// What a request asks for of a body of that size; without `Range`, all of it.
pub(crate) fn asked(headers: &HeaderMap, size: u64) -> Asked {
    let text =
        headers.get(RANGE).and_then(|value| value.to_str().ok()).and_then(|text| text.strip_prefix("bytes="));
    text.map_or(Asked::Ignored, |text| parse_range(text, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_reads_them() {
        assert_eq!(parse_range("500-1499", 3000), Asked::Part(500..1500));
        assert_eq!(parse_range("500-", 3000), Asked::Part(500..3000));
        assert_eq!(parse_range("-500", 3000), Asked::Part(2500..3000));
        assert_eq!(parse_range("2000-5000", 3000), Asked::Part(2000..3000));
        assert_eq!(parse_range("500-0", 3000), Asked::Beyond);
        assert_eq!(parse_range("5000-10000", 3000), Asked::Beyond);
        assert_eq!(parse_range("0-1,5-6", 3000), Asked::Ignored);
        assert_eq!(parse_range("x", 3000), Asked::Ignored);
    }
}
