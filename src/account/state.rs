//! Answers about one account (PROTOCOL.md §4.3, §5.5, §8.2, §2.6) as types. Pure: bytes in, values
//! or a refusal out.
//!
//! A malformed answer is refused whole: a position left out would look flat. Sizes and prices are
//! exact. Sums in USD drop what they have past the sixth decimal, which is binary noise.

use crate::account::json::{At, Malformed, Round, parse};
use crate::types::account::{AccountMode, DexAccount, HeldPosition, RateLimit};
use crate::types::ids::Coin;
use crate::types::num::{Px, Rounding, Side, Sz, Szi, Usd};
use crate::types::order::{Cloid, Fill};
use crate::types::time::VenueMs;

/// The token that every live dex has for collateral (PROTOCOL.md §4.1).
const USDC: u32 = 0;

/// `userAbstraction` (PROTOCOL.md §5.5). A mode that is not known is refused: where the money lies
/// is not to be guessed.
pub fn mode(body: &[u8]) -> Result<AccountMode, Malformed> {
    let value = parse("userAbstraction", body)?;
    let root = At::root("userAbstraction", &value);
    match root.text()? {
        "disabled" => Ok(AccountMode::Standard),
        "unifiedAccount" => Ok(AccountMode::Unified),
        "portfolioMargin" => Ok(AccountMode::PortfolioMargin),
        "dexAbstraction" => Ok(AccountMode::DexAbstraction),
        "default" => Ok(AccountMode::Unset),
        _ => Err(root.refuse(
            "\"disabled\", \"unifiedAccount\", \"portfolioMargin\", \"dexAbstraction\" or \
             \"default\"",
        )),
    }
}

/// `clearinghouseState` of `dex`, or of the main one when `dex` is empty (PROTOCOL.md §4.3).
pub fn dex_account(dex: &str, body: &[u8]) -> Result<DexAccount, Malformed> {
    let request = match dex {
        "" => "clearinghouseState".to_owned(),
        _ => format!("clearinghouseState[{dex}]"),
    };
    let value = parse(&request, body)?;
    let root = At::root(&request, &value);
    let summary = root.need("marginSummary", "the account's sums")?;
    let mut positions: Vec<HeldPosition> = Vec::new();
    for entry in root.need("assetPositions", "the positions")?.list()? {
        let entry = entry.need("position", "a position")?;
        let position = position(dex, &entry)?;
        if positions.iter().any(|held| held.coin == position.coin) {
            return Err(entry.refuse("each coin once"));
        }
        if !position.szi.is_flat() {
            positions.push(position);
        }
    }
    Ok(DexAccount {
        dex: dex.to_owned(),
        time: root.need("time", "the time of the state")?.time()?,
        value: usd(&summary.need("accountValue", "the account's value")?)?,
        withdrawable: usd(&root.need("withdrawable", "what can be withdrawn")?)?,
        positions,
    })
}

fn position(dex: &str, entry: &At<'_>) -> Result<HeldPosition, Malformed> {
    let name = entry.need("coin", "the coin")?;
    // A coin of another dex means that the answer is for another question.
    let of_dex = |coin: &Coin| {
        let rest = coin.as_str().strip_prefix(dex).and_then(|rest| rest.strip_prefix(':'));
        dex.is_empty() || rest.is_some()
    };
    let coin = Coin::new(name.text()?).filter(of_dex);
    let coin = coin.ok_or_else(|| name.refuse(format_args!("a coin of the dex \"{dex}\"")))?;
    let leverage = entry.need("leverage", "the leverage")?;
    let margin = leverage.need("type", "\"isolated\" or \"cross\"")?;
    let isolated = match margin.text()? {
        "isolated" => true,
        "cross" => false,
        _ => return Err(margin.refuse("\"isolated\" or \"cross\"")),
    };
    let entry_px = match entry.get("entryPx")? {
        Some(at) => Some(Px::from_units(at.units(8, Round::Down)?)),
        None => None,
    };
    Ok(HeldPosition {
        coin,
        szi: szi(&entry.need("szi", "the size")?)?,
        entry_px,
        leverage: leverage.need("value", "the leverage")?.whole(1, u32::MAX)?,
        isolated,
        margin_used: usd(&entry.need("marginUsed", "the margin")?)?,
    })
}

/// What `spotClearinghouseState` says can back a trade: the total of the collateral token less
/// what is on hold, or what is left after maintenance (`tokenToAvailableAfterMaintenance`), and of
/// the two the smaller. A token that is not listed is not held.
pub(super) fn collateral(body: &[u8]) -> Result<Usd, Malformed> {
    let request = "spotClearinghouseState";
    let value = parse(request, body)?;
    let root = At::root(request, &value);
    let mut free = None;
    for entry in root.need("balances", "the balances")?.list()? {
        if entry.need("token", "the token")?.whole(0, u32::MAX)? != USDC {
            continue;
        }
        let total = usd(&entry.need("total", "the balance")?)?;
        let hold = entry.need("hold", "what of it is on hold")?.units(6, Round::Up)?;
        if free.replace(total.saturating_sub(Usd::from_units(hold))).is_some() {
            return Err(entry.refuse("each token once"));
        }
    }
    let free = free.unwrap_or(Usd::ZERO);
    let Some(list) = root.get("tokenToAvailableAfterMaintenance")? else {
        return Ok(free);
    };
    for entry in list.list()? {
        let (token, available) = entry.pair()?;
        if token.whole(0, u32::MAX)? == USDC {
            return Ok(free.min(usd(&available)?));
        }
    }
    Ok(free)
}

/// `userRateLimit` (PROTOCOL.md §8.2).
pub fn rate_limit(body: &[u8]) -> Result<RateLimit, Malformed> {
    let value = parse("userRateLimit", body)?;
    let root = At::root("userRateLimit", &value);
    Ok(RateLimit {
        used: root.need("nRequestsUsed", "requests used")?.count()?,
        cap: root.need("nRequestsCap", "requests allowed")?.count()?,
    })
}

/// One answer of `userFillsByTime`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    /// Rows of the answer, those left out too.
    pub rows: usize,
    /// Time of the latest row.
    pub last: Option<VenueMs>,
    /// Its fills, in its order, but for those that cannot be ours.
    pub fills: Vec<Fill>,
}

/// Reads `userFillsByTime` (PROTOCOL.md §2.6, §4). A row is left out when its name is no [`Coin`],
/// which no market of ours can have; and when it is of a spot pair or an outcome (`@107`,
/// `PURR/USDC`, `#14720`) and cannot be read: dust of theirs has more decimals than sizes hold.
pub fn fills(body: &[u8]) -> Result<Page, Malformed> {
    let value = parse("userFillsByTime", body)?;
    let mut page = Page { rows: 0, last: None, fills: Vec::new() };
    for row in At::root("userFillsByTime", &value).list()? {
        let time = row.need("time", "the time of the fill")?.time()?;
        page.rows += 1;
        page.last = page.last.max(Some(time));
        let Some(coin) = Coin::new(row.need("coin", "the coin")?.text()?) else {
            continue;
        };
        let name = coin.as_str();
        match fill(&row, coin, time) {
            Ok(fill) => page.fills.push(fill),
            Err(_) if name.starts_with(['@', '#']) || name.contains('/') => {}
            Err(error) => return Err(error),
        }
    }
    Ok(page)
}

/// Rows of 2023 have neither `tid` nor `cloid`.
fn fill(row: &At<'_>, coin: Coin, time: VenueMs) -> Result<Fill, Malformed> {
    let sz = row.need("sz", "the size")?;
    let units = exact(&sz)?;
    if units <= 0 {
        return Err(sz.refuse("a size above zero"));
    }
    let px = row.need("px", "the price")?;
    let px_units = exact(&px)?;
    if px_units < 0 {
        return Err(px.refuse("a price"));
    }
    let side = row.need("side", "the side")?;
    // None of ours when it cannot be read: the order is known by its oid then.
    let cloid = row.get("cloid")?.and_then(|at| Cloid::parse(at.text().ok()?));
    Ok(Fill {
        coin,
        px: Px::from_units(px_units),
        sz: Sz::from_units(units),
        side: match side.text()? {
            "B" => Side::Buy,
            "A" => Side::Sell,
            _ => return Err(side.refuse("\"B\" or \"A\"")),
        },
        time,
        start_position: szi(&row.need("startPosition", "the position before")?)?,
        closed_pnl: usd(&row.need("closedPnl", "the profit")?)?,
        oid: row.need("oid", "the order's id")?.count()?,
        cloid,
        tid: row.get("tid")?.map_or(Ok(0), |at| at.count())?,
        fee: row.get("fee")?.map_or(Ok(Usd::ZERO), |at| usd(&at))?,
        liquidation: row.get("liquidation")?.is_some(),
    })
}

fn usd(at: &At<'_>) -> Result<Usd, Malformed> {
    at.signed(6, Rounding::Truncate).map(Usd::from_units)
}

fn szi(at: &At<'_>) -> Result<Szi, Malformed> {
    exact(at).map(Szi::from_units)
}

fn exact(at: &At<'_>) -> Result<i64, Malformed> {
    at.signed(8, Rounding::Refuse)
}
