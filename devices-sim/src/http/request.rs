//! What a device asks a server for, with the headers that HTTP asks for and no
//! others but the type of what is posted.

use super::client::Request;
use crate::fleet::Publish;
use crate::outbox::Reading;
use crate::payload::Payload;
use crate::protocol::HttpSettings;
use crate::resource;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, IF_NONE_MATCH};
use hyper::http::request::Builder;
use std::fmt::Write as _;
use std::time::Duration;

/// That a reading is taken; `None` if its topic is no sensor.
pub(crate) fn post(
    settings: &HttpSettings,
    publish: &Publish,
    topic: &str,
    reading: &Reading,
) -> Option<Request> {
    let (group, sensor) = resource::of_topic(topic)?;
    let mut url = format!("/sensor/{group}.{sensor}");
    // Numbers are of one device: where several post to a sensor, none is said,
    // and a reading that is posted again may be there twice.
    if publish.to.is_none() && publish.topic.contains("{device}") {
        // A String takes everything.
        let _ = write!(url, "?n={}", reading.sequence);
    }
    let content_type = match publish.payload {
        Payload::Json { .. } => "application/json",
        Payload::Fixed { .. } | Payload::Empty | Payload::Lines(_) => "application/octet-stream",
    };
    let request = begin(settings).method(Method::POST).uri(url);
    let request = request.header(CONTENT_TYPE, content_type);
    // What `Fleet::check` has approved is a URL.
    request.body(reading.payload.clone().into()).ok()
}

/// What is new for a filter since the device has seen `read`; the server may wait
/// for so long. `None` if no server can say.
pub(crate) fn poll(
    settings: &HttpSettings,
    filter: &str,
    read: Option<&str>,
    wait: Duration,
) -> Option<Request> {
    let mut query = Vec::new();
    if !wait.is_zero() {
        query.push(format!("wait={}", wait.as_secs()));
    }
    let mut request = begin(settings);
    let path = if is_of_many(filter) {
        query.extend(read.map(|position| format!("after={position}")));
        format!("/sensors/{}", resource::group_of(filter)?)
    } else {
        if let Some(etag) = read {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let (group, sensor) = resource::of_topic(filter)?;
        format!("/sensor/{group}.{sensor}")
    };
    let url = match query.is_empty() {
        true => path,
        false => format!("{path}?{}", query.join("&")),
    };
    request.uri(url).body(Bytes::new().into()).ok()
}

/// Whether a filter may match several topics, so that the whole group is polled.
pub(crate) fn is_of_many(filter: &str) -> bool {
    filter.contains(['+', '#'])
}

fn begin(settings: &HttpSettings) -> Builder {
    let request = hyper::Request::builder().header(HOST, &settings.authority);
    match settings.keep_alive {
        true => request,
        false => request.header(CONNECTION, "close"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Fleet, Qos};
    use crate::protocol::HttpReader;
    use rstest::rstest;

    fn settings(keep_alive: bool) -> HttpSettings {
        HttpSettings {
            authority: "server".to_owned(),
            keep_alive,
            reader: HttpReader::Poll(Duration::from_secs(5)),
        }
    }

    /// A request's first line and headers, a line each.
    fn text(request: &Request) -> String {
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| {
            let value = value.to_str().expect("text");
            format!("\n{name}: {value}")
        });
        let headers: String = headers.collect();
        format!("{} {}{headers}", request.method(), request.uri())
    }

    #[rstest]
    #[case("valley/{device}/x", "valley/t-1/x", "/sensor/valley.t-1.x?n=7")]
    #[case("valley/x", "valley/x", "/sensor/valley.x")]
    fn a_reading_is_posted_to_its_sensor(
        #[case] template: &str,
        #[case] topic: &str,
        #[case] url: &str,
    ) {
        let mut publish = Fleet::sample().publish.expect("it publishes");
        publish.topic = template.to_owned();
        let reading = Reading {
            sequence: 7,
            qos: Qos::AtLeastOnce,
            payload: Bytes::from_static(b"21.4"),
        };
        let request = post(&settings(false), &publish, topic, &reading).expect("a sensor");
        let expected = format!(
            "POST {url}\nhost: server\nconnection: close\ncontent-type: application/octet-stream"
        );
        assert_eq!(text(&request), expected);
    }

    #[rstest]
    #[case("valley/t-1/x", None, 0, "/sensor/valley.t-1.x")]
    #[case("valley/t-1/x", Some("\"3\""), 30, "/sensor/valley.t-1.x?wait=30")]
    #[case("valley/+/x", None, 0, "/sensors/valley")]
    #[case("valley/#", Some("17"), 30, "/sensors/valley?wait=30&after=17")]
    fn what_is_new_is_asked_for(
        #[case] filter: &str,
        #[case] read: Option<&str>,
        #[case] wait_s: u64,
        #[case] url: &str,
    ) {
        let wait = Duration::from_secs(wait_s);
        let request = poll(&settings(true), filter, read, wait).expect("a group");
        assert_eq!(request.method(), Method::GET);
        assert_eq!(request.uri().to_string(), url);
        let etag = request.headers().get(IF_NONE_MATCH);
        let etag = etag.map(|etag| etag.to_str().expect("text"));
        assert_eq!(etag, read.filter(|_| !is_of_many(filter)));
        assert!(!request.headers().contains_key(CONNECTION));
    }
}
