//! The venue's WebSocket face: connections, subscriptions, limits, cadences (PROTOCOL.md §1, §2).

mod connection;
pub(super) mod desk;
pub(super) mod frames;
pub(super) mod info;
pub(super) mod news;
pub(super) mod request;

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use crate::types::time::{Mono, Nanos};
use crate::venue::account::{Lens, View};
use crate::venue::action::Address;
use crate::venue::faults::{Chance, Fault, Faults, FrameKind};
use crate::venue::market::Status;
use crate::venue::surface::connection::{Cadence, Connection, Window};
use crate::venue::surface::desk::{Desk, Mail, Recipient};
use crate::venue::surface::request::{Grouping, PostKind, Request, Sub, Wrong};
use crate::venue::wire::{self, Unread};
use crate::venue::world::{Moved, World};
use crate::venue::{ConnId, Limits, Output, Refused, Settings};

/// Frames that wait for a delayed connection; beyond it the connection drops.
const HELD_MAX: usize = 20_000;

/// All connections; they come from one address, so that the limits per address are everybody's.
#[derive(Clone, Debug)]
pub(super) struct Surface {
    limits: Limits,
    pub(super) faults: Faults,
    huge_frame: Arc<str>,
    connections: Vec<Connection>,
    next_id: u32,
    opened: Window,
    messages: Window,
    info_weight: Window,
    /// Whether signatures must be for mainnet.
    pub(super) mainnet: bool,
    /// What concerns accounts and is under way.
    pub(super) desk: Desk,
    /// Connection fates and frame faults.
    pub(super) dice: Chance,
    next_ctx: Mono,
    ctx_at: usize,
    /// Whether anybody is subscribed to a context.
    ctx_wanted: bool,
    /// What is late by how much, if anything is.
    lateness: Option<Lateness>,
    /// News of accounts that are held back, if they are.
    withheld: Option<Vec<Mail>>,
}

/// A feed that is late without a drop.
#[derive(Clone, Copy, Debug)]
struct Lateness {
    by: Nanos,
    /// Everything on the socket; else quotes and contexts alone.
    whole: bool,
}

impl Surface {
    /// What `settings` describe, with nobody connected.
    pub(super) fn new(settings: &Settings, faults: Faults) -> Self {
        let seed = settings.seed;
        Self {
            limits: settings.limits,
            huge_frame: faults.huge_frame(),
            faults,
            mainnet: settings.mainnet,
            desk: Desk::new(settings.timing, seed),
            connections: Vec::new(),
            next_id: 0,
            opened: Window::default(),
            messages: Window::default(),
            info_weight: Window::default(),
            dice: Chance::new(seed, u64::MAX - 2),
            next_ctx: Mono::MAX,
            ctx_at: 0,
            ctx_wanted: false,
            lateness: None,
            withheld: None,
        }
    }

    /// From now on quotes and contexts, or everything, come late.
    pub(super) fn be_late(&mut self, by: Nanos, whole: bool) {
        self.lateness = Some(Lateness { by, whole });
    }

    /// What is late goes out now, and everything is on time again.
    pub(super) fn be_on_time(&mut self, now: Mono) {
        self.lateness = None;
        for (at, _) in self.connections.iter_mut().flat_map(|one| &mut one.behind) {
            *at = now;
        }
    }

    /// From now on no news of accounts go out.
    pub(super) fn withhold(&mut self) {
        self.withheld.get_or_insert_default();
    }

    /// The news that were held back go out, and others as they come.
    pub(super) fn tell_withheld(&mut self, now: Mono) {
        for mail in self.withheld.take().into_iter().flatten() {
            self.desk.post(now, mail);
        }
    }

    /// Open connections.
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn connect(&mut self, now: Mono, out: &mut Vec<Output>) -> Result<ConnId, Refused> {
        if self.connections.len() >= self.limits.connections {
            return Err(Refused::Connections);
        }
        if !self.opened.spend(now, 1, self.limits.new_per_minute) {
            return Err(Refused::NewPerMinute);
        }
        let id = ConnId(self.next_id);
        self.next_id += 1;
        // Between half and one and a half times what the file says.
        let mut about = |seconds: Option<u64>| {
            seconds.map_or(Mono::MAX, |s| {
                let half = s.saturating_mul(500);
                now.plus(Nanos::from_millis(half + self.dice.below(half.saturating_mul(2) + 1)))
            })
        };
        let (drop_at, stall_at) =
            (about(self.faults.drop_after_s), about(self.faults.stall_after_s));
        let expire = self.faults.expire_after_s.map(|s| now.plus(Nanos::from_secs(s)));
        self.connections.push(Connection {
            id,
            subs: Vec::new(),
            sent_at: now,
            drop_at,
            expire_at: expire.unwrap_or(Mono::MAX),
            stall_at,
            stalled: false,
            held_until: Mono(0),
            held: VecDeque::new(),
            late: Vec::new(),
            behind: VecDeque::new(),
            clocks: [Mono::MAX; 6],
        });
        if self.faults.greeting {
            self.dice.injected.count(Fault::Greeting);
            out.push(Output::Text(id, "Websocket connection established.".into()));
        }
        Ok(id)
    }

    /// From now on these faults happen; connections lose the ends that were drawn for them.
    pub(super) fn set_faults(&mut self, faults: Faults) {
        self.huge_frame = faults.huge_frame();
        self.faults = faults;
        for one in &mut self.connections {
            (one.drop_at, one.expire_at) = (Mono::MAX, Mono::MAX);
            one.stall_at = if one.stalled { one.stall_at } else { Mono::MAX };
        }
    }

    pub(super) fn disconnect(&mut self, conn: ConnId) {
        self.connections.retain(|one| one.id != conn);
        self.desk.disconnected(conn);
        self.recount();
    }

    /// Whether the minute's weight of `/info` allows one more request.
    pub(super) fn may_ask(&mut self, now: Mono, weight: u32) -> bool {
        self.info_weight.spend(now, weight, self.limits.info_weight_per_minute)
    }

    /// Counts what an answer weighed beside its question.
    pub(super) fn charge(&mut self, now: Mono, weight: u32) {
        if weight > 0 {
            self.info_weight.charge(now, weight);
        }
    }

    fn recount(&mut self) {
        let subs = self.connections.iter().flat_map(|one| &one.subs);
        self.ctx_wanted = subs.into_iter().any(|sub| matches!(sub, Sub::Ctx(_)));
    }

    fn position(&self, conn: ConnId) -> Option<usize> {
        self.connections.iter().position(|one| one.id == conn)
    }

    /// A client's frame.
    pub(super) fn text(
        &mut self,
        now: Mono,
        conn: ConnId,
        text: &str,
        view: View<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(at) = self.position(conn) else { return };
        if self.connections[at].stall_at <= now {
            return;
        }
        if !self.messages.spend(now, 1, self.limits.messages_per_minute) {
            // What the venue does to a client that goes on is not documented; it stops serving it.
            self.end(at, out);
            return;
        }
        match request::read(text, view.world) {
            Ok(Request::Ping) => self.control(now, at, &r#"{"channel":"pong"}"#.into(), out),
            Ok(Request::Subscribe(sub)) => self.subscribe(now, at, &sub, view, out),
            Ok(Request::Unsubscribe(sub)) => self.unsubscribe(now, at, &sub, view.world, out),
            Ok(Request::Post { id, kind, payload }) => {
                if self.desk.posts_in_flight() >= self.limits.posts {
                    let text = format!("too many pending post requests id={id}");
                    return self.control(now, at, &frames::error(&text), out);
                }
                let frame = match kind {
                    PostKind::Info => {
                        let view = self.through_lens(view);
                        let answer = info::posted(view, now, id, &payload);
                        Some(answer.unwrap_or_else(|| unparsable(text)))
                    }
                    PostKind::Action => self.action(now, conn, id, &payload),
                };
                if let Some(frame) = frame {
                    self.control(now, at, &frame, out);
                }
            }
            Err(Wrong::Unparsable) => self.control(now, at, &unparsable(text), out),
            Err(Wrong::Fatal) => {
                let wait = Nanos::from_millis(90 + self.dice.below(66));
                let one = &mut self.connections[at];
                one.drop_at = one.drop_at.min(now.plus(wait));
            }
        }
    }

    /// The view with a lens drawn for it.
    fn through_lens<'a>(&mut self, view: View<'a>) -> View<'a> {
        View { lens: Lens::drawn(&self.faults, &mut self.dice), ..view }
    }

    /// Takes an action post on its way. Returns what is answered at once.
    fn action(&mut self, now: Mono, conn: ConnId, id: u64, payload: &Value) -> Option<Arc<str>> {
        match wire::read(payload, self.mainnet) {
            Ok(asked) => {
                let ticket = self.desk.ticket(Recipient::Post(conn, id));
                self.desk.send(now, ticket, asked);
                None
            }
            Err(unread @ Unread::Signature) => {
                let ticket = self.desk.ticket(Recipient::Post(conn, id));
                let at = self.desk.refusal_time(now);
                self.answer(at, ticket, unread.status_and_text().1.to_owned());
                None
            }
            Err(unread) => {
                let (status, text) = unread.status_and_text();
                Some(info::post_error(id, &format!("{status} {text}")))
            }
        }
    }

    fn subscribe(
        &mut self,
        now: Mono,
        at: usize,
        sub: &Sub,
        view: View<'_>,
        out: &mut Vec<Output>,
    ) {
        let echo = sub.echo(view.world);
        let place = match self.connections[at].subs.binary_search(sub) {
            Ok(_) => {
                let text = format!("Already subscribed: {echo}");
                return self.control(now, at, &frames::error(&text), out);
            }
            Err(place) => place,
        };
        if let Err(refusal) = self.admit(sub) {
            return self.control(now, at, &frames::error(&refusal), out);
        }
        self.connections[at].subs.insert(place, sub.clone());
        if let Some(cadence) = Cadence::of(sub) {
            let clock = &mut self.connections[at].clocks[cadence as usize];
            if *clock == Mono::MAX {
                *clock = now.plus(cadence.pause(&mut self.dice));
            }
        }
        if matches!(sub, Sub::Ctx(_)) && !self.ctx_wanted {
            self.ctx_wanted = true;
            self.next_ctx = now;
        }
        if self.deliver(now, at, FrameKind::Ack, &frames::ack("subscribe", &echo), out) {
            self.first(now, at, sub, view, out);
        }
    }

    /// Whether the limits per address leave room for one more subscription.
    fn admit(&self, sub: &Sub) -> Result<(), String> {
        let all = || self.connections.iter().flat_map(|one| &one.subs);
        if all().count() >= self.limits.subscriptions {
            let most = self.limits.subscriptions;
            return Err(format!("Cannot subscribe to more than {most} channels."));
        }
        if let Sub::User { user, .. } = sub {
            let mut users: Vec<&Address> = all()
                .filter_map(|sub| if let Sub::User { user, .. } = sub { Some(user) } else { None })
                .chain([user])
                .collect();
            users.sort_unstable();
            users.dedup();
            if users.len() > self.limits.users {
                let most = self.limits.users;
                return Err(format!("Cannot track more than {most} total users."));
            }
        }
        Ok(())
    }

    fn unsubscribe(
        &mut self,
        now: Mono,
        at: usize,
        sub: &Sub,
        world: &World,
        out: &mut Vec<Output>,
    ) {
        let echo = sub.echo(world);
        let Ok(place) = self.connections[at].subs.binary_search(sub) else {
            let text = format!("Already unsubscribed: {echo}");
            return self.control(now, at, &frames::error(&text), out);
        };
        let one = &mut self.connections[at];
        one.subs.remove(place);
        if let Some(cadence) = Cadence::of(sub)
            && !one.subs.iter().any(|other| Cadence::of(other) == Some(cadence))
        {
            one.clocks[cadence as usize] = Mono::MAX;
        }
        self.recount();
        self.deliver(now, at, FrameKind::Ack, &frames::ack("unsubscribe", &echo), out);
    }

    /// The first data of a subscription, right behind its acknowledgement (PROTOCOL.md §2.4).
    fn first(&mut self, now: Mono, at: usize, sub: &Sub, view: View<'_>, out: &mut Vec<Output>) {
        let world = view.world;
        let (kind, frame) = match sub {
            Sub::Bbo(market) => {
                let market = &world.markets[*market];
                if market.status == Status::Delisted {
                    return; // Silent for good.
                }
                let coin = &market.listing.coin;
                (FrameKind::Bbo, frames::bbo(coin, world.block_time, market.told))
            }
            Sub::Trades(market) => {
                let market = &world.markets[*market];
                (FrameKind::Data, frames::trades(&market.listing.coin, &market.trades))
            }
            Sub::Ctx(_) => return, // Its turn comes within a second.
            Sub::User { .. } => match news::whole(sub, self.through_lens(view), now) {
                Some(frame) => (FrameKind::Data, frame),
                None => return,
            },
            other => match regular(other, view, now) {
                Some(frame) => (FrameKind::Data, frame),
                None => return,
            },
        };
        self.deliver(now, at, kind, &frame, out);
    }

    /// What a block moved, to whoever subscribed to it.
    pub(super) fn block(
        &mut self,
        now: Mono,
        moved: &[Moved],
        world: &World,
        out: &mut Vec<Output>,
    ) {
        for one in moved {
            let market = &world.markets[one.market];
            let coin = &market.listing.coin;
            if one.top {
                let make = || frames::bbo(coin, world.block_time, market.told);
                self.fan_out(now, &Sub::Bbo(one.market), FrameKind::Bbo, make, out);
            }
            if one.trades {
                let fresh = &market.trades[market.trades.len() - market.fresh_trades..];
                let make = || frames::trades(coin, fresh);
                self.fan_out(now, &Sub::Trades(one.market), FrameKind::Data, make, out);
            }
        }
    }

    /// Sends one frame to every connection that is subscribed to `sub`.
    fn fan_out(
        &mut self,
        now: Mono,
        sub: &Sub,
        kind: FrameKind,
        make: impl Fn() -> Arc<str>,
        out: &mut Vec<Output>,
    ) {
        let mut frame = None;
        let mut at = 0;
        while let Some(one) = self.connections.get(at) {
            let subscribed = one.subs.binary_search(sub).is_ok();
            if subscribed {
                let frame = frame.get_or_insert_with(&make).clone();
                if !self.deliver(now, at, kind, &frame, out) {
                    continue; // It ended, and the next one has its place.
                }
            }
            at += 1;
        }
    }

    /// When the next thing is due that no block brings.
    pub(super) fn next_deadline(&self) -> Mono {
        let connections = self.connections.iter().map(|one| one.next_deadline(&self.limits));
        let ctx = if self.ctx_wanted { self.next_ctx } else { Mono::MAX };
        connections.min().unwrap_or(Mono::MAX).min(ctx).min(self.desk.next_mail())
    }

    /// Does what is due at `now`.
    pub(super) fn advance(&mut self, now: Mono, view: View<'_>, out: &mut Vec<Output>) {
        self.hand_out(now, view, out);
        let world = view.world;
        if self.ctx_wanted && self.next_ctx <= now {
            // Each market has its turn once a second, the turns spread evenly.
            self.ctx_at = (self.ctx_at + 1) % world.markets.len();
            self.next_ctx = self.next_ctx.plus(Nanos(1_000_000_000 / world.markets.len() as u64));
            let turn = self.ctx_at;
            let make = || frames::active_ctx(&world.markets[turn], now);
            self.fan_out(now, &Sub::Ctx(turn), FrameKind::Ctx, make, out);
        }
        let mut at = 0;
        while at < self.connections.len() {
            let before = self.connections.len();
            self.attend(now, at, view, out);
            if self.connections.len() == before {
                at += 1;
            }
        }
    }

    /// Does what is due on one connection.
    fn attend(&mut self, now: Mono, at: usize, view: View<'_>, out: &mut Vec<Output>) {
        let one = &mut self.connections[at];
        if one.drop_at <= now {
            self.dice.injected.count(Fault::DropAfter);
            return self.end(at, out);
        }
        if one.expire_at <= now {
            self.dice.injected.count(Fault::Expire);
            let conn = one.id;
            out.push(Output::Close { conn, code: 1000, reason: "Expired" });
            return self.disconnect(conn);
        }
        let stalled = one.stall_at <= now;
        if !stalled && now.since(one.sent_at) >= self.limits.idle_close {
            return self.end(at, out);
        }
        if stalled {
            // Nothing is due on a dead socket but its fate.
            if !std::mem::replace(&mut one.stalled, true) {
                self.dice.injected.count(Fault::Stall);
            }
            one.sent_at = now;
            one.clocks = [Mono::MAX; 6];
            one.held.clear();
            one.late.clear();
            one.behind.clear();
            return;
        }
        let (id, held_until) = (one.id, one.held_until);
        if held_until <= now && !one.held.is_empty() {
            one.sent_at = now;
            out.extend(one.held.drain(..).map(|text| Output::Text(id, text)));
        }
        while let Some((_, text)) = one.behind.pop_front_if(|(at, _)| *at <= now) {
            one.sent_at = now;
            out.push(Output::Text(id, text));
        }
        let mut late = 0;
        while let Some((due, text)) = one.late.get(late) {
            if *due <= now {
                out.push(Output::Text(id, text.clone()));
                one.late.remove(late);
            } else {
                late += 1;
            }
        }
        for cadence in Cadence::ALL {
            if self.connections[at].clocks[cadence as usize] > now {
                continue;
            }
            self.connections[at].clocks[cadence as usize] = now.plus(cadence.pause(&mut self.dice));
            let subs: Vec<Sub> = self.connections[at].subs.clone();
            for sub in subs.iter().filter(|sub| Cadence::of(sub) == Some(cadence)) {
                let view = self.through_lens(view);
                if let Some(frame) = regular(sub, view, now)
                    && !self.deliver(now, at, FrameKind::Data, &frame, out)
                {
                    return;
                }
            }
        }
    }

    fn control(&mut self, now: Mono, at: usize, frame: &Arc<str>, out: &mut Vec<Output>) {
        self.deliver(now, at, FrameKind::Control, frame, out);
    }

    /// Sends one frame, through the faults. `false` when the connection ended.
    fn deliver(
        &mut self,
        now: Mono,
        at: usize,
        kind: FrameKind,
        frame: &Arc<str>,
        out: &mut Vec<Output>,
    ) -> bool {
        let one = &mut self.connections[at];
        if one.stall_at <= now {
            return true;
        }
        let fate = self.faults.fate(kind, frame, &self.huge_frame, &mut self.dice);
        if fate.drop {
            self.end(at, out);
            return false;
        }
        let Some(text) = fate.text else { return true };
        let one = &mut self.connections[at];
        if fate.torn {
            out.push(Output::Torn(one.id, text));
            let id = one.id;
            self.disconnect(id);
            return false;
        }
        if let Some(wait) = fate.late {
            one.late.push((now.plus(wait), text));
            return true;
        }
        if let Some(wait) = fate.hold {
            one.held_until = one.held_until.max(now.plus(wait));
        }
        if fate.binary {
            out.push(Output::Binary(one.id, vec![0xff, 0x00, 0x7b]));
        }
        let copies = if fate.twice { 2 } else { 1 };
        let late = self.lateness.filter(|late| late.whole || kind.is_market_data());
        if late.is_some() || !one.behind.is_empty() && kind.is_market_data() {
            let due = now.plus(late.map_or(Nanos::ZERO, |late| late.by));
            let last = one.behind.back().map_or(due, |(at, _)| due.max(*at));
            one.behind.extend(std::iter::repeat_n((last, text), copies));
            if one.behind.len() > HELD_MAX {
                self.end(at, out);
                return false;
            }
            return true;
        }
        if now < one.held_until || !one.held.is_empty() {
            one.held.extend(std::iter::repeat_n(text, copies));
            if one.held.len() > HELD_MAX {
                self.end(at, out);
                return false;
            }
            return true;
        }
        one.sent_at = now;
        let id = one.id;
        out.extend(std::iter::repeat_n(text, copies).map(|text| Output::Text(id, text)));
        true
    }

    /// Drops one connection without a close frame.
    fn end(&mut self, at: usize, out: &mut Vec<Output>) {
        let id = self.connections[at].id;
        out.push(Output::Drop(id));
        self.disconnect(id);
    }

    /// Drops all of them.
    pub(super) fn end_all(&mut self, out: &mut Vec<Output>) {
        while !self.connections.is_empty() {
            self.end(0, out);
        }
    }
}

/// The parse error of the error channel quotes the frame.
fn unparsable(text: &str) -> Arc<str> {
    frames::error(&format!("Error parsing JSON into valid websocket request: {text}"))
}

/// A frame of the channels that tell their whole state at a cadence.
fn regular(sub: &Sub, view: View<'_>, now: Mono) -> Option<Arc<str>> {
    let world = view.world;
    match sub {
        Sub::L2Book { market, grouping, fast } => {
            let market = &world.markets[*market];
            let (grouping, time): (Grouping, _) = (*grouping, world.time(now));
            Some(frames::l2_book(market, time, grouping, *fast))
        }
        Sub::AllMids(dex) => Some(frames::all_mids(world, *dex, now)),
        Sub::AssetCtxs(dex) => Some(frames::asset_ctxs(world, *dex, now)),
        Sub::AllDexsAssetCtxs => Some(frames::all_dexs_ctxs(world, now)),
        Sub::User { .. } => news::whole(sub, view, now),
        Sub::Bbo(_) | Sub::Ctx(_) | Sub::Trades(_) => None,
    }
}
