//! How urgent a waiting execution is.

/// How urgent a waiting execution is; its caller sets it. Under load each priority gets a
/// share of the starts in proportion to its [`weight`](Self::weight), so no execution
/// waits for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// For work that can wait.
    Low,
    /// The priority of a call that names none.
    #[default]
    Normal,
    /// For work that comes before the normal.
    High,
    /// For work that comes before all other.
    Urgent,
}

impl Priority {
    /// Every priority, the lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Urgent];

    /// The number of starts for each start of [`Priority::Low`], while executions of both
    /// wait.
    pub const fn weight(self) -> u32 {
        match self {
            Self::Low => 1,
            Self::Normal => 4,
            Self::High => 16,
            Self::Urgent => 64,
        }
    }

    /// The name, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

impl std::fmt::Display for Priority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
