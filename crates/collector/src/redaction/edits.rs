use std::borrow::Cow;

/// What stands where a secret was.
pub(crate) struct Marks {
    pub(crate) token: &'static str,
    pub(crate) email: &'static str,
    pub(crate) card: &'static str,
}

impl Marks {
    /// In a text.
    pub(crate) const TEXT: Self = Self { token: "[token]", email: "[email]", card: "[card]" };
    /// In a URL, where brackets mean something else.
    pub(crate) const URL: Self = Self { token: REDACTED, email: REDACTED, card: REDACTED };
}

/// Stands for what was removed from a URL.
pub(crate) const REDACTED: &str = "REDACTED";

/// A text with some of its parts replaced, from left to right. Borrows until something is.
pub(crate) struct Edits<'a> {
    text: &'a str,
    out: String,
    copied: usize,
}

impl<'a> Edits<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, out: String::new(), copied: 0 }
    }

    /// Replaces `start..end`, which lies behind everything replaced before.
    pub(crate) fn replace(&mut self, start: usize, end: usize, with: &str) {
        self.out.push_str(&self.text[self.copied..start]);
        self.out.push_str(with);
        self.copied = end;
    }

    pub(crate) fn done(mut self) -> Cow<'a, str> {
        if self.copied == 0 {
            return Cow::Borrowed(self.text);
        }
        self.out.push_str(&self.text[self.copied..]);
        Cow::Owned(self.out)
    }
}
