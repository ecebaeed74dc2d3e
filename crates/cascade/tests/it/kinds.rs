use cascade::{Document, Error, StrategyKind as Kind};

const PAGE: &str = r#"<!doctype html><html><head><title>Teapot</title></head><body>
<nav><a href="/">Home</a> <a href="/tea">Tea</a></nav>
<h1 class="title" data-testid="name">Iron <b>teapot</b></h1>
<dl><dt>Price:</dt><dd class="p">£24.00</dd><dt>Weight</dt><dd>1.2 kg</dd></dl>
<table id="t"><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>
<form><label for="q">Quantity</label><input id="q" value="2">
<label>Note <textarea>hi</textarea></label>
<input placeholder="Voucher code" value="X1"><button>Add to basket</button></form>
<a class="go" href="/buy">Buy now</a><p>One</p><p>Two <i>half</i></p>
</body></html>"#;

fn values(kind: Kind, text: &str) -> Vec<String> {
    let found = Document::parse(PAGE).select(kind, text);
    let found = found.unwrap_or_else(|error| panic!("{kind} {text:?}: {error}"));
    found.into_iter().map(|f| f.value.trim().to_owned()).collect()
}

#[track_caller]
fn check(kind: Kind, text: &str, expected: &[&str]) {
    assert_eq!(values(kind, text), expected, "{kind} {text:?}");
}

#[track_caller]
fn refused(kind: Kind, text: &str) {
    match Document::parse(PAGE).count(kind, text) {
        Err(Error::Invalid(message)) => assert!(!message.is_empty()),
        other => panic!("{kind} {text:?} should be invalid, was {other:?}"),
    }
}

#[test]
fn css_with_what_scrapers_add() {
    check(Kind::Css, "h1.title", &["Iron teapot"]);
    check(Kind::Css, "h1::text", &["Iron"]);
    check(Kind::Css, "h1 ::text", &["Iron", "teapot"]);
    check(Kind::Css, "h1 *::text, dd.p::text", &["Iron", "teapot", "£24.00"]);
    check(Kind::Css, "a.go::attr(href)", &["/buy"]);
    check(Kind::Css, "a:contains('now')", &["Buy now"]);
    check(Kind::Css, "p:contains(\"half\")::text", &["Two"]);
    check(Kind::Css, "p:not(.x):contains(One)", &["One"]);
    check(Kind::Css, "#t > tbody > tr > td:first-child", &["a", "c"]);
    for text in ["", "p:contains('x') b", "a:contains('x'", "p::before", "a[", "p:eq(1)"] {
        refused(Kind::Css, text);
    }
}

#[test]
fn xpath_in_the_manner_of_1_0() {
    check(Kind::XPath, "//dt[1]/following-sibling::dd[1]", &["£24.00"]);
    check(Kind::XPath, "//a/@href", &["/", "/tea", "/buy"]);
    check(Kind::XPath, "//p[contains(text(), 'Two')]/text()", &["Two"]);
    check(Kind::XPath, "//nav[contains(a/text(), 'Home')]/a[2]", &["Tea"]);
    check(Kind::XPath, "//nav[contains(a/text(), 'Tea')]", &[]);
    check(Kind::XPath, "//p[re:test(string(.), '^T.o')]/i", &["half"]);
    check(Kind::XPath, "//a[@href][2]", &["Tea"]);
    check(Kind::XPath, "//nav/a[@href][last()]", &["Tea"]);
    check(Kind::XPath, "count(//p)", &["2"]);
    check(Kind::XPath, "boolean(//h6)", &[]);
    for text in ["", "//a[", "//a]", "///", "//a[contains(]"] {
        refused(Kind::XPath, text);
    }
}

#[test]
fn xpath_sees_a_table_as_its_author_did() {
    check(Kind::XPath, "//table/tr[2]/td[1]", &["c"]);
    check(Kind::XPath, "//table/tbody/tr[2]/td[1]", &["c"]);
    let written = "<table><tbody><tr><td>x</td></tr></tbody></table>";
    assert_eq!(Document::parse(written).count(Kind::XPath, "//table/tr"), Ok(0));
    assert_eq!(Document::parse(written).count(Kind::Css, "tbody[data-cascade-written]"), Ok(0));
}

#[test]
fn an_unknown_function_fails_on_the_page() {
    let result = Document::parse(PAGE).count(Kind::XPath, "//a[x:unknown(.)]");
    assert!(matches!(result, Err(Error::Failed(_) | Error::Invalid(_))), "{result:?}");
}

#[test]
fn strategies_by_meaning() {
    check(Kind::Text, "iron teapot", &["Iron teapot"]);
    check(Kind::Text, "Add to the basket", &["Add to basket"]);
    check(Kind::Text, "opening hours", &[]);
    check(Kind::TextAnchor, "Price", &["£24.00"]);
    check(Kind::TextAnchor, "Weight => dd.p", &["£24.00"]);
    check(Kind::Attribute, "class=title", &["Iron teapot"]);
    check(Kind::Attribute, "a href^=/t", &["Tea"]);
    check(Kind::Attribute, "href*=bu", &["Buy now"]);
    check(Kind::Attribute, "placeholder", &["X1"]);
    check(Kind::Role, "heading", &["Iron teapot"]);
    check(Kind::Role, "link \"Buy now\"", &["Buy now"]);
    check(Kind::Role, "textbox \"Quantity\"", &["2"]);
    check(Kind::TestId, "name", &["Iron teapot"]);
    check(Kind::Label, "Quantity", &["2"]);
    check(Kind::Label, "Voucher code", &["X1"]);
    refused(Kind::Attribute, "a b c=d");
    refused(Kind::Role, "1x");
    refused(Kind::TextAnchor, "=> dd");
    refused(Kind::TextAnchor, "Price => [");
}

#[test]
fn kinds_have_names_that_parse() {
    for kind in Kind::ALL {
        assert_eq!(kind.name().parse(), Ok(kind));
    }
    assert!("css3".parse::<Kind>().is_err());
}
