use cascade::{Cascade, CascadeConfig, Document, Query, StrategyKind as Kind};
use proptest::prelude::*;

const PAGE: &str = "<p class=a>é<b>x</b></p><table><tr><td>1</table><input placeholder=q>";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let page = Document::parse(PAGE);
        for kind in Kind::ALL {
            let _ = page.count(kind, &text);
        }
    }

    #[test]
    fn nothing_that_looks_like_a_selector_panics(
        text in r#"([a-z*.#@/]|::text|::attr\(|:contains\(|'|"|\(|\)|\[|\]|,|é| |=>|=|re:test\(){0,14}"#
    ) {
        let page = Document::parse(PAGE);
        for kind in Kind::ALL {
            let _ = page.count(kind, &text);
        }
    }

    #[test]
    fn no_page_panics(page in r#"(<[/]?(p|table|tr|td|tbody|b|svg|select|template)>|&amp;|<!--|é|"|<){0,20}"#) {
        let page = Document::parse(&page);
        for (kind, text) in [(Kind::Css, "*"), (Kind::XPath, "//*"), (Kind::Text, "é")] {
            let _ = page.select(kind, text);
        }
    }
}

#[test]
fn pages_queries_and_engines_cross_threads() {
    fn send<T: Send>() {}
    fn share<T: Send + Sync>() {}
    send::<Document>();
    share::<Query>();
    share::<Cascade>();
    share::<CascadeConfig>();
}
