//! From a request to its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode, Version};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::Shared;
use super::ask::{Ask, Id};
use super::state::{Latest, Reading, State};
use crate::refusal::Refusal;
use crate::sensors::Name;

/// The longest content type of a reading, in bytes.
const CONTENT_TYPE_BYTES_MAX: usize = 128;

type Answer = Response<Full<Bytes>>;

/// Answers a request.
pub(super) async fn answer<B>(shared: &Arc<Shared>, request: Request<B>) -> Answer
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    shared.lock().counts.requests += 1;
    granted(shared, request).await.unwrap_or_else(|refusal| {
        let (response, body) = refusal.response();
        response.map(|()| Full::from(body))
    })
}

async fn granted<B>(shared: &Arc<Shared>, request: Request<B>) -> Result<Answer, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let limits = &shared.config.limits;
    let (head, body) = request.into_parts();
    let url_bytes = head
        .uri
        .path_and_query()
        .map_or(0, |url| url.as_str().len());
    if url_bytes > limits.url_bytes {
        let reason = "the URL is too long";
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, reason));
    }
    // RFC 9112 section 3.2
    let hosts = head.headers.get_all(header::HOST).iter().count();
    if hosts > 1 || hosts == 0 && head.version == Version::HTTP_11 {
        let reason = "the request has not exactly one Host";
        return Err(Refusal::new(Refusal::BAD, reason));
    }
    match Ask::parse(&head.method, &head.uri)? {
        Ask::Post { id, number } => {
            let content_type = content_type(&head.headers)?;
            let payload = payload(shared, body).await?;
            let reading = Reading {
                content_type,
                payload,
            };
            shared.lock().post(&id, number, reading).map_err(|_| {
                let reason = "the server has no more room";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason)
            })?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        Ask::Latest { id, wait } => latest(shared, &id, wait, &head.headers).await,
        Ask::Feed { group, after, wait } => {
            let body = in_time(shared, &group, wait, |state| state.feed(&group, after)).await;
            let Some(body) = body else {
                return Ok(empty(StatusCode::NO_CONTENT));
            };
            let mut answer = Response::new(Full::new(body));
            let octets = HeaderValue::from_static("application/octet-stream");
            answer.headers_mut().insert(header::CONTENT_TYPE, octets);
            Ok(answer)
        }
    }
}

fn content_type(headers: &HeaderMap) -> Result<Option<HeaderValue>, Refusal> {
    let content_type = headers.get(header::CONTENT_TYPE);
    if content_type.is_some_and(|value| value.len() > CONTENT_TYPE_BYTES_MAX) {
        return Err(Refusal::new(Refusal::BAD, "the content type is too long"));
    }
    // A copy: what comes is a part of the connection's buffer.
    let copied = content_type.map(|value| HeaderValue::from_bytes(value.as_bytes()));
    Ok(copied.transpose().unwrap_or_default())
}

/// The body of a request that posts.
async fn payload<B>(shared: &Shared, body: B) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    const TOO_LONG: Refusal =
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the reading is too long");
    let limits = &shared.config.limits;
    // One that says that it is too long is not waited for.
    let said = body.size_hint().lower();
    if usize::try_from(said).map_or(true, |said| said > limits.reading_bytes) {
        return Err(TOO_LONG);
    }
    let collected = Limited::new(body, limits.reading_bytes).collect();
    match timeout(limits.silence_max, collected).await {
        // A copy: see above.
        Ok(Ok(body)) => Ok(Bytes::copy_from_slice(&body.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(TOO_LONG),
        Ok(Err(_)) => Err(Refusal::new(Refusal::BAD, "the body is not well-formed")),
        Err(_) => {
            let reason = "the body has taken too long";
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, reason))
        }
    }
}

async fn latest(
    shared: &Arc<Shared>,
    id: &Id,
    wait: Duration,
    headers: &HeaderMap,
) -> Result<Answer, Refusal> {
    let is_known = |latest: &Latest| is_known(headers, &tag(latest));
    let news = |state: &mut State| {
        state
            .latest(id)
            .is_some_and(|one| !is_known(one))
            .then_some(())
    };
    in_time(shared, &id.group, wait, news).await;
    let mut state = shared.lock();
    let latest = state.latest(id).cloned();
    let latest = latest.ok_or(Refusal::new(StatusCode::NOT_FOUND, "it has no reading"))?;
    let mut answer = match is_known(&latest) {
        true => empty(StatusCode::NOT_MODIFIED),
        false => {
            state.counts.deliveries += 1;
            let mut answer = Response::new(Full::new(latest.reading.payload.clone()));
            if let Some(content_type) = &latest.reading.content_type {
                let headers = answer.headers_mut();
                headers.insert(header::CONTENT_TYPE, content_type.clone());
            }
            answer
        }
    };
    // Digits in quotation marks are always a header's value.
    if let Ok(tag) = HeaderValue::try_from(tag(&latest)) {
        answer.headers_mut().insert(header::ETAG, tag);
    }
    Ok(answer)
}

/// The name of a reading among those of its sensor (RFC 9110 section 8.8.3).
fn tag(latest: &Latest) -> String {
    format!("\"{}\"", latest.position)
}

/// Whether the client says that it has the reading of this name (RFC 9110
/// section 13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter();
    let names = values.filter_map(|value| value.to_str().ok());
    names
        .flat_map(|names| names.split(','))
        .map(str::trim)
        .any(|name| name == "*" || name.strip_prefix("W/").unwrap_or(name) == tag)
}

/// What is looked for, as soon as it is there; `None` if it is not after this
/// time, or when the server stops.
async fn in_time<T>(
    shared: &Arc<Shared>,
    group: &Name,
    wait: Duration,
    mut look: impl FnMut(&mut State) -> Option<T>,
) -> Option<T> {
    if wait.is_zero() {
        return look(&mut shared.lock());
    }
    let until = Instant::now() + wait.min(shared.config.limits.wait_max);
    let waiting = Waiting::new(shared, group);
    let mut stopping = shared.stopping.subscribe();
    loop {
        // It hears of what comes from here on.
        let news = waiting.news.notified();
        if let Some(found) = look(&mut shared.lock()) {
            return Some(found);
        }
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => return None,
            () = news => {}
            () = sleep_until(until) => return None,
        }
    }
}

/// Somebody who waits for a reading of a group.
struct Waiting<'a> {
    shared: &'a Shared,
    group: &'a Name,
    news: Arc<Notify>,
}

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared, group: &'a Name) -> Self {
        Self {
            shared,
            group,
            news: shared.lock().wait(group),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.lock().waited(self.group);
    }
}

fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&["\"17\""], true)]
    #[case(&["W/\"17\""], true)]
    #[case(&["\"3\", \"17\""], true)]
    #[case(&["\"3\"", "\"17\""], true)]
    #[case(&["*"], true)]
    #[case(&[], false)]
    #[case(&["17"], false)]
    #[case(&["\"170\", \"1\""], false)]
    fn a_client_says_what_it_has(#[case] values: &[&'static str], #[case] known: bool) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(value));
        }
        assert_eq!(is_known(&headers, "\"17\""), known);
    }
}
