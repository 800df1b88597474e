//! Keep Alive (sections 3.1.2.10 of both versions and 3.2.2.3.14 of 5.0).

use std::time::Duration;

use crate::bench::Bench;
use crate::check::checks;
use crate::client::Arrival;
use crate::finding::{Finding, Outcome};
use squall_broker::wire::{Connect, ReasonCode};

checks! {
    "keep-alive-ends-silence" ["MQTT311-3.1.2-24", "MQTT5-3.1.2-22", "MQTT5-3.2.2-22"] ends_silence;
}

/// The keep-alive time that is tried.
const PERIOD_S: u16 = 2;

/// What a server imposes is tried instead if it is less than this.
const IMPOSED_S_MAX: u16 = 5;

/// The keep-alive time of a client that asks for this one, in seconds; skips if
/// it is too long to wait for.
pub(super) async fn period_s(bench: &Bench, asked_s: u16) -> Outcome<u16> {
    let imposed = bench.capabilities().await?.server_keep_alive_s;
    match imposed.unwrap_or(asked_s) {
        0 | IMPOSED_S_MAX.. => Err(Finding::skip("the keep-alive time that a client asks for")),
        period_s => Ok(period_s),
    }
}

/// The connection lasts for the period, and ends after one and a half of it: how
/// soon after is the broker's affair, within the time for an answer.
async fn ends_silence(bench: Bench) -> Outcome {
    let period_s = period_s(&bench, PERIOD_S).await?;
    let change = |connect: &mut Connect| connect.keep_alive_s = PERIOD_S;
    let mut client = bench.connect_as("client", change).await?;
    let period = Duration::from_secs(period_s.into());
    bench.waits(period * 3 / 2, "one and a half keep-alive times");
    match client.next_within(period).await? {
        Arrival::Silence => {}
        early => {
            return Err(Finding::fail(
                format!("a connection that lasts {period_s} s"),
                client.in_words(&early),
            ));
        }
    }
    let rest = period / 2 + bench.timeout();
    client
        .closed_within(rest, &[ReasonCode::KeepAliveTimeout])
        .await
}
