//! `power-cut`: a site loses its power. Whatever is on the air of its access
//! links at any moment of it is lost; its devices go down when it begins, and
//! boot when it ends.

use super::links::Window;
use super::plan::Occurrence;
use crate::net::{Loss, Nanos};
use squall_devices::Strike;

pub(super) fn strike(occurrence: &Occurrence) -> Strike {
    Strike::PowerOff {
        down: occurrence.lasts(),
    }
}

/// What becomes of a packet that is on the air from `entered` to `left`.
pub(super) fn meet(window: &Window, entered: Nanos, left: Nanos) -> Result<(), Loss> {
    if entered < window.ends && window.begins <= left {
        Err(Loss::PowerCut)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::faults::links::tests::Valley;
    use crate::net::{Loss, Way};

    #[test]
    fn what_is_on_the_air_is_lost_both_ways() {
        let mut valley =
            Valley::new("kind = \"power-cut\"\nsite = \"valley\"\nat = \"1m\"\nfor = \"1m\"");
        for way in [Way::Up, Way::Down] {
            assert_eq!(valley.send(way, 3, 59_979), Ok(59_999));
            assert_eq!(valley.send(way, 3, 59_980), Err(Loss::PowerCut));
            assert_eq!(valley.send(way, 3, 119_999), Err(Loss::PowerCut));
            assert_eq!(valley.send(way, 3, 120_000), Ok(120_020));
        }
    }
}
