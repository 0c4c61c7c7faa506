//! What was heard of each market on this link, and what follows from it: may one enter there?

use std::collections::BTreeMap;

use serde_json::Value;

use crate::simulation::shadow::{decimal, units};
use crate::types::config::{Config, Risk};
use crate::types::market::{MarketSpec, Universe};
use crate::types::num::Side;
use crate::types::time::{Mono, Nanos};

/// Spreads and averages are kept in parts of this many to a basis point.
const FINE: i128 = 1 << 40;

/// How far apart two ways of rounding may come out, in the parts of [`FINE`].
const ROUNDING: i128 = FINE / 1_000;

/// A quote, in units of 1e-8.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::simulation) struct Quote {
    pub(in crate::simulation) bid: Option<(i128, i128)>,
    pub(in crate::simulation) ask: Option<(i128, i128)>,
    time: i64,
    at: Mono,
}

impl Quote {
    /// Both prices of a book that can be traded.
    fn book(&self) -> Option<(i128, i128)> {
        let ((bid, bid_sz), (ask, ask_sz)) = (self.bid?, self.ask?);
        (bid > 0 && bid_sz > 0 && ask_sz > 0 && bid < ask).then_some((bid, ask))
    }

    /// Its spread in parts of a basis point of its middle.
    fn spread(&self) -> Option<i128> {
        let (bid, ask) = self.book()?;
        Some((ask - bid) * 2 * 10_000 * FINE / (ask + bid))
    }
}

/// A context, in units of 1e-8.
#[derive(Clone, Copy, Debug, Default)]
struct Context {
    oracle: Option<i128>,
    mark: Option<i128>,
    mid: Option<i128>,
    interest: Option<i128>,
    settled: bool,
    at: Mono,
}

/// One market.
#[derive(Clone, Debug)]
pub(in crate::simulation) struct Market {
    first: MarketSpec,
    spec: MarketSpec,
    listed: bool,
    quote: Option<Quote>,
    context: Option<Context>,
    /// The highest block time of this link was higher than a later one.
    regressed: bool,
    highest: i64,
    average: i128,
    samples: u32,
    /// It holds up nobody until it has data: it came later, halted, or had nothing to say.
    aside: bool,
}

impl Market {
    fn new(spec: MarketSpec) -> Self {
        Self {
            first: spec,
            spec,
            listed: true,
            quote: None,
            context: None,
            regressed: false,
            highest: i64::MIN,
            average: 0,
            samples: 0,
            aside: false,
        }
    }

    fn settled(&self) -> bool {
        self.spec.delisted || !self.listed || self.context.is_some_and(|context| context.settled)
    }

    /// Size decimals, as last read.
    pub(in crate::simulation) fn sz_decimals(&self) -> u8 {
        self.spec.sz_decimals
    }

    /// Whether both channels have brought something on this link.
    pub(in crate::simulation) fn has_data(&self) -> bool {
        self.quote.is_some() && self.context.is_some()
    }

    /// Gates 1 to 4.
    fn first_gates(&self, now: Mono, risk: &Risk) -> Result<(), &'static str> {
        let quote = self.quote.ok_or("no quote was heard on this link")?;
        quote.book().ok_or("the book cannot be traded")?;
        if risk.max_bbo_age.is_some_and(|most| now.since(quote.at) > most) {
            return Err("the quote is too old");
        }
        let context = self.context.ok_or("no context was heard on this link")?;
        context.oracle.filter(|px| *px > 0).ok_or("there is no oracle price")?;
        if risk.max_ctx_age.is_some_and(|most| now.since(context.at) > most) {
            return Err("the context is too old");
        }
        if self.regressed {
            return Err("block times ran backwards");
        }
        if let Some(most) = risk.max_mark_mid_divergence {
            let mark = context.mark.filter(|px| *px > 0).ok_or("there is no mark")?;
            let mid = context.mid.filter(|px| *px > 0).ok_or("there is no mid")?;
            if (mark - mid).abs() * (10_000 << 32) > i128::from(most.to_bits()) * mid {
                return Err("mark and mid are far apart");
            }
        }
        Ok(())
    }

    /// Why one may not enter; what the averages of an older quote would say is not asked.
    fn gates(&self, now: Mono, risk: &Risk, before: (i128, u32)) -> Result<(), &'static str> {
        self.first_gates(now, risk)?;
        let spread = self.quote.and_then(|quote| quote.spread()).unwrap_or(i128::MAX / 2);
        let (average, samples) = before;
        if samples < risk.min_ewma_samples {
            return Err("the spread has no baseline yet");
        }
        let most = average * 2 * i128::from(risk.spread_shock_multiplier.units()) / 1_000_000_000;
        if spread > most + ROUNDING {
            return Err("the spread is shocked");
        }
        let context = self.context.unwrap_or_default();
        let (oracle, interest) = (context.oracle.unwrap_or(0), context.interest);
        let cap = self.spec.oi_cap.ok_or("no cap of the open interest is known")?;
        let interest = interest.ok_or("no open interest is known")?;
        // Both in 1e-16 USD.
        if self.spec.at_oi_cap || oracle * interest >= i128::from(cap.units()) * 10_000_000_000 {
            return Err("open interest is at its cap");
        }
        let (first, spec) = (&self.first, &self.spec);
        let rules = |spec: &MarketSpec| {
            (spec.sz_decimals, spec.max_leverage, spec.margin_table, spec.fee_scale, spec.growth)
        };
        if rules(first) != rules(spec) || first.margin_mode != spec.margin_mode {
            return Err("its rules have changed");
        }
        if !self.listed || spec.delisted || context.settled {
            return Err("it does not trade");
        }
        Ok(())
    }
}

/// All that was heard.
#[derive(Clone, Debug)]
pub(in crate::simulation) struct Heard {
    risk: Risk,
    markets: BTreeMap<String, Market>,
    /// Block time of the last quote of this link, and when it was heard.
    newest: Option<(i64, Mono)>,
    /// The market of the last frame, and its average before it.
    before: (String, i128, u32),
}

impl Heard {
    pub(in crate::simulation) fn new(config: &Config) -> Self {
        Self {
            risk: config.risk.clone(),
            markets: BTreeMap::new(),
            newest: None,
            before: (String::new(), 0, 0),
        }
    }

    /// A reading of the venue.
    pub(in crate::simulation) fn universe(&mut self, universe: &Universe) {
        for market in self.markets.values_mut() {
            let same = |spec: &&MarketSpec| {
                spec.coin == market.spec.coin && spec.asset == market.spec.asset
            };
            let found = universe.markets.iter().find(same);
            market.listed = found.is_some();
            market.spec = found.copied().unwrap_or(market.spec);
        }
        let first = self.markets.is_empty();
        for spec in universe.markets.iter().filter(|spec| !spec.delisted) {
            let name = spec.coin.as_str().to_owned();
            let one = || Market { aside: !first, ..Market::new(*spec) };
            self.markets.entry(name).or_insert_with(one);
        }
    }

    /// The link is gone: only averages stay. `patient` says that it lasted long enough for markets
    /// without data to be set aside.
    pub(in crate::simulation) fn forget_link(&mut self, patient: bool) {
        self.newest = None;
        for market in self.markets.values_mut() {
            market.aside = match market.has_data() {
                true => market.settled(),
                false => market.aside || patient || market.settled(),
            };
            (market.quote, market.context) = (None, None);
            (market.regressed, market.highest) = (false, i64::MIN);
        }
    }

    /// A market.
    pub(in crate::simulation) fn market(&self, coin: &str) -> Option<&Market> {
        self.markets.get(coin)
    }

    /// Takes a frame of market data that the engine has heard. Others are none of its business.
    pub(in crate::simulation) fn frame(&mut self, now: Mono, text: &str) {
        if let Some(rest) = text.strip_prefix(r#"{"channel":"bbo","data":{"coin":""#) {
            if self.plain_quote(now, rest).is_some() {
                return;
            }
        } else if let Some(rest) =
            text.strip_prefix(r#"{"channel":"activeAssetCtx","data":{"coin":""#)
            && self.plain_context(now, rest).is_some()
        {
            return;
        }
        // Written otherwise, or damaged.
        let _ = self.any_frame(now, text);
    }

    fn plain_quote(&mut self, now: Mono, rest: &str) -> Option<()> {
        let (coin, rest) = quoted(rest)?;
        let (time, rest) = rest.strip_prefix(r#","time":"#)?.split_once(',')?;
        let rest = rest.strip_prefix(r#""bbo":["#)?;
        let rest = rest.strip_suffix("]}}")?;
        let (bid, rest) = plain_level(rest)?;
        let (ask, rest) = plain_level(rest.strip_prefix(',')?)?;
        if !rest.is_empty() {
            return None;
        }
        let quote = Quote { bid, ask, time: time.parse().ok()?, at: now };
        self.take_quote(coin, quote);
        Some(())
    }

    fn plain_context(&mut self, now: Mono, rest: &str) -> Option<()> {
        let (coin, rest) = quoted(rest)?;
        let rest = rest.strip_prefix(r#","ctx":{"#)?;
        // The keys as the venue orders them.
        let (_, rest) = text_of(rest, r#""funding":"#)?;
        let (interest, rest) = text_of(rest, r#","openInterest":"#)?;
        let (_, rest) = text_of(rest, r#","prevDayPx":"#)?;
        let (_, rest) = text_of(rest, r#","dayNtlVlm":"#)?;
        let (premium, rest) = text_of(rest, r#","premium":"#)?;
        let (oracle, rest) = text_of(rest, r#","oraclePx":"#)?;
        let (mark, rest) = text_of(rest, r#","markPx":"#)?;
        let (mid, rest) = text_of(rest, r#","midPx":"#)?;
        let impact = rest.strip_prefix(r#","impactPxs":"#)?;
        let rest = match impact.strip_prefix(r#"[""#) {
            Some(pair) => {
                let (_, rest) = quoted(pair)?;
                quoted(rest.strip_prefix(r#",""#)?)?.1.strip_prefix(']')?
            }
            None => impact.strip_prefix("null")?,
        };
        let (_, rest) = text_of(rest, r#","dayBaseVlm":"#)?;
        if rest != "}}}" {
            return None;
        }
        let px = |text: Option<&str>| text.map_or(Some(None), |text| units(text).map(Some));
        let interest = match interest {
            Some(text) => Some(coarse(text)?),
            None => None,
        };
        let context = Context {
            oracle: px(oracle)?,
            mark: px(mark)?,
            mid: px(mid)?,
            interest,
            settled: mid.is_none()
                && premium.is_none()
                && impact.starts_with("null")
                && interest == Some(0),
            at: now,
        };
        self.take_context(coin, context);
        Some(())
    }

    /// By a general reader of JSON. `None` for what is no market data, or makes no sense.
    fn any_frame(&mut self, now: Mono, text: &str) -> Option<()> {
        let frame: Value = serde_json::from_str(text).ok()?;
        let data = frame.get("data")?;
        let coin = data.get("coin")?.as_str()?;
        match frame.get("channel")?.as_str()? {
            "bbo" => {
                let [bid, ask] = data.get("bbo")?.as_array()?.as_slice() else { return None };
                let side = |level: &Value| match level {
                    Value::Null => Some(None),
                    level => Some(Some((decimal(&level["px"])?, decimal(&level["sz"])?))),
                };
                let time = data.get("time")?.as_i64()?;
                let quote = Quote { bid: side(bid)?, ask: side(ask)?, time, at: now };
                self.take_quote(coin, quote);
            }
            "activeAssetCtx" => {
                let ctx = data.get("ctx")?;
                let px = |key: &str| match &ctx[key] {
                    Value::Null => Some(None),
                    value => decimal(value).map(Some),
                };
                let interest = match &ctx["openInterest"] {
                    Value::String(text) => Some(coarse(text)?),
                    Value::Number(number) => Some(coarse(&number.to_string())?),
                    _ => None,
                };
                let none = |key: &str| ctx[key].is_null();
                let context = Context {
                    oracle: px("oraclePx")?,
                    mark: px("markPx")?,
                    mid: px("midPx")?,
                    interest,
                    settled: none("midPx")
                        && none("premium")
                        && none("impactPxs")
                        && interest == Some(0),
                    at: now,
                };
                self.take_context(coin, context);
            }
            _ => {}
        }
        Some(())
    }

    fn take_quote(&mut self, coin: &str, quote: Quote) {
        self.newest = Some((quote.time, quote.at));
        let Some(market) = self.markets.get_mut(coin) else { return };
        market.regressed |= quote.time < market.highest;
        market.highest = market.highest.max(quote.time);
        market.quote = Some(quote);
        self.before.0.clear();
        self.before.0.push_str(coin);
        (self.before.1, self.before.2) = (market.average, market.samples);
        if market.first_gates(quote.at, &self.risk).is_ok()
            && let Some(spread) = quote.spread()
        {
            let alpha = i128::from(self.risk.spread_ewma_alpha.units());
            market.average = match market.samples {
                0 => spread,
                _ => market.average + (spread - market.average) * alpha / 1_000_000_000,
            };
            market.samples += 1;
        }
    }

    fn take_context(&mut self, coin: &str, context: Context) {
        let Some(market) = self.markets.get_mut(coin) else { return };
        market.context = Some(context);
        self.before.0.clear();
    }

    /// Why one may not enter this market now, if so: what the gates say of what was heard.
    pub(in crate::simulation) fn forbids(&self, now: Mono, coin: &str) -> Option<&'static str> {
        let Some(market) = self.markets.get(coin) else { return Some("it was never heard of") };
        // A quote is compared with the average before it; a context compares anew.
        let own = self.before.0 == coin;
        let before =
            if own { (self.before.1, self.before.2) } else { (market.average, market.samples) };
        let now_forbids = market.gates(now, &self.risk, before).err();
        // A context judges the quote against the average that the quote was judged by.
        match now_forbids {
            Some("the spread is shocked") if !own => None,
            other => other,
        }
    }

    /// Block time of the last quote of this link, and when it was heard.
    pub(in crate::simulation) fn newest(&self) -> Option<(i64, Mono)> {
        self.newest
    }

    /// How far the touched price of `side` stands beyond the oracle, in 2^-32 of a basis point of
    /// it; below zero when it does not.
    pub(in crate::simulation) fn edge(&self, coin: &str, side: Side) -> Option<i128> {
        let market = self.markets.get(coin)?;
        let (quote, oracle) = (market.quote?, market.context?.oracle?);
        let beyond = match side {
            Side::Buy => oracle - quote.ask?.0,
            Side::Sell => quote.bid?.0 - oracle,
        };
        Some((beyond * (10_000 << 32)).div_euclid(oracle.max(1)))
    }

    /// Whether every market that was heard of has data, or a while has passed since `since`.
    pub(in crate::simulation) fn complete(&self, now: Mono, since: Mono, patience: Nanos) -> bool {
        now.since(since) >= patience
            || self.markets.values().all(|market| market.aside || market.has_data())
    }
}

/// A text up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    text.split_once('"')
}

/// The text behind `key`, or `null`, and what follows.
fn text_of<'a>(rest: &'a str, key: &str) -> Option<(Option<&'a str>, &'a str)> {
    let value = rest.strip_prefix(key)?;
    match value.strip_prefix('"') {
        Some(text) => quoted(text).map(|(text, rest)| (Some(text), rest)),
        None => value.strip_prefix("null").map(|rest| (None, rest)),
    }
}

/// A level as the venue writes it, and what follows.
#[allow(clippy::type_complexity, reason = "a level that may be null, and the rest")]
fn plain_level(text: &str) -> Option<(Option<(i128, i128)>, &str)> {
    if let Some(rest) = text.strip_prefix("null") {
        return Some((None, rest));
    }
    let (px, rest) = quoted(text.strip_prefix(r#"{"px":""#)?)?;
    let (sz, rest) = quoted(rest.strip_prefix(r#","sz":""#)?)?;
    let (n, rest) = rest.strip_prefix(r#","n":"#)?.split_once('}')?;
    n.parse::<u32>().ok()?;
    Some((Some((units(px)?, units(sz)?)), rest))
}

/// Units of a decimal whose digits past the eighth do not matter.
fn coarse(text: &str) -> Option<i128> {
    let end = text.find('.').map_or(text.len(), |dot| text.len().min(dot + 9));
    // What does not matter has to be digits all the same.
    let (kept, rest) = text.split_at_checked(end)?;
    rest.bytes().all(|b| b.is_ascii_digit()).then(|| units(kept))?
}
