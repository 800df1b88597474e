//! `partition`: a site and the server cannot reach each other.
//!
//! The cut lies between the access links and the server. A packet from a device
//! meets it when it has crossed its access link, one from the server before: so
//! what is sent shortly before a partition may meet it, and what is sent in its
//! last moments may not. With `hold`, packets wait there, and go on in their
//! order when it ends.

use super::links::Window;
use crate::net::{Loss, Nanos};

/// What becomes of a packet that meets the cut at `at`: when it goes on.
pub(super) fn meet(window: &Window, hold: bool, at: Nanos) -> Result<Nanos, Loss> {
    if !window.lasts_at(at) {
        return Ok(at);
    }
    if hold {
        Ok(window.ends)
    } else {
        Err(Loss::Partition)
    }
}

#[cfg(test)]
mod tests {
    use crate::faults::links::tests::Valley;
    use crate::net::{Loss, Way};

    #[test]
    fn packets_are_lost_that_cross_between_site_and_server_while_it_lasts() {
        let mut valley =
            Valley::new("kind = \"partition\"\nsite = \"valley\"\nat = \"1m\"\nfor = \"1m\"");
        // From a device: 20 ms on its access link come first.
        assert_eq!(valley.send(Way::Up, 3, 59_979), Ok(59_999));
        assert_eq!(valley.send(Way::Up, 3, 59_980), Err(Loss::Partition));
        assert_eq!(valley.send(Way::Up, 3, 119_979), Err(Loss::Partition));
        assert_eq!(valley.send(Way::Up, 3, 119_980), Ok(120_000));
        // From the server: the access link comes after.
        assert_eq!(valley.send(Way::Down, 11, 59_999), Ok(60_019));
        assert_eq!(valley.send(Way::Down, 11, 60_000), Err(Loss::Partition));
        assert_eq!(valley.send(Way::Down, 11, 120_000), Ok(120_020));
        assert_eq!(valley.lost(0), 3);
    }

    #[test]
    fn one_way_leaves_the_other_open() {
        let mut valley = Valley::new(
            "kind = \"partition\"\nsite = \"valley\"\ndirection = \"down\"\nat = \"1m\"\nfor = \"1m\"",
        );
        assert_eq!(valley.send(Way::Up, 3, 90_000), Ok(90_020));
        assert_eq!(valley.send(Way::Down, 3, 90_000), Err(Loss::Partition));
    }

    #[test]
    fn what_is_held_goes_on_at_the_end() {
        let mut valley = Valley::new(
            "kind = \"partition\"\nsite = \"valley\"\nhold = true\nat = \"1m\"\nfor = \"1m\"",
        );
        assert_eq!(valley.send(Way::Up, 3, 90_000), Ok(120_000));
        assert_eq!(valley.send(Way::Up, 3, 119_999), Ok(120_019));
        assert_eq!(valley.send(Way::Down, 3, 90_000), Ok(120_020));
        assert_eq!(valley.send(Way::Down, 3, 120_001), Ok(120_021));
        assert_eq!((valley.lost(0), valley.touched(0)), (0, 2));
    }
}
