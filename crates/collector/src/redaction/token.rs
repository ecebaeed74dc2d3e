use super::edits::{Edits, Marks};
use std::borrow::Cow;

/// How much is taken for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// Known forms, and whatever looks drawn at random.
    Full,
    /// Known forms only, for identifiers that are random by nature.
    KnownForms,
}

/// How keys of well-known services begin, and how many characters follow at least; one of them a
/// digit. From the services' own documentation.
const BEGINNINGS: [(&str, usize); 34] = [
    // GitHub, GitLab
    ("ghp_", 16),
    ("gho_", 16),
    ("ghu_", 16),
    ("ghs_", 16),
    ("ghr_", 16),
    ("github_pat_", 16),
    ("glpat-", 16),
    // Slack
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("xoxe-", 10),
    ("xapp-", 10),
    // AWS
    ("AKIA", 16),
    ("ASIA", 16),
    // Google
    ("AIza", 30),
    ("ya29.", 16),
    ("GOCSPX-", 16),
    // Stripe
    ("sk_live_", 10),
    ("sk_test_", 10),
    ("rk_live_", 10),
    ("rk_test_", 10),
    ("pk_live_", 10),
    ("whsec_", 16),
    // Others: OpenAI and Anthropic, SendGrid, npm, PyPI, Hugging Face, DigitalOcean, Shopify, Vault
    ("sk-", 20),
    ("SG.", 20),
    ("npm_", 20),
    ("pypi-", 20),
    ("hf_", 20),
    ("dop_v1_", 20),
    ("shpat_", 16),
    ("shpss_", 16),
    ("hvs.", 16),
];

/// Fewest characters of a key of a known form.
const SHORTEST: usize = 15;

/// Replaces keys and tokens.
pub(crate) fn mask<'a>(text: &'a str, care: Care, marks: &Marks) -> Cow<'a, str> {
    let bytes = text.as_bytes();
    let mut edits = Edits::new(text);
    let mut at = 0;
    while at < bytes.len() {
        if !is_part(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && is_part(bytes[at]) {
            at += 1;
        }
        run(text, start, at, care, marks, &mut edits);
    }
    edits.done()
}

/// Looks through a run of characters that a token may hold.
fn run(text: &str, start: usize, end: usize, care: Care, marks: &Marks, edits: &mut Edits<'_>) {
    let bytes = &text.as_bytes()[..end];
    if care == Care::Full && is_base64(&bytes[start..]) {
        return edits.replace(start, end, marks.token);
    }
    let mut ahead = Ahead::default();
    let mut joined_end = start;
    let mut at = start;
    while at < end {
        if !bytes[at].is_ascii_alphanumeric() {
            at += 1;
            continue;
        }
        // At the beginning of a word.
        if let Some(behind) = ahead.known(bytes, at) {
            edits.replace(at, behind, marks.token);
            at = behind;
            continue;
        }
        let word_end = seek(bytes, at, |byte| !byte.is_ascii_alphanumeric());
        let first = at >= joined_end;
        if first {
            joined_end = seek(bytes, at, |byte| !(byte.is_ascii_alphanumeric() || is_joint(byte)));
        }
        let secret = care == Care::Full
            && (is_random(&bytes[at..word_end]) || first && is_joined(&bytes[at..joined_end]));
        if secret {
            // What is joined to it may be a part of it.
            let behind = seek(bytes, joined_end, |byte| byte != b'=');
            edits.replace(at, behind, marks.token);
            at = behind;
        } else {
            at = word_end;
        }
    }
}

/// Where the next character of a kind stands, found once and remembered: without that, a text of
/// nothing but beginnings would be searched to its end from each of them.
#[derive(Default)]
struct Ahead {
    body_end: usize,
    digit: usize,
    dot: usize,
}

impl Ahead {
    /// The end of a key of a known form that begins at `at`.
    fn known(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        if self.body_end <= at {
            self.body_end =
                seek(bytes, at, |byte| !(byte.is_ascii_alphanumeric() || b"_-.+=".contains(&byte)));
        }
        if self.body_end - at < SHORTEST {
            return None;
        }
        // A JSON web token (RFC 7519), or its beginning: the letters are `{"` in base64.
        if bytes[at..].starts_with(b"eyJ") {
            if self.dot < at {
                self.dot = seek(bytes, at, |byte| byte == b'.');
            }
            let long = self.body_end - at >= 20;
            return (long && self.dot < self.body_end).then_some(self.body_end);
        }
        let (beginning, least) = BEGINNINGS
            .iter()
            .find(|(beginning, _)| bytes[at..].starts_with(beginning.as_bytes()))?;
        let secret = at + beginning.len();
        if self.digit < secret {
            self.digit = seek(bytes, secret, |byte| byte.is_ascii_digit());
        }
        let long = self.body_end >= secret + least;
        (long && self.digit < self.body_end).then_some(self.body_end)
    }
}

/// The first place from `from` on where `is` holds; the end when there is none.
fn seek(bytes: &[u8], from: usize, is: impl Fn(u8) -> bool) -> usize {
    bytes[from..].iter().position(|byte| is(*byte)).map_or(bytes.len(), |at| from + at)
}

/// Whether a word of letters and digits looks drawn at random: hexadecimal digits of 128 bits and
/// more, or a mixture in which letters and digits, capitals and small letters change places more
/// often than in names that people make.
fn is_random(word: &[u8]) -> bool {
    if word.len() < 16 {
        return false;
    }
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits == word.len() {
        return false;
    }
    if word.iter().all(u8::is_ascii_hexdigit) {
        return word.len() >= 32;
    }
    let mixed = word.iter().any(u8::is_ascii_uppercase) && word.iter().any(u8::is_ascii_lowercase);
    let changes = changes(word);
    match word.len() {
        16..20 => mixed && digits >= 2 && changes * 100 >= word.len() * 40,
        20..24 => digits >= 3 && changes * 100 >= word.len() * 30,
        _ => digits >= 3 && changes * 100 >= word.len() * 25,
    }
}

/// Whether words joined by `-` and `_` are one random token in base64url (RFC 4648) together.
fn is_joined(token: &[u8]) -> bool {
    let joints = token.iter().filter(|byte| is_joint(**byte)).count();
    joints > 0 && joints * 8 <= token.len() && is_mixture(token)
}

/// Whether a run with `/` and `+` is one random token in base64.
fn is_base64(run: &[u8]) -> bool {
    let signs = run.iter().filter(|byte| matches!(byte, b'/' | b'+')).count();
    let others = run.iter().any(|byte| !byte.is_ascii_alphanumeric() && !b"/+=".contains(byte));
    signs > 0 && signs * 8 <= run.len() && !others && is_mixture(run)
}

fn is_mixture(token: &[u8]) -> bool {
    let digits = token.iter().filter(|byte| byte.is_ascii_digit()).count();
    token.len() >= 28
        && digits >= 2
        && token.iter().any(u8::is_ascii_uppercase)
        && token.iter().any(u8::is_ascii_lowercase)
        && changes(token) * 100 >= token.len() * 45
}

/// How often a letter or digit is followed by one of another class.
fn changes(word: &[u8]) -> usize {
    let class = |byte: u8| match byte {
        b'0'..=b'9' => Some(0),
        b'a'..=b'z' => Some(1),
        b'A'..=b'Z' => Some(2),
        _ => None,
    };
    word.windows(2)
        .filter(|pair| match (class(pair[0]), class(pair[1])) {
            (Some(one), Some(other)) => one != other,
            _ => false,
        })
        .count()
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/' | b'=' | b'~' | b'%')
}

fn is_joint(byte: u8) -> bool {
    matches!(byte, b'-' | b'_')
}
