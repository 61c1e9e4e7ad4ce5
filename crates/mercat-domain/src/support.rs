//! Support requests: a thread between somebody who is stuck and somebody who helps (domain rules 9.5).

/// How far a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestState {
    /// Nobody answered yet.
    New,
    /// The helping side has to act.
    Open,
    /// The asking side has to act.
    WaitsForRequester,
    /// Over; a reply opens it again.
    Closed,
}

impl RequestState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::New, Self::Open, Self::WaitsForRequester, Self::Closed];

    /// The name used in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::WaitsForRequester => "waitsForRequester",
            Self::Closed => "closed",
        }
    }

    /// Reads [`RequestState::name`] back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The key of the state's words.
    pub fn key(self) -> &'static str {
        match self {
            Self::New => "support-new",
            Self::Open => "support-open",
            Self::WaitsForRequester => "support-waits",
            Self::Closed => "support-closed",
        }
    }
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A question.
    Low,
    /// Something does not work.
    Normal,
    /// Publishing is blocked.
    High,
    /// Customers are affected.
    Urgent,
}

impl Priority {
    /// Every priority, lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Urgent];

    /// The name used in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }

    /// Reads [`Priority::name`] back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.name() == name)
    }

    /// The key of the priority's words.
    pub fn key(self) -> &'static str {
        match self {
            Self::Low => "priority-low",
            Self::Normal => "priority-normal",
            Self::High => "priority-high",
            Self::Urgent => "priority-urgent",
        }
    }
}

/// Categories of a request.
pub const CATEGORIES: [&str; 6] = ["publishing", "certification", "access", "remove-offer", "leads", "other"];

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who asked, and their colleagues.
    Requester,
    /// Who helps.
    Helper,
}

/// The state after a message, or after closing it with one.
pub fn after_message(side: Side, closes: bool) -> RequestState {
    match (side, closes) {
        (_, true) => RequestState::Closed,
        (Side::Requester, false) => RequestState::Open,
        (Side::Helper, false) => RequestState::WaitsForRequester,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_always_somebodys_turn_until_it_is_closed() {
        assert_eq!(after_message(Side::Requester, false), RequestState::Open);
        assert_eq!(after_message(Side::Helper, false), RequestState::WaitsForRequester);
        assert_eq!(after_message(Side::Requester, true), RequestState::Closed);
        for state in RequestState::ALL {
            assert_eq!(RequestState::parse(state.name()), Some(state));
        }
        for priority in Priority::ALL {
            assert_eq!(Priority::parse(priority.name()), Some(priority));
        }
    }
}
