//! How a connection ends: by the server, which is judged, or by the check.

use std::time::Duration;

use squall_broker::wire::{Disconnect, Packet, ReasonCode};
use squall_reports::conformance::{Closing, ExchangeEvent};
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use super::{Arrival, Client, PACKETS_MAX};
use crate::finding::{Finding, Outcome};

/// How a connection ended, or that it did not.
struct End {
    /// [`Arrival::Silence`] if it did not.
    how: Arrival,
    /// The reason that was given.
    code: Option<ReasonCode>,
    /// The name of the first packet that gives none.
    other: Option<&'static str>,
    /// What is wrong with the first bytes that were no packet.
    no_packet: Option<Finding>,
}

impl Client {
    /// The broker has to end the connection, with one of these reason codes if
    /// it gives one. How it did it is in the report, and does not decide: a
    /// DISCONNECT or, before the connection is accepted, a CONNACK that refuses
    /// it may come first, and what was under way before, even bytes that are no
    /// packet.
    ///
    /// # Errors
    /// [`Finding::Fail`] when it does not, within the time for an answer.
    pub async fn closed(&mut self, codes: &[ReasonCode]) -> Outcome {
        self.closed_within(self.bench.timeout(), codes).await
    }

    /// The same within a time, from now.
    ///
    /// # Errors
    /// As [`closed`](Self::closed).
    pub async fn closed_within(&mut self, time: Duration, codes: &[ReasonCode]) -> Outcome {
        let end = self.end_within(time).await?;
        self.judge_end(&end, codes)
    }

    /// The broker has to end a connection without accepting it: as
    /// [`closed`](Self::closed), but a CONNACK that accepts it is a failure,
    /// whatever comes after.
    ///
    /// # Errors
    /// [`Finding::Fail`] when it accepts it, or does not end it.
    pub async fn refused(&mut self, codes: &[ReasonCode]) -> Outcome {
        self.last.clear();
        let mut end = self.end_within(self.bench.timeout()).await?;
        // A broker may refuse in the other version: it does not know, or not
        // speak, the one that the client asks for.
        let in_other_version = matches!(self.last[..], [0x20, 2, 0, code] if code != 0);
        if let Some(finding) = end.no_packet.take()
            && !in_other_version
        {
            return Err(finding);
        }
        if end.other == Some("CONNACK") {
            let expected = "the broker not to accept the connection";
            return Err(Finding::fail(expected, "a CONNACK accepts it"));
        }
        self.judge_end(&end, codes)
    }

    /// Notes how the connection ended, and fails if it did not.
    fn judge_end(&self, end: &End, codes: &[ReasonCode]) -> Outcome {
        let closing = match (&end.how, end.code) {
            (Arrival::Silence | Arrival::Packet(_), _) => Closing::StaysOpen,
            (_, Some(code)) if codes.contains(&code) => Closing::RightCode { code: code as u8 },
            (_, Some(code)) => Closing::WrongCode { code: code as u8 },
            (Arrival::Ended, None) => Closing::NoCode,
            (Arrival::Reset, None) => Closing::Reset,
        };
        self.bench.notes().closing = Some(closing);
        if closing != Closing::StaysOpen {
            return Ok(());
        }
        let actual = match (end.other, end.code) {
            (Some(name), _) => format!("the connection stays open, and {name} came"),
            (None, Some(code)) => format!("{code:?} was said, and the connection stays open"),
            (None, None) => "the connection stays open".to_owned(),
        };
        Err(Finding::fail("the broker to end the connection", actual))
    }

    /// Reads until the connection has ended, or for a time.
    async fn end_within(&mut self, time: Duration) -> Outcome<End> {
        let deadline = Instant::now() + time;
        let (mut code, mut other, mut no_packet) = (None, None, None);
        for _ in 0..PACKETS_MAX {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.next_within(left).await {
                Ok(Arrival::Packet(Packet::Disconnect(disconnect))) => code = Some(disconnect.code),
                Ok(Arrival::Packet(Packet::ConnAck(connack))) if connack.code.is_failure() => {
                    code = Some(connack.code);
                }
                Ok(Arrival::Packet(packet)) => other = other.or(Some(packet.name())),
                Err(finding @ Finding::Fail { .. }) => {
                    other = other.or(Some("what is no packet"));
                    no_packet = no_packet.or(Some(finding));
                }
                Err(finding) => return Err(finding),
                Ok(how) => {
                    return Ok(End {
                        how,
                        code,
                        other,
                        no_packet,
                    });
                }
            }
        }
        let how = Arrival::Silence;
        Ok(End {
            how,
            code,
            other,
            no_packet,
        })
    }

    /// Says DISCONNECT and ends the connection.
    ///
    /// # Errors
    /// As [`send_bytes`](Self::send_bytes).
    pub async fn leave(mut self) -> Outcome {
        self.send(&Packet::Disconnect(Disconnect::default()))
            .await?;
        let _ = self.stream.shutdown().await;
        // Once the server has ended it too, it has acted upon it.
        let _ = self.end_within(self.bench.timeout()).await;
        self.note(ExchangeEvent::Closed);
        Ok(())
    }

    /// Ends the connection without a DISCONNECT, as a client does that crashes,
    /// and waits until the server has noticed.
    ///
    /// # Errors
    /// None: whatever the server does then, it has noticed.
    pub async fn vanish(mut self) -> Outcome {
        let _ = self.stream.shutdown().await;
        let _ = self.end_within(self.bench.timeout()).await;
        self.note(ExchangeEvent::Closed);
        Ok(())
    }
}
