//! `burst-loss`: a link loses packets in bursts, by a chain of Gilbert and
//! Elliott of its own for each device and direction, which begins in the good
//! state.

use crate::net::{Loss, Strain};
use crate::scenario::GilbertElliott;
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

/// Moves the chain by one packet; `bad` is its state.
pub(super) fn strain(
    burst: &GilbertElliott,
    by: usize,
    bad: &mut bool,
    random: &mut Pcg64Mcg,
    strain: &mut Strain,
) -> bool {
    let moves = if *bad { burst.leave } else { burst.enter };
    *bad ^= random.random_bool(moves);
    let loss = if *bad {
        burst.loss_bad
    } else {
        burst.loss_good
    };
    if random.random_bool(loss) {
        strain.lose(Loss::Burst, by);
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::faults::links::tests::Valley;
    use crate::net::{Loss, Way};

    #[test]
    fn losses_come_in_bursts_of_their_mean_length() {
        let mut valley = Valley::new(
            "kind = \"burst-loss\"\nsite = \"valley\"\nburst = { enter = \"2%\", leave = \"25%\" }\nat = \"0s\"",
        );
        let lost: Vec<bool> = (0..50_000)
            .map(|packet| valley.send(Way::Up, 3, packet * 20) == Err(Loss::Burst))
            .collect();
        let share = lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64;
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        let length = share * lost.len() as f64 / bursts as f64;
        assert!((share - 2.0 / 27.0).abs() < 0.01, "{share} lost");
        assert!((length - 4.0).abs() < 0.3, "bursts of {length} packets");
    }
}
