//! The median of what fills earn, and how sure it is.
//!
//! Whether a fill earns no more than the median is a share like any other, whose interval the cluster bootstrap
//! gives; it is carried over to the fills by their ranks (R. S. Woodruff, "Confidence intervals for medians and
//! other position measures", 1952). So fills of one episode make nobody surer than one of them does.

use crate::report::bootstrap::{self, Interval};
use crate::report::clusters::{CLUSTERS, Clusters};
use crate::report::edge::nearest_rank;
use crate::report::tally::{Kept, SideTally};

/// What fills of `kept` earn at combination number `at`, which leaves at `exit`, and their episodes.
fn fills(kept: &Kept, at: usize, exit: usize) -> impl Iterator<Item = (u32, f64)> {
    let all = kept.episodes.iter().copied().zip(&kept.filled);
    let filled = all.filter(move |(_, filled)| filled.at >> at & 1 == 1);
    filled.filter_map(move |(episode, filled)| Some((episode, *filled.net_bps.get(exit)?)))
}

fn all(sides: &[&SideTally], at: usize, exit: usize) -> Vec<f64> {
    let kept = sides.iter().flat_map(|side| &side.kept);
    kept.flat_map(|kept| fills(kept, at, exit)).map(|(_, net)| net).collect()
}

/// The median over `sides`, in bps.
pub fn net(sides: &[&SideTally], at: usize, exit: usize) -> Option<f64> {
    nearest_rank(&mut all(sides, at, exit), 50)
}

/// The interval around a median of one market, whose upper end lies above the truth with probability `upper`.
pub fn interval(
    sides: &[&SideTally],
    at: usize,
    exit: usize,
    median: f64,
    upper: f64,
    seed: u64,
) -> Option<Interval> {
    let mut clusters = Clusters::new(1, CLUSTERS);
    // Both sides have the same days.
    for day in 0..sides.iter().map(|side| side.kept.len()).max()? {
        let of_day = sides.iter().filter_map(|side| side.kept.get(day));
        let mut fills: Vec<(u32, f64)> = of_day.flat_map(|kept| fills(kept, at, exit)).collect();
        fills.sort_by_key(|(episode, _)| *episode);
        for episode in fills.chunk_by(|(a, _), (b, _)| a == b) {
            let below = episode.iter().filter(|(_, net)| *net <= median).count();
            clusters.push(&[episode.len() as f64, below as f64]);
        }
    }
    let share = bootstrap::intervals(&clusters, upper, seed).first().copied().flatten()?;
    let mut all = all(sides, at, exit);
    let mut at_share = |share: f64| {
        let rank = (share.clamp(0.0, 1.0) * all.len() as f64).ceil() as usize;
        let at = rank.clamp(1, all.len().max(1)) - 1;
        (at < all.len()).then(|| *all.select_nth_unstable_by(at, f64::total_cmp).1)
    };
    // Half of all fills in truth, where the share that was seen may be as far above a half as below.
    Some(Interval { low: at_share(1.0 - share.high)?, high: at_share(1.0 - share.low)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tally::Filled;
    use crate::report::trip::Plan;
    use crate::types::split_mix::SplitMix64;

    /// A side of one day: episodes of one to four fills that share most of their luck.
    fn side(draws: &mut SplitMix64, episodes: u32) -> SideTally {
        let plan = Plan::new(vec![400], 400, 3000).expect("a plan");
        let mut kept = Kept::default();
        let mut uniform = |width: f64| {
            let share = (draws.bits() >> 11) as f64 / (1_u64 << 53) as f64;
            (share - 0.5) * width
        };
        for episode in 0..episodes {
            let luck = uniform(40.0);
            let fills = 1 + (uniform(4.0) + 2.0) as usize;
            for _ in 0..fills {
                kept.filled.push(Filled { net_bps: [luck + uniform(4.0); 3], at: 1 });
                kept.episodes.push(episode);
            }
        }
        let mut side = SideTally::new(&plan);
        side.kept.push(kept);
        side
    }

    #[test]
    fn eight_of_ten_intervals_of_eighty_percent_hold_the_truth() {
        let mut draws = SplitMix64(7);
        let held = (0..400)
            .filter(|run| {
                let side = side(&mut draws, 80);
                let median = net(&[&side], 0, 1).expect("fills");
                let interval = interval(&[&side], 0, 1, median, 0.9, *run).expect("an interval");
                assert!(interval.low <= median && median <= interval.high);
                (interval.low..=interval.high).contains(&0.0)
            })
            .count();
        // Three standard errors around 320 are 24.
        assert!((296..=350).contains(&held), "{held} of 400");
    }

    #[test]
    fn what_has_no_fill_or_no_second_episode_has_no_interval() {
        let none = side(&mut SplitMix64(1), 0);
        assert_eq!((net(&[&none], 0, 0), interval(&[&none], 0, 0, 0.0, 0.9, 1)), (None, None));
        let one = side(&mut SplitMix64(1), 1);
        assert!(net(&[&one], 0, 0).is_some());
        assert_eq!(interval(&[&one], 0, 0, 0.0, 0.9, 1), None);
    }
}
