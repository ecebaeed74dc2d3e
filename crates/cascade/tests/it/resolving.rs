use cascade::{
    Cascade, CascadeConfig, Document, Expected, Listener, Resolution, Selector, Strategy,
    StrategyKind as Kind, Try, TryOutcome, Validator, Verdict,
};

const PAGE: &str = "<div class=a>£5.00</div><div class=b>one</div><div class=b>7</div>\
    <ul><li>1<li>2<li>3<li>4<li>5<li>6</ul><label>Colour <input value=red></label>";

fn resolve(selector: &Selector) -> Resolution<cascade::Found> {
    Cascade::new(CascadeConfig::default()).resolve(&Document::parse(PAGE), selector, &mut ())
}

fn outcome(selector: Selector) -> TryOutcome {
    resolve(&selector).tries[0].outcome.clone()
}

fn css(text: &str) -> Selector {
    Selector::new("test").strategy(Kind::Css, text)
}

#[test]
fn every_way_a_try_can_end() {
    let number = Validator::ParsesAsNumber;
    let one = Expected::exactly(1);
    assert_eq!(outcome(css(".a").validate(number.clone())), TryOutcome::Accepted);
    assert_eq!(outcome(css(".none")), TryOutcome::Empty);
    assert_eq!(outcome(css("li").expect(one)), TryOutcome::Ambiguous { count: 6 });
    assert!(matches!(outcome(css("[")), TryOutcome::Invalid { .. }));
    assert!(matches!(
        outcome(css("label").validate(number.clone())),
        TryOutcome::ValidationFailed { reason } if reason.contains("Colour")
    ));
    assert!(matches!(
        outcome(css(".b").expect(one).validate(number)),
        TryOutcome::LowConfidence { score, threshold } if score < 0.6 && threshold == 0.8
    ));
    let deep = format!("{}<b>x</b>", "<div>".repeat(3000));
    let xpath = Selector::new("deep").strategy(Kind::XPath, "//b").strategy(Kind::Css, "b");
    let result = Cascade::default().resolve(&Document::parse(&deep), &xpath, &mut ());
    assert!(matches!(result.tries[0].outcome, TryOutcome::Failed { .. }));
    assert_eq!(result.winner, Some(1));
}

#[test]
fn falls_through_to_the_first_good_strategy() {
    let selector = Selector::new("test")
        .strategy(Kind::Css, ".gone")
        .strategy(Kind::XPath, "//[")
        .strategy(Kind::Css, ".b")
        .strategy(Kind::Css, ".a")
        .strategy(Kind::Css, "li")
        .expect(Expected::exactly(1))
        .validate(Validator::ParsesAsNumber);
    let result = resolve(&selector);
    assert_eq!((result.verdict, result.winner, result.tries.len()), (Verdict::Found, Some(3), 4));
    assert_eq!(result.elements[0].value, "£5.00");
    assert_eq!(result.elements[0].attribute("class"), Some("a"));
    assert_eq!(result.elements[0].html.as_deref(), Some("<div class=\"a\">£5.00</div>"));
}

#[test]
fn confidence_is_absent_where_nothing_is_checked() {
    assert_eq!(resolve(&css(".b")).confidence, None);
    let alike = Selector::new("test").strategy(Kind::Label, "Color").threshold(0.5);
    let confidence = resolve(&alike).confidence.expect("labels are compared");
    assert!(confidence > 0.6 && confidence < 0.95, "{confidence}");
}

#[test]
fn confidence_falls_with_rank_count_and_content() {
    let score = |selector: Selector| resolve(&selector).tries.last().and_then(|t| t.confidence);
    let one = Expected::exactly(1);
    let first = score(css(".a").expect(one));
    let second = score(css(".x").strategy(Kind::Css, ".a").expect(one));
    let crowd = score(css(".b").expect(one));
    assert!(first > second && second > crowd, "{first:?} {second:?} {crowd:?}");
    let trusted = Strategy::new(Kind::Css, ".a").base_confidence(1.0);
    assert_eq!(score(Selector::new("test").with(trusted).expect(one)), Some(1.0));
}

#[test]
fn absence_is_expected_only_where_it_is_allowed_and_clean() {
    assert_eq!(resolve(&css(".none")).verdict, Verdict::NotFound);
    assert_eq!(resolve(&css(".none").optional()).verdict, Verdict::ExpectedAbsent);
    assert_eq!(
        resolve(&css(".none").strategy(Kind::Css, "[").optional()).verdict,
        Verdict::NotFound
    );
    assert_eq!(resolve(&Selector::new("empty").optional()).verdict, Verdict::NotFound);
}

#[test]
fn the_listener_sees_pairs_in_order() {
    #[derive(Default)]
    struct Log(Vec<String>);
    impl Listener for Log {
        fn trying(&mut self, index: usize, strategy: &Strategy) {
            self.0.push(format!("trying {index} {}", strategy.text));
        }
        fn tried(&mut self, attempt: &Try) {
            self.0.push(format!("tried {} {:?}", attempt.index, attempt.outcome));
        }
    }
    let mut log = Log::default();
    let selector = css(".none").strategy(Kind::Css, ".a").strategy(Kind::Css, ".b");
    Cascade::default().resolve(&Document::parse(PAGE), &selector, &mut log);
    assert_eq!(log.0, ["trying 0 .none", "tried 0 Empty", "trying 1 .a", "tried 1 Accepted"]);
}

#[test]
fn numbers_as_shops_write_them() {
    for good in ["5", "£5.00", "1.234,50 €", "USD 12", "-3.5", "1'000", "99%"] {
        assert!(Validator::ParsesAsNumber.accepts(good), "{good}");
    }
    for bad in ["", "free", "£", "5 apples", "1-2", "."] {
        assert!(!Validator::ParsesAsNumber.accepts(bad), "{bad}");
    }
}
