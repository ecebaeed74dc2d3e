//! What the redesign does to the catalogue, resolved over HTTP by a real engine.

use cascade::{
    Cascade, Document, Expected, Resolution, Selector, StrategyKind, TryOutcome, Validator, Verdict,
};
use shop_site::{Check, Fate, PATHS, ShopSelector, SiteServer, Version, catalogue, page};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn selector(shop: &ShopSelector) -> Selector {
    let (min, max) = shop.expected;
    let mut selector =
        Selector::new(shop.name).threshold(shop.threshold).expect(Expected { min, max });
    for (kind, text) in shop.strategies {
        selector = selector.strategy(kind.parse().expect("a known kind"), *text);
    }
    selector.optional = shop.optional;
    selector.validate = match shop.check {
        Check::NonEmpty => Some(Validator::NonEmptyText),
        Check::Number => Some(Validator::ParsesAsNumber),
        Check::Contains(text) => Some(Validator::Contains(text.to_owned())),
        Check::Nothing => None,
    };
    selector
}

async fn request(site: &SiteServer, method: &str, path: &str) -> String {
    let address = site.base_url().replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(&address).await.expect("connects");
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("writes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("reads");
    answer
}

async fn resolve(site: &SiteServer, shop: &ShopSelector) -> Resolution<cascade::Found> {
    let answer = request(site, "GET", shop.path).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200"), "{}: {head}", shop.path);
    Cascade::default().resolve(&Document::parse(body), &selector(shop), &mut ())
}

#[tokio::test]
async fn every_selector_meets_its_fate() {
    let site = SiteServer::start().await.expect("a loopback port");
    let mut matches = 0;
    for shop in catalogue() {
        let found = resolve(&site, &shop).await;
        assert_eq!((found.verdict, found.winner), (Verdict::Found, Some(0)), "{found:#?}");
        assert!(found.confidence.is_some_and(|c| c > 0.9), "{found:#?}");
        if shop.fate == Fate::Slows {
            matches = found.tries[0].matches;
        }
    }
    site.switch_to(Version::V2);
    for shop in catalogue() {
        let found = resolve(&site, &shop).await;
        let empty = found.tries.iter().all(|t| t.outcome == TryOutcome::Empty);
        let confidence = found.confidence.unwrap_or(0.0);
        let as_told = match shop.fate {
            Fate::Healthy => found.winner == Some(0) && confidence > 0.9,
            Fate::Breaks => found.verdict == Verdict::NotFound && empty,
            Fate::FallsBack => found.winner == Some(1) && confidence > 0.9,
            Fate::Slows => found.winner == Some(0) && found.tries[0].matches >= 100 * matches,
            Fate::LosesConfidence => found.winner == Some(0) && (0.55..0.65).contains(&confidence),
            Fate::Absent => found.verdict == Verdict::ExpectedAbsent,
        };
        assert!(as_told, "{} should be {:?}: {found:#?}", shop.name, shop.fate);
    }
    assert_eq!(site.requests_served(), 2 * catalogue().len() as u64);
    site.stop().await;
}

#[tokio::test]
async fn refuses_what_it_does_not_serve() {
    let site = SiteServer::start().await.expect("a loopback port");
    assert!(request(&site, "GET", "/nowhere").await.starts_with("HTTP/1.1 404"));
    assert!(request(&site, "POST", "/").await.starts_with("HTTP/1.1 405"));
    let address = site.base_url().replace("http://", "");
    site.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[test]
fn the_slow_page_has_many_times_the_nodes() {
    let nodes = |version| {
        let body = page(version, "/product/iron-teapot/reviews").expect("is there");
        Document::parse(body).count(StrategyKind::XPath, "//*").expect("counts")
    };
    assert!(nodes(Version::V2) > 40 * nodes(Version::V1));
}

#[test]
fn every_path_has_a_page_in_both_versions() {
    for path in PATHS {
        assert!(page(Version::V1, path).is_some() && page(Version::V2, path).is_some(), "{path}");
    }
    for shop in catalogue() {
        assert!(page(Version::V1, shop.path).is_some(), "{}", shop.name);
    }
}
