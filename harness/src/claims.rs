//! What is said about MQTT, WebSocket and HTTP, put to the test.
//!
//! A claim is a function of a `Lab`: it runs scenarios of
//! `scenarios/overhead/claims/`, reads figures off their reports, and rules.
//! Rulings and the figures in findings are computed from those reports, so that
//! a broker, a server or a network that behaves otherwise is told of otherwise.
//!
//! A new claim is a function in one of the files below and a line in `CLAIMS`.

mod delivery;
mod framing;
mod lab;
mod retained;
mod scale;
mod sessions;
mod timing;

use squall_reports::claims::{Claim, FORMAT, Figure, Figures, Ledger, Row, Ruling};
use std::path::Path;

pub use lab::Error;
use lab::Lab;

/// What a claim came to.
struct Finding {
    ruling: Ruling,
    /// When the claim holds, if it turns out that it only does under a condition.
    condition: String,
    finding: String,
    figures: Vec<Figures>,
    notes: Vec<String>,
}

type Measure = fn(&mut Lab<'_>) -> Result<Finding, Error>;

/// Every claim, in the order of their numbers from 1: what is said, and what
/// measures it.
const CLAIMS: [(&str, Measure); 25] = [
    (
        "MQTT's header overhead is 2-5 bytes a message.",
        framing::mqtt_header,
    ),
    (
        "WebSocket's header overhead is 2-14 bytes a frame.",
        framing::websocket_header,
    ),
    ("MQTT is lighter than WebSocket.", sessions::lighter),
    (
        "Opening a WebSocket costs an HTTP exchange with complex headers, too heavy for small \
         devices.",
        sessions::opening,
    ),
    (
        "WebSocket suits a connection that is held for long, MQTT suits devices that come and go.",
        sessions::come_and_go,
    ),
    (
        "WebSocket is one-to-one; many-to-many is where MQTT wins.",
        scale::fan_out,
    ),
    (
        "QoS 0 may lose, QoS 1 may duplicate, QoS 2 does neither.",
        delivery::levels,
    ),
    ("QoS 2 costs a four-step handshake.", framing::handshakes),
    (
        "WebSocket has no delivery guarantee beyond TCP: messages in flight at a disconnect are \
         lost.",
        delivery::in_flight,
    ),
    (
        "The broker queues for an offline client; a WebSocket server does not.",
        delivery::offline,
    ),
    (
        "The broker keeps a topic's latest value and hands it to whoever subscribes.",
        retained::latest,
    ),
    (
        "The broker keeps no history, only the last message.",
        retained::no_history,
    ),
    (
        "Client and broker keep no session, they just exchange messages.",
        delivery::no_session,
    ),
    (
        "The broker acknowledges every publish and every subscribe.",
        framing::acknowledges,
    ),
    (
        "Neither side has to wait for the other before it sends.",
        timing::pipelining,
    ),
    (
        "MQTT works where links are slow, lossy and intermittent; WebSocket needs a stable one.",
        delivery::bad_links,
    ),
    (
        "WebSocket has the lower latency for continuous streams.",
        timing::streams,
    ),
    ("QoS sets a priority among messages.", timing::priority),
    ("MQTT is not for large data.", framing::large),
    (
        "MQTT over WebSocket brings publish-subscribe to browsers, and through firewalls that \
         let nothing but HTTP pass.",
        sessions::over_websocket,
    ),
    (
        "A generic broker needs no server of one's own for a new topic; a REST or WebSocket \
         server needs a route.",
        scale::new_topic,
    ),
    ("TLS makes the difference small.", sessions::with_tls),
    (
        "A broker scales to very many devices; a WebSocket server is bounded by its open \
         connections.",
        scale::idle,
    ),
    (
        "The broker keeps the latest message and when it was sent.",
        retained::age,
    ),
    (
        "History is a client's job: whoever wants it subscribes and stores.",
        retained::history,
    ),
];

/// How many claims there are.
#[must_use]
pub fn count() -> usize {
    CLAIMS.len()
}

/// Measures a claim, by its number from 1, on the scenarios of a repository of
/// Squall's.
///
/// # Errors
/// When a scenario cannot be read or run, or there is no such claim.
pub fn measure(number: u8, repository: &Path) -> Result<Claim, Error> {
    let index = usize::from(number).checked_sub(1);
    let Some((said, measure)) = index.and_then(|index| CLAIMS.get(index)) else {
        return Err(Error::NoSuchClaim(number));
    };
    let mut lab = Lab::new(repository);
    let found = measure(&mut lab)?;
    Ok(Claim {
        number,
        said: (*said).to_owned(),
        ruling: found.ruling,
        condition: (found.ruling == Ruling::HoldsWhen).then_some(found.condition),
        finding: found.finding,
        figures: found.figures,
        notes: found.notes,
        commands: lab.commands(),
    })
}

/// The ledger of these claims.
#[must_use]
pub fn ledger(claims: Vec<Claim>) -> Ledger {
    Ledger {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        claims,
    }
}

/// A table of figures; `heads` begins with what its rows are.
fn table(title: &str, heads: &[&str], rows: Vec<(String, Vec<Figure>)>) -> Figures {
    let rows = rows
        .into_iter()
        .map(|(case, figures)| Row { case, figures });
    Figures {
        title: title.to_owned(),
        heads: heads.iter().map(|head| (*head).to_owned()).collect(),
        rows: rows.collect(),
    }
}

/// The ruling on what holds in some of the cases that were measured.
fn ruling(holds_everywhere: bool, holds_somewhere: bool) -> Ruling {
    match (holds_everywhere, holds_somewhere) {
        (true, _) => Ruling::Holds,
        (false, true) => Ruling::HoldsWhen,
        (false, false) => Ruling::DoesNotHold,
    }
}
