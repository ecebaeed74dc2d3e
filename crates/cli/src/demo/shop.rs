use cascade::{Expected, Selector, Validator};
use shop_site::{Check, Fate, ShopSelector};
use telemetry_runtime::interfaces::{Code, Error, ErrorKind, Result};
use telemetry_runtime::models::Signal;

/// A page of the shop with the selectors used on it.
#[derive(Debug)]
pub(crate) struct Page {
    /// Its path, possibly with a query.
    pub(crate) path: &'static str,
    /// The selectors.
    pub(crate) selectors: Vec<Selector>,
}

/// The catalogue by page, in the engine's form.
///
/// # Errors
/// When the engine does not know a strategy of the catalogue.
pub(crate) fn pages(catalogue: &[ShopSelector]) -> Result<Vec<Page>> {
    let mut pages: Vec<Page> = Vec::new();
    for shop in catalogue {
        let selector = selector(shop)?;
        match pages.iter_mut().find(|page| page.path == shop.path) {
            Some(page) => page.selectors.push(selector),
            None => pages.push(Page { path: shop.path, selectors: vec![selector] }),
        }
    }
    Ok(pages)
}

fn selector(shop: &ShopSelector) -> Result<Selector> {
    let (min, max) = shop.expected;
    let mut selector =
        Selector::new(shop.name).threshold(shop.threshold).expect(Expected { min, max });
    for (kind, text) in shop.strategies {
        let kind = kind.parse().map_err(|error: cascade::Error| {
            Error::new(ErrorKind::Internal, Code::Processing, "a selector of the demo is wrong")
                .with("selector", shop.name)
                .source(error)
        })?;
        selector = selector.strategy(kind, *text);
    }
    selector.optional = shop.optional;
    selector.validate = match shop.check {
        Check::NonEmpty => Some(Validator::NonEmptyText),
        Check::Number => Some(Validator::ParsesAsNumber),
        Check::Contains(text) => Some(Validator::Contains(text.to_owned())),
        Check::Nothing => None,
    };
    Ok(selector)
}

/// What an alert about a selector of this fate must watch; nothing where no alert may be raised.
pub(crate) fn expected_signals(fate: Fate) -> &'static [Signal] {
    match fate {
        Fate::Healthy | Fate::Absent => &[],
        Fate::Breaks => &[Signal::ErrorRate, Signal::ZeroMatchRate, Signal::SuccessRate],
        Fate::FallsBack => &[Signal::FallbackRate, Signal::FallbackDepth, Signal::StrategySwitches],
        Fate::Slows => &[Signal::DurationMs],
        Fate::LosesConfidence => &[Signal::Confidence],
    }
}

/// What the change did to a selector of this fate.
pub(crate) fn deed(fate: Fate) -> &'static str {
    match fate {
        Fate::Healthy => "works as before",
        Fate::Breaks => "broke",
        Fate::FallsBack => "fell back",
        Fate::Slows => "slowed down",
        Fate::LosesConfidence => "lost confidence",
        Fate::Absent => "went away, as it may",
    }
}

#[cfg(test)]
mod tests {
    use super::{expected_signals, pages};
    use shop_site::catalogue;

    #[test]
    fn every_selector_is_used_on_its_page() {
        let catalogue = catalogue();
        let pages = pages(&catalogue).unwrap();
        assert!(pages.len() < catalogue.len());
        for shop in &catalogue {
            let page = pages.iter().find(|page| page.path == shop.path).unwrap();
            assert!(page.selectors.iter().any(|it| it.name == shop.name), "{}", shop.name);
        }
    }

    #[test]
    fn four_selectors_must_raise_an_alert() {
        let alerting =
            catalogue().iter().filter(|it| !expected_signals(it.fate).is_empty()).count();
        assert_eq!(alerting, 4);
    }
}
