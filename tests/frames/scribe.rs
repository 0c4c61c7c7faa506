//! Writes valid frames, in the usual shape or in any other that JSON allows, from a seed.

use std::fmt::Write as _;

use hip3::types::market::{Bbo, Ctx, Level};
use hip3::types::num::{MAX_UNITS, Px, Sz};
use hip3::types::split_mix::SplitMix64;
use hip3::types::time::VenueMs;

use super::fixtures::COINS;
use super::reference::Answer;

/// Writes one frame a seed.
pub(crate) struct Scribe {
    draws: SplitMix64,
    usual: bool,
}

impl Scribe {
    pub(crate) fn new(seed: u64, usual: bool) -> Self {
        Self { draws: SplitMix64(seed), usual }
    }

    /// A frame and what it says.
    pub(crate) fn frame(mut self) -> (String, Answer) {
        let coin = match self.below(5) {
            4 => "abc:UNSEEN",
            other => COINS[other as usize % COINS.len()],
        };
        let name = self.string(coin);
        let (channel, fields, answer) = if self.chance() {
            let (bid, bid_text) = self.side();
            let (ask, ask_text) = self.side();
            let time = self.below(1_000_000_000_000_000_000) as i64;
            let sides = self.list(&[bid_text, ask_text]);
            let fields = vec![("coin", name), ("time", time.to_string()), ("bbo", sides)];
            let bbo = Bbo { bid, ask, time: VenueMs(time) };
            ("bbo", fields, Answer::Bbo(coin.into(), bbo))
        } else {
            let (ctx, text) = self.context();
            ("activeAssetCtx", vec![("coin", name), ("ctx", text)], Answer::Ctx(coin.into(), ctx))
        };
        let data = self.object(fields);
        let channel = self.string(channel);
        let frame = self.object(vec![("channel", channel), ("data", data)]);
        (format!("{}{frame}{}", self.gap(), self.gap()), answer)
    }

    fn side(&mut self) -> (Option<Level>, String) {
        if self.below(8) == 0 {
            return (None, "null".into());
        }
        let ((px, px_text), (sz, sz_text)) = (self.decimal(), self.decimal());
        let n = self.below(100).to_string();
        let text = self.object(vec![("px", px_text), ("sz", sz_text), ("n", n)]);
        (Some(Level { px: Px::from_units(px), sz: Sz::from_units(sz) }), text)
    }

    fn context(&mut self) -> (Ctx, String) {
        let mut fields = Vec::new();
        let mut signed = |scribe: &mut Self, key| {
            let sign = if scribe.chance() { "-" } else { "" };
            let text = Px::from_units(scribe.below(10_000_000) as i64);
            fields.push((key, format!("\"{sign}{text}\"")));
        };
        for key in ["funding", "prevDayPx", "dayNtlVlm", "premium", "dayBaseVlm"] {
            signed(self, key);
        }
        let mut ctx = Ctx::default();
        let quiet = self.below(3) == 0;
        let (oracle, oracle_text) = self.decimal();
        let (mark, mark_text) = self.decimal();
        let (mid, mid_text) = self.decimal();
        (ctx.oracle, ctx.mark) = (Some(Px::from_units(oracle)), Some(Px::from_units(mark)));
        let mut fields = vec![
            ("funding", fields[0].1.clone()),
            ("openInterest", String::new()),
            ("prevDayPx", fields[1].1.clone()),
            ("dayNtlVlm", fields[2].1.clone()),
            ("premium", fields[3].1.clone()),
            ("oraclePx", oracle_text),
            ("markPx", mark_text),
            ("midPx", mid_text),
            ("impactPxs", self.list(&["\"1.5\"".into(), "\"-2\"".into()])),
            ("dayBaseVlm", fields[4].1.clone()),
        ];
        if quiet {
            for key in ["premium", "midPx", "impactPxs"] {
                if let Some(field) = fields.iter_mut().find(|field| field.0 == key) {
                    field.1 = "null".into();
                }
            }
        } else {
            ctx.mid = Some(Px::from_units(mid));
        }
        let (held, held_text) = if self.chance() { (0, "\"0.0\"".into()) } else { self.decimal() };
        ctx.open_interest = Some(Sz::from_units(held));
        ctx.settled = quiet && held == 0;
        fields[1].1 = held_text;
        if !self.usual {
            // What is absent is not known.
            fields.retain(|(key, _)| {
                let keep = self.below(10) != 0;
                match *key {
                    "oraclePx" if !keep => ctx.oracle = None,
                    "markPx" if !keep => ctx.mark = None,
                    "midPx" if !keep => ctx.mid = None,
                    "openInterest" if !keep => ctx.open_interest = None,
                    _ => {}
                }
                keep
            });
            let known = |key| fields.iter().any(|(name, text)| *name == key && text != "null");
            let quoted = known("premium") || known("midPx") || known("impactPxs");
            ctx.settled = !quoted && ctx.open_interest == Some(Sz::ZERO);
        }
        (ctx, self.object(fields))
    }

    /// A value in 1e-8 units, and its text: a string, or when unusual a JSON number as well.
    fn decimal(&mut self) -> (i64, String) {
        let digits = self.below(19) as u32;
        let mut units = self.below(10_u64.pow(digits)) as i64;
        units = units.min(MAX_UNITS);
        if !self.usual && self.below(3) == 0 {
            units %= 1_000_000_000_000_000; // 15 digits: what a double holds faithfully.
            let text = Px::from_units(units).to_string();
            return (units, if self.chance() { text } else { format!("{text}e0") });
        }
        let mut text = Px::from_units(units).to_string();
        if self.chance() {
            text.push_str(if text.contains('.') { "0000000000" } else { ".0" });
        }
        (units, self.string(&text))
    }

    /// A JSON string; when unusual, some of its characters escaped.
    fn string(&mut self, text: &str) -> String {
        let mut out = String::from("\"");
        for char in text.chars() {
            if !self.usual && self.below(6) == 0 {
                write!(out, "\\u{:04x}", char as u32).expect("a string takes all");
            } else {
                out.push(char);
            }
        }
        out + "\""
    }

    fn list(&mut self, items: &[String]) -> String {
        let items: Vec<String> =
            items.iter().map(|item| format!("{}{item}{}", self.gap(), self.gap())).collect();
        format!("[{}]", items.join(","))
    }

    /// A JSON object; when unusual, with its keys shuffled and strange ones among them.
    fn object(&mut self, fields: Vec<(&str, String)>) -> String {
        let mut fields: Vec<(String, String)> =
            fields.into_iter().map(|(key, text)| (self.string(key), text)).collect();
        if !self.usual {
            for _ in 0..self.below(3) {
                let strange = ["null", "true", "-1.5e3", "\"a\\n\"", "[[],{}]", "{\"px\":{}}"];
                let at = self.below(strange.len() as u64) as usize;
                let name = format!("\"x{}\"", self.below(4)); // Now and then the same twice.
                fields.push((name, strange[at].into()));
            }
            for i in (1..fields.len()).rev() {
                let j = self.below(i as u64 + 1) as usize;
                fields.swap(i, j);
            }
        }
        let members: Vec<String> = fields
            .into_iter()
            .map(|(key, text)| {
                format!("{}{key}{}:{}{text}{}", self.gap(), self.gap(), self.gap(), self.gap())
            })
            .collect();
        format!("{{{}}}", members.join(","))
    }

    /// White space; when usual none.
    fn gap(&mut self) -> &'static str {
        if self.usual || self.below(4) != 0 {
            return "";
        }
        [" ", "\t", "\n", "\r\n  "][self.below(4) as usize]
    }

    fn chance(&mut self) -> bool {
        self.below(2) == 0
    }

    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.draws.below(bound.max(1))
    }
}
