//! Gives texts numbers while a block is built.

use std::collections::HashMap;

/// Keys are short and hashed several times an event: the standard hasher is the largest single
/// cost of an append. This one is randomly seeded, too.
pub(super) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Numbers texts in the order they come.
#[derive(Default)]
pub(super) struct Interner<'a> {
    /// Texts that came before at the same address. The borrow keeps them where they are.
    by_address: Map<(usize, usize), u32>,
    by_text: Map<&'a str, u32>,
}

impl<'a> Interner<'a> {
    /// The text's number, and whether it is `next`, given out for the first time.
    pub(super) fn intern(&mut self, text: &'a str, next: u32) -> (u32, bool) {
        let address = (text.as_ptr() as usize, text.len());
        if let Some(at) = self.by_address.get(&address) {
            return (*at, false);
        }
        let at = *self.by_text.entry(text).or_insert(next);
        self.by_address.insert(address, at);
        (at, at == next)
    }
}

/// Numbers texts and counts them.
#[derive(Default)]
pub(super) struct Counter<'a> {
    numbers: Interner<'a>,
    counts: Vec<(&'a str, u32)>,
}

impl<'a> Counter<'a> {
    pub(super) fn count(&mut self, text: &'a str) -> u32 {
        let (at, fresh) = self.numbers.intern(text, self.counts.len() as u32);
        if fresh {
            self.counts.push((text, 0));
        }
        self.counts[at as usize].1 += 1;
        at
    }

    pub(super) fn finish(&self) -> Vec<(String, u32)> {
        self.counts.iter().map(|(text, count)| ((*text).to_owned(), *count)).collect()
    }
}
