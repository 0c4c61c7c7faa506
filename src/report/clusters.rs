//! Sums by cluster, in bounded room: when there are too many, neighbours in time become one.

/// Most clusters of a group.
pub const CLUSTERS: usize = 4096;
/// The same for an hour or a session of a market: there are many of those, and each is small.
pub const CLUSTERS_OF_SLICE: usize = 256;

/// Pairs of sums, a row a cluster, in the order of time.
///
/// Folding makes clusters larger, never smaller, so that what depends on each other stays together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clusters {
    /// Values of a row.
    width: usize,
    limit: usize,
    rows: Vec<f64>,
    /// How many clusters a full row stands for.
    per_row: u64,
    /// How many the last row stands for.
    in_last: u64,
}

impl Clusters {
    /// None yet, of `pairs` pairs; at most `limit` rows, an even number.
    pub fn new(pairs: usize, limit: usize) -> Self {
        let limit = limit.max(2) / 2 * 2;
        Self { width: 2 * pairs, limit, rows: Vec::new(), per_row: 1, in_last: 0 }
    }

    /// Pairs of a row.
    pub fn pairs(&self) -> usize {
        self.width / 2
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.rows.chunks_exact(self.width.max(1))
    }

    /// Sum of a pair over all clusters.
    pub fn sum(&self, pair: usize) -> [f64; 2] {
        let of = |at: usize| self.rows().filter_map(|row| row.get(at)).sum();
        [of(2 * pair), of(2 * pair + 1)]
    }

    /// Adds a cluster that lies behind all others.
    pub fn push(&mut self, row: &[f64]) {
        debug_assert_eq!(row.len(), self.width, "a row of this group");
        if !self.is_empty() && self.in_last < self.per_row {
            let start = self.rows.len().saturating_sub(self.width);
            self.rows.iter_mut().skip(start).zip(row).for_each(|(sum, value)| *sum += value);
            self.in_last += 1;
            return;
        }
        if self.len() >= self.limit {
            self.fold();
        }
        self.rows.extend_from_slice(row);
        self.in_last = 1;
    }

    /// Adds the rows of `chunk`, one cluster each.
    pub fn extend(&mut self, chunk: &[f64]) {
        for row in chunk.chunks_exact(self.width.max(1)) {
            self.push(row);
        }
    }

    fn fold(&mut self) {
        let rows = self.len() / 2;
        for row in 0..rows {
            for column in 0..self.width {
                let at = 2 * row * self.width + column;
                let sum = self.rows.get(at).zip(self.rows.get(at + self.width)).map(|(a, b)| a + b);
                if let (Some(sum), Some(to)) = (sum, self.rows.get_mut(row * self.width + column)) {
                    *to = sum;
                }
            }
        }
        self.rows.truncate(rows * self.width);
        self.per_row *= 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_fold_in_pairs_when_there_are_too_many() {
        let mut clusters = Clusters::new(1, 4);
        for value in 1..=9 {
            clusters.push(&[1.0, f64::from(value)]);
        }
        // 1 2 3 4 → 3 7, then 5+6, 7+8 → 3 7 11 15 → 10 26, then 9.
        let rows: Vec<&[f64]> = clusters.rows().collect();
        assert_eq!(rows, [&[4.0, 10.0], &[4.0, 26.0], &[1.0, 9.0]]);
        clusters.push(&[1.0, 10.0]);
        assert_eq!(clusters.rows().last(), Some(&[2.0, 19.0][..]));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_the_bound_holds(values in prop::collection::vec(0_u32..1000, 0..200), limit in 1_usize..12) {
            let mut clusters = Clusters::new(1, limit);
            values.iter().for_each(|value| clusters.push(&[1.0, f64::from(*value)]));
            // Whole numbers, so small that they are exact.
            let sum = |at: usize| clusters.rows().map(|row| row[at] as u64).sum::<u64>();
            prop_assert_eq!(sum(0), values.len() as u64);
            prop_assert_eq!(sum(1), values.iter().map(|value| u64::from(*value)).sum::<u64>());
            prop_assert!(clusters.len() <= limit.max(2));
            // All rows but the last stand for equally many.
            let sizes: Vec<u64> = clusters.rows().map(|row| row[0] as u64).collect();
            if let [full @ .., last] = sizes.as_slice() {
                prop_assert!(full.iter().all(|size| *size == full[0]) && full.iter().all(|size| last <= size));
            }
        }
    }
}
