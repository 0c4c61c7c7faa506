//! Who may act, nonces, budgets, expiry, and the order within a block.

use super::*;

fn noop(desk: &mut Desk, signer: Address) -> Option<String> {
    let signed = desk.signed(signer, Action::Noop);
    desk.propose(1, signed)
}

fn with_nonce(nonce: u64) -> Signed {
    Signed { action: Action::Noop, signer: rich(), nonce, vault: None, expires_after: None }
}

#[test]
fn only_accounts_and_their_agents_may_act() {
    let mut desk = Desk::new();
    assert_eq!(noop(&mut desk, rich()), None);
    assert_eq!(noop(&mut desk, agent()), None);
    let stranger = Address::numbered(77);
    let text = "User or API Wallet 0x000000000000000000000000000000000000004d does not exist.";
    assert_eq!(noop(&mut desk, stranger), Some(refused(text)));
    assert_eq!(desk.block(), [(1, DONE.to_owned()), (1, DONE.to_owned())]);
    assert_eq!(desk.account(rich()).requests_used, 2, "the refused one cost nothing");
    assert_eq!(desk.clearing.role(rich()), Role::User);
    assert_eq!(desk.clearing.role(agent()), Role::Agent(rich()));
    assert_eq!(desk.clearing.role(stranger), Role::Missing);
}

#[test]
fn an_agent_acts_for_its_master() {
    let mut desk = Desk::new();
    desk.act(agent(), Action::Order(vec![ioc(true, "100.1", "1")]));
    assert_eq!(desk.szi(rich()), szi("1"));
}

#[test]
fn an_agents_time_ends() {
    let mut account = settings(rich(), "100");
    let until = 1_791_480_000_070;
    account.agents = vec![("bot".to_owned(), agent(), Some(until))];
    let mut desk = Desk::with(&[account]);
    desk.block();
    assert_eq!(noop(&mut desk, agent()), None, "at its last moment");
    desk.time = VenueMs(desk.time.0 + 1);
    assert!(noop(&mut desk, agent()).is_some_and(|body| body.contains("does not exist")));
    assert_eq!(desk.clearing.role(agent()), Role::Missing);
}

#[test]
fn an_expired_agent_is_unknown() {
    let mut desk = Desk::new();
    desk.clearing.expire_agent(agent());
    assert!(noop(&mut desk, agent()).is_some_and(|body| body.contains("does not exist")));
}

#[test]
fn vaults_are_led_by_their_leader_and_its_agents() {
    let (vault, sub) = (Address::numbered(20), Address::numbered(21));
    let leader = Address::numbered(22);
    let mut master = settings(rich(), "100");
    master.agents = vec![(String::new(), agent(), None)];
    let led = |address, by| AccountSettings { vault_of: Some(by), ..settings(address, "1000") };
    let accounts = [master, settings(other(), "5"), led(sub, rich()), led(vault, leader)];
    let mut desk = Desk::with(&accounts);
    assert_eq!(desk.clearing.role(sub), Role::SubAccount(rich()));
    assert_eq!(desk.clearing.role(vault), Role::Vault);
    for (signer, acted, verdict) in [
        (rich(), Some(sub), None),
        (agent(), Some(sub), None),
        (leader, Some(vault), None),
        (other(), Some(sub), Some("Vault not registered")),
        (rich(), Some(vault), Some("Vault not registered")),
        (rich(), Some(Address::numbered(99)), Some("Vault not registered")),
        (leader, None, Some("does not exist")),
        (sub, None, Some("does not exist")),
    ] {
        let signed = Signed { vault: acted, ..desk.signed(signer, Action::Noop) };
        let answer = desk.propose(1, signed);
        match verdict {
            None => assert_eq!(answer, None, "{signer} for {acted:?}"),
            Some(text) => assert!(answer.is_some_and(|body| body.contains(text)), "{signer}"),
        }
    }
    assert_eq!(desk.account(sub).requests_used, 2, "it pays for itself");
    assert_eq!(desk.account(rich()).requests_used, 0);
}

#[test]
fn an_account_without_funds_must_deposit() {
    let mut desk = Desk::with(&[settings(rich(), "0"), settings(other(), "0.000001")]);
    let text = format!("Must deposit before performing actions. User: {}", rich());
    assert_eq!(noop(&mut desk, rich()), Some(refused(&text)));
    assert_eq!(noop(&mut desk, other()), None);
}

#[test]
fn a_nonce_is_used_once() {
    let mut desk = Desk::new();
    let nonce = desk.nonce;
    assert_eq!(desk.propose(1, with_nonce(nonce)), None);
    let text = format!("Invalid nonce: duplicate nonce {nonce}");
    assert_eq!(desk.propose(2, with_nonce(nonce)), Some(refused(&text)));
    // Another signer's nonces are its own.
    let others = Signed { signer: other(), ..with_nonce(nonce) };
    assert_eq!(desk.propose(3, others), None);
}

#[test]
fn a_nonce_is_near_the_time() {
    let mut desk = Desk::new();
    let (now, day) = (desk.nonce, 86_400_000);
    for (nonce, passes) in [
        (now - 2 * day + 1, true),
        (now - 2 * day, false),
        (now + day - 1, true),
        (now + day, false),
        (0, false),
        (u64::MAX, false),
    ] {
        let answer = desk.propose(1, with_nonce(nonce));
        assert_eq!(answer.is_none(), passes, "{nonce}: {answer:?}");
        assert!(answer.is_none_or(|body| body.contains("Nonce error")));
    }
}

#[test]
fn a_hundred_nonces_are_remembered() {
    let mut desk = Desk::new();
    let first = desk.nonce;
    for n in 0..99 {
        assert_eq!(desk.propose(1, with_nonce(first + 10 + n)), None);
    }
    // With 99 remembered a lower one is welcome; with a hundred it is not.
    assert_eq!(desk.propose(1, with_nonce(first + 5)), None);
    let low = "Nonce error: nonce value is lower than the next valid nonce";
    assert_eq!(desk.propose(1, with_nonce(first + 4)), Some(refused(low)));
    assert_eq!(desk.propose(1, with_nonce(first + 6)), None, "above the smallest");
    assert_eq!(desk.propose(1, with_nonce(first + 5)), Some(refused(low)), "pushed out");
}

#[test]
fn an_action_has_two_hundred_items_at_most() {
    let mut desk = Desk::new();
    let cancels = |n| Action::Cancel(vec![(FIRST, Which::Oid(1)); n]);
    assert!(desk.act(rich(), cancels(200)).contains("never placed"));
    let text = "Signed action over weight limit of 200.";
    assert_eq!(desk.act(rich(), cancels(201)), refused(text));
    assert_eq!(desk.account(rich()).requests_used, 200);
}

#[test]
fn beyond_the_budget_one_request_passes_every_ten_seconds() {
    let mut desk = Desk::new();
    let miss = || Action::Order(vec![ioc(true, "90", "1")]);
    desk.clearing.set_budget(rich(), 9_999);
    assert_eq!(desk.act(rich(), miss()), error(NO_MATCH), "the last of the budget");
    assert_eq!(desk.act(rich(), miss()), error(NO_MATCH), "the slow mode's first");
    let text = "Too many cumulative requests sent (10002 > 10000) for cumulative volume traded \
                $0.00. Place taker orders to free up 1 request per USDC traded.";
    assert_eq!(desk.act(rich(), miss()), refused(text));
    let start = desk.time;
    desk.time = VenueMs(start.0 + 9_929);
    assert_eq!(desk.act(rich(), miss()), refused(text), "a millisecond early");
    desk.time = VenueMs(start.0 + 9_930);
    let batch = Action::Order(vec![ioc(true, "90", "1"); 2]);
    assert!(desk.act(rich(), batch).contains("(10003 > 10000)"), "one request, not two");
    assert_eq!(desk.act(rich(), miss()), error(NO_MATCH));
    assert_eq!(desk.account(rich()).requests_used, 10_002);
}

#[test]
fn a_batch_costs_its_items_and_trading_pays() {
    let mut desk = Desk::new();
    desk.markets[0].listing.growth = false;
    desk.clearing.set_budget(rich(), 9_990);
    desk.act(rich(), Action::Order(vec![ioc(true, "100.1", "0.1"); 10]));
    assert_eq!(desk.account(rich()).requests_used, 10_000);
    assert_eq!(desk.account(rich()).requests_cap(), 10_100, "100.1 USD were traded");
    assert!(desk.order(ioc(true, "100.1", "0.1")).contains("filled"));
}

#[test]
fn cancels_have_a_ceiling_of_their_own() {
    let mut desk = Desk::new();
    let cancel = || Action::Cancel(vec![(FIRST, Which::Oid(1)); 2]);
    desk.clearing.set_budget(rich(), 19_998);
    assert!(desk.act(rich(), cancel()).contains("never placed"));
    assert!(desk.act(rich(), cancel()).contains("(20002 > 20000)"));
}

#[test]
fn what_expires_is_not_executed() {
    let mut desk = Desk::new();
    let ms = u64::try_from(desk.time.0).expect("after 1970");
    let order = Action::Order(vec![ioc(true, "100.1", "1")]);
    let text = |until| refused(&format!("Order expired: expiresAfter {until} has passed"));
    // At the door; at its block; and in time: the block comes 70 ms later.
    let signed = Signed { expires_after: Some(ms - 1), ..desk.signed(rich(), order.clone()) };
    assert_eq!(desk.propose(1, signed), Some(text(ms - 1)));
    for (until, filled) in [(ms + 69, false), (ms + 140, true)] {
        let signed = Signed { expires_after: Some(until), ..desk.signed(rich(), order.clone()) };
        assert_eq!(desk.propose(1, signed), None);
        let answer = desk.block().remove(0).1;
        assert_eq!(answer.contains("filled"), filled, "{answer}");
        assert!(filled || answer == text(until));
    }
    assert_eq!(desk.account(rich()).requests_used, 5 + 5 + 1);
}

/// A23: what has expired costs five requests, whatever it carries.
#[test]
fn whatever_expires_costs_five() {
    let mut desk = Desk::new();
    let ms = u64::try_from(desk.time.0).expect("after 1970");
    let cancel = Action::Cancel(vec![(FIRST, Which::Oid(1)); 2]);
    let signed = Signed { expires_after: Some(ms - 1), ..desk.signed(rich(), cancel.clone()) };
    assert!(desk.propose(1, signed).is_some());
    assert_eq!(desk.account(rich()).requests_used, 5);
    let signed = Signed { expires_after: Some(ms + 69), ..desk.signed(rich(), cancel) };
    assert_eq!(desk.propose(1, signed), None);
    assert!(desk.block()[0].1.contains("expired"));
    assert_eq!(desk.account(rich()).requests_used, 10);
}

#[test]
fn an_agent_acts_for_another_account_and_comes_back() {
    let mut desk = Desk::new();
    let buy = || Action::Order(vec![ioc(true, "100.1", "1")]);
    desk.clearing.move_agent(agent());
    assert!(desk.act(agent(), buy()).contains("filled"));
    assert_eq!((desk.szi(rich()), desk.fills(rich())), (0, vec![]));
    assert!(desk.updates(rich()).is_empty(), "nobody there hears of it");
    let Role::Agent(stranger) = desk.clearing.role(agent()) else { panic!("an agent") };
    assert_ne!(stranger, rich());
    assert_eq!(desk.szi(stranger), 100_000_000);
    // An approval that ends and is renewed meanwhile comes back all the same.
    desk.clearing.expire_agent(agent());
    desk.clearing.return_agent(agent());
    desk.clearing.renew_agent(agent());
    assert_eq!(desk.clearing.role(agent()), Role::Agent(rich()));
    assert!(desk.act(agent(), buy()).contains("filled"));
    assert_eq!((desk.szi(rich()), desk.szi(stranger)), (100_000_000, 100_000_000));
}

#[test]
fn an_owner_closes_by_hand_as_soon_as_the_book_allows() {
    let mut desk = Desk::new();
    desk.order(ioc(true, "100.1", "1"));
    desk.markets[0].put_quote(None, Some((px("100.1"), sz("1000"))));
    desk.clearing.close_by_hand(rich());
    desk.block();
    assert_eq!((desk.szi(rich()), desk.fills(rich())), (100_000_000, vec![]));
    desk.markets[0].put_quote(Some((px("90"), sz("0.4"))), None);
    desk.block();
    desk.markets[0].put_quote(Some((px("80"), sz("1000"))), None);
    desk.block();
    let [row] = &desk.fills(rich())[..] else { panic!("one fill") };
    assert_eq!((row.px, row.sz, row.dir, row.cloid), (px("80"), sz("0.6"), "Close Long", None));
    assert_eq!(desk.szi(rich()), 0);
    desk.block();
    assert!(desk.updates(rich()).is_empty(), "and then it is over");
}

#[test]
fn a_block_runs_post_only_orders_then_cancels_then_takers() {
    let mut desk = Desk::new();
    let quote = oid_of(&desk.act(other(), Action::Order(vec![alo(false, "100.05", "1")])));
    let actions = [
        (rich(), Action::Order(vec![ioc(true, "100.05", "1")])),
        (other(), Action::Cancel(vec![(FIRST, Which::Oid(quote))])),
        (other(), Action::Order(vec![alo(false, "100.04", "1")])),
        (rich(), Action::Noop),
    ];
    for (ticket, (signer, action)) in (0..).zip(actions) {
        let signed = desk.signed(signer, action);
        assert_eq!(desk.propose(ticket, signed), None, "it waits for its block");
    }
    let answers = desk.block();
    assert_eq!(answers.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), [2, 3, 1, 0]);
    // The cancel proposed later won; the fresh quote was there to be taken.
    assert!(answers[3].1.contains(r#""avgPx":"100.04""#), "{answers:?}");
    assert!(desk.block().is_empty());
}

#[test]
fn whole_refusals_are_said_at_once_and_cost_nothing() {
    let mut desk = Desk::new();
    desk.clearing.refuse_next_whole(1, "Insufficient margin to place order.");
    assert_eq!(noop(&mut desk, rich()), Some(refused("Insufficient margin to place order.")));
    assert_eq!(desk.account(rich()).requests_used, 0);
    assert_eq!(noop(&mut desk, rich()), None);
}
