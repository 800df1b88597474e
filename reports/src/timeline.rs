//! Latency over the run, as two sparklines.

use crate::{
    figures::{clock, duration},
    layout::{pad_start, sparkline, width},
    model::{LatencyBucket, LatencyOverTime},
};

/// Sparklines of the median and the maximum over the same stretch of time.
pub(crate) struct Timeline {
    /// The two lines.
    pub(crate) lines: [Line; 2],
    /// The times at both ends, as wide as the sparklines where there is room.
    pub(crate) axis: String,
}

/// One sparkline.
pub(crate) struct Line {
    /// What it shows, of equal width in both lines.
    pub(crate) name: &'static str,
    pub(crate) drawn: String,
    /// Its highest point, which gives it its scale, and when that was published.
    pub(crate) highest: String,
}

impl Timeline {
    /// Draws the latency of a run that took `ended_ns`, on at most `columns`;
    /// `None` if there is nothing to draw.
    pub(crate) fn new(latency: &LatencyOverTime, ended_ns: u64, columns: usize) -> Option<Self> {
        let measured: Vec<&LatencyBucket> = latency
            .buckets
            .iter()
            .filter(|bucket| bucket.count > 0)
            .collect();
        let (last, bucket_ns) = (measured.last()?, latency.bucket_ns);
        if bucket_ns == 0 {
            return None;
        }
        let span = ended_ns
            .div_ceil(bucket_ns)
            .max(last.start_ns / bucket_ns + 1);
        let columns = usize::try_from(span).map_or(columns, |span| span.min(columns));
        let line = |name, read: fn(&LatencyBucket) -> u64| {
            let mut values = vec![None; columns];
            for bucket in &measured {
                let index = u128::from(bucket.start_ns / bucket_ns);
                let column = (index * columns as u128 / u128::from(span)) as usize;
                // Where buckets share a column, the worst of them is the one to see.
                if let Some(value) = values.get_mut(column) {
                    *value = (*value).max(Some(read(bucket)));
                }
            }
            let highest = measured
                .iter()
                .rev()
                .max_by_key(|bucket| read(bucket))
                .map(|bucket| {
                    let (value, start) = (duration(read(bucket)), clock(bucket.start_ns));
                    format!("highest {value} at {start}")
                });
            Line {
                name,
                drawn: sparkline(&values),
                highest: highest.unwrap_or_default(),
            }
        };
        let (from, to) = (clock(0), clock(span.saturating_mul(bucket_ns)));
        let axis = match columns.checked_sub(width(&from)) {
            Some(rest) if rest > width(&to) => format!("{from}{}", pad_start(&to, rest)),
            _ => format!("{from} ─ {to}"),
        };
        Some(Self {
            lines: [
                line("median ", |bucket| bucket.latency_ns_p50),
                line("maximum", |bucket| bucket.latency_ns_max),
            ],
            axis,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn latency(bucket_s: u64, medians: &[(u64, u64)]) -> LatencyOverTime {
        LatencyOverTime {
            bucket_ns: bucket_s * SECOND,
            buckets: medians
                .iter()
                .map(|&(start, median)| LatencyBucket {
                    start_ns: start * SECOND,
                    count: median.min(1),
                    latency_ns_p50: median * SECOND,
                    latency_ns_max: median * SECOND,
                })
                .collect(),
        }
    }

    #[rstest]
    #[case::one_bucket_a_column(1, &[(0, 1), (1, 7), (3, 4)], 4, "▂█ ▅", "0:00:00 ─ 0:00:04")]
    #[case::a_bucket_after_the_end(1, &[(5, 7)], 4, "     █", "0:00:00 ─ 0:00:06")]
    #[case::the_worst_of_a_column(1, &[(0, 7), (1, 1), (39, 7)], 40, "█                  █", "0:00:00      0:00:40")]
    #[case::nothing_measured_is_blank(1, &[(0, 0), (1, 7)], 2, " █", "0:00:00 ─ 0:00:02")]
    fn buckets_fall_into_columns(
        #[case] bucket_s: u64,
        #[case] medians: &[(u64, u64)],
        #[case] ended_s: u64,
        #[case] drawn: &str,
        #[case] axis: &str,
    ) {
        let timeline = Timeline::new(&latency(bucket_s, medians), ended_s * SECOND, 20).unwrap();
        assert_eq!(timeline.lines[0].drawn, drawn);
        assert_eq!(timeline.axis, axis);
    }

    #[rstest]
    #[case::no_buckets(1, &[])]
    #[case::no_deliveries(1, &[(0, 0)])]
    #[case::no_length(0, &[(0, 1)])]
    fn nothing_to_draw_is_not_drawn(#[case] bucket_s: u64, #[case] medians: &[(u64, u64)]) {
        assert!(Timeline::new(&latency(bucket_s, medians), 10 * SECOND, 20).is_none());
    }

    #[test]
    fn the_first_of_equal_heights_is_named() {
        let timeline = Timeline::new(&latency(1, &[(2, 7), (3, 7)]), SECOND, 20).unwrap();
        assert_eq!(timeline.lines[0].highest, "highest 7 s at 0:00:02");
    }
}
