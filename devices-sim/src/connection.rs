//! What every connection of a device has in common, whatever is spoken on it:
//! the duty that goes on beside it, the strikes that hit it, and the ways in
//! which it ends.
//!
//! A protocol has a loop of its own around [`Connection::wait`], which tells
//! what came of its stream, or what it is to do [`Next`]; or else the [`End`]
//! that it hands to [`Connection::end`].

use crate::device::Device;
use crate::duty::Duty;
use crate::event::{DisconnectReason, Event};
use crate::id::MessageId;
use crate::lifecycle::Ending;
use crate::names::Names;
use crate::run::World;
use crate::strike::{Blow, Dark, Inbox, Strike, prepare};
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// How an attempt to connect ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The duty is done: the device goes to sleep.
    Done,
    /// The connection was not accepted.
    Failed,
    /// The accepted connection was lost, or ended to be opened anew.
    Lost,
    /// The device connects again at once.
    Again,
    /// The device goes dark.
    Dark(Dark),
}

/// Time for the last bytes of a device that goes dark to leave it.
pub(crate) const LAST_BYTES_LEAVE: Duration = Duration::from_millis(1);

/// How the device ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It has ended, and that has been told.
    Over(Outcome),
    /// Silently.
    Vanish(Outcome),
    /// With a RST.
    Reset,
    /// As the operating system closes it for a process that ends.
    Restart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Connecting,
    Online,
    /// The client's farewell is on its way; the deadline bounds the wait for a
    /// stream that does not take it, or a server that does not answer it.
    Closing {
        deadline: Instant,
        then: Outcome,
    },
    /// The last bytes are on their way; then the device goes dark.
    LastBytes {
        until: Instant,
        dark: Dark,
    },
}

/// What a protocol is to do when something has happened to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing.
    Wait,
    /// Send what is due.
    Serve,
    /// Say farewell: the connection is [`Phase::Closing`].
    Close,
}

/// What a wait ends with.
pub(crate) enum Turn<T> {
    /// What was waited for.
    Event(T),
    /// Something else has happened.
    Next(Next),
}

pub(crate) struct Connection<'a> {
    pub(crate) world: &'a World,
    pub(crate) device: &'a mut Device,
    pub(crate) duty: &'a mut Duty,
    pub(crate) names: &'a Names,
    pub(crate) inbox: &'a Arc<Inbox>,
    pub(crate) phase: Phase,
    /// The server has accepted it.
    pub(crate) accepted: bool,
}

impl<'a> Connection<'a> {
    /// One that is about to be opened.
    pub(crate) fn new(
        world: &'a World,
        device: &'a mut Device,
        duty: &'a mut Duty,
        names: &'a Names,
        inbox: &'a Arc<Inbox>,
    ) -> Self {
        Self {
            world,
            device,
            duty,
            names,
            inbox,
            phase: Phase::Connecting,
            accepted: false,
        }
    }

    /// Waits for `event`, a strike, or the time. `own` is when the protocol has
    /// something to do, once it is online, and `unsaid` why it is over if its
    /// farewell takes too long. `timer` is kept from one wait to the next.
    pub(crate) async fn wait<T>(
        &mut self,
        mut timer: Pin<&mut Sleep>,
        own: Option<Instant>,
        unsaid: &str,
        event: impl Future<Output = T>,
    ) -> ControlFlow<End, Turn<T>> {
        let deadline = self.timer(own);
        if let Some(deadline) = deadline
            && timer.deadline() != deadline
        {
            timer.as_mut().reset(deadline);
        }
        tokio::select! {
            biased;
            event = event, if !self.is_dark() => ControlFlow::Continue(Turn::Event(event)),
            blow = self.inbox.next() => self.struck(blow).map_continue(Turn::Next),
            () = timer, if deadline.is_some() => self.advance(unsaid).map_continue(Turn::Next),
        }
    }

    fn timer(&self, own: Option<Instant>) -> Option<Instant> {
        match self.phase {
            Phase::Connecting => self.duty.timer(),
            Phase::Online => self.duty.timer().into_iter().chain(own).min(),
            Phase::Closing { deadline, .. } => Some(deadline),
            Phase::LastBytes { until, .. } => Some(until),
        }
    }

    /// Nothing is read or written any more.
    fn is_dark(&self) -> bool {
        matches!(self.phase, Phase::LastBytes { .. })
    }

    /// Does what is due, and ends the connection when the duty is done.
    pub(crate) fn advance(&mut self, unsaid: &str) -> ControlFlow<End, Next> {
        let now = Instant::now();
        match self.phase {
            Phase::Closing { deadline, then } if now >= deadline => {
                return self.over(then, unsaid);
            }
            Phase::LastBytes { until, dark } if now >= until => {
                return ControlFlow::Break(End::Vanish(Outcome::Dark(dark)));
            }
            Phase::Closing { .. } | Phase::LastBytes { .. } => {
                return ControlFlow::Continue(Next::Wait);
            }
            Phase::Connecting | Phase::Online => {}
        }
        self.duty.perform(self.world, self.device, self.names, now);
        if self.duty.is_done(self.world, self.device, now) {
            return self.finish(now);
        }
        ControlFlow::Continue(match self.phase {
            Phase::Online => Next::Serve,
            _ => Next::Wait,
        })
    }

    fn struck(&mut self, blow: Blow) -> ControlFlow<End, Next> {
        let now = Instant::now();
        let strike = match blow {
            Blow::LastBytes(dark) => {
                self.device.spent(dark);
                let until = now + LAST_BYTES_LEAVE;
                self.phase = Phase::LastBytes { until, dark };
                return ControlFlow::Continue(Next::Wait);
            }
            Blow::Strike(strike) => strike,
        };
        match prepare(self.world, self.device, strike) {
            Some(Strike::PowerOff { down }) => {
                let dark = Dark::NoPower(down);
                ControlFlow::Break(End::Vanish(Outcome::Dark(dark)))
            }
            Some(Strike::Reset) if !self.is_dark() => ControlFlow::Break(End::Reset),
            Some(Strike::Reconnect) if !self.is_dark() => ControlFlow::Break(End::Restart),
            Some(Strike::Disconnect) if self.phase == Phase::Online => {
                ControlFlow::Continue(self.close(now, Outcome::Lost))
            }
            Some(_) => ControlFlow::Continue(Next::Wait),
            None => {
                self.inbox.arm(self.device.armed());
                self.duty.clock_changed(self.world, self.device);
                ControlFlow::Continue(Next::Wait)
            }
        }
    }

    /// Goes down, in the fleet's way.
    fn finish(&mut self, now: Instant) -> ControlFlow<End, Next> {
        match self.world.fleet.lifecycle.ending() {
            Ending::Vanish => ControlFlow::Break(End::Vanish(Outcome::Done)),
            Ending::Clean if self.accepted => ControlFlow::Continue(self.close(now, Outcome::Done)),
            Ending::Clean => self.over(Outcome::Done, "the device's time awake was over"),
        }
    }

    pub(crate) fn close(&mut self, now: Instant, then: Outcome) -> Next {
        let deadline = now + self.world.fleet.mqtt.connect_timeout;
        self.phase = Phase::Closing { deadline, then };
        Next::Close
    }

    /// The server has accepted it.
    pub(crate) fn connected(&mut self, session_present: bool) {
        self.phase = Phase::Online;
        self.accepted = true;
        self.world
            .record(self.device, Event::Connected { session_present });
        self.duty.connected(Instant::now());
    }

    /// The farewell is said.
    pub(crate) fn closed<C>(&mut self) -> ControlFlow<End, C> {
        let reason = DisconnectReason::Clean;
        self.world
            .record(self.device, Event::Disconnected { reason });
        let outcome = match self.phase {
            Phase::Closing { then, .. } => then,
            _ => Outcome::Done,
        };
        ControlFlow::Break(End::Over(outcome))
    }

    /// The attempt, or the connection, has failed by itself.
    pub(crate) fn failed<C>(&self, reason: &str) -> ControlFlow<End, C> {
        let outcome = match self.phase {
            Phase::Connecting => Outcome::Failed,
            Phase::Online => Outcome::Lost,
            Phase::Closing { then, .. } => then,
            Phase::LastBytes { dark, .. } => Outcome::Dark(dark),
        };
        self.over(outcome, reason)
    }

    /// Tells how the attempt, or the connection, failed.
    pub(crate) fn over<C>(&self, outcome: Outcome, reason: &str) -> ControlFlow<End, C> {
        let event = if self.accepted {
            let reason = DisconnectReason::Lost(reason);
            Event::Disconnected { reason }
        } else {
            Event::ConnectFailed { reason }
        };
        self.world.record(self.device, event);
        ControlFlow::Break(End::Over(outcome))
    }

    /// Ends the connection, and tells how. The stream is dropped right after.
    pub(crate) fn end(&mut self, end: End) -> Outcome {
        let network = &self.world.network;
        let id = self.world.fleet.device(self.device.index);
        let (outcome, reason, words) = match end {
            End::Over(outcome) => return outcome,
            End::Vanish(outcome) => {
                network.vanish(id);
                let words = match outcome {
                    Outcome::Dark(Dark::Asleep(_)) => "the device fell asleep",
                    _ => "the device lost its power",
                };
                (outcome, DisconnectReason::Vanished, words)
            }
            End::Reset => {
                network.reset(id);
                let outcome = match self.phase {
                    Phase::Connecting => Outcome::Failed,
                    Phase::Closing { then, .. } => then,
                    Phase::Online | Phase::LastBytes { .. } => Outcome::Lost,
                };
                let words = "the device reset the connection";
                (outcome, DisconnectReason::Reset, words)
            }
            End::Restart => {
                let words = "the device started its client anew";
                (Outcome::Again, DisconnectReason::Lost(words), words)
            }
        };
        let event = if self.accepted {
            Event::Disconnected { reason }
        } else {
            Event::ConnectFailed { reason: words }
        };
        self.world.record(self.device, event);
        outcome
    }

    /// The id of the device's `sequence`-th reading.
    pub(crate) fn message(&self, sequence: u32) -> MessageId {
        MessageId::new(self.world.fleet.device(self.device.index), sequence)
    }

    /// The server took the reading over.
    pub(crate) fn acknowledged(&self, sequence: u32) {
        let id = self.message(sequence);
        self.world.record(self.device, Event::Acknowledged { id });
    }

    /// The client wrote the reading, perhaps not for the first time.
    pub(crate) fn sent(&self, sequence: u32, dup: bool) {
        let id = self.message(sequence);
        self.world.record(self.device, Event::Sent { id, dup });
    }
}
