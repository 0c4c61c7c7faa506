//! Balances, margin and limits of an account as JSON (PROTOCOL.md §4.3, §4.5, §5.4, §5.5, §8.2).
//!
//! An address without an account is shown as an empty one, as the venue does.

use crate::types::account::AccountMode;
use crate::types::market::UserFees;
use crate::types::num::{Rate, Usd};
use crate::types::time::Mono;
use crate::venue::account::{Lens, View, rows};
use crate::venue::action::Address;
use crate::venue::clearing::{Account, Position, Role};
use crate::venue::market::Market;
use crate::venue::surface::frames::{Dec, array, noisy, quoted};
use crate::venue::surface::request::UserKind;

/// Position in `perpDexs` of the dex on which collateral and positions lie.
const DEX: usize = 1;

fn float(usd: Usd) -> f64 {
    usd.units() as f64 / 1e6
}

/// One of the two summaries.
fn summary(value: Usd, notional: Usd, raw: Usd, used: Usd) -> String {
    let [value, notional, raw, used] = [value, notional, raw, used].map(Dec::from);
    format!(
        r#"{{"accountValue":"{value}","totalNtlPos":"{notional}","totalRawUsd":"{raw}","totalMarginUsed":"{used}"}}"#
    )
}

/// `clearinghouseState` of `user` on the dex at `dex`.
pub(in crate::venue) fn clearinghouse(
    view: View<'_>,
    user: Address,
    dex: usize,
    now: Mono,
) -> String {
    let time = view.block_time().0;
    let shown = view.account(user).filter(|_| dex == DEX && view.lens != Lens::Zero);
    let Some(account) = shown else {
        let none = summary(Usd::ZERO, Usd::ZERO, Usd::ZERO, Usd::ZERO);
        return format!(
            r#"{{"marginSummary":{none},"crossMarginSummary":{none},"crossMaintenanceMarginUsed":"0.0","withdrawable":"0.0","assetPositions":[],"time":{time}}}"#
        );
    };
    let markets = &view.world.markets;
    let worth = account.worth(markets, now);
    let held: Vec<(&Position, &Market)> = account
        .positions
        .iter()
        .filter_map(|(at, position)| Some((position, markets.get(*at)?)))
        .collect();
    // What isolated positions hold is not in the cross summary.
    let (mut equity, mut isolated, mut raw, mut maintenance) =
        (Usd::ZERO, Usd::ZERO, Usd::ZERO, 0.0);
    for (position, market) in &held {
        let held = Held::of(position, market, now);
        if position.leverage.is_cross {
            maintenance += float(held.value) / f64::from(2 * market.listing.max_leverage.max(1));
        } else {
            equity = equity.saturating_add(held.used);
            isolated = isolated.saturating_add(held.value);
            raw = raw.saturating_add(held.raw());
        }
    }
    let unified = !view.accounts.mode(user).is_split();
    // The balance is on the spot side then: here only what positions hold.
    let free = if unified { Usd::ZERO } else { worth.withdrawable };
    let taken_off = if unified { worth.withdrawable } else { Usd::ZERO };
    let value = worth.account_value.saturating_sub(taken_off);
    let raw_usd = worth.raw_usd.saturating_sub(taken_off);
    let whole = summary(value, worth.total_ntl, raw_usd, worth.margin_used);
    let cross = summary(
        value.saturating_sub(equity),
        worth.total_ntl.saturating_sub(isolated),
        raw_usd.saturating_sub(raw),
        worth.margin_used.saturating_sub(equity),
    );
    let positions = array(held.iter().map(|(position, market)| asset(position, market, now)));
    format!(
        r#"{{"marginSummary":{whole},"crossMarginSummary":{cross},"crossMaintenanceMarginUsed":"{}","withdrawable":"{}","assetPositions":{positions},"time":{time}}}"#,
        noisy(maintenance),
        Dec::from(free),
    )
}

/// A position's figures at the mark.
struct Held {
    value: Usd,
    signed: Usd,
    used: Usd,
    unrealised: Usd,
}

impl Held {
    fn of(position: &Position, market: &Market, now: Mono) -> Self {
        let mark = market.mark(now);
        let value = Usd::notional(mark, position.sz()).unwrap_or(Usd::from_units(i64::MAX));
        let signed = if position.szi < 0 { Usd::from_units(-value.units()) } else { value };
        let (used, unrealised) = (position.margin_used(mark), position.unrealised(mark));
        Self { value, signed, used, unrealised }
    }

    /// What would be left of an isolated position's money without the coins.
    fn raw(&self) -> Usd {
        self.used.saturating_sub(self.signed)
    }
}

/// An entry of `assetPositions`.
fn asset(position: &Position, market: &Market, now: Mono) -> String {
    let held = Held::of(position, market, now);
    let (coin, leverage) = (&position.coin, position.leverage.value);
    let max_leverage = market.listing.max_leverage;
    let kind = if position.leverage.is_cross {
        format!(r#"{{"type":"cross","value":{leverage}}}"#)
    } else {
        let raw = Dec::from(held.raw());
        format!(r#"{{"type":"isolated","value":{leverage},"rawUsd":"{raw}"}}"#)
    };
    let entry = position.entry_px();
    let entry_value = Usd::notional(entry, position.sz()).unwrap_or_default();
    let bound = float(entry_value) / f64::from(leverage.max(1));
    let on_equity = if bound > 0.0 { float(held.unrealised) / bound } else { 0.0 };
    let liquidation = position
        .liquidation_px(max_leverage)
        .map_or("null".to_owned(), |px| format!(r#""{}""#, Dec::from(px)));
    format!(
        r#"{{"type":"oneWay","position":{{"coin":"{coin}","szi":"{}","leverage":{kind},"entryPx":"{}","positionValue":"{}","unrealizedPnl":"{}","returnOnEquity":"{}","liquidationPx":{liquidation},"marginUsed":"{}","maxLeverage":{max_leverage},"cumFunding":{{"allTime":"0.0","sinceOpen":"0.0","sinceChange":"0.0"}}}}}}"#,
        Dec::from(crate::types::num::Szi::from_units(position.szi)),
        Dec::from(entry),
        Dec::from(held.value),
        Dec::from(held.unrealised),
        noisy(on_equity),
        Dec::from(held.used),
    )
}

/// `spotClearinghouseState`: with a balance for each dex nothing is here, else everything is.
pub(in crate::venue) fn spot(view: View<'_>, user: Address, now: Mono) -> String {
    let Some(account) = view.account(user) else { return r#"{"balances":[]}"#.to_owned() };
    let row = |total: Usd, hold: Usd| {
        let (total, hold) = (Dec::from(total), Dec::from(hold));
        format!(r#"{{"coin":"USDC","token":0,"total":"{total}","hold":"{hold}","entryNtl":"0.0"}}"#)
    };
    if view.accounts.mode(user).is_split() {
        return format!(r#"{{"balances":[{}]}}"#, row(Usd::ZERO, Usd::ZERO));
    }
    let worth = account.worth(&view.world.markets, now);
    let free = Dec::from(worth.withdrawable);
    let row = row(worth.account_value, worth.margin_used);
    format!(r#"{{"balances":[{row}],"tokenToAvailableAfterMaintenance":[[0,"{free}"]]}}"#)
}

/// `userFees`: the base tier, with the account's referral (PROTOCOL.md §4.5).
pub(in crate::venue) fn fees(account: Option<&Account>) -> String {
    let tiers: Vec<String> = [
        ("5000000.0", "0.0004", "0.00012"),
        ("25000000.0", "0.00035", "0.00008"),
        ("100000000.0", "0.0003", "0.00004"),
        ("500000000.0", "0.00028", "0.0"),
        ("2000000000.0", "0.00026", "0.0"),
        ("7000000000.0", "0.00024", "0.0"),
    ]
    .iter()
    .map(|(cutoff, cross, add)| {
        format!(r#"{{"ntlCutoff":"{cutoff}","cross":"{cross}","add":"{add}","spotCross":"0.0007","spotAdd":"0.0004"}}"#)
    })
    .collect();
    let UserFees { cross_rate, referral_discount: referral } =
        account.map_or(UserFees::BASE, |account| account.fees);
    let referral = if referral == Rate::ZERO { "0.0".to_owned() } else { referral.to_string() };
    format!(
        r#"{{"dailyUserVlm":[],"feeSchedule":{{"cross":"0.00045","add":"0.00015","spotCross":"0.0007","spotAdd":"0.0004","tiers":{{"vip":[{}],"mm":[{{"makerFractionCutoff":"0.005","add":"-0.00001"}}]}},"referralDiscount":"0.04","stakingDiscountTiers":[{{"bpsOfMaxSupply":"0.0","discount":"0.0"}}]}},"userCrossRate":"{cross_rate}","userAddRate":"0.00015","userSpotCrossRate":"0.0007","userSpotAddRate":"0.0004","activeReferralDiscount":"{referral}","trial":null,"feeTrialEscrow":"0.0","nextTrialAvailableTimestamp":null,"stakingLink":null,"activeStakingDiscount":{{"bpsOfMaxSupply":"0.0","discount":"0.0"}}}}"#,
        tiers.join(",")
    )
}

/// `userRateLimit`; of an address that never sent anything, the allowance everybody begins with.
pub(in crate::venue) fn rate_limit(account: Option<&Account>) -> String {
    let (volume, used, cap) = account.map_or((Usd::ZERO, 0, 10_000), |account| {
        (account.volume, account.requests_used, account.requests_cap())
    });
    let volume = Dec::from(volume);
    format!(
        r#"{{"cumVlm":"{volume}","nRequestsUsed":{used},"nRequestsCap":{cap},"nRequestsSurplus":0}}"#
    )
}

/// `extraAgents`: the named ones.
pub(in crate::venue) fn agents(account: Option<&Account>) -> String {
    let named = account.into_iter().flat_map(|account| &account.agents);
    array(named.filter(|agent| !agent.name.is_empty()).map(|agent| {
        let until = agent.valid_until.map_or("null".to_owned(), |until| until.to_string());
        let (name, address) = (quoted(&agent.name), agent.address);
        format!(r#"{{"name":{name},"address":"{address}","validUntil":{until}}}"#)
    }))
}

/// `userRole`.
pub(in crate::venue) fn role(view: View<'_>, address: Address) -> String {
    match view.accounts.clearing.role(address) {
        Role::Missing => r#"{"role":"missing"}"#.to_owned(),
        Role::User => r#"{"role":"user"}"#.to_owned(),
        Role::Vault => r#"{"role":"vault"}"#.to_owned(),
        Role::Agent(user) => format!(r#"{{"role":"agent","data":{{"user":"{user}"}}}}"#),
        Role::SubAccount(master) => {
            format!(r#"{{"role":"subAccount","data":{{"master":"{master}"}}}}"#)
        }
    }
}

/// `userAbstraction`.
pub(in crate::venue) fn abstraction(view: View<'_>, user: Address) -> &'static str {
    match view.accounts.mode(user) {
        AccountMode::Standard => r#""disabled""#,
        AccountMode::Unified => r#""unifiedAccount""#,
        AccountMode::PortfolioMargin => r#""portfolioMargin""#,
        AccountMode::DexAbstraction => r#""dexAbstraction""#,
        AccountMode::Unset => r#""default""#,
    }
}

/// What an account's channel tells when it tells a whole state (PROTOCOL.md §2.4): its data; `None`
/// of channels that tell news only.
pub(in crate::venue) fn snapshot(
    view: View<'_>,
    kind: UserKind,
    user: Address,
    dex: usize,
    now: Mono,
) -> Option<String> {
    let name = view.world.dexes.get(dex).map_or("", |dex| dex.name.as_str());
    let rows =
        |key: &str, rows: &str| format!(r#"{{"isSnapshot":true,"user":"{user}","{key}":{rows}}}"#);
    Some(match kind {
        // Nothing but the acknowledgement: these tell news only.
        UserKind::OrderUpdates | UserKind::Events | UserKind::Notification => return None,
        UserKind::Fills => {
            rows("fills", &rows::fills(view.accounts, view.account(user), user, false))
        }
        UserKind::Fundings => rows("fundings", "[]"),
        UserKind::LedgerUpdates => rows("nonFundingLedgerUpdates", "[]"),
        UserKind::OpenOrders => {
            let orders = rows::open_orders(view, user, dex, true);
            format!(r#"{{"dex":"{name}","user":"{user}","orders":{orders}}}"#)
        }
        UserKind::ClearinghouseState => {
            let state = clearinghouse(view, user, dex, now);
            format!(r#"{{"dex":"{name}","user":"{user}","clearinghouseState":{state}}}"#)
        }
        UserKind::SpotState => {
            format!(r#"{{"user":"{user}","spotState":{}}}"#, spot(view, user, now))
        }
    })
}
