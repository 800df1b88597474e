//! Sets of devices: few ranges of numbers, however many devices.

use crate::net::address::DEVICES_MAX;
use rand::Rng;
use rand::seq::index;
use std::ops::Range;

/// A set of devices by their numbers over all fleets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Devices {
    /// Ascending, apart from each other, none empty.
    ranges: Vec<Range<u32>>,
}

impl Devices {
    /// The devices of ranges that ascend and do not overlap.
    pub(crate) fn of(ranges: impl IntoIterator<Item = Range<u32>>) -> Devices {
        let mut joined: Vec<Range<u32>> = Vec::new();
        for range in ranges.into_iter().filter(|range| !range.is_empty()) {
            match joined.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => joined.push(range),
            }
        }
        Devices { ranges: joined }
    }

    pub(crate) fn one(device: u32) -> Devices {
        Devices::of(std::iter::once(device..device + 1))
    }

    pub(crate) fn len(&self) -> usize {
        self.ranges.iter().map(ExactSizeIterator::len).sum()
    }

    pub(crate) fn contains(&self, device: u32) -> bool {
        let after = self.ranges.partition_point(|range| range.end <= device);
        self.ranges
            .get(after)
            .is_some_and(|range| range.contains(&device))
    }

    /// Ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.ranges.iter().cloned().flatten()
    }

    /// So many of them, all equally likely.
    pub(crate) fn draw(&self, number: usize, random: &mut impl Rng) -> Devices {
        let all = self.len();
        debug_assert!(all <= DEVICES_MAX as usize);
        let mut places = index::sample(random, all, number.min(all)).into_vec();
        places.sort_unstable();
        let mut devices = self.iter();
        let mut passed = 0;
        let drawn = places.into_iter().filter_map(|place| {
            let device = devices.nth(place - passed);
            passed = place + 1;
            device
        });
        Devices::of(drawn.map(|device| device..device + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn neighbours_are_one_range() {
        let devices = Devices::of([2..5, 5..5, 5..7, 9..10]);
        assert_eq!(devices.ranges, [2..7, 9..10]);
        assert_eq!(devices.len(), 6);
        let all: Vec<u32> = (0..12).filter(|&device| devices.contains(device)).collect();
        assert_eq!(all, devices.iter().collect::<Vec<_>>());
    }

    #[test]
    fn some_are_drawn_of_all_and_none_twice() {
        let devices = Devices::of([10..60, 100..150]);
        let mut random = random::stream(1, "devices test", 0);
        let drawn = devices.draw(30, &mut random);
        assert_eq!(drawn.len(), 30);
        assert!(drawn.iter().all(|device| devices.contains(device)));
        assert_ne!(drawn, devices.draw(30, &mut random), "the next draw");
        assert_eq!(
            devices.draw(1_000, &mut random),
            devices,
            "no more than all"
        );
    }
}
