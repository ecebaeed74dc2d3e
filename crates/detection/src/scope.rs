use serde::{Deserialize, Serialize};

/// Where the cause of a selector's trouble lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// This selector's element changed; others of its page still work.
    Selector,
    /// The page was redesigned: most of its selectors fail.
    Page,
    /// Most selectors fail on all pages of the site: another page is served, or all were redesigned.
    Site,
    /// Site, network or browser: selectors are not put to the test at all.
    Environment,
}

impl Scope {
    /// Its word, as in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Selector => "selector",
            Self::Page => "page",
            Self::Site => "site",
            Self::Environment => "environment",
        }
    }
}

/// Other selectors that worked before, and how many of them fail now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    /// All of them.
    pub all: usize,
    /// Those that fail.
    pub failing: usize,
}

impl Peers {
    /// Adds one.
    pub const fn add(&mut self, failing: bool) {
        self.all += 1;
        self.failing += failing as usize;
    }

    const fn mostly_fail(self) -> bool {
        self.all > 0 && self.failing * 2 >= self.all
    }

    /// The same, with one more that fails.
    const fn mostly_fail_with(self) -> bool {
        self.failing > 0 && (self.failing + 1) * 2 > self.all
    }
}

/// Says where the cause lies from the other selectors of the same page (URL template), those of the
/// site's other pages, and whether operations of the site fail before any selector is tested.
/// `None` where there is nobody to compare with.
pub const fn scope(page: Peers, elsewhere: Peers, environment: bool) -> Option<Scope> {
    if environment {
        return Some(Scope::Environment);
    }
    match (page.mostly_fail_with(), elsewhere.mostly_fail()) {
        (true, true) => Some(Scope::Site),
        (true, false) => Some(Scope::Page),
        (false, true) if page.all == 0 => Some(Scope::Site),
        (false, _) if page.all == 0 && elsewhere.all == 0 => None,
        (false, _) => Some(Scope::Selector),
    }
}
