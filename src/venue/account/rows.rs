//! Orders and fills as JSON (PROTOCOL.md §2.6, §4).

use serde_json::Value;

use crate::types::num::Szi;
use crate::venue::account::{Accounts, View};
use crate::venue::action::{Address, Which};
use crate::venue::clearing::{Account, FillRow, OrderRecord, UpdateRow};
use crate::venue::surface::frames::{Dec, array, quoted};

/// Most rows of fills or past orders in one answer.
const ROWS_MAX: usize = 2_000;

fn side(buy: bool) -> char {
    if buy { 'B' } else { 'A' }
}

/// A row of `orderUpdates`; `status` is the row's own word unless a fault has another.
pub(in crate::venue) fn update(row: &UpdateRow, status: &str) -> String {
    let order = short(row);
    let time = row.status_time;
    format!(r#"{{"order":{order},"status":"{status}","statusTimestamp":{time}}}"#)
}

/// An order without its kind: keys that have nothing to say are left out.
fn short(row: &UpdateRow) -> String {
    let (coin, side) = (&row.coin, side(row.buy));
    let [px, sz, orig] = [Dec::from(row.limit_px), row.sz.into(), row.orig_sz.into()];
    let (oid, time) = (row.oid, row.placed);
    let reduce_only = if row.reduce_only { r#","reduceOnly":true"# } else { "" };
    let cloid = row.cloid.map_or(String::new(), |cloid| format!(r#","cloid":"{cloid}""#));
    format!(
        r#"{{"coin":"{coin}","side":"{side}","limitPx":"{px}","sz":"{sz}","oid":{oid},"timestamp":{time},"origSz":"{orig}"{reduce_only}{cloid}}}"#
    )
}

/// An order with its kind, as the official frontend reads it.
fn long(record: &OrderRecord) -> String {
    let row = &record.row;
    let (coin, side) = (&row.coin, side(row.buy));
    let [px, sz, orig] = [Dec::from(row.limit_px), row.sz.into(), row.orig_sz.into()];
    let (oid, time, reduce_only, tif) = (row.oid, row.placed, row.reduce_only, record.tif);
    let cloid = row.cloid.map_or("null".to_owned(), |cloid| format!(r#""{cloid}""#));
    format!(
        r#"{{"coin":"{coin}","side":"{side}","limitPx":"{px}","sz":"{sz}","oid":{oid},"timestamp":{time},"triggerCondition":"N/A","isTrigger":false,"triggerPx":"0.0","children":[],"isPositionTpsl":false,"reduceOnly":{reduce_only},"orderType":"Limit","origSz":"{orig}","tif":"{tif}","cloid":{cloid}}}"#
    )
}

/// An order with what became of it.
fn with_status(record: &OrderRecord) -> String {
    let (order, status, time) = (long(record), record.row.status, record.row.status_time);
    format!(r#"{{"order":{order},"status":"{status}","statusTimestamp":{time}}}"#)
}

/// `openOrders` on the dex at `dex`, or with their kinds `frontendOpenOrders`; newest first.
pub(in crate::venue) fn open_orders(
    view: View<'_>,
    user: Address,
    dex: usize,
    kinds: bool,
) -> String {
    let of_dex = |one: &&OrderRecord| {
        view.world.markets.get(one.market).is_some_and(|market| market.dex == dex)
    };
    let open = view.account(user).into_iter().flat_map(Account::open_orders);
    let mut open: Vec<&OrderRecord> = open.filter(of_dex).collect();
    open.reverse();
    array(open.into_iter().map(|one| if kinds { long(one) } else { short(&one.row) }))
}

/// `orderStatus` of an order id or cloid.
pub(in crate::venue) fn order_status(account: Option<&Account>, which: Which) -> String {
    account.and_then(|account| account.order(which)).map_or_else(
        || r#"{"status":"unknownOid"}"#.to_owned(),
        |record| format!(r#"{{"status":"order","order":{}}}"#, with_status(record)),
    )
}

/// `historicalOrders`: newest first.
pub(in crate::venue) fn historical(account: Option<&Account>) -> String {
    let all = account.into_iter().flat_map(|account| account.orders.values().rev());
    array(all.take(ROWS_MAX).map(with_status))
}

/// A row of fills.
pub(in crate::venue) fn fill(user: Address, row: &FillRow) -> String {
    let (coin, side) = (&row.coin, side(row.buy));
    let [px, sz, pnl, fee] =
        [Dec::from(row.px), row.sz.into(), row.closed_pnl.into(), row.fee.into()];
    let start = Dec::from(Szi::from_units(row.start_position));
    let FillRow { time, dir, oid, tid, crossed, hash: [a, b, c, d], .. } = row;
    let cloid = row.cloid.map_or(String::new(), |cloid| format!(r#","cloid":"{cloid}""#));
    let liquidation = row.liquidation_mark().map_or(String::new(), |mark| {
        let mark = Dec::from(mark);
        format!(
            r#","liquidation":{{"liquidatedUser":"{user}","markPx":"{mark}","method":"market"}}"#
        )
    });
    format!(
        r#"{{"coin":"{coin}","px":"{px}","sz":"{sz}","side":"{side}","time":{time},"startPosition":"{start}","dir":{},"closedPnl":"{pnl}","hash":"0x{a:016x}{b:016x}{c:016x}{d:016x}","oid":{oid},"crossed":{crossed},"fee":"{fee}","tid":{tid}{cloid}{liquidation},"feeToken":"USDC","twapId":null}}"#,
        quoted(dir),
    )
}

/// All fills of an account as they are told, oldest first.
fn told(accounts: &Accounts, account: Option<&Account>) -> Vec<FillRow> {
    let rows = account.into_iter().flat_map(|account| &account.fills);
    rows.flat_map(|row| accounts.told(row)).collect()
}

/// `userFills`: the last ones; newest first over `/info`, oldest first in snapshots.
pub(in crate::venue) fn fills(
    accounts: &Accounts,
    account: Option<&Account>,
    user: Address,
    newest_first: bool,
) -> String {
    let mut rows = told(accounts, account);
    rows.drain(..rows.len().saturating_sub(ROWS_MAX));
    if newest_first {
        rows.reverse();
    }
    array(rows.iter().map(|row| fill(user, row)))
}

/// `userFillsByTime`: from `startTime` to `endTime`, both within, oldest first.
pub(in crate::venue) fn fills_by_time(
    accounts: &Accounts,
    account: Option<&Account>,
    user: Address,
    request: &Value,
) -> Option<String> {
    let from = request.get("startTime")?.as_i64()?;
    let until = match request.get("endTime") {
        None | Some(Value::Null) => i64::MAX,
        Some(until) => until.as_i64()?,
    };
    let mut rows = told(accounts, account);
    let within = |time: u64| i64::try_from(time).is_ok_and(|time| from <= time && time <= until);
    rows.retain(|row| within(row.time));
    if request.get("reversed").and_then(Value::as_bool) == Some(true) {
        rows.reverse();
    }
    rows.truncate(ROWS_MAX);
    Some(array(rows.iter().map(|row| fill(user, row))))
}
