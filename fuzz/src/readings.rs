//! What is read over REST: an answer makes sense as a whole, or is refused.

use std::collections::BTreeSet;

use hip3::account::{info, state};
use hip3::feed::message::{Decoder, Message};

use super::readers::news::USER;

/// `input` is answers, each a line: `perpDexs`, `meta`, `perpDexLimits`, and
/// `perpsAtOpenInterestCap` of a dex `abc`, in that order. Each of them is an answer to every other
/// question as well.
pub fn run(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    for body in lines.clone() {
        account(body);
        fills(body);
        let _ = info::user_fees(body);
        let _ = (state::mode(body), state::rate_limit(body));
    }
    let mut next = || lines.next().unwrap_or_default();
    let (dexes, meta, limits, at_cap) = (next(), next(), next(), next());
    let Ok(dexes) = info::perp_dexs(dexes, &["abc".to_owned()]) else { return };
    assert_eq!(dexes.len(), 1, "one for each that was asked for");
    markets(&dexes[0], info::DexAnswers { meta, limits, at_cap });
}

fn markets(dex: &info::Dex, answers: info::DexAnswers<'_>) {
    assert_eq!(dex.name, "abc");
    let Ok(info::Listing { markets, odd }) = info::markets(dex, answers) else { return };
    assert!(odd.iter().all(|odd| !odd.why.is_empty() && odd.name.len() <= 1_300), "{odd:?}");
    let coins: BTreeSet<_> = markets.iter().map(|market| market.coin).collect();
    let assets: BTreeSet<_> = markets.iter().map(|market| market.asset).collect();
    assert_eq!((coins.len(), assets.len()), (markets.len(), markets.len()), "{markets:?}");
    for market in &markets {
        assert!(market.coin.as_str().starts_with("abc:"), "{market:?}");
        assert!(market.sz_decimals <= 6 && market.max_leverage > 0, "{market:?}");
        assert!(market.fee_scale.units() >= 0, "{market:?}");
        assert!(market.oi_cap.is_none_or(|cap| cap.units() >= 0), "{market:?}");
        assert!(market.oi_cap_sz.is_none_or(|cap| cap.units() >= 0), "{market:?}");
    }
}

fn account(body: &[u8]) {
    let Ok(account) = state::dex_account("abc", body) else { return };
    assert!(account.time.0 >= 0);
    let coins: BTreeSet<_> = account.positions.iter().map(|held| held.coin).collect();
    assert_eq!(coins.len(), account.positions.len(), "each coin once: {account:?}");
    assert!(account.positions.iter().all(|held| !held.szi.is_flat()), "{account:?}");
}

/// Rows of fills come by both transitions, and each has a reader of its own.
fn fills(body: &[u8]) {
    let Ok(page) = state::fills(body) else { return };
    assert!(page.fills.len() <= page.rows);
    let latest = page.fills.iter().map(|fill| fill.time).max();
    assert!(latest <= page.last, "{latest:?} of {:?}", page.last);
    let head = format!(r#"{{"channel":"userFills","data":{{"user":"{USER}","fills":"#);
    let frame = [head.as_bytes(), body, b"}}"].concat();
    let mut decoder = Decoder::new();
    decoder.set_user(USER);
    // A row that one of them refuses (a doubled key, a number past a double's digits) is no
    // contradiction; rows that both read must be the same.
    if let Ok(Message::Fills { fills, skipped: 0, .. }) = decoder.decode(&frame)
        && fills.len() == page.fills.len()
    {
        assert_eq!(fills, page.fills, "{}", body.escape_ascii());
    }
}
