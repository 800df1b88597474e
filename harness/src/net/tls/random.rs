//! Randomness for rustls, from the run's own streams.
//!
//! rustls draws from one source for everybody. Whose handshake it is that draws,
//! and so from which stream, is decided by whose turn it is: [`Drawing`] lends
//! its stream to the thread for as long as it polls a handshake. Outside of one
//! there is nothing to draw, and rustls draws nothing.

use rand::Rng as _;
use rand_pcg::Pcg64Mcg;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio_rustls::rustls::crypto::{GetRandomFailed, SecureRandom};

thread_local! {
    static STREAM: RefCell<Option<Pcg64Mcg>> = const { RefCell::new(None) };
}

/// Draws from the stream of whoever is being polled.
#[derive(Debug)]
pub(super) struct Seeded;

impl SecureRandom for Seeded {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        STREAM.with_borrow_mut(|stream| match stream {
            Some(stream) => {
                stream.fill_bytes(buffer);
                Ok(())
            }
            None => Err(GetRandomFailed),
        })
    }
}

/// So many bytes from the stream of whoever is being polled.
pub(super) fn bytes<const N: usize>() -> Result<[u8; N], GetRandomFailed> {
    let mut bytes = [0; N];
    Seeded.fill(&mut bytes)?;
    Ok(bytes)
}

/// A future for which rustls draws from one stream.
pub(super) struct Drawing<F> {
    from: Option<Pcg64Mcg>,
    future: F,
}

impl<F> Drawing<F> {
    pub(super) fn from(random: Pcg64Mcg, future: F) -> Drawing<F> {
        Drawing {
            from: Some(random),
            future,
        }
    }
}

impl<F: Future + Unpin> Future for Drawing<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let outer = STREAM.replace(self.from.take());
        let polled = Pin::new(&mut self.future).poll(context);
        self.from = STREAM.replace(outer);
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    #[test]
    fn each_draws_from_its_own_stream_and_only_in_its_turn() {
        let drawn = || {
            let inner = std::future::poll_fn(|_| Poll::Ready(bytes::<8>().ok()));
            let mut drawing = Drawing::from(stream(1, "tls test", 0), inner);
            let mut context = Context::from_waker(std::task::Waker::noop());
            Pin::new(&mut drawing).poll(&mut context)
        };
        assert_eq!(drawn(), drawn());
        assert!(matches!(drawn(), Poll::Ready(Some(_))));
        assert!(bytes::<8>().is_err());
    }
}
