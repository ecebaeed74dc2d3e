use crate::webdriver::{Answer, Failure};
use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use serde::de::IgnoredAny;
use thirtyfour::error::WebDriverResult;

pub(super) type Reply = WebDriverResult<Response<Bytes>>;

#[derive(Deserialize)]
struct Envelope<T> {
    value: T,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    message: String,
}

/// One element is an object with its reference, several are a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Found {
    List(Vec<IgnoredAny>),
    One(std::collections::BTreeMap<String, IgnoredAny>),
}

/// Why the command failed, if it did.
pub(super) fn failure(reply: &Reply) -> Option<Failure> {
    let response = match reply {
        Ok(response) if response.status().is_success() => return None,
        Ok(response) => response,
        Err(error) => return Some(Failure::new(Failure::TRANSPORT, &error.to_string())),
    };
    Some(match serde_json::from_slice::<Envelope<Refusal>>(response.body()) {
        Ok(Envelope { value }) => Failure::new(&value.error, &value.message),
        Err(_) => Failure::new(
            Failure::UNEXPECTED,
            &format!("expected an error object, found status {}", response.status()),
        ),
    })
}

/// What a lookup came to.
pub(super) fn answer(reply: &Reply) -> Answer {
    if let Some(failure) = failure(reply) {
        return Answer::Failed(failure);
    }
    let body = reply.as_ref().map(|response| response.body().as_ref()).unwrap_or_default();
    match serde_json::from_slice::<Envelope<Found>>(body) {
        Ok(Envelope { value: Found::List(list) }) => {
            Answer::Elements(u32::try_from(list.len()).unwrap_or(u32::MAX))
        }
        Ok(Envelope { value: Found::One(reference) }) if !reference.is_empty() => {
            Answer::Elements(1)
        }
        _ => Answer::Failed(Failure::new(
            Failure::UNEXPECTED,
            "expected an element or a list of elements in the answer",
        )),
    }
}

/// The URL the browser says it is at.
pub(super) fn url(reply: &Reply) -> Option<String> {
    let response = reply.as_ref().ok().filter(|response| response.status().is_success())?;
    serde_json::from_slice::<Envelope<String>>(response.body()).ok().map(|it| it.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &'static str) -> Reply {
        Ok(Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap())
    }

    #[test]
    fn answers_are_counted_without_being_consumed() {
        let one = reply(200, r#"{"value":{"element-6066-11e4-a52e-4f735466cecf":"e1"}}"#);
        assert_eq!(answer(&one), Answer::Elements(1));
        assert_eq!(answer(&reply(200, r#"{"value":[{"e":"1"},{"e":"2"}]}"#)), Answer::Elements(2));
        assert_eq!(answer(&reply(200, r#"{"value":[]}"#)), Answer::Elements(0));
        let refused = reply(404, r#"{"value":{"error":"no such element","message":"m\n  (v 1)"}}"#);
        assert_eq!(answer(&refused), Answer::Failed(Failure::new("no such element", "m")));
        for strange in [reply(200, "null"), reply(200, r#"{"value":null}"#), reply(502, "<html>")] {
            let Answer::Failed(failure) = answer(&strange) else { panic!("{strange:?}") };
            assert_eq!(failure.kind(), "unexpected_response");
        }
        assert_eq!(url(&reply(200, r#"{"value":"https://a.test/"}"#)).unwrap(), "https://a.test/");
    }
}
