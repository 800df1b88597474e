//! `latency`: a link takes longer. Packets keep their order, so that at its end
//! those that come after wait for the last that was slow.

use crate::net::{Nanos, Strain};

pub(super) fn strain(added: Nanos, strain: &mut Strain) -> bool {
    strain.latency_added += added;
    true
}

#[cfg(test)]
mod tests {
    use crate::faults::links::tests::Valley;
    use crate::net::Way;

    #[test]
    fn packets_take_longer_while_it_lasts_and_none_overtakes_them() {
        let mut valley = Valley::new(
            "kind = \"latency\"\nsite = \"valley\"\nlatency = \"2s\"\nat = \"1m\"\nfor = \"1m\"",
        );
        assert_eq!(valley.send(Way::Up, 3, 59_999), Ok(60_019));
        assert_eq!(valley.send(Way::Up, 3, 60_000), Ok(62_020));
        assert_eq!(valley.send(Way::Up, 3, 119_999), Ok(122_019));
        assert_eq!(
            valley.send(Way::Up, 3, 120_000),
            Ok(122_019),
            "behind the slow one"
        );
        assert_eq!(valley.send(Way::Up, 3, 123_000), Ok(123_020));
    }

    #[test]
    fn a_distribution_is_drawn_from_for_each_packet() {
        let mut valley = Valley::new(
            "kind = \"latency\"\nsite = \"valley\"\nlatency = { uniform = [\"1s\", \"2s\"] }\nat = \"1m\"\nfor = \"2m\"",
        );
        let mut took = |at_ms| valley.send(Way::Down, 3, at_ms).expect("no loss") - at_ms;
        let (one, other) = (took(60_000), took(70_000));
        assert!((1_020..=2_020).contains(&one) && (1_020..=2_020).contains(&other));
        assert_ne!(one, other);
    }
}
