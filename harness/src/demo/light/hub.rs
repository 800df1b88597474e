//! A hub that speaks only HTTP: it posts the temperature of the kitchen, and
//! polls for how bright its lamp is to be, each time over a new connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::room::{Room, percent};

/// How long the lamp may lag behind.
const POLLS_EVERY: Duration = Duration::from_secs(1);
/// It posts at every so many polls.
const POSTS_EVERY: u32 = 5;
/// The longest answer it reads, in bytes.
const ANSWER_BYTES_MAX: usize = 1024;

/// Why a request got no answer.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Polls and posts without end.
pub(super) async fn run(bridge: SocketAddr, room: Arc<Room>) {
    let mut ticks = interval(POLLS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0u32.. {
        ticks.tick().await;
        let polled = request(bridge, Method::GET, "/sensor/house.light", Bytes::new()).await;
        room.change(|sight| {
            let lamp = &mut sight.hub_lamp;
            lamp.connected = polled.is_ok();
            if let Ok((StatusCode::OK, value)) = &polled {
                lamp.percent = percent(value).or(lamp.percent);
            }
        });
        if round % POSTS_EVERY == 0 {
            let reading = Bytes::from(temperature(round / POSTS_EVERY));
            // A reading that is lost is followed by another one.
            let posted = request(bridge, Method::POST, "/sensor/kitchen.temperature", reading);
            if let Err(error) = posted.await {
                tracing::debug!(%error, "the bridge did not answer");
            }
        }
    }
}

/// Degrees Celsius: 20.0 to 21.0 and back.
fn temperature(reading: u32) -> String {
    let step = reading % 20;
    let tenths = 200 + step.min(20 - step);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// One request over a connection of its own.
async fn request(
    to: SocketAddr,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes), Failure> {
    let exchange = async {
        let stream = TokioIo::new(TcpStream::connect(to).await?);
        let (mut sender, connection) = http1::handshake(stream).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, to.to_string())
            .header(CONNECTION, "close")
            .body(Full::new(body))?;
        let answer = async move {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
            Ok::<_, Failure>((status, body.collect().await?.to_bytes()))
        };
        // Reads and writes for the answer, and may be over before it.
        let (answer, _) = tokio::join!(answer, connection);
        answer
    };
    timeout(10 * POLLS_EVERY, exchange).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kitchen_stays_warm() {
        let day: Vec<String> = (0..21).map(temperature).collect();
        assert_eq!(
            (day[0].as_str(), day[10].as_str(), day[20].as_str()),
            ("20.0", "21.0", "20.0")
        );
    }
}
