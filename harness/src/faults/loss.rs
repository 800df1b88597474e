//! `loss`: a link loses packets, independently of each other, on top of what it
//! loses anyway.

use crate::net::{Loss, Strain};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

pub(super) fn strain(loss: f64, by: usize, random: &mut Pcg64Mcg, strain: &mut Strain) -> bool {
    if random.random_bool(loss) {
        strain.lose(Loss::Random, by);
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::faults::links::tests::Valley;
    use crate::net::{Loss, Way};

    #[test]
    fn a_share_of_the_packets_is_lost_while_it_lasts_and_none_before_or_after() {
        let mut valley = Valley::new(
            "kind = \"loss\"\nsite = \"valley\"\nloss = \"30%\"\nat = \"1m\"\nfor = \"1m\"",
        );
        let mut lost = |from_s: u64, to_s: u64| {
            let sent = (from_s * 1_000..to_s * 1_000).step_by(50);
            sent.filter(|&at_ms| valley.send(Way::Up, 3, at_ms) == Err(Loss::Random))
                .count()
        };
        assert_eq!(lost(0, 60), 0);
        let during = lost(60, 120);
        assert!((280..440).contains(&during), "{during} of 1200");
        assert_eq!(lost(120, 180), 0);
    }

    #[test]
    fn one_direction_of_one_fleet_is_struck_and_nothing_else() {
        let mut valley = Valley::new(
            "kind = \"loss\"\nfleet = \"meter\"\nloss = 1\ndirection = \"down\"\nat = \"1m\"\nfor = \"1m\"",
        );
        let at_ms = 90_000;
        assert!(valley.send(Way::Up, 11, at_ms).is_ok());
        assert!(valley.send(Way::Down, 9, at_ms).is_ok());
        assert_eq!(valley.send(Way::Down, 11, at_ms), Err(Loss::Random));
    }
}
