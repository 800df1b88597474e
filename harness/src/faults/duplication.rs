//! `duplication`: a link delivers packets twice.

use crate::net::Strain;
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

pub(super) fn strain(probability: f64, random: &mut Pcg64Mcg, strain: &mut Strain) -> bool {
    let twice = random.random_bool(probability);
    strain.twice |= twice;
    twice
}

#[cfg(test)]
mod tests {
    use crate::faults::links::tests::Valley;
    use crate::net::Way;

    #[test]
    fn a_share_of_the_packets_arrives_twice() {
        let mut valley = Valley::new(
            "kind = \"duplication\"\nsite = \"valley\"\nduplicate = \"25%\"\nat = \"1m\"\nfor = \"1m\"",
        );
        for packet in 0..600 {
            valley.send(Way::Down, 3, packet * 200).expect("no loss");
        }
        let copies = valley.landed(Way::Down) - 600;
        assert!((45..105).contains(&copies), "{copies} of 300 twice");
    }
}
