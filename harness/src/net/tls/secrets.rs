//! The secrets of TLS sessions, for captures.

use crate::net::tap::Tap;
use parking_lot::Mutex;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// Hands secrets to the tap as they are agreed upon, each a line in NSS's format.
pub(super) struct KeyLog(pub(super) Arc<Mutex<Tap>>);

impl tokio_rustls::rustls::KeyLog for KeyLog {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = label.to_owned();
        for bytes in [client_random, secret] {
            line.push(' ');
            for byte in bytes {
                // Text takes whatever is written to it.
                let _ = write!(line, "{byte:02x}");
            }
        }
        line.push('\n');
        self.0.lock().secret(&line);
    }

    fn will_log(&self, _: &str) -> bool {
        self.0.lock().captures()
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyLog")
    }
}
