//! Actions into bytes: the msgpack that is hashed and the JSON that is sent (PROTOCOL.md §3, §7.1).
//!
//! Both are written in one pass from constant pieces with numbers between them, so that what is
//! signed and what is sent cannot differ. Nothing allocates once the buffers have grown.

mod msgpack;
mod text;

use crate::executor::signer::{Address, SignError, Signer, SigningNetwork, connection_id, digest};
use crate::types::ids::AssetId;
use crate::types::num::Side;
use crate::types::order::{Cloid, Order};

use self::text::{Text, hex};

/// The most orders or cancels that one action holds (PROTOCOL.md §3.3).
pub const MAX_ITEMS: usize = 200;

/// More than an order takes of msgpack, so that a full action needs no growing.
const PACKED_ITEM: usize = 160;

/// What is asked of the venue.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// Places these, all of them IOC; the answers come in the same order.
    Orders(&'a [Order]),
    /// Sets how a market is margined.
    UpdateLeverage {
        /// The market.
        asset: AssetId,
        /// Whether the margin is shared with others; `false` where the market is isolated only.
        is_cross: bool,
        /// In whole times, above zero.
        leverage: u32,
    },
    /// Cancels these, by our own ids.
    CancelByCloid(&'a [(AssetId, Cloid)]),
    /// Does nothing but use up its nonce.
    Noop,
}

/// What goes around an action, and into its hash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Envelope {
    /// Unused so far by this signer; milliseconds or above (PROTOCOL.md §7.3).
    pub nonce: u64,
    /// Venue time in milliseconds after which it is not executed.
    pub expires_after: Option<u64>,
}

/// Why nothing was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EncodeError {
    /// A list without orders or cancels.
    #[error("an action without items")]
    Empty,
    /// More than [`MAX_ITEMS`].
    #[error("an action of more than {MAX_ITEMS} items")]
    TooMany,
    /// An order whose price or size is not above zero.
    #[error("an order whose price or size is not above zero")]
    NotPositive,
    /// A leverage of zero.
    #[error("a leverage of zero")]
    Leverage,
    /// It could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Writes and signs posts for one account on one network.
#[derive(Debug)]
pub struct Encoder {
    signer: Signer,
    network: SigningNetwork,
    vault: Option<Address>,
    /// The msgpack of the last action.
    packed: Vec<u8>,
    /// The text of the last warm-up.
    scratch: Vec<u8>,
}

/// What is written for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Use {
    /// To be sent.
    Post,
    /// To go nowhere.
    Rehearsal,
}

/// Words around the text of a warm-up: any venue rejects it.
const EXPIRED: Envelope = Envelope { nonce: 0, expires_after: Some(1) };

impl Encoder {
    /// Signs with `signer` for `network`, and acts for `vault` (a vault or sub-account) if there is
    /// one, else for the signer's own master.
    pub fn new(signer: Signer, network: SigningNetwork, vault: Option<Address>) -> Self {
        let packed = Vec::with_capacity(PACKED_ITEM * (MAX_ITEMS + 1));
        Self { signer, network, vault, packed, scratch: Vec::with_capacity(1024) }
    }

    /// Appends the text of a post frame (PROTOCOL.md §3.1) to `out`: `action`, signed, under the
    /// number `post_id`.
    ///
    /// An [`EncodeError`] leaves `out` as it was.
    pub fn post(
        &mut self,
        out: &mut Vec<u8>,
        post_id: u64,
        action: &Action<'_>,
        envelope: Envelope,
    ) -> Result<(), EncodeError> {
        let before = out.len();
        let written = self.write(out, post_id, action, envelope, Use::Post);
        if written.is_err() {
            out.truncate(before);
        }
        written
    }

    /// Appends the body of `POST /exchange` to `out`: what a post carries as its payload (PROTOCOL.md
    /// §3.1), signed alike.
    ///
    /// An [`EncodeError`] leaves `out` as it was.
    pub fn exchange(
        &mut self,
        out: &mut Vec<u8>,
        action: &Action<'_>,
        envelope: Envelope,
    ) -> Result<(), EncodeError> {
        let before = out.len();
        let written = self.write_payload(out, action, envelope, Use::Post);
        if written.is_err() {
            out.truncate(before);
        }
        written
    }

    /// Goes through the motions of a post of `order`, into a buffer of its own, so that the code and
    /// what it reads are in the caches when a real one comes. What it signs is worth nothing, were it
    /// ever sent: its nonce is zero, and it expired in 1970 (PROTOCOL.md §7.3).
    ///
    /// Uses up a half of the pool, and nothing else that a post would. Returns whether it was signed.
    pub fn warm_up(&mut self, order: &Order) -> bool {
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        let done = self.write(&mut text, 0, &Action::Orders(&[*order]), EXPIRED, Use::Rehearsal);
        self.scratch = text;
        std::hint::black_box(&self.scratch);
        done.is_ok()
    }

    /// The signer.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The msgpack bytes of the action that was written or warmed up last: what to look at when the venue says
    /// that a stranger signed (PROTOCOL.md §7.1).
    pub fn packed(&self) -> &[u8] {
        &self.packed
    }

    fn write(
        &mut self,
        out: &mut Vec<u8>,
        post_id: u64,
        action: &Action<'_>,
        envelope: Envelope,
        purpose: Use,
    ) -> Result<(), EncodeError> {
        post_head(out, post_id);
        out.extend_from_slice(br#""action","payload":"#);
        self.write_payload(out, action, envelope, purpose)?;
        out.extend_from_slice(b"}}");
        Ok(())
    }

    fn write_payload(
        &mut self,
        out: &mut Vec<u8>,
        action: &Action<'_>,
        Envelope { nonce, expires_after }: Envelope,
        purpose: Use,
    ) -> Result<(), EncodeError> {
        out.extend_from_slice(br#"{"action":"#);
        self.packed.clear();
        write_action(&mut self.packed, out, action)?;
        let id = connection_id(&self.packed, nonce, self.vault.as_ref(), expires_after);
        let digest = digest(self.network, &id);
        let signature = match purpose {
            Use::Post => self.signer.sign(&digest)?,
            Use::Rehearsal => self.signer.warm_up(&digest)?,
        };
        out.extend_from_slice(br#","nonce":"#);
        integer(out, nonce);
        out.extend_from_slice(br#","signature":{"r":""#);
        hex(out, &signature.r);
        out.extend_from_slice(br#"","s":""#);
        hex(out, &signature.s);
        out.extend_from_slice(br#"","v":"#);
        integer(out, u64::from(signature.v));
        out.push(b'}');
        if let Some(Address(vault)) = &self.vault {
            out.extend_from_slice(br#","vaultAddress":""#);
            hex(out, vault);
            out.push(b'"');
        }
        if let Some(ms) = expires_after {
            out.extend_from_slice(br#","expiresAfter":"#);
            integer(out, ms);
        }
        out.push(b'}');
        Ok(())
    }
}

/// Appends the text of a post that asks what became of the order `cloid` of the account `user`, the
/// master's address or the vault's, as `0x` and hex (PROTOCOL.md §3.1, §4.4). It is not signed.
pub fn post_order_status(out: &mut Vec<u8>, post_id: u64, user: &str, cloid: Cloid) {
    debug_assert!(Address::parse(user).is_some(), "an address needs no escaping");
    post_head(out, post_id);
    out.extend_from_slice(br#""info","payload":{"type":"orderStatus","user":""#);
    out.extend_from_slice(user.as_bytes());
    out.extend_from_slice(br#"","oid":""#);
    out.extend_from_slice(&cloid.text());
    out.extend_from_slice(br#""}}}"#);
}

/// Appends the msgpack of `action`, which is hashed, to `packed`, and its JSON, which is sent, to
/// `json`. An [`EncodeError`] leaves a part of it behind.
pub fn write_action(
    packed: &mut Vec<u8>,
    json: &mut Vec<u8>,
    action: &Action<'_>,
) -> Result<(), EncodeError> {
    match *action {
        Action::Orders(orders) => write_orders(packed, json, orders)?,
        Action::UpdateLeverage { asset, is_cross, leverage } => {
            write_leverage(packed, json, asset, is_cross, leverage)?;
        }
        Action::CancelByCloid(cancels) => write_cancels(packed, json, cancels)?,
        Action::Noop => {
            packed.extend_from_slice(b"\x81\xa4type\xa4noop");
            json.extend_from_slice(br#"{"type":"noop"}"#);
        }
    }
    Ok(())
}

fn post_head(out: &mut Vec<u8>, post_id: u64) {
    out.extend_from_slice(br#"{"method":"post","id":"#);
    integer(out, post_id);
    out.extend_from_slice(br#","request":{"type":"#);
}

fn write_orders(
    packed: &mut Vec<u8>,
    json: &mut Vec<u8>,
    orders: &[Order],
) -> Result<(), EncodeError> {
    let len = items(orders.len())?;
    packed.extend_from_slice(b"\x83\xa4type\xa5order\xa6orders");
    msgpack::list(packed, len);
    json.extend_from_slice(br#"{"type":"order","orders":["#);
    for (at, order) in orders.iter().enumerate() {
        if !order.px.is_positive() || !order.sz.is_positive() {
            return Err(EncodeError::NotPositive);
        }
        let px = Text::decimal(order.px.units().unsigned_abs());
        let sz = Text::decimal(order.sz.units().unsigned_abs());
        let (buys, cloid) = (order.side == Side::Buy, order.cloid.text());

        packed.extend_from_slice(b"\x87\xa1a");
        msgpack::integer(packed, order.asset.0);
        packed.extend_from_slice(b"\xa1b");
        msgpack::boolean(packed, buys);
        packed.extend_from_slice(b"\xa1p");
        msgpack::text(packed, px.as_bytes());
        packed.extend_from_slice(b"\xa1s");
        msgpack::text(packed, sz.as_bytes());
        packed.extend_from_slice(b"\xa1r");
        msgpack::boolean(packed, order.reduce_only);
        packed.extend_from_slice(b"\xa1t\x81\xa5limit\x81\xa3tif\xa3Ioc\xa1c");
        msgpack::text(packed, &cloid);

        separate(json, at);
        json.extend_from_slice(br#"{"a":"#);
        integer(json, u64::from(order.asset.0));
        json.extend_from_slice(br#","b":"#);
        boolean(json, buys);
        json.extend_from_slice(br#","p":""#);
        json.extend_from_slice(px.as_bytes());
        json.extend_from_slice(br#"","s":""#);
        json.extend_from_slice(sz.as_bytes());
        json.extend_from_slice(br#"","r":"#);
        boolean(json, order.reduce_only);
        json.extend_from_slice(br#","t":{"limit":{"tif":"Ioc"}},"c":""#);
        json.extend_from_slice(&cloid);
        json.extend_from_slice(br#""}"#);
    }
    packed.extend_from_slice(b"\xa8grouping\xa2na");
    json.extend_from_slice(br#"],"grouping":"na"}"#);
    Ok(())
}

fn write_cancels(
    packed: &mut Vec<u8>,
    json: &mut Vec<u8>,
    cancels: &[(AssetId, Cloid)],
) -> Result<(), EncodeError> {
    let len = items(cancels.len())?;
    packed.extend_from_slice(b"\x82\xa4type\xadcancelByCloid\xa7cancels");
    msgpack::list(packed, len);
    json.extend_from_slice(br#"{"type":"cancelByCloid","cancels":["#);
    for (at, (asset, cloid)) in cancels.iter().enumerate() {
        let cloid = cloid.text();
        packed.extend_from_slice(b"\x82\xa5asset");
        msgpack::integer(packed, asset.0);
        packed.extend_from_slice(b"\xa5cloid");
        msgpack::text(packed, &cloid);

        separate(json, at);
        json.extend_from_slice(br#"{"asset":"#);
        integer(json, u64::from(asset.0));
        json.extend_from_slice(br#","cloid":""#);
        json.extend_from_slice(&cloid);
        json.extend_from_slice(br#""}"#);
    }
    json.extend_from_slice(b"]}");
    Ok(())
}

fn write_leverage(
    packed: &mut Vec<u8>,
    json: &mut Vec<u8>,
    asset: AssetId,
    is_cross: bool,
    leverage: u32,
) -> Result<(), EncodeError> {
    if leverage == 0 {
        return Err(EncodeError::Leverage);
    }
    packed.extend_from_slice(b"\x84\xa4type\xaeupdateLeverage\xa5asset");
    msgpack::integer(packed, asset.0);
    packed.extend_from_slice(b"\xa7isCross");
    msgpack::boolean(packed, is_cross);
    packed.extend_from_slice(b"\xa8leverage");
    msgpack::integer(packed, leverage);

    json.extend_from_slice(br#"{"type":"updateLeverage","asset":"#);
    integer(json, u64::from(asset.0));
    json.extend_from_slice(br#","isCross":"#);
    boolean(json, is_cross);
    json.extend_from_slice(br#","leverage":"#);
    integer(json, u64::from(leverage));
    json.push(b'}');
    Ok(())
}

/// How many, when the venue takes so many in one action.
fn items(len: usize) -> Result<u16, EncodeError> {
    match u16::try_from(len) {
        Ok(0) => Err(EncodeError::Empty),
        Ok(items) if len <= MAX_ITEMS => Ok(items),
        _ => Err(EncodeError::TooMany),
    }
}

fn separate(json: &mut Vec<u8>, at: usize) {
    if at > 0 {
        json.push(b',');
    }
}

fn integer(json: &mut Vec<u8>, number: u64) {
    json.extend_from_slice(Text::integer(number).as_bytes());
}

fn boolean(json: &mut Vec<u8>, value: bool) {
    json.extend_from_slice(if value { b"true" } else { b"false" });
}
