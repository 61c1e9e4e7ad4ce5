//! How states look: a tone of the style sheet and an icon. The word comes from the domain's key.

use mercat_domain::run::Shown;

/// Tone and icon of something that has a state.
pub(crate) trait Look {
    /// A class of the style sheet: `good`, `go`, `warn`, `bad` or nothing.
    fn tone(&self) -> &'static str;
    /// An icon of the frame.
    fn icon(&self) -> &'static str;
}

impl Look for Shown {
    fn tone(&self) -> &'static str {
        match self {
            Self::NotStarted => "",
            Self::InProgress | Self::InReview | Self::WaitingForYou => "go",
            Self::Delayed | Self::Ours => "warn",
            Self::NeedsFix | Self::NeedsInformation => "bad",
            Self::Complete | Self::Reused => "good",
        }
    }

    fn icon(&self) -> &'static str {
        match self {
            Self::NotStarted => "none",
            Self::InProgress => "run",
            Self::WaitingForYou | Self::InReview => "you",
            Self::Delayed | Self::Ours => "late",
            Self::NeedsFix => "problem",
            Self::NeedsInformation => "info",
            Self::Complete => "done",
            Self::Reused => "again",
        }
    }
}

/// Where a list goes on, as links of one page.
pub(crate) struct Pager {
    pub(crate) previous: Option<String>,
    pub(crate) next: Option<String>,
    /// Which page this is.
    pub(crate) words: String,
}
