use crate::distinct::fingerprint;
use std::collections::BTreeMap;

/// Pages that are followed.
const PAGES: usize = 64;

/// How often a selector changes its mind on one and the same page, in bounded memory.
///
/// A selector that breaks flips once on each page and stays; one that is flaky flips back. Per
/// page the first flip is therefore not counted. Which pages are followed depends on a fixed hash
/// of their URL alone, so counts of the followed ones are complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlipCounter {
    pages: BTreeMap<u64, Page>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page {
    first: bool,
    last: bool,
    pairs: u64,
    flips: u64,
}

impl FlipCounter {
    /// Adds the next operation on a page, oldest first.
    pub fn add(&mut self, page: &str, success: bool) {
        self.add_known(fingerprint(page), success);
    }

    /// The same, with the [`fingerprint`](crate::fingerprint) of the page's URL.
    pub fn add_known(&mut self, page: u64, success: bool) {
        let one = Page { first: success, last: success, pairs: 0, flips: 0 };
        self.append(page, one);
    }

    /// Adds what came later.
    pub fn append_all(&mut self, later: &Self) {
        for (page, it) in &later.pages {
            self.append(*page, *it);
        }
    }

    /// Flips beyond the first of each page.
    pub fn returns(&self) -> u64 {
        self.pages.values().map(|page| page.flips.saturating_sub(1)).sum()
    }

    /// Pairs of successive operations on the same page.
    pub fn pairs(&self) -> u64 {
        self.pages.values().map(|page| page.pairs).sum()
    }

    /// Pages followed.
    pub fn pages(&self) -> u64 {
        self.pages.len() as u64
    }

    fn append(&mut self, page: u64, later: Page) {
        let full = self.pages.len() >= PAGES;
        if full && self.pages.last_key_value().is_some_and(|(last, _)| page > *last) {
            return;
        }
        self.pages
            .entry(page)
            .and_modify(|it| {
                it.pairs += later.pairs + 1;
                it.flips += later.flips + u64::from(it.last != later.first);
                it.last = later.last;
            })
            .or_insert(later);
        if self.pages.len() > PAGES {
            self.pages.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FlipCounter;

    fn of(course: &str) -> FlipCounter {
        let mut flips = FlipCounter::default();
        for letter in course.chars() {
            flips.add("https://a.example/1", letter == 's');
        }
        flips
    }

    #[test]
    fn breaking_is_not_flaky() {
        assert_eq!((of("ssssffff").returns(), of("ssssffff").pairs()), (0, 7));
        assert_eq!(of("sfsfs").returns(), 3);
        assert_eq!(of("").pairs(), 0);
    }

    #[test]
    fn parts_make_the_whole() {
        let course = "ssfsffsfsssf";
        for at in 0..course.len() {
            let (early, late) = course.split_at(at);
            let mut joined = of(early);
            joined.append_all(&of(late));
            assert_eq!(joined, of(course), "{at}");
        }
    }

    #[test]
    fn many_pages_are_sampled_alike_whole_or_in_parts() {
        let operations: Vec<(String, bool)> = (0..2_000u32)
            .map(|n| (format!("https://a.example/{}", n * 7 % 300), n % 3 == 0))
            .collect();
        let mut whole = FlipCounter::default();
        let mut parts = [FlipCounter::default(), FlipCounter::default()];
        for (at, (page, success)) in operations.iter().enumerate() {
            whole.add(page, *success);
            parts[at / 1_000].add(page, *success);
        }
        let [mut early, late] = parts;
        early.append_all(&late);
        assert_eq!((whole.pages(), &early), (64, &whole));
    }
}
