//! The house's web server: the page, what can be seen, what a person does, and
//! what the bridge and the recorder answer.
//!
//! | method and path | answer |
//! | --- | --- |
//! | `GET /` | the page, and `/mqtt.js`, `/page.js`, `/style.css`, `/page.css` that it needs |
//! | `GET /house` | what can be seen, in JSON, and again whenever it changes: server-sent events |
//! | `POST /broker/off`, `/broker/on` | the broker's power |
//! | `POST /wifi/off`, `/wifi/on` | the access point's |
//! | `POST /lamps` | one more lamp is plugged in |
//! | `POST /dimmer/{percent}` | somebody turns the dimmer on the wall |
//! | `POST /motor/1/speed/{percent}` | the bridge publishes the command |
//! | `POST /sensor/{group}.{name}` | the bridge publishes the body, retained |
//! | `GET /sensor/{group}.{name}` | the latest value that the bridge knows |
//! | `GET /readings/{year}/{month}` | what the recorder has of a month, in JSON |
//!
//! Nothing is changed for a page of another origin.

mod events;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, ORIGIN,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::bridge::topic_of;
use super::client::NotAcknowledged;
use super::recorder::month;
use super::room::percent;
use super::{House, INTENSITY};

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// The page; `{websocket_port}` stands for the broker's port.
const PAGE: &str = include_str!("page.html");
const TEXT: &str = "text/plain; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SHEET: &str = "text/css; charset=utf-8";
const JSON: &str = "application/json";

/// What the page is made of, besides itself.
const PARTS: [(&str, &str, &str); 4] = [
    ("mqtt.js", SCRIPT, include_str!("mqtt-5.16.0.esm.js")),
    ("page.js", SCRIPT, include_str!("page.js")),
    ("page.css", SHEET, include_str!("page.css")),
    ("style.css", SHEET, squall_reports::html::STYLE),
];

/// The page fetches from here only, and talks to the broker's port. MQTT.js keeps
/// time in a worker that it makes itself, since tabs in the background are slow.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws:; worker-src blob:; \
                      img-src data:; frame-ancestors 'none'";

/// The longest reading that a sensor may post, in bytes.
const READING_BYTES_MAX: usize = 1024;
/// How long the system is left alone when it has no socket to give.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Answers whoever connects, without end.
pub(super) async fn serve(listener: TcpListener, house: Arc<House>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    sleep(ACCEPT_AGAIN).await;
                    continue;
                };
                let house = Arc::clone(&house);
                let answers = service_fn(move |request: Request<Incoming>| {
                    let house = Arc::clone(&house);
                    async move { Ok::<_, Infallible>(answer(&house, request).await) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), answers);
                connections.spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a connection to the page failed");
                    }
                });
            }
        }
    }
}

async fn answer(house: &Arc<House>, request: Request<Incoming>) -> Answer {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let levels: Vec<&str> = path.split('/').skip(1).collect();
    match (method, &levels[..]) {
        (Method::GET, levels) => look(house, levels),
        (Method::POST, _) if !is_own(&request) => text(
            StatusCode::FORBIDDEN,
            "only this house's own page may do that\n",
        ),
        (Method::POST, levels) => act(house, levels, request).await,
        _ => {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "GET or POST\n");
            let allowed = HeaderValue::from_static("GET, POST");
            answer.headers_mut().insert(ALLOW, allowed);
            answer
        }
    }
}

/// Whether no page of another origin asks. Whoever is no browser names none.
fn is_own(request: &Request<Incoming>) -> bool {
    let header = |name| request.headers().get(name).map(|value| value.as_bytes());
    let origin = header(ORIGIN).map(|origin| origin.strip_prefix(b"http://").unwrap_or_default());
    origin.is_none() || origin == header(HOST)
}

/// What GET asks for.
fn look(house: &Arc<House>, levels: &[&str]) -> Answer {
    match levels {
        [""] => {
            let port = house.websocket_port.to_string();
            let mut page = body(
                "text/html; charset=utf-8",
                PAGE.replace("{websocket_port}", &port),
            );
            let policy = HeaderValue::from_static(POLICY);
            page.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
            page
        }
        ["house"] => events::of_sight(house.room.look()),
        ["sensor", sensor] => match topic_of(sensor).map(|topic| house.bridge.latest(&topic)) {
            Some(Some(value)) => body(TEXT, value),
            Some(None) => text(StatusCode::NOT_FOUND, "this sensor has no value yet\n"),
            None => no_sensor(),
        },
        ["readings", year, in_month] => match (year.parse(), month(in_month)) {
            (Ok(year @ 0..=9999), Some(month)) => {
                let readings = house.recorder.of_month(year, month);
                // Text and no maps: always JSON.
                body(JSON, serde_json::to_vec(&readings).unwrap_or_default())
            }
            _ => text(StatusCode::NOT_FOUND, "write /readings/2020/april\n"),
        },
        [name] => match PARTS.iter().find(|(part, ..)| part == name) {
            Some((_, kind, content)) => body(kind, *content),
            None => nothing(),
        },
        _ => nothing(),
    }
}

/// What POST asks for.
async fn act(house: &Arc<House>, levels: &[&str], request: Request<Incoming>) -> Answer {
    match levels {
        ["broker", power @ ("on" | "off")] => {
            house.power.send_replace(*power == "on");
            done()
        }
        ["wifi", power @ ("on" | "off")] => {
            house.wifi.switch(*power == "on");
            done()
        }
        ["lamps"] => match house.devices.plug_in_lamp() {
            Some(number) => text(
                StatusCode::CREATED,
                format!("lamp {number} is plugged in\n"),
            ),
            None => text(StatusCode::CONFLICT, "there is no socket left for a lamp\n"),
        },
        ["dimmer", turned] => match percent(turned.as_bytes()) {
            Some(percent) => {
                house.room.change(|sight| sight.dimmer = Some(percent));
                let value = percent.to_string().into_bytes();
                let sent = house.dimmer.publish(INTENSITY, value, true).await;
                acknowledged(sent, "the broker has it\n")
            }
            None => no_percentage(),
        },
        ["motor", "1", "speed", speed] => match percent(speed.as_bytes()) {
            Some(percent) => {
                let sent = house.bridge.command(1, percent).await;
                acknowledged(sent, "the broker has it; the motor gets it when it wakes\n")
            }
            None => no_percentage(),
        },
        ["motor", _, "speed", _] => text(StatusCode::NOT_FOUND, "there is motor 1\n"),
        ["sensor", sensor] => {
            let Some(topic) = topic_of(sensor) else {
                return no_sensor();
            };
            let reading = Limited::new(request.into_body(), READING_BYTES_MAX).collect();
            match reading.await {
                Ok(reading) => {
                    let sent = house.bridge.report(&topic, reading.to_bytes()).await;
                    acknowledged(sent, "the broker has it\n")
                }
                Err(_) => text(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    format!("a reading has at most {READING_BYTES_MAX} bytes\n"),
                ),
            }
        }
        _ => nothing(),
    }
}

/// Whether the broker has a message by now.
fn acknowledged(sent: Result<(), NotAcknowledged>, then: &'static str) -> Answer {
    match sent {
        Ok(()) => text(StatusCode::ACCEPTED, then),
        Err(NotAcknowledged) => text(
            StatusCode::GATEWAY_TIMEOUT,
            "the broker has not acknowledged it yet; it is sent once the broker can be reached\n",
        ),
    }
}

fn no_percentage() -> Answer {
    text(
        StatusCode::BAD_REQUEST,
        "a percentage is a whole number from 0 to 100\n",
    )
}

fn no_sensor() -> Answer {
    text(
        StatusCode::BAD_REQUEST,
        "a sensor is a group and a name: /sensor/kitchen.temperature\n",
    )
}

fn nothing() -> Answer {
    text(StatusCode::NOT_FOUND, "there is nothing here\n")
}

fn done() -> Answer {
    text(StatusCode::OK, "done\n")
}

fn text(status: StatusCode, says: impl Into<Bytes>) -> Answer {
    let mut answer = body(TEXT, says);
    *answer.status_mut() = status;
    answer
}

/// What never changes while the program runs is small enough to be fetched anew:
/// the next program at this port may be a newer one.
fn body(kind: &'static str, content: impl Into<Bytes>) -> Answer {
    of(kind, Full::new(content.into()).boxed())
}

fn of(kind: &'static str, content: BoxBody<Bytes, Infallible>) -> Answer {
    let mut answer = Response::new(content);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
