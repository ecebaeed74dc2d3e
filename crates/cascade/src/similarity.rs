use std::collections::HashMap;

/// White space collapsed to single spaces, ends trimmed.
pub(crate) fn squeeze(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Squeezed, lower-cased, and without a trailing colon, so that `Price:` reads as `price`.
pub(crate) fn fold(text: &str) -> String {
    squeeze(text).trim_end_matches(':').trim_end().to_lowercase()
}

/// Sørensen–Dice coefficient over character bigrams of two folded texts, 0–1.
/// Source: L. R. Dice, "Measures of the Amount of Ecologic Association Between Species" (1945).
pub(crate) fn similarity(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    let (left, right) = (bigrams(a), bigrams(b));
    let total: usize = left.values().sum::<usize>() + right.values().sum::<usize>();
    if total == 0 {
        return 0.0;
    }
    let shared: usize = left.iter().map(|(pair, n)| *n.min(right.get(pair).unwrap_or(&0))).sum();
    2.0 * shared as f64 / total as f64
}

fn bigrams(text: &str) -> HashMap<(char, char), usize> {
    let mut pairs = HashMap::new();
    for pair in text.chars().zip(text.chars().skip(1)) {
        *pairs.entry(pair).or_insert(0) += 1;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_texts_score_high_and_strangers_low() {
        assert_eq!(similarity(&fold(" Price: "), &fold("price")), 1.0);
        assert!(similarity("add to basket", "add to the basket") > 0.8);
        assert!(similarity("add to basket", "opening hours") < 0.3);
        assert_eq!(similarity("", "x"), 0.0);
    }
}
