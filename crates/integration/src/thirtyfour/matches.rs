use thirtyfour::WebElement;

/// The result of a query: how many elements it holds.
pub trait Matches {
    /// Elements found; 0 means that the query found nothing it could use.
    fn matches(&self) -> u32;
}

impl Matches for WebElement {
    fn matches(&self) -> u32 {
        1
    }
}

impl<T: Matches> Matches for Option<T> {
    fn matches(&self) -> u32 {
        self.as_ref().map_or(0, Matches::matches)
    }
}

impl<T> Matches for Vec<T> {
    fn matches(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }
}

/// The answer of `exists()`. That of `not_exists()` means the opposite: negate it first.
impl Matches for bool {
    fn matches(&self) -> u32 {
        u32::from(*self)
    }
}
