use super::edits::{Edits, Marks};
use std::borrow::Cow;

/// Most digits of a card number (ISO/IEC 7812-1).
const DIGITS: usize = 19;

/// Replaces payment card numbers: issuer and length that occur, a Luhn check digit (ISO/IEC
/// 7812-1, annex B), written in one piece or in groups that begin with four digits.
pub(crate) fn mask<'a>(text: &'a str, marks: &Marks) -> Cow<'a, str> {
    let bytes = text.as_bytes();
    let mut edits = Edits::new(text);
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        let mut digits = Digits::default();
        loop {
            let group = at;
            while at < bytes.len() && bytes[at].is_ascii_digit() {
                digits.push(bytes[at] - b'0');
                at += 1;
            }
            if group == start {
                digits.first_group = at - start;
            }
            let goes_on = at + 1 < bytes.len()
                && matches!(bytes[at], b' ' | b'-')
                && bytes[at + 1].is_ascii_digit();
            if !goes_on || digits.first_group != 4 {
                break;
            }
            at += 1;
        }
        let alone = (start == 0 || !is_name(bytes[start - 1]))
            && (at == bytes.len() || !is_name(bytes[at]));
        if alone && digits.is_card() {
            edits.replace(start, at, marks.card);
        }
    }
    edits.done()
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[derive(Default)]
struct Digits {
    values: [u8; DIGITS],
    /// May exceed `DIGITS`; then it is no card.
    len: usize,
    first_group: usize,
}

impl Digits {
    fn push(&mut self, digit: u8) {
        if let Some(place) = self.values.get_mut(self.len) {
            *place = digit;
        }
        self.len += 1;
    }

    fn is_card(&self) -> bool {
        let Some(digits) = self.values.get(..self.len) else { return false };
        let prefix =
            digits.iter().take(4).fold(0_u32, |prefix, digit| prefix * 10 + u32::from(*digit));
        let known = matches!(
            (self.len, prefix),
            (16 | 19, 4000..=4999)
                | (16, 5100..=5599 | 2221..=2720 | 6011 | 6440..=6599 | 3528..=3589)
                | (15, 3400..=3499 | 3700..=3799)
                | (14, 3000..=3059 | 3600..=3699 | 3800..=3999)
                | (16..=19, 6200..=6299)
        );
        known && luhn(digits)
    }
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let value = u32::from(*digit) << (at % 2);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}
