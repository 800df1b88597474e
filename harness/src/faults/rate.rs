//! `rate`: a link is serialised no faster than this; where it was slower
//! anyway, it stays so.

use crate::net::Strain;

pub(super) fn strain(bits_per_second: u64, strain: &mut Strain) -> bool {
    let slower = strain
        .rate_bits_per_second_max
        .is_none_or(|rate| bits_per_second < rate);
    if slower {
        strain.rate_bits_per_second_max = Some(bits_per_second);
    }
    slower
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
        assert_eq!(valley.touched(0), 3);
    }

    #[test]
    fn a_link_that_is_no_faster_anyway_is_not_slowed_down() {
        let mut valley = Valley::on(
            "{ latency = \"20ms\", rate = \"4 kbit/s\" }",
            "kind = \"rate\"\nsite = \"valley\"\nrate = \"8 kbit/s\"\nat = \"1m\"\nfor = \"1m\"",
        );
        let takes = 20 + 2 * PACKET_BYTES as u64;
        assert_eq!(valley.send(Way::Up, 3, 50_000), Ok(50_000 + takes));
        assert_eq!(valley.send(Way::Up, 3, 60_000), Ok(60_000 + takes));
        assert_eq!(valley.touched(0), 0);
    }
}
