use crate::names::{Names, UNNAMED};
use parking_lot::RwLock;
use std::collections::HashMap;
use telemetry_interfaces::{SelectorHandle, SelectorObserver};
use telemetry_models::{StrategyDefinition, StrategyKind};

/// Texts without a name of their own that are told apart. A program that builds selectors from
/// data could bring any number of them; those beyond count as one selector per kind.
const TEXTS: usize = 4_096;
/// Bytes of a text that serve as its name.
const NAME_BYTES: usize = 256;

/// What an adapter has made known to its observer.
#[derive(Debug, Default)]
pub(crate) struct Registered {
    names: Names,
    texts: RwLock<HashMap<Box<str>, Kinds>>,
}

/// What a text stands for, by the kind of strategy it is used as.
type Kinds = Vec<(StrategyKind, SelectorHandle)>;

impl Registered {
    /// The handle of a named selector. Other strategies under the same name are its next version.
    pub(crate) fn named(
        &self,
        observer: &impl SelectorObserver,
        name: &str,
        strategies: Vec<StrategyDefinition>,
    ) -> SelectorHandle {
        self.names.named(observer, name, strategies)
    }

    /// Lets a text stand for a selector that has a name.
    pub(crate) fn assign(&self, kind: StrategyKind, text: &str, handle: SelectorHandle) {
        let mut texts = self.texts.write();
        let known = texts.entry(text.into()).or_default();
        known.retain(|(other, _)| *other != kind);
        known.push((kind, handle));
    }

    /// The handle of a selector that is known by its text: the one assigned to it, or else one
    /// that has the text for a name. Allocates only when the text is new.
    pub(crate) fn text(
        &self,
        observer: &impl SelectorObserver,
        kind: StrategyKind,
        text: &str,
    ) -> SelectorHandle {
        let find = |known: &Kinds| {
            known.iter().find(|(other, _)| *other == kind).map(|(_, handle)| *handle)
        };
        let known = self.texts.read();
        if let Some(handle) = known.get(text).and_then(find) {
            return handle;
        }
        let full = known.len() >= TEXTS;
        drop(known);
        if full {
            let other = StrategyDefinition { kind, text: "any other text".into() };
            return self.named(observer, &format!("{UNNAMED}.{}", other.kind), vec![other]);
        }
        let strategy = StrategyDefinition { kind: kind.clone(), text: text.into() };
        let handle = self.named(observer, beginning(text), vec![strategy]);
        self.assign(kind, text, handle);
        handle
    }
}

fn beginning(text: &str) -> &str {
    let mut end = text.len().min(NAME_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use telemetry_interfaces::{NoopOperation, PageHandle};
    use telemetry_models::{OperationKind, PageContext, SelectorDefinition};

    #[derive(Default)]
    struct Registry(Mutex<Vec<SelectorDefinition>>);

    impl SelectorObserver for Registry {
        type Operation = NoopOperation;

        fn selector(&self, definition: &SelectorDefinition) -> SelectorHandle {
            let mut known = self.0.lock();
            known.push(definition.clone());
            SelectorHandle(u32::try_from(known.len() - 1).unwrap())
        }
        fn page(&self, _page: &PageContext) -> PageHandle {
            PageHandle(0)
        }
        fn start(
            &self,
            _engine: &str,
            _selector: SelectorHandle,
            _page: Option<PageHandle>,
            _operation: OperationKind,
        ) -> NoopOperation {
            NoopOperation
        }
    }

    fn css(text: &str) -> Vec<StrategyDefinition> {
        vec![StrategyDefinition { kind: StrategyKind::Css, text: text.into() }]
    }

    #[test]
    fn a_name_keeps_its_handle_until_its_strategies_change() {
        let (registry, registered) = (Registry::default(), Registered::default());
        let first = registered.named(&registry, "title", css("h1"));
        assert_eq!(registered.named(&registry, "title", css("h1")), first);
        assert_ne!(registered.named(&registry, "title", css("h2")), first);
        registered.named(&registry, "  ", css("h3"));
        let known: Vec<_> =
            registry.0.lock().iter().map(|it| (it.name.to_string(), it.version)).collect();
        assert_eq!(
            known,
            [("title".to_owned(), 1), ("title".to_owned(), 2), ("unnamed".to_owned(), 1)]
        );
    }

    #[test]
    fn a_text_has_one_handle_per_kind_or_the_one_assigned() {
        let (registry, registered) = (Registry::default(), Registered::default());
        let css_h1 = registered.text(&registry, StrategyKind::Css, "h1");
        let xpath_h1 = registered.text(&registry, StrategyKind::XPath, "h1");
        assert_ne!(css_h1, xpath_h1);
        assert_eq!(registered.text(&registry, StrategyKind::Css, "h1"), css_h1);
        let title = registered.named(&registry, "title", css("h1"));
        registered.assign(StrategyKind::Css, "h1", title);
        assert_eq!(registered.text(&registry, StrategyKind::Css, "h1"), title);
        assert_eq!(registered.text(&registry, StrategyKind::XPath, "h1"), xpath_h1);
    }

    #[test]
    fn texts_without_end_are_one_selector_after_a_while() {
        let (registry, registered) = (Registry::default(), Registered::default());
        for at in 0..TEXTS + 100 {
            registered.text(&registry, StrategyKind::Css, &format!("#row-{at}"));
        }
        assert_eq!(registry.0.lock().len(), TEXTS + 1);
        assert_eq!(registry.0.lock()[TEXTS].name.as_str(), "unnamed.css");
    }

    #[test]
    fn a_long_text_is_named_by_its_beginning() {
        let text = format!("{}é", "a".repeat(NAME_BYTES - 1));
        assert_eq!(beginning(&text), "a".repeat(NAME_BYTES - 1));
    }
}
