//! Names: slugs, GUIDs and the key of an offer.

use std::fmt;

/// The two kinds of goods that can be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OfferKind {
    /// A container image, read from a registry.
    Container,
    /// A virtual machine disk.
    VirtualMachine,
}

impl OfferKind {
    /// Every kind, in display order.
    pub const ALL: [Self; 2] = [Self::Container, Self::VirtualMachine];

    /// The name used in the API, files and the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::VirtualMachine => "virtual-machine",
        }
    }

    /// Reads [`OfferKind::name`] back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The identity of an offer: publisher and offer id, both slugs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OfferKey {
    /// Publisher id.
    pub publisher: String,
    /// Offer id, unique within the publisher.
    pub offer: String,
}

impl OfferKey {
    /// Joins two ids; the caller has checked both with [`check_slug`].
    pub fn new(publisher: impl Into<String>, offer: impl Into<String>) -> Self {
        Self { publisher: publisher.into(), offer: offer.into() }
    }

    /// Reads `publisher/offer`.
    pub fn parse(text: &str) -> Option<Self> {
        let (publisher, offer) = text.split_once('/')?;
        (check_slug(publisher, 50).is_ok() && check_slug(offer, 50).is_ok())
            .then(|| Self::new(publisher, offer))
    }
}

impl fmt::Display for OfferKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.publisher, self.offer)
    }
}

/// What is wrong with a slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlugProblem {
    /// Nothing was given.
    Empty,
    /// Longer than the limit.
    TooLong,
    /// A character outside `a-z 0-9 - _`, or a first character that is neither letter nor digit.
    Charset,
    /// Ends with `-` or `_`.
    TrailingDash,
}

/// Checks an id: `[a-z0-9][a-z0-9-_]*`, no trailing dash or underscore
/// (domain rules 3.1, contradiction C10).
pub fn check_slug(text: &str, max: usize) -> Result<(), SlugProblem> {
    let Some(first) = text.bytes().next() else { return Err(SlugProblem::Empty) };
    if text.len() > max {
        return Err(SlugProblem::TooLong);
    }
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if !plain(first) || !text.bytes().all(|b| plain(b) || b == b'-' || b == b'_') {
        return Err(SlugProblem::Charset);
    }
    if text.ends_with(['-', '_']) {
        return Err(SlugProblem::TrailingDash);
    }
    // Ids become names of repositories, whose grammar has no `-_` or `___`.
    if !crate::tags::is_repository(text) {
        return Err(SlugProblem::Charset);
    }
    Ok(())
}

/// Whether the text is a GUID: 8-4-4-4-12 hexadecimal digits.
pub fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.len() == 5
        && groups
            .iter()
            .zip([8, 4, 4, 4, 12])
            .all(|(group, length)| group.len() == length && group.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_refused_for_the_reason_given() {
        assert_eq!(check_slug("aurora-gateway", 50), Ok(()));
        assert_eq!(check_slug("", 50), Err(SlugProblem::Empty));
        assert_eq!(check_slug("Aurora", 50), Err(SlugProblem::Charset));
        assert_eq!(check_slug("-a", 50), Err(SlugProblem::Charset));
        assert_eq!(check_slug("a-_b", 50), Err(SlugProblem::Charset));
        assert_eq!(check_slug("a-", 50), Err(SlugProblem::TrailingDash));
        assert_eq!(check_slug(&"a".repeat(51), 50), Err(SlugProblem::TooLong));
    }

    #[test]
    fn a_guid_with_a_letter_past_f_is_not_a_guid() {
        assert!(is_guid("11111111-2222-4333-8444-55555555555f"));
        assert!(!is_guid("11111111-2222-4333-8444-55555555555g"));
        assert!(!is_guid("11111111222243338444555555555555"));
    }
}
