//! Answers of `POST /info` (PROTOCOL.md §4) as types. Pure: bytes in, values or a refusal out.
//!
//! Keys come in any order, unknown ones are ignored. An entry of a list that cannot be read costs its
//! market and no other; an answer whose frame makes no sense is refused whole, since half a universe
//! would look like delistings. What decides about money is never guessed: a cap that cannot be read is
//! no cap to trade under.

use std::collections::BTreeMap;

use crate::account::json::{Amount, At, Malformed, Round, parse, shown};
use crate::types::ids::{AssetId, Coin};
use crate::types::market::{MarginMode, MarketSpec, OddEntry, UserFees};
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
    /// Caps that could not be read.
    odd: Vec<OddEntry>,
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

/// Reads `perpDexs` and finds the `wanted` dexes, in that order. Entries of other dexes may be as they
/// like: they are other people's.
pub fn perp_dexs(body: &[u8], wanted: &[String]) -> Result<Vec<Dex>, DexError> {
    let value = parse("perpDexs", body)?;
    let mut listed = Vec::new();
    for (index, entry) in (0..).zip(At::root("perpDexs", &value).list()?) {
        let name = entry.get("name").ok().flatten().and_then(|name| name.text().ok());
        if let Some(name) = name {
            listed.push((index, name, entry));
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
        let mut odd = Vec::new();
        dexes.push(Dex {
            name: name.clone(),
            index: *index,
            fee_scale: entry.get("deployerFeeScale")?.map(|at| fee_scale(&at)).transpose()?,
            oi_caps: match entry.get("assetToStreamingOiCap")? {
                Some(list) => caps(&list, &mut odd)?,
                None => Vec::new(),
            },
            odd,
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

/// What a dex lists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listing {
    /// Its markets, delisted ones too, in the order of its `meta`.
    pub markets: Vec<MarketSpec>,
    /// What could not be read.
    pub odd: Vec<OddEntry>,
}

/// The markets of `dex`. An entry that cannot be read is left out, and so is a name that is there
/// twice: streams could not tell the two apart. Its place in the list counts all the same.
///
/// Errors: an answer that makes no sense; and a list of which no entry does, which is the answer to
/// another question.
pub fn markets(dex: &Dex, answers: DexAnswers<'_>) -> Result<Listing, Malformed> {
    let mut odd = dex.odd.clone();
    let limits = limits(dex, answers.limits, &mut odd)?;
    let at_cap = at_cap(dex, answers.at_cap, &mut odd)?;
    let request = format!("meta[{}]", dex.name);
    let value = parse(&request, answers.meta)?;
    let root = At::root(&request, &value);
    if root.is_null() {
        return Err(root.refuse("an object (null says that there is no such dex)"));
    }
    let entries: Vec<At<'_>> = root.need("universe", "the dex's assets")?.list()?.collect();
    let mut names: BTreeMap<&str, u32> = BTreeMap::new();
    for name in entries.iter().filter_map(name_in) {
        *names.entry(name).or_default() += 1;
    }
    let (mut markets, mut first_odd) = (Vec::new(), None);
    for (index, entry) in (0..).zip(&entries) {
        let name = name_in(entry).unwrap_or_default();
        let read = match names.get(name) {
            Some(2..) => Err(entry.refuse("each name once")),
            _ => market(dex, index, entry),
        };
        let mut market = match read {
            Ok(market) => market,
            Err(why) => {
                let asset = asset_id(dex.index, index);
                odd.push(odd_entry(name, asset, &why));
                first_odd.get_or_insert(why);
                continue;
            }
        };
        let cap = |caps: &Caps| caps.iter().find(|(coin, _)| coin == name).map(|(_, cap)| *cap);
        market.oi_cap = cap(&limits.caps).or_else(|| cap(&dex.oi_caps));
        market.oi_cap_sz = limits.size_cap;
        // PROTOCOL.md shows the list of the main dex, whose names have no prefix.
        let bare = name.split_once(':').map(|(_, bare)| bare);
        market.at_oi_cap = at_cap.iter().any(|listed| listed == name || Some(&**listed) == bare);
        markets.push(market);
    }
    match first_odd {
        Some(why) if markets.is_empty() => Err(why),
        _ => Ok(Listing { markets, odd }),
    }
}

/// The name in an entry, as it stands there.
fn name_in<'v>(entry: &At<'v>) -> Option<&'v str> {
    entry.get("name").ok().flatten().and_then(|name| name.text().ok())
}

fn odd_entry(name: &str, asset: Option<AssetId>, why: &Malformed) -> OddEntry {
    let coin = Coin::new(name);
    OddEntry { name: shown(name.as_bytes()), coin, asset, why: why.to_string() }
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
fn limits(dex: &Dex, body: &[u8], odd: &mut Vec<OddEntry>) -> Result<Limits, Malformed> {
    let request = format!("perpDexLimits[{}]", dex.name);
    let value = parse(&request, body)?;
    let root = At::root(&request, &value);
    if root.is_null() {
        return Ok(Limits { caps: Vec::new(), size_cap: None });
    }
    let caps = match root.get("coinToOiCap")? {
        Some(list) => caps(&list, odd)?,
        None => Vec::new(),
    };
    let size_cap = match root.get("oiSzCapPerPerp")? {
        Some(at) => match at.decimal(8, Round::Down) {
            Ok(Amount::Units(units)) => Some(Sz::from_units(units)),
            Ok(Amount::TooLarge) => None,
            // It holds for every market of the dex: none is traded under an unknown cap.
            Err(why) => {
                odd.push(odd_entry("", None, &why));
                Some(Sz::ZERO)
            }
        },
        None => None,
    };
    Ok(Limits { caps, size_cap })
}

/// `[[coin, "usd"], …]`, rounded down: at the cap rather early than late. A pair that cannot be read is
/// left out: a market without a cap is not traded.
fn caps(list: &At<'_>, odd: &mut Vec<OddEntry>) -> Result<Caps, Malformed> {
    let mut caps = Vec::new();
    for entry in list.list()? {
        match cap(&entry) {
            Ok(cap) => caps.push(cap),
            Err(why) => {
                let coin = entry.list().ok().and_then(|mut items| items.next());
                let coin = coin.as_ref().and_then(|coin| coin.text().ok()).unwrap_or_default();
                odd.push(odd_entry(coin, None, &why));
            }
        }
    }
    Ok(caps)
}

fn cap(entry: &At<'_>) -> Result<(String, Usd), Malformed> {
    let (coin, cap) = entry.pair()?;
    let cap = match cap.decimal(6, Round::Down)? {
        Amount::Units(units) => Usd::from_units(units),
        Amount::TooLarge => Usd::from_units(i64::MAX), // No cap that matters.
    };
    Ok((coin.text()?.to_owned(), cap))
}

/// Names of markets at their cap. One that cannot be read is left out: each market's own cap decides
/// beside it, and the venue refuses what would pass it.
fn at_cap(dex: &Dex, body: &[u8], odd: &mut Vec<OddEntry>) -> Result<Vec<String>, Malformed> {
    let request = format!("perpsAtOpenInterestCap[{}]", dex.name);
    let value = parse(&request, body)?;
    let root = At::root(&request, &value);
    let mut coins = Vec::new();
    for coin in root.list()? {
        match coin.text() {
            Ok(coin) => coins.push(coin.to_owned()),
            Err(why) => odd.push(odd_entry("", None, &why)),
        }
    }
    Ok(coins)
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
