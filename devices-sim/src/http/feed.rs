//! The feed of a group, as the REST server writes it: `position sensor
//! length⏎reading`, each right behind the other.

use bytes::{Buf as _, Bytes};

/// A reading in a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its place among all readings.
    pub(crate) position: u64,
    /// The sensor's name within its group.
    pub(crate) sensor: String,
    pub(crate) payload: Bytes,
}

/// Reads a feed. `None` is the last entry of one that is broken.
pub(crate) fn entries(mut feed: Bytes) -> impl Iterator<Item = Option<Entry>> {
    std::iter::from_fn(move || {
        if feed.is_empty() {
            return None;
        }
        let entry = entry(&mut feed);
        if entry.is_none() {
            feed.clear();
        }
        Some(entry)
    })
}

fn entry(feed: &mut Bytes) -> Option<Entry> {
    let end = feed.iter().position(|byte| *byte == b'\n')?;
    let line = feed.split_to(end);
    feed.advance(1);
    let mut fields = std::str::from_utf8(&line).ok()?.split(' ');
    let (position, sensor, length) = (fields.next()?, fields.next()?, fields.next()?);
    let length: usize = length.parse().ok()?;
    (length <= feed.len()).then_some(())?;
    Some(Entry {
        position: position.parse().ok()?,
        sensor: sensor.to_owned(),
        payload: feed.split_to(length),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_has_readings_of_any_bytes() {
        let feed = Bytes::from_static(b"3 t-1 2\n\n 17 t-2.temperature 0\n");
        let read: Vec<_> = entries(feed).collect();
        let entry = |position, sensor: &str, payload: &'static [u8]| {
            Some(Entry {
                position,
                sensor: sensor.to_owned(),
                payload: Bytes::from_static(payload),
            })
        };
        let expected = [entry(3, "t-1", b"\n "), entry(17, "t-2.temperature", b"")];
        assert_eq!(read, expected);
    }

    #[test]
    fn a_broken_feed_ends_with_what_is_none() {
        for broken in [
            "3 t-1",
            "3 t-1\n",
            "3 t-1 3\n12",
            "x t-1 1\n1",
            "3 t-1 -1\n",
        ] {
            let read: Vec<_> = entries(Bytes::from_static(broken.as_bytes())).collect();
            assert_eq!(read, [None], "{broken}");
        }
    }
}
