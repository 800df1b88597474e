//! `reordering`: a link holds packets back, so that later ones overtake them.

use crate::net::{Strain, nanos};
use crate::scenario::Reorder;
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

pub(super) fn strain(reorder: &Reorder, random: &mut Pcg64Mcg, strain: &mut Strain) -> bool {
    let held_back = random.random_bool(reorder.probability);
    if held_back {
        let by = strain.held_back.unwrap_or_default() + nanos(reorder.delay);
        strain.held_back = Some(by);
    }
    held_back
}

#[cfg(test)]
mod tests {
    use crate::faults::links::tests::Valley;
    use crate::net::Way;

    #[test]
    fn a_packet_held_back_is_overtaken() {
        let mut valley = Valley::new(
            "kind = \"reordering\"\nsite = \"valley\"\nreorder = { probability = \"20%\", delay = \"500ms\" }\nat = \"1m\"\nfor = \"1m\"",
        );
        let mut overtaken = |from_ms: u64| {
            let arrivals: Vec<u64> = (0..200)
                .map(|packet| {
                    valley
                        .send(Way::Up, 3, from_ms + packet * 100)
                        .expect("no loss")
                })
                .collect();
            arrivals.windows(2).filter(|pair| pair[0] > pair[1]).count()
        };
        assert_eq!(overtaken(0), 0);
        let during = overtaken(60_000);
        assert!((20..60).contains(&during), "{during} of 200");
    }
}
