//! The actions in canonical form: what is hashed (PROTOCOL.md §7.1).
//!
//! The order of the fields *is* the order of the packed keys. Keys that say no are left out.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::types::account::AccountMode;
use crate::types::num::{Px, Sz};
use crate::types::order::Cloid;
use crate::venue::action::{Action, Address, NewOrder, Tif, Which};

/// An address as text: read in any case, packed in lower case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct AddressText(pub(super) Address);

impl Serialize for AddressText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AddressText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Address::parse(&text).map(Self).ok_or_else(|| de::Error::custom("no address"))
    }
}

/// A decimal as text: read with or without trailing zeros, packed without.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Decimal(i64);

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Px::from_units(self.0))
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let px = Px::parse(text.as_bytes()).ok_or_else(|| de::Error::custom("no decimal"))?;
        Ok(Self(px.units()))
    }
}

/// Whether a key is left out.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
fn no(flag: &bool) -> bool {
    !flag
}

/// An action with its keys in signing order.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(super) enum Canonical {
    Order(Orders),
    Cancel(Cancels),
    CancelByCloid(CancelsByCloid),
    ScheduleCancel(ScheduleCancel),
    Modify(Modify),
    BatchModify(BatchModify),
    UpdateLeverage(UpdateLeverage),
    UpdateIsolatedMargin(UpdateIsolatedMargin),
    Noop,
    ReserveRequestWeight(ReserveRequestWeight),
    AgentSetAbstraction(AgentSetAbstraction),
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Orders {
    orders: Vec<OrderWire>,
    grouping: Grouping,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    builder: Option<Builder>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct OrderWire {
    a: u32,
    b: bool,
    p: Decimal,
    s: Decimal,
    r: bool,
    t: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<Cloid>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Limit {
        tif: TifWire,
    },
    #[serde(rename_all = "camelCase")]
    Trigger {
        is_market: bool,
        trigger_px: Decimal,
        tpsl: Tpsl,
    },
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
enum TifWire {
    Ioc,
    Gtc,
    Alo,
    FrontendMarket,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Tpsl {
    Tp,
    Sl,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum Grouping {
    Named(GroupingName),
    Priority { p: u64 },
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum GroupingName {
    Na,
    NormalTpsl,
    PositionTpsl,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Builder {
    b: AddressText,
    f: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Cancels {
    cancels: Vec<Cancel>,
    #[serde(default, skip_serializing_if = "no")]
    f: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Cancel {
    a: u32,
    o: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct CancelsByCloid {
    cancels: Vec<CancelByCloid>,
    #[serde(default, skip_serializing_if = "no")]
    f: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct CancelByCloid {
    asset: u32,
    cloid: Cloid,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ScheduleCancel {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<u64>,
}

/// Which order: its number, or its cloid as text.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum WhichWire {
    Oid(u64),
    Cloid(Cloid),
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Modify {
    oid: WhichWire,
    order: OrderWire,
    #[serde(default, skip_serializing_if = "no")]
    a: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct BatchModify {
    modifies: Vec<OneModify>,
    #[serde(default, skip_serializing_if = "no")]
    a: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct OneModify {
    oid: WhichWire,
    order: OrderWire,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateLeverage {
    asset: u32,
    is_cross: bool,
    leverage: u32,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateIsolatedMargin {
    asset: u32,
    is_buy: bool,
    ntli: i64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ReserveRequestWeight {
    weight: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    destination: Option<AddressText>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct AgentSetAbstraction {
    abstraction: Abstraction,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
enum Abstraction {
    #[serde(rename = "i")]
    Disabled,
    #[serde(rename = "u")]
    Unified,
    #[serde(rename = "p")]
    Portfolio,
}

impl OrderWire {
    fn order(&self) -> NewOrder {
        let tif = match self.t {
            Kind::Limit { tif: TifWire::Ioc | TifWire::FrontendMarket } => Some(Tif::Ioc),
            Kind::Limit { tif: TifWire::Gtc } => Some(Tif::Gtc),
            Kind::Limit { tif: TifWire::Alo } => Some(Tif::Alo),
            Kind::Trigger { .. } => None,
        };
        NewOrder {
            asset: self.a,
            buy: self.b,
            px: Px::from_units(self.p.0),
            sz: Sz::from_units(self.s.0),
            reduce_only: self.r,
            tif,
            cloid: self.c,
        }
    }
}

impl WhichWire {
    fn which(self) -> Which {
        match self {
            Self::Oid(oid) => Which::Oid(oid),
            Self::Cloid(cloid) => Which::Cloid(cloid),
        }
    }
}

impl Canonical {
    /// The bytes that are hashed: maps with named keys, integers in their smallest form.
    pub(super) fn pack(&self) -> Option<Vec<u8>> {
        rmp_serde::to_vec_named(self).ok()
    }

    /// What it means. Actions that concern nothing here burn their nonce, as a `noop` does.
    pub(super) fn action(&self) -> Action {
        match self {
            Self::Order(all) => Action::Order(all.orders.iter().map(OrderWire::order).collect()),
            Self::Cancel(all) => {
                Action::Cancel(all.cancels.iter().map(|one| (one.a, Which::Oid(one.o))).collect())
            }
            Self::CancelByCloid(all) => {
                let which = |one: &CancelByCloid| (one.asset, Which::Cloid(one.cloid));
                Action::Cancel(all.cancels.iter().map(which).collect())
            }
            Self::ScheduleCancel(one) => Action::ScheduleCancel(one.time),
            Self::Modify(one) => Action::Modify {
                modifies: vec![(one.oid.which(), one.order.order())],
                batch: false,
            },
            Self::BatchModify(all) => {
                let modify = |one: &OneModify| (one.oid.which(), one.order.order());
                Action::Modify { modifies: all.modifies.iter().map(modify).collect(), batch: true }
            }
            Self::UpdateLeverage(one) => Action::UpdateLeverage {
                asset: one.asset,
                is_cross: one.is_cross,
                leverage: one.leverage,
            },
            Self::UpdateIsolatedMargin(one) => {
                Action::UpdateIsolatedMargin { asset: one.asset, ntli: one.ntli }
            }
            Self::Noop | Self::ReserveRequestWeight(_) | Self::AgentSetAbstraction(_) => {
                Action::Noop
            }
        }
    }

    /// The account mode it asks for.
    pub(super) fn mode(&self) -> Option<AccountMode> {
        let Self::AgentSetAbstraction(AgentSetAbstraction { abstraction }) = self else {
            return None;
        };
        Some(match abstraction {
            Abstraction::Disabled => AccountMode::Standard,
            Abstraction::Unified => AccountMode::Unified,
            Abstraction::Portfolio => AccountMode::PortfolioMargin,
        })
    }
}
