//! Prices and sizes as the venue takes them (PROTOCOL.md §6): what is made here is valid, and what
//! is checked here is refused before it costs a request.
//!
//! Rounding never makes an order more aggressive: a buy goes down, a sell up.

use crate::types::num::{Bps, MAX_UNITS, ONE, Px, Side, Sz, Usd};
use crate::types::order::MIN_ORDER;

/// Decimals that a perp's price and size share: a size with `d` of them leaves `6 − d` to the price.
const SHARED_DECIMALS: u8 = 6;

/// Significant figures of a price that is not an integer.
const FIGURES: u32 = 5;

/// Why no venue price can be made of a price.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PxError {
    /// It is not above zero.
    #[error("the price is not above zero")]
    NotPositive,
    /// A buy rounds down, and it is below one tick.
    #[error("the price is below one tick")]
    RoundsToZero,
    /// It is more than a price holds ([`MAX_UNITS`]).
    #[error("the price is too large")]
    TooLarge,
}

/// Why the venue would refuse an order for its numbers alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// The price is not above zero, or more than a price holds.
    #[error("the price is none")]
    InvalidPx,
    /// The price lies between ticks.
    #[error("the price is not divisible by the tick")]
    Tick,
    /// The size is zero.
    #[error("the size is zero")]
    ZeroSize,
    /// The size is below zero, more than a size holds, or not whole lots.
    #[error("the size is not whole lots")]
    InvalidSz,
    /// The order is worth less than [`MIN_ORDER`] and does not close a whole position.
    #[error("the order is worth less than 10 USD")]
    BelowMinimum,
    /// The order's value does not fit into a [`Usd`].
    #[error("the order's value is too large")]
    ValueTooLarge,
}

/// The tick at `px` in a market with `sz_decimals` size decimals: the coarser of 10^−(6−d) and the
/// fifth significant figure, never coarser than 1. `None` when `px` is not above zero.
///
/// It changes where the price crosses a power of ten. More than six size decimals, which no perp
/// has, leave the price none.
pub fn tick(px: Px, sz_decimals: u8) -> Option<Px> {
    if !px.is_positive() {
        return None;
    }
    let left = u32::from(SHARED_DECIMALS.saturating_sub(sz_decimals));
    let decimals = ONE / 10_i64.pow(left);
    let figures = 10_i64.pow((px.units().ilog10() + 1).saturating_sub(FIGURES));
    Some(Px::from_units(decimals.max(figures).min(ONE)))
}

/// Whether the venue takes `px` as a limit: an integer, or at most 5 significant figures and at
/// most `6 − sz_decimals` decimals. A price that is not above zero or too large is none.
pub fn is_valid_px(px: Px, sz_decimals: u8) -> bool {
    px.units() <= MAX_UNITS
        && tick(px, sz_decimals).is_some_and(|tick| px.units() % tick.units() == 0)
}

/// `px` on the nearest tick that is not more aggressive: a buy rounds down, a sell up.
///
/// The result is valid, and less than one tick away. A sell may land on the next power of ten,
/// which is on every tick. Source: PROTOCOL.md §6. Errors: [`PxError`].
pub fn round_px(px: Px, side: Side, sz_decimals: u8) -> Result<Px, PxError> {
    let tick = tick(px, sz_decimals).ok_or(PxError::NotPositive)?.units();
    let past = px.units() % tick;
    let rounded = match side {
        Side::Buy => px.units() - past,
        Side::Sell if past == 0 => px.units(),
        Side::Sell => px.units().checked_add(tick - past).ok_or(PxError::TooLarge)?,
    };
    match rounded {
        ..=0 => Err(PxError::RoundsToZero),
        1..=MAX_UNITS => Ok(Px::from_units(rounded)),
        _ => Err(PxError::TooLarge),
    }
}

/// `px` moved by `by` toward more aggressive (a buy up, a sell down), then rounded by [`round_px`].
///
/// The move is exact; only its result is rounded, once, to the tick. Since [`Bps`] holds a decimal
/// such as 7.9 as the next binary below it, a result that would lie on its tick may come out one
/// tick less aggressive, never more. Errors: [`PxError`]; a sell moved by 100 % or more is
/// `NotPositive`.
pub fn reach(px: Px, side: Side, by: Bps, sz_decimals: u8) -> Result<Px, PxError> {
    const WHOLE: i128 = 10_000 << 32; // 100 % in the bits of `Bps`.
    if !px.is_positive() {
        return Err(PxError::NotPositive);
    }
    let (px, by) = (i128::from(px.units()), i128::from(by.to_bits()));
    // At most 2^63 × 2^64: it fits. Rounding to whole units and then to the tick in the same
    // direction is rounding once.
    let units = match side {
        Side::Buy => (px * (WHOLE + by)).div_euclid(WHOLE),
        Side::Sell => -(-px * (WHOLE - by)).div_euclid(WHOLE),
    };
    let units = i64::try_from(units).map_err(|_| match units {
        ..=0 => PxError::NotPositive,
        _ => PxError::TooLarge,
    })?;
    round_px(Px::from_units(units), side, sz_decimals)
}

/// The least size that is worth [`MIN_ORDER`] at `px`, in whole lots; `None` when `px` is not above zero or
/// the size does not fit.
pub fn least_sz(px: Px, sz_decimals: u8) -> Option<Sz> {
    if !px.is_positive() {
        return None;
    }
    // USD in 1e-6 over a price in 1e-8 gives coins in 1e2; sizes are in 1e-8.
    let exact = i128::from(MIN_ORDER.units()) * 10_000_000_000;
    let px = i128::from(px.units());
    let units = i64::try_from((exact + px - 1).div_euclid(px)).ok()?;
    let sz = Sz::from_units(units).ceil_to(Sz::lot(sz_decimals)?)?;
    (sz.units() <= MAX_UNITS).then_some(sz)
}

/// The largest size that is worth no more than `value` at `px`, in whole lots; nothing when either is not
/// above zero.
pub fn most_sz(value: Usd, px: Px, lot: Sz) -> Sz {
    if !value.is_positive() || !px.is_positive() {
        return Sz::ZERO;
    }
    let units = i128::from(value.units()) * 10_000_000_000 / i128::from(px.units());
    Sz::from_units(i64::try_from(units).unwrap_or(i64::MAX)).floor_to(lot)
}

/// Whether the venue would take an order of `sz` at `px` (PROTOCOL.md §6, rules 1 to 4).
///
/// `reduce_only_whole` says that it closes a whole position, which exempts it from [`MIN_ORDER`];
/// a partial close is not exempt. Errors: the first of [`RuleError`] that holds, in the order in
/// which they stand there.
pub fn check(px: Px, sz: Sz, sz_decimals: u8, reduce_only_whole: bool) -> Result<(), RuleError> {
    if !px.is_positive() || px.units() > MAX_UNITS {
        return Err(RuleError::InvalidPx);
    }
    if !is_valid_px(px, sz_decimals) {
        return Err(RuleError::Tick);
    }
    if sz == Sz::ZERO {
        return Err(RuleError::ZeroSize);
    }
    let whole_lots = Sz::lot(sz_decimals).is_some_and(|lot| sz.floor_to(lot) == sz);
    if !sz.is_positive() || sz.units() > MAX_UNITS || !whole_lots {
        return Err(RuleError::InvalidSz);
    }
    // Rounding down to 1e-6 USD does not move a value across a limit of whole USD.
    match Usd::notional(px, sz) {
        None => Err(RuleError::ValueTooLarge),
        Some(value) if value < MIN_ORDER && !reduce_only_whole => Err(RuleError::BelowMinimum),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
