use http::{Method, Request};
use serde_json::Value;
use thirtyfour::session::http::Body;

/// A command of a session, as far as observing needs to tell them apart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    pub(super) session: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Find element(s), from the page, an element or a shadow root.
    Lookup(Lookup),
    /// Navigate to a URL.
    Navigate(String),
    /// Ask for the current URL.
    CurrentUrl,
    /// Go somewhere that the command does not tell: in the history, to another window.
    Leave,
    /// End the session.
    Quit,
    Other,
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lookup {
    /// Location strategy, for instance `css selector`.
    pub(super) using: String,
    /// What to look for by it.
    pub(super) value: String,
}

impl Command {
    /// From a request; `None` when it belongs to no session. Paths are those of W3C WebDriver,
    /// section 6.3 "Endpoints", below whatever path the server itself has.
    pub(super) fn of(request: &Request<Body<'_>>) -> Option<Self> {
        let body = match request.body() {
            Body::Empty => None,
            Body::Json(body) => Some(*body),
        };
        Self::parse(request.method(), request.uri().path(), body)
    }

    fn parse(method: &Method, path: &str, body: Option<&Value>) -> Option<Self> {
        let mut parts = path.split('/').skip_while(|part| *part != "session").skip(1);
        let session = parts.next().filter(|id| !id.is_empty())?.to_owned();
        let rest: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        let text = |key| Some(body?.get(key)?.as_str()?.to_owned());
        let kind = match (method, rest.as_slice()) {
            (
                &Method::POST,
                ["element" | "elements"] | ["element" | "shadow", _, "element" | "elements"],
            ) => match (text("using"), text("value")) {
                (Some(using), Some(value)) => Kind::Lookup(Lookup { using, value }),
                _ => Kind::Other,
            },
            (&Method::POST, ["url"]) => text("url").map_or(Kind::Other, Kind::Navigate),
            (&Method::GET, ["url"]) => Kind::CurrentUrl,
            (&Method::POST, ["back" | "forward" | "window"]) | (&Method::DELETE, ["window"]) => {
                Kind::Leave
            }
            (&Method::DELETE, []) => Kind::Quit,
            _ => Kind::Other,
        };
        Some(Self { session, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kind(method: Method, path: &str, body: &Value) -> Option<Kind> {
        Command::parse(&method, path, Some(body)).map(|command| {
            assert_eq!(command.session, "s1");
            command.kind
        })
    }

    #[test]
    fn lookups_are_recognised_wherever_they_start() {
        let body = json!({"using": "css selector", "value": "h1"});
        let lookup = Kind::Lookup(Lookup { using: "css selector".into(), value: "h1".into() });
        for path in [
            "/session/s1/element",
            "/session/s1/elements",
            "/wd/hub/session/s1/element",
            "/session/s1/element/e1/element",
            "/session/s1/element/e1/elements",
            "/session/s1/shadow/r1/element",
        ] {
            assert_eq!(kind(Method::POST, path, &body), Some(lookup.clone()), "{path}");
        }
        for path in ["/session/s1/element/e1/click", "/session/s1/element/active"] {
            assert_eq!(kind(Method::POST, path, &body), Some(Kind::Other), "{path}");
        }
        assert_eq!(kind(Method::GET, "/session/s1/element", &body), Some(Kind::Other));
    }

    #[test]
    fn movements_are_recognised() {
        let url = json!({"url": "https://shop.test/"});
        let to = Kind::Navigate("https://shop.test/".into());
        assert_eq!(kind(Method::POST, "/session/s1/url", &url), Some(to));
        assert_eq!(kind(Method::GET, "/session/s1/url", &url), Some(Kind::CurrentUrl));
        assert_eq!(kind(Method::POST, "/session/s1/back", &url), Some(Kind::Leave));
        assert_eq!(kind(Method::DELETE, "/session/s1", &url), Some(Kind::Quit));
        assert_eq!(kind(Method::POST, "/session", &url), None);
        assert_eq!(kind(Method::GET, "/status", &url), None);
    }
}
