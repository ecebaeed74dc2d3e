use std::fmt;
use std::str::FromStr;
use telemetry_models::{Invalid, SelectorName};

/// Which selectors: a name in which `*` stands for any text (dots included) and `?` for one
/// character. `shop.*` covers `shop.title` and `shop.product.title`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SelectorPattern(Box<str>);

impl SelectorPattern {
    /// Takes a non-empty pattern.
    ///
    /// # Errors
    /// When the pattern is blank.
    pub fn new(pattern: &str) -> Result<Self, Invalid> {
        if pattern.trim().is_empty() {
            return Err(Invalid::new(
                "selector",
                "an empty pattern",
                "a selector name or a pattern with * and ?, as in shop.*",
            ));
        }
        Ok(Self(pattern.into()))
    }

    /// The pattern that covers exactly one selector, if its name holds no wildcard.
    pub fn exact(name: &SelectorName) -> Self {
        Self(name.as_str().into())
    }

    /// The pattern's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it covers every selector.
    pub fn is_any(&self) -> bool {
        self.0.bytes().all(|byte| byte == b'*')
    }

    /// Whether it covers `name`. Takes time proportional to the product of both lengths at worst,
    /// and no memory.
    pub fn matches(&self, name: &str) -> bool {
        let (mut pattern, mut name) = (self.0.chars(), name.chars());
        // What follows the latest star, and where the text it stands for may end at the earliest.
        let mut star = None;
        loop {
            let (mut next, mut rest) = (pattern.clone(), name.clone());
            match (next.next(), rest.next()) {
                (Some('*'), _) => {
                    star = Some((next.clone(), name.clone()));
                    pattern = next;
                }
                (Some(symbol), Some(found)) if symbol == '?' || symbol == found => {
                    (pattern, name) = (next, rest);
                }
                (None, None) => return true,
                _ => {
                    let Some((after, from)) = &mut star else { return false };
                    if from.next().is_none() {
                        return false;
                    }
                    (pattern, name) = (after.clone(), from.clone());
                }
            }
        }
    }
}

impl FromStr for SelectorPattern {
    type Err = Invalid;
    fn from_str(pattern: &str) -> Result<Self, Invalid> {
        Self::new(pattern)
    }
}

impl fmt::Display for SelectorPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SelectorPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::SelectorPattern;

    fn check(pattern: &str, name: &str, expected: bool) {
        assert_eq!(
            SelectorPattern::new(pattern).unwrap().matches(name),
            expected,
            "{pattern} {name}"
        );
    }

    #[test]
    fn wildcards() {
        check("shop.title", "shop.title", true);
        check("shop.title", "shop.titles", false);
        check("shop.*", "shop.product.title", true);
        check("shop.*", "shop", false);
        check("*.title", "shop.product.title", true);
        check("*", "", true);
        check("s?op.*e", "shop.price", true);
        check("*a*b*c", "xxaxxbxxbxxc", true);
        check("*a*b*c", "xxaxxbxxbxxd", false);
        check("prix.é?", "prix.éà", true);
    }
}
