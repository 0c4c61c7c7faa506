//! What to think of a market, in one word and a sentence.

use serde::Serialize;

use crate::report::Settings;
use crate::report::figures::Group;

/// A share of the edge above that is left after five seconds in a gap that stays.
const STRUCTURAL: f64 = 0.5;

/// More episodes than anyone waits for.
const MANY: f64 = 100_000.0;

/// What to think of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum Kind {
    /// It was worth something, surely enough.
    #[serde(rename = "genuine")]
    Genuine,
    /// A spread or a basis that stays, not a stale quote.
    #[serde(rename = "structural")]
    Structural,
    /// It lost money, or nothing was filled.
    #[serde(rename = "negative")]
    Negative,
    /// It cannot be told.
    #[serde(rename = "too few")]
    TooFew,
}

impl Kind {
    /// As reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Genuine => "genuine",
            Kind::Structural => "structural",
            Kind::Negative => "negative",
            Kind::TooFew => "too few",
        }
    }
}

/// A verdict and the figures that decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The word.
    pub kind: Kind,
    /// The sentence.
    pub reason: String,
    /// Whether there were enough episodes for any other word.
    #[serde(skip)]
    pub enough: bool,
}

impl Verdict {
    /// Of a market's figures, both sides together.
    pub fn of(group: &Group, settings: &Settings) -> Self {
        let (kind, reason) = judge(group, settings);
        Self { kind, reason, enough: group.episodes >= settings.min_episodes }
    }
}

fn judge(group: &Group, settings: &Settings) -> (Kind, String) {
    let (episodes, needed) = (group.episodes, settings.min_episodes);
    if episodes < needed {
        let reason = format!(
            "{} with a valued signal; a verdict needs {needed}.",
            counted(episodes, "episode")
        );
        return (Kind::TooFew, reason);
    }
    if let Some(retained) = group.decay.retained_5s.value.filter(|share| *share > STRUCTURAL) {
        let reason = format!(
            "{:.0} % of the edge is still there after 5 s: a gap that stays is no stale quote.",
            100.0 * retained
        );
        return (Kind::Structural, reason);
    }
    let trip = &group.chosen;
    let mean = trip.mean_value_bps;
    let Some(value) = mean.value else {
        return (Kind::TooFew, "No signal has a value.".to_owned());
    };
    let at = format!("{} ms in, {} ms out", trip.latency_ms, trip.exit_ms);
    let level = format!("{} %", 100.0 * settings.confidence);
    match (mean.low, mean.high) {
        (Some(low), _) if low > 0.0 => {
            let reason = format!(
                "A signal was worth {value:.2} bps on average ({at}), at least {low:.2} bps with {level} \
                 confidence, over {}.",
                counted(episodes, "episode")
            );
            (Kind::Genuine, reason)
        }
        _ if trip.fills == 0 => {
            (Kind::Negative, format!("Nothing was filled ({at}): every order came too late."))
        }
        // Without an interval one loss was like the other, as where nothing ever moves.
        (_, high) if high.unwrap_or(value) <= 0.0 => {
            let net = trip.mean_net_bps.value.unwrap_or_default();
            let most = high.map(|high| format!(", at most {high:.2} bps with {level} confidence"));
            let reason = format!(
                "A signal was worth {value:.2} bps on average ({at}){}: what was filled earned {net:.2} bps after fees.",
                most.unwrap_or_default()
            );
            (Kind::Negative, reason)
        }
        (Some(low), Some(high)) => {
            let half = (high - low) / 2.0;
            let settling = (episodes as f64 * (half / value).powi(2)).max(episodes as f64);
            let settling = match settling {
                few if few < MANY => format!("about {few:.0} episodes would settle it"),
                _ => format!("not even {MANY:.0} episodes would settle it"),
            };
            let reason = format!(
                "A signal was worth {value:.2} bps on average ({at}), but the {level} interval from {low:.2} to \
                 {high:.2} bps holds zero; {settling}, there are {episodes}."
            );
            (Kind::TooFew, reason)
        }
        _ => {
            let reason = format!(
                "A signal was worth {value:.2} bps on average ({at}), but its episodes are too few or too alike for \
                 an interval."
            );
            (Kind::TooFew, reason)
        }
    }
}

/// A number with its noun.
pub fn counted(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}
