//! What can be seen, as server-sent events (WHATWG HTML, section 9.2): the whole
//! of it each time, in one line of JSON.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::channel::Channel;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Answer, of};
use crate::demo::light::room::Sight;

/// Somebody who has gone is noticed after this long, if nothing happens.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Events for as long as somebody reads them.
pub(super) fn of_sight(mut sight: watch::Receiver<Sight>) -> Answer {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    tokio::spawn(async move {
        loop {
            let event = match timeout(SIGN_OF_LIFE, sight.changed()).await {
                // A comment, which nobody is told.
                Err(_) => ":\n\n".to_owned(),
                Ok(Err(_)) => return,
                Ok(Ok(())) => {
                    let json = serde_json::to_string(&*sight.borrow_and_update());
                    // Numbers and no maps: always JSON.
                    format!("data: {}\n\n", json.unwrap_or_default())
                }
            };
            if sender.send_data(event.into()).await.is_err() {
                return;
            }
        }
    });
    of("text/event-stream", body.boxed())
}
