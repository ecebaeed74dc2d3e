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

    /// Whether it covers `name`. Takes time proportional to the product of both lengths at worst.
    pub fn matches(&self, name: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let name: Vec<char> = name.chars().collect();
        let (mut at_pattern, mut at_name) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while at_name < name.len() {
            match pattern.get(at_pattern) {
                Some('*') => {
                    star = Some((at_pattern, at_name));
                    at_pattern += 1;
                }
                Some(&symbol) if symbol == '?' || symbol == name[at_name] => {
                    at_pattern += 1;
                    at_name += 1;
                }
                _ => match star {
                    Some((star_pattern, star_name)) => {
                        star = Some((star_pattern, star_name + 1));
                        at_pattern = star_pattern + 1;
                        at_name = star_name + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern[at_pattern..].iter().all(|symbol| *symbol == '*')
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
