//! `rate`: a link is serialised no faster than this; where it was slower
//! anyway, it stays so.

use crate::net::Strain;

pub(super) fn strain(bits_per_second: u64, strain: &mut Strain) -> bool {
    let slowest = strain.rate_bits_per_second_max.unwrap_or(u64::MAX);
    strain.rate_bits_per_second_max = Some(slowest.min(bits_per_second));
    true
}

#[cfg(test)]
mod tests {
    use crate::faults::links::tests::{PACKET_BYTES, Valley};
    use crate::net::Way;

    #[test]
    fn packets_wait_for_the_slow_transmitter_one_after_another() {
        // A byte takes a millisecond.
        let mut valley = Valley::new(
            "kind = \"rate\"\nsite = \"valley\"\nrate = \"8 kbit/s\"\nat = \"1m\"\nfor = \"1m\"",
        );
        let bytes = PACKET_BYTES as u64;
        assert_eq!(valley.send(Way::Up, 3, 50_000), Ok(50_020));
        assert_eq!(valley.send(Way::Up, 3, 60_000), Ok(60_020 + bytes));
        assert_eq!(valley.send(Way::Up, 3, 60_000), Ok(60_020 + 2 * bytes));
        assert_eq!(
            valley.send(Way::Up, 4, 60_000),
            Ok(60_020 + bytes),
            "a link of its own"
        );
    }
}
