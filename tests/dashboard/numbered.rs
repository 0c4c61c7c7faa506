//! A snapshot in which each counter has a number of its own, and the sample that has to show it.
//!
//! Whatever is counted stands here by name: a new counter does not compile until it is told where
//! it is shown.

use hip3::types::account::SignerStanding;
use hip3::types::hard_stop::HardStop;
use hip3::types::num::Usd;
use hip3::types::order::RefusalClass;
use hip3::types::ready::Waiting;
use hip3::types::record::{Check, Decision, ExitReason, Filter, Gate, Outcome};
use hip3::types::snapshot::Snapshot;
use hip3::types::status::{DataAge, LinkState, ReadyFlags, Status, Trading};
use hip3::types::time::{Nanos, Now};

/// Samples, with the number of each.
pub(crate) type Expected = Vec<(String, f64)>;

struct Numbers {
    last: u32,
    expected: Expected,
}

impl Numbers {
    /// The next number, which `sample` has to show.
    fn next(&mut self, sample: &str) -> u64 {
        self.last += 1;
        self.expected.push((format!("hip3_{sample}"), f64::from(self.last)));
        self.last.into()
    }

    fn small(&mut self, sample: &str) -> u32 {
        self.next(sample);
        self.last
    }

    fn seconds(&mut self, sample: &str) -> Nanos {
        Nanos::from_secs(self.next(sample))
    }

    fn usd(&mut self, sample: &str) -> Usd {
        self.next(sample);
        Usd::from_units(i64::from(self.last) * 1_000_000)
    }
}

/// The snapshot, and what has to be shown of it in trading.
pub(crate) fn numbered() -> (Snapshot, Expected) {
    let mut n = Numbers { last: 1_000, expected: Vec::new() };
    let trading = trading(&mut n);
    let status = Status {
        markets: n.small(r#"markets{state="watched"}"#),
        live: n.small(r#"markets{state="live"}"#),
        blocked: n.small(r#"markets{state="blocked"}"#),
        markets_odd: n.small("markets_odd"),
        quarantined: n.small("markets_quarantined"),
        md_ready: true,
        link: LinkState::Live,
        feed_lag: Some(n.seconds("feed_lag_seconds")),
        clock_skew_ms: i64::try_from(n.seconds("clock_skew_seconds").as_millis()).ok(),
        frames: n.next("frames_received_total"),
        bytes: n.next("frames_received_bytes_total"),
        bbo: n.next(r#"frames_total{channel="bbo"}"#),
        ctx: n.next(r#"frames_total{channel="activeAssetCtx"}"#),
        order_updates: n.next(r#"frames_total{channel="orderUpdates"}"#),
        user_fills: n.next(r#"frames_total{channel="userFills"}"#),
        user_events: n.next(r#"frames_total{channel="userEvents"}"#),
        posts: n.next(r#"frames_total{channel="post"}"#),
        acks: n.next(r#"frames_total{channel="subscriptionResponse"}"#),
        pongs: n.next(r#"frames_total{channel="pong"}"#),
        ignored: n.next(r#"frames_total{channel="ignored"}"#),
        unknown: n.next(r#"frames_total{channel="unknown"}"#),
        malformed: n.next("frames_malformed_total"),
        fallback: n.next("frames_slow_path_total"),
        venue_errors: n.next(r#"frames_total{channel="error"}"#),
        connects: n.next("link_connects_total"),
        disconnects: n.next("link_disconnects_total"),
        gate_blocks: Gate::ALL
            .map(|gate| n.next(&format!(r#"gate_blocks_total{{gate="{}"}}"#, gate.name()))),
        gate_blocked: Gate::ALL.map(|gate| {
            n.seconds(&format!(r#"gate_blocked_seconds_total{{gate="{}"}}"#, gate.name()))
        }),
        crosses_open: n.small("crosses_open"),
        crosses: n.next("crosses_total"),
        signals: n.next("signals_total"),
        signals_blocked: n.next(r#"decisions_total{decision="blocked"}"#),
        signals_filtered: Filter::ALL.map(|filter| {
            let decision = Decision::Filtered(filter);
            n.next(&format!(r#"decisions_total{{decision="{decision}"}}"#))
        }),
        followups: n.next("follow_ups_total"),
        entries: n.next("entry_probes_total"),
        gaps: n.next("gaps_total"),
        rows_lost: n.next(r#"ring_drops_total{ring="records"}"#),
        signals_shed: n.next("signals_shed_total"),
        trading,
    };
    let snapshot = Snapshot {
        at: Now::default(),
        uptime: n.seconds("uptime_seconds"),
        lag: n.seconds("loop_lag_seconds"),
        turns: n.next("loop_turns_total"),
        longest_turn: n.seconds("loop_longest_turn_seconds"),
        notes_lost: n.next(r#"ring_drops_total{ring="notes"}"#),
        rows_unshown: n.next(r#"ring_drops_total{ring="dashboard"}"#),
        skipped: n.next(r#"ring_drops_total{ring="snapshots"}"#),
        status,
        markets: Vec::new(),
        positions: Vec::new(),
    };
    (snapshot, n.expected)
}

fn trading(n: &mut Numbers) -> Trading {
    let ended = |n: &mut Numbers, purpose: &str| {
        Outcome::ALL.map(|outcome| {
            let labels = format!(r#"purpose="{purpose}",outcome="{}""#, outcome.name());
            n.next(&format!("orders_ended_total{{{labels}}}"))
        })
    };
    Trading {
        ready: ReadyFlags::default(),
        waiting: Waiting::default(),
        data_age: DataAge::default(),
        hard_stop: HardStop::default(),
        signer: SignerStanding::Ours,
        positions: n.small("positions"),
        pending: n.small("orders_pending"),
        approved: n.next(r#"decisions_total{decision="sent"}"#),
        stopped_by: Check::ALL.map(|check| {
            n.next(&format!(r#"decisions_total{{decision="{}"}}"#, Decision::Failed(check)))
        }),
        below_minimum: n.next(r#"decisions_total{decision="skipped:BelowMinimum"}"#),
        entries_sent: n.next(r#"orders_sent_total{purpose="entry",reason="signal"}"#),
        exits_sent: ExitReason::ALL.map(|reason| {
            let labels = format!(r#"purpose="exit",reason="{}""#, reason.name());
            n.next(&format!("orders_sent_total{{{labels}}}"))
        }),
        entries_ended: ended(n, "entry"),
        exits_ended: ended(n, "exit"),
        refusals: RefusalClass::ALL
            .map(|class| n.next(&format!(r#"refusals_total{{class="{}"}}"#, class.name()))),
        fills: n.next("fills_total"),
        fills_repeated: n.next("fills_repeated_total"),
        trades: ExitReason::ALL
            .map(|reason| n.next(&format!(r#"round_trips_total{{exit="{}"}}"#, reason.name()))),
        wins: n.next("round_trips_won_total"),
        gross: n.usd("profit_usd"),
        fees: n.usd("fees_usd"),
        peak_notional: n.usd("notional_peak_usd"),
        budget_left: n.small("budget_left").into(),
        lookups: n.next("order_lookups_total"),
        presigned: (
            n.next(r#"signatures_total{nonce="presigned"}"#),
            n.next(r#"signatures_total{nonce="ordinary"}"#),
        ),
        account_reads: (
            n.next(r#"account_reads_total{result="read"}"#),
            n.next(r#"account_reads_total{result="failed"}"#),
        ),
    }
}
