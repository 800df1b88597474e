//! `blackhole`: a link swallows every packet that is handed to it, and nobody
//! is told. What is on the air when it begins arrives.

use crate::net::{Loss, Strain};

pub(super) fn strain(by: usize, strain: &mut Strain) -> bool {
    strain.lose(Loss::Blackhole, by);
    false
}

#[cfg(test)]
mod tests {
    use crate::faults::links::tests::Valley;
    use crate::net::{Loss, Way};

    #[test]
    fn what_is_sent_while_it_lasts_is_gone_and_what_is_on_the_air_arrives() {
        let mut valley =
            Valley::new("kind = \"blackhole\"\nfleet = \"meter\"\nat = \"1m\"\nfor = \"1m\"");
        assert_eq!(valley.send(Way::Up, 11, 59_999), Ok(60_019));
        assert_eq!(valley.send(Way::Up, 11, 60_000), Err(Loss::Blackhole));
        assert_eq!(valley.send(Way::Down, 11, 119_999), Err(Loss::Blackhole));
        assert_eq!(valley.send(Way::Up, 11, 120_000), Ok(120_020));
        assert_eq!(valley.lost(0), 2);
    }
}
