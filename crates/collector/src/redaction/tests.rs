use super::*;

fn text(text: &str, expected: &str) {
    let redaction = Redaction::default();
    let once = redaction.text(text).into_owned();
    assert_eq!(once, expected);
    assert_eq!(redaction.text(&once), once, "a second time changes something");
}

fn unchanged(it: &str) {
    text(it, it);
}

#[test]
fn urls_lose_what_may_be_secret() {
    let check = |url: &str, expected: &str| {
        let keep = ["q".into(), "sig".into(), "x-amz-signature".into()];
        let once = redact_url(url, &keep).into_owned();
        assert_eq!(once, expected);
        assert_eq!(redact_url(&once, &keep), once);
    };
    check("https://shop.test/p", "https://shop.test/p");
    check("https://u:p@shop.test", "https://shop.test");
    check("https://u:p@w@shop.test/a", "https://shop.test/a");
    check("https://shop.test/?q=1&Sig=2&sig=3", "https://shop.test/?q=1&Sig=REDACTED&sig=REDACTED");
    check("https://shop.test/?s%69g=1", "https://shop.test/?s%69g=REDACTED");
    check("https://shop.test/?q=1;sig=2", "https://shop.test/?q=1;sig=REDACTED");
    check("https://shop.test/?q=me@mail.test", "https://shop.test/?q=REDACTED");
    check("https://shop.test/?deadbeef", "https://shop.test/?REDACTED");
    check("https://shop.test/#access_token=1", "https://shop.test/");
    check("https://shop.test/a;jsessionid=1F2/b", "https://shop.test/a;jsessionid=REDACTED/b");
    check("/relative?a=1", "/relative?a=REDACTED");
    check("u:p@shop.test/a", "shop.test/a");
    check("mailto:me@mail.test", "mailto:mail.test");
    check("data:text/html;base64,PGI+c2VjcmV0PC9iPg==", "data:text/html,REDACTED");
    check("about:blank", "about:blank");
    check("file:///srv/pages/1.html", "file:///srv/pages/1.html");
    check("//shop.test/a", "//shop.test/a");
    check("https://shop.test/a%3Ftoken%3Dplanted", "https://shop.test/a%3FREDACTED");
    check("javascript:alert('planted')", "javascript:REDACTED");
    check("DATA:text/html,secret", "data:text/html,REDACTED");
    check("  Data:text/plain,secret", "data:text/plain,REDACTED");
    check("https:\\\\u:p@shop.test\\x", "https:\\\\shop.test\\x");
    check("https:/u:p@shop.test/x", "https:/shop.test/x");
    check("HTTPS:////u:p@shop.test/x", "HTTPS:////shop.test/x");
    check("\\\\u:p@shop.test/x", "\\\\shop.test/x");
    check("blob:https://u:p@shop.test/1", "blob:https://shop.test/1");
    check("view-source:https:/u:p@shop.test/1?x=s", "view-source:https:/shop.test/1?x=REDACTED");
}

#[test]
fn no_parameter_that_signs_is_kept() {
    for name in [
        "x-oss-security-token",
        "security-token",
        "x-cos-security-token",
        "x-obs-security-token",
        "X-Goog-Security-Token",
        "x-ms-signature",
        "q-ak",
        "auth_key",
        "sign",
        "__gda__",
        "URLPrefix",
        "token",
        "Signature",
        "%53ignature",
        "X-Amz-Credential",
    ] {
        let url =
            redact_url(&format!("https://h.test/?{name}=planted"), &[name.into()]).into_owned();
        assert!(!url.contains("planted"), "{name}: {url}");
    }
}

#[test]
fn urls_within_kept_parameters_are_redacted() {
    let check = |value: &str, expected: &str| {
        let keep = ["next".into(), "page".into()];
        let url = format!("https://shop.test/?next={value}&page=2");
        let once = redact_url(&url, &keep).into_owned();
        assert_eq!(once, format!("https://shop.test/?next={expected}&page=2"));
        assert_eq!(redact_url(&once, &keep), once, "a second time changes something");
    };
    check("2", "2");
    check("/p/7", "/p/7");
    check("https://u:s@h.test/?Signature=s", "https://h.test/?Signature=REDACTED");
    check(
        "https%3A%2F%2Fu%3As%40h.test%2Ff%3FX-Amz-Signature%3Ds%26page%3D3",
        "https%3A%2F%2Fh.test%2Ff%3FX-Amz-Signature%3DREDACTED%26page%3D3",
    );
    check(
        "https%253A%252F%252Fh.test%252F%253Fsig%253Ds",
        "https%253A%252F%252Fh.test%252F%253Fsig%253DREDACTED",
    );
    check("%2Flogin%3Fcode%3Ds", "%2Flogin%3Fcode%3DREDACTED");
    let deep = (0..8).fold("https://u:s@h.test".to_owned(), |url, _| {
        format!("https://h.test/?next={}", url.replace('%', "%25").replace('?', "%3F"))
    });
    let deep = redact_url(&deep, &["next".into()]).into_owned();
    assert!(!deep.contains("u:s@"), "{deep}");
}

#[test]
fn paths_lose_secrets_and_keep_names() {
    let check = |path: &str, expected: &str| {
        let url = redact_url(&format!("https://shop.test{path}"), &[]).into_owned();
        assert_eq!(url, format!("https://shop.test{expected}"));
    };
    check("/u/me@mail.test/off", "/u/REDACTED/off");
    check("/u/me%40mail.test", "/u/REDACTED");
    check("/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln/x", "/reset/REDACTED/x");
    check("/r/9f86d081884c7d659a2feaa0c55ad015", "/r/REDACTED");
    check("/invite/Zx81kQ2pL9vT4mB7nR6s", "/invite/REDACTED");
    check(
        "/services/T024F7F15/B024BE7LD/kX9dR2mQ8vLp3ZsT7wYb1NcA",
        "/services/T024F7F15/B024BE7LD/REDACTED",
    );
    check("/pay/4111111111111111", "/pay/REDACTED");
    for kept in [
        "/p/550e8400-e29b-41d4-a716-446655440000",
        "/2026/11/23/ten-best-phones-2026-edition-reviewed",
        "/samsung-galaxy-s24-ultra-256gb-5g-titanium-black",
        "/dp/B08N5WRWNW/ref=sr_1_1",
        "/static/logo@2x.png",
        "/assets/main.8f3d2a1b9c.js",
        "/item/1005006123456789.html",
        "/getElementByIdAndClassNameOrNull",
    ] {
        check(kept, kept);
    }
}

#[test]
fn urls_within_texts_are_redacted() {
    text(
        "GET <https://u:p@a.test/x?k=1> failed; é see ws://b.test/#t now",
        "GET <https://a.test/x?k=REDACTED> failed; é see ws://b.test/ now",
    );
    unchanged("no url");
    text("see //me:pw@h.test/x now", "see //h.test/x now");
    text("see /login?code=p1&state=p2 now", "see /login?code=REDACTED&state=REDACTED now");
    text("href=\"login?code=p\"", "href=\"login?code=REDACTED\"");
    text("GET /api/7?session=p HTTP/1.1", "GET /api/7?session=REDACTED HTTP/1.1");
    text("at 'https://h.test/?q=it's&x=p'.", "at 'https://h.test/?q=REDACTED&x=REDACTED'.");
    text("at 'https://h.test/?q=it's p&x=p'", "at 'https://h.test/?q=REDACTED&x=REDACTED'");
    text("'https://h.test/?q=1' = 'b'", "'https://h.test/?q=REDACTED' = 'b'");
    text("connect postgres://u:pla'nted@db/x", "connect postgres://db/x");
    text(
        "{\"url\":\"https:\\/\\/me:pw@h.test\\/x?k=p\",\"n\":1}",
        "{\"url\":\"https:\\/\\/h.test\\/x?k=REDACTED\",\"n\":1}",
    );
    text("\\\"https://h.test/?k=p\\\" x", "\\\"https://h.test/?k=REDACTED\\\" x");
    for kept in ["//a[@href='/p?id=']", "a[href*='/p?id=']", "// me@ x", "really? a=b", "a // b"] {
        unchanged(kept);
    }
}

#[test]
fn keys_of_known_forms() {
    for key in [
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "github_pat_11ABCDEFG0abcdefghijkl_mnop",
        "xoxb-2048-7392-abcdEFGH",
        "AKIAIOSFODNN7EXAMPLE",
        "AIzaSyA-1234567890abcdefghijklmnopqrstu",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "sk-proj-abcdefghijklmnopqrst1",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.dBjftJeZ4CVP",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "wJalrXUtnF3MI/K7MD3NG+bPxRfi8YEX4MPLEK3Y",
        "vQ9-x7LkP2mZr5_TnB8wYc3HdF6gJs1A",
    ] {
        text(key, "[token]");
        text(&format!("bad key '{key}', sorry"), "bad key '[token]', sorry");
        text(&format!("input[value=\"{key}\"]"), "input[value=\"[token]\"]");
    }
    text(
        "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nb",
        "a\n[private key]\nb",
    );
    text("-----BEGIN PRIVATE KEY-----\nMIIEvQ", "[private key]");
    unchanged("-----BEGIN CERTIFICATE-----");
}

#[test]
fn values_beside_telling_names() {
    text("login failed: password=hunter2 user=bob", "login failed: password=[secret] user=bob");
    text("{\"password\": \"a b\", \"n\":1}", "{\"password\": \"[secret]\", \"n\":1}");
    text("{\\\"api_key\\\":\\\"abc\\\"}", "{\\\"api_key\\\":\\\"[secret]\\\"}");
    text("{\"password\": \"a\\\"b\"}", "{\"password\": \"[secret]\"}");
    text("DB_PASSWORD = x!y", "DB_PASSWORD = [secret]");
    text("password: hunter", "password: [secret]");
    text("token=a1b2c3d4e5", "token=[secret]");
    text("input[data-session-token=\"abc12\"]", "input[data-session-token=\"[secret]\"]");
    text("Authorization: Bearer abc.def\nHost: a", "Authorization: Bearer [secret]\nHost: a");
    text("authorization: xyz", "authorization: [secret]");
    text("sent Bearer mF_9.B5f-4.1JqM to it", "sent Bearer [secret] to it");
    text("Basic dXNlcjpwYXNz", "Basic [secret]");
    text("Set-Cookie: id=a3f; Path=/\nX: 1", "Set-Cookie: [secret]\nX: 1");
    text("cookie: a=1", "cookie: [secret]");
    text("'cookie': 'a=1; b=2', 'x': 'y'", "'cookie': '[secret]', 'x': 'y'");
}

#[test]
fn addresses_and_cards() {
    text("Welcome, Jane.Doe+x@mail.test!", "Welcome, [email]!");
    text("//a[.='me@mail.co.uk']", "//a[.='[email]']");
    text("card 4111 1111 1111 1111 ok", "card [card] ok");
    text("5500-0000-0000-0004", "[card]");
    text("378282246310005", "[card]");
    unchanged("4111 1111 1111 1112");
    unchanged("order 1234567890123456");
}

#[test]
fn selectors_and_messages_keep_their_words() {
    for kept in [
        "#password:focus",
        "input.password:not([disabled])",
        "button#accept-cookie:visible",
        "a[href*='token'] > span.price--current",
        "div[data-session=\"active\"]",
        "//div[@id='content']/following-sibling::*[contains(@class, 'x')]",
        "/html/body/div[3]/div[1]/section/article[12]/div[2]/p[4]/span",
        "css-1q2w3e4 sc-bdVaJa MuiButton-containedPrimary-123",
        ".ProductCard_productCard__3xK9f .product-card__price--discounted-2024",
        "li[class*='IngredientsGroup_ingredients-group__item']",
        "div.sk-folding-cube-loader-item",
        "logo@2x.png @media lodash@4.17.21",
        "unexpected token: '<' at 1:1",
        "Basic authentication needed",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0",
        "0: core::ops::function::FnOnce::call_once::h8a7b6c5d4e3f2a1b at 0x00007f8e5c3d2a1b",
        "timeout after 30000ms; 550e8400-e29b-41d4-a716-446655440000",
        "2026-11-23T01:29:26.123456789Z",
    ] {
        unchanged(kept);
    }
}

#[test]
fn identifiers_are_secret_when_they_hold_one_not_when_they_are_random() {
    let redaction = Redaction::default();
    for secret in ["me@mail.test", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "4111111111111111"] {
        assert!(redaction.is_secret(secret), "{secret}");
    }
    for harmless in ["4bf92f3577b34da6a3ce929d0e0e4736", "run-7", "2026-11-23T01:29:26Z-77"] {
        assert!(!redaction.is_secret(harmless), "{harmless}");
    }
}

#[test]
fn off_is_off() {
    let redaction = Redaction::new(false, Vec::new());
    assert_eq!(redaction.text("password=a https://a:b@c.test"), "password=a https://a:b@c.test");
    assert_eq!(redaction.url("https://a:b@c.test"), "https://a:b@c.test");
}

#[test]
fn templates() {
    let check =
        |url: &str, expected: Option<&str>| assert_eq!(url_template(url).as_deref(), expected);
    check("https://shop.test", None);
    check("https://shop.test/", Some("/"));
    check("https://shop.test/a/123/b", Some("/a/{n}/b"));
    check("https://shop.test/550e8400-e29b-41d4-a716-446655440000.html", Some("/{id}.html"));
    check("https://shop.test/2026/11/item42.html#x", Some("/{n}/{n}/item{n}.html"));
    check("https://shop.test/u/REDACTED/edit", Some("/u/{id}/edit"));
    check("https://shop.test/p12-blue-shirt", Some("/p{n}-blue-shirt"));
}

/// Nothing a page may hold makes a scan slow: with a quadratic scan this takes minutes.
#[test]
fn hostile_texts_take_linear_time() {
    let redaction = Redaction::default();
    for piece in [
        "sk-",
        "eyJ",
        "eyJ.",
        "eyJ-",
        "a-",
        "a_b-",
        "@",
        "a@",
        "a@b.",
        "%40",
        "://",
        "a://",
        "//a@",
        ":\\/\\/",
        "/a?b=",
        "?a=",
        "'https://h/?q= ",
        "?a=%2F%3Fa%3D",
        "password=",
        "password:(",
        "token=",
        "password:\"",
        "authorization: ",
        "cookie:",
        "cookie:a",
        "bearer ",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY",
        "4111 ",
        "4",
        "4-",
        "=",
        "a=",
        "ghp_1",
        "A1b2",
        "/",
        "A1/",
        "é@",
        ";",
    ] {
        let text = piece.repeat(30_000 / piece.len());
        let once = redaction.text(&text);
        assert!(once.len() < 20 * text.len());
        redaction.url(&text);
        redaction.is_secret(&text);
    }
}
