//! Answers of `POST /info` (PROTOCOL.md §4) as types. Pure: bytes in, values or a refusal out.
//!
//! Keys come in any order, unknown ones are ignored. A malformed answer is refused whole, since
//! half a universe would look like delistings. What decides about money is never guessed.

use std::collections::BTreeSet;

use crate::account::json::{Amount, At, Malformed, Round, parse};
use crate::types::ids::{AssetId, Coin};
use crate::types::market::{MarginMode, MarketSpec, UserFees};
use crate::types::num::{Rate, Ratio, Sz, Usd};

/// A dex as `perpDexs` lists it (PROTOCOL.md §4.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dex {
    /// Its name.
    pub name: String,
    /// Its place in the list, from which asset ids follow; the main dex's `null` counts.
    pub index: u32,
    /// `deployerFeeScale`, which stood here until it moved to the assets in September 2026.
    pub fee_scale: Option<Ratio>,
    /// `assetToStreamingOiCap`: USD by coin.
    oi_caps: Caps,
}

/// Cap of the open interest by coin, `None` when it is larger than any open interest held.
type Caps = Vec<(String, Usd)>;

/// Why the dexes could not be found in `perpDexs`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DexError {
    /// The answer makes no sense.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// There is no dex of this name.
    #[error("venue.dexes: there is no dex \"{dex}\" here; known are {known}")]
    Unknown {
        /// The name.
        dex: String,
        /// Names that exist.
        known: String,
    },
}

/// Reads `perpDexs` and finds the `wanted` dexes, in that order. Entries of other dexes need a
/// name and may else be as they like: they are other people's.
pub fn perp_dexs(body: &[u8], wanted: &[String]) -> Result<Vec<Dex>, DexError> {
    let value = parse("perpDexs", body)?;
    let mut listed = Vec::new();
    for (index, entry) in (0..).zip(At::root("perpDexs", &value).list()?) {
        if !entry.is_null() {
            listed.push((index, entry.need("name", "the dex's name")?.text()?, entry));
        }
    }
    let mut dexes = Vec::with_capacity(wanted.len());
    for name in wanted {
        let mut of_name = listed.iter().filter(|(_, listed, _)| listed == name);
        let Some((index, _, entry)) = of_name.next() else {
            return Err(DexError::Unknown { dex: name.clone(), known: names(&listed) });
        };
        if let Some((_, _, second)) = of_name.next() {
            return Err(second.refuse(format_args!("one dex named \"{name}\"")).into());
        }
        dexes.push(Dex {
            name: name.clone(),
            index: *index,
            fee_scale: entry.get("deployerFeeScale")?.map(|at| fee_scale(&at)).transpose()?,
            oi_caps: match entry.get("assetToStreamingOiCap")? {
                Some(list) => caps(&list)?,
                None => Vec::new(),
            },
        });
    }
    Ok(dexes)
}

/// The first names that are printable, for an error; a network has up to a few hundred dexes.
fn names(listed: &[(u32, &str, At<'_>)]) -> String {
    const SHOWN: usize = 20;
    let names: Vec<&str> =
        listed.iter().map(|(_, name, _)| *name).filter(|name| Coin::new(name).is_some()).collect();
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    match names.len() {
        0 => "none".to_owned(),
        len => format!("{}{more}", names[..len.min(SHOWN)].join(", ")),
    }
}

/// The other three answers about one dex.
#[derive(Clone, Copy, Debug)]
pub struct DexAnswers<'a> {
    /// `meta` (PROTOCOL.md §4.2).
    pub meta: &'a [u8],
    /// `perpDexLimits`; `null` when the dex has none, then `perpDexs` alone names caps.
    pub limits: &'a [u8],
    /// `perpsAtOpenInterestCap`.
    pub at_cap: &'a [u8],
}

/// The markets of `dex`, delisted ones too, in the order of its `meta`.
pub fn markets(dex: &Dex, answers: DexAnswers<'_>) -> Result<Vec<MarketSpec>, Malformed> {
    let limits = limits(dex, answers.limits)?;
    let at_cap = at_cap(dex, answers.at_cap)?;
    let request = format!("meta[{}]", dex.name);
    let value = parse(&request, answers.meta)?;
    let root = At::root(&request, &value);
    if root.is_null() {
        return Err(root.refuse("an object (null says that there is no such dex)"));
    }
    let mut markets = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, entry) in (0..).zip(root.need("universe", "the dex's assets")?.list()?) {
        let mut market = market(dex, index, &entry)?;
        let coin = market.coin;
        let name = coin.as_str();
        if !seen.insert(coin) {
            return Err(entry.refuse("each name once"));
        }
        let cap = |caps: &Caps| caps.iter().find(|(coin, _)| coin == name).map(|(_, cap)| *cap);
        market.oi_cap = cap(&limits.caps).or_else(|| cap(&dex.oi_caps));
        market.oi_cap_sz = limits.size_cap;
        // PROTOCOL.md shows the list of the main dex, whose names have no prefix.
        let bare = name.split_once(':').map(|(_, bare)| bare);
        market.at_oi_cap = at_cap.iter().any(|listed| listed == name || Some(&**listed) == bare);
        markets.push(market);
    }
    Ok(markets)
}

/// One entry of `meta.universe`, without its caps.
fn market(dex: &Dex, index: u32, entry: &At<'_>) -> Result<MarketSpec, Malformed> {
    let name = entry.need("name", "the asset's name")?;
    let rule = || format!("\"{}:\" and a name, 31 plain characters at most", dex.name);
    let of_dex = |text: &str| {
        let rest = text.strip_prefix(&dex.name).and_then(|rest| rest.strip_prefix(':'));
        rest.is_some_and(|rest| !rest.is_empty())
    };
    // A name of another dex means that the answer is for another question.
    let coin = Coin::new(name.text()?).filter(|coin| of_dex(coin.as_str()));
    let coin = coin.ok_or_else(|| name.refuse(rule()))?;
    let asset = asset_id(dex.index, index).ok_or_else(|| entry.refuse("fewer assets"))?;
    let fee_scale = match entry.get("deployerFeeScale")? {
        Some(at) => fee_scale(&at)?,
        None => dex.fee_scale.ok_or_else(|| {
            let place = format!("perpDexs[{}].deployerFeeScale", dex.index);
            let expected = format!("the deployer's fee scale, here or in {place}");
            entry.missing("deployerFeeScale", expected)
        })?,
    };
    Ok(MarketSpec {
        coin,
        asset,
        // Prices have 6 − szDecimals decimals (PROTOCOL.md §6), so there cannot be more.
        sz_decimals: entry.need("szDecimals", "the size decimals")?.whole(0, 6)? as u8,
        max_leverage: entry.need("maxLeverage", "the largest leverage")?.whole(1, u32::MAX)?,
        margin_table: entry.need("marginTableId", "the margin table")?.whole(0, u32::MAX)?,
        margin_mode: margin_mode(entry)?,
        fee_scale,
        growth: growth(entry)?,
        delisted: flag(entry, "isDelisted")?,
        oi_cap: None,
        oi_cap_sz: None,
        at_oi_cap: false,
    })
}

/// PROTOCOL.md §5.1: 100000 + dex × 10000 + asset. An asset past the ten thousandth would have an
/// id of the next dex.
fn asset_id(dex: u32, asset: u32) -> Option<AssetId> {
    let within = (asset < 10_000).then_some(asset)?;
    dex.checked_mul(10_000)?.checked_add(100_000)?.checked_add(within).map(AssetId)
}

fn flag(entry: &At<'_>, key: &str) -> Result<bool, Malformed> {
    entry.get(key)?.map_or(Ok(false), |at| at.flag())
}

/// Assets had `onlyIsolated` alone before there were modes; `noCross` is what it came to mean.
fn margin_mode(entry: &At<'_>) -> Result<MarginMode, Malformed> {
    let mode = match entry.get("marginMode")? {
        None => None,
        Some(at) => match at.text()? {
            "normal" => None,
            "noCross" => Some(MarginMode::NoCross),
            "strictIsolated" => Some(MarginMode::StrictIsolated),
            _ => return Err(at.refuse("\"normal\", \"noCross\" or \"strictIsolated\"")),
        },
    };
    let isolated = flag(entry, "onlyIsolated")?;
    Ok(mode.unwrap_or(if isolated { MarginMode::NoCross } else { MarginMode::Cross }))
}

/// Growth mode cuts the fee to a tenth, so an unknown mode is no reason to assume it.
fn growth(entry: &At<'_>) -> Result<bool, Malformed> {
    match entry.get("growthMode")? {
        None => Ok(false),
        Some(at) => match at.text()? {
            "enabled" => Ok(true),
            "disabled" => Ok(false),
            _ => Err(at.refuse("\"enabled\", \"disabled\" or nothing")),
        },
    }
}

/// Rounded up: a fee guessed too low costs money.
fn fee_scale(at: &At<'_>) -> Result<Ratio, Malformed> {
    at.units(9, Round::Up).map(Ratio::from_units)
}

struct Limits {
    caps: Caps,
    size_cap: Option<Sz>,
}

/// `perpDexLimits` (PROTOCOL.md §4). A cap larger than what the type holds is no cap that matters:
/// no open interest that is held reaches it.
fn limits(dex: &Dex, body: &[u8]) -> Result<Limits, Malformed> {
    let request = format!("perpDexLimits[{}]", dex.name);
    let value = parse(&request, body)?;
    let root = At::root(&request, &value);
    if root.is_null() {
        return Ok(Limits { caps: Vec::new(), size_cap: None });
    }
    let caps = match root.get("coinToOiCap")? {
        Some(list) => caps(&list)?,
        None => Vec::new(),
    };
    let size_cap = match root.get("oiSzCapPerPerp")? {
        Some(at) => match at.decimal(8, Round::Down)? {
            Amount::Units(units) => Some(Sz::from_units(units)),
            Amount::TooLarge => None,
        },
        None => None,
    };
    Ok(Limits { caps, size_cap })
}

/// `[[coin, "usd"], …]`, rounded down: at the cap rather early than late.
fn caps(list: &At<'_>) -> Result<Caps, Malformed> {
    let mut caps = Vec::new();
    for entry in list.list()? {
        let (coin, cap) = entry.pair()?;
        let cap = match cap.decimal(6, Round::Down)? {
            Amount::Units(units) => Usd::from_units(units),
            Amount::TooLarge => Usd::from_units(i64::MAX), // No cap that matters.
        };
        caps.push((coin.text()?.to_owned(), cap));
    }
    Ok(caps)
}

fn at_cap(dex: &Dex, body: &[u8]) -> Result<Vec<String>, Malformed> {
    let request = format!("perpsAtOpenInterestCap[{}]", dex.name);
    let value = parse(&request, body)?;
    let root = At::root(&request, &value);
    root.list()?.map(|coin| coin.text().map(str::to_owned)).collect()
}

/// `userFees` (PROTOCOL.md §4.5). Errs on the expensive side: the rate is rounded up, the discount
/// down, and no discount named is none.
pub fn user_fees(body: &[u8]) -> Result<UserFees, Malformed> {
    let value = parse("userFees", body)?;
    let root = At::root("userFees", &value);
    let share = |at: &At<'_>, round| {
        let units = at.units(12, round)?;
        let whole = units <= Rate::ONE.units();
        if whole { Ok(Rate::from_units(units)) } else { Err(at.refuse("a fraction of at most 1")) }
    };
    let cross_rate = share(&root.need("userCrossRate", "the taker rate")?, Round::Up)?;
    let referral_discount = match root.get("activeReferralDiscount")? {
        Some(at) => share(&at, Round::Down)?,
        None => Rate::ZERO,
    };
    Ok(UserFees { cross_rate, referral_discount })
}
