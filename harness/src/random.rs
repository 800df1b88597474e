//! Named random streams.
//!
//! One seed feeds every random source of a run, each through a stream of its
//! own, named by what draws from it and an index. A stream depends on nothing
//! else, so adding a device, or a draw somewhere, does not reshuffle the rest.

use rand_pcg::Pcg64Mcg;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// The stream `name` number `index` of a run with this seed.
pub(crate) fn stream(seed: u64, name: &str, index: u64) -> Pcg64Mcg {
    let mut key = Vec::with_capacity(name.len() + 9);
    key.extend_from_slice(name.as_bytes());
    // A name cannot hold 0xFF (it is UTF-8), so no two keys coincide.
    key.push(0xFF);
    key.extend_from_slice(&index.to_le_bytes());
    Pcg64Mcg::new(xxh3_128_with_seed(&key, seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn a_stream_is_the_same_everywhere() {
        // Figures from a first run: a change here changes every run of every
        // scenario, and has to be wanted.
        assert_eq!(stream(7, "link up", 3).next_u64(), FIRST_DRAW);
    }

    const FIRST_DRAW: u64 = 16_912_029_494_694_246_928;

    #[test]
    fn streams_differ_by_seed_name_and_index() {
        let first = |seed, name, index| stream(seed, name, index).next_u64();
        let base = first(1, "a", 1);
        assert_ne!(base, first(2, "a", 1));
        assert_ne!(base, first(1, "b", 1));
        assert_ne!(base, first(1, "a", 2));
    }
}
