//! Accounts as streams and answers show them. So far nobody here has one: every address is known
//! to the venue as empty, with the base tier's fees (PROTOCOL.md §4.3, §4.5, §5.4).

use crate::types::time::VenueMs;
use crate::venue::surface::request::UserKind;

/// `clearinghouseState` of an empty account.
pub(super) fn clearinghouse_state(time: VenueMs) -> String {
    let none =
        r#"{"accountValue":"0.0","totalNtlPos":"0.0","totalRawUsd":"0.0","totalMarginUsed":"0.0"}"#;
    format!(
        r#"{{"marginSummary":{none},"crossMarginSummary":{none},"crossMaintenanceMarginUsed":"0.0","withdrawable":"0.0","assetPositions":[],"time":{}}}"#,
        time.0
    )
}

/// `userFees` of an account without volume, referral or stake.
pub(super) fn fees() -> String {
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
    format!(
        r#"{{"dailyUserVlm":[],"feeSchedule":{{"cross":"0.00045","add":"0.00015","spotCross":"0.0007","spotAdd":"0.0004","tiers":{{"vip":[{}],"mm":[{{"makerFractionCutoff":"0.005","add":"-0.00001"}}]}},"referralDiscount":"0.04","stakingDiscountTiers":[{{"bpsOfMaxSupply":"0.0","discount":"0.0"}}]}},"userCrossRate":"0.00045","userAddRate":"0.00015","userSpotCrossRate":"0.0007","userSpotAddRate":"0.0004","activeReferralDiscount":"0.0","trial":null,"feeTrialEscrow":"0.0","nextTrialAvailableTimestamp":null,"stakingLink":null,"activeStakingDiscount":{{"bpsOfMaxSupply":"0.0","discount":"0.0"}}}}"#,
        tiers.join(",")
    )
}

/// `userRateLimit` of an account that never sent an action.
pub(super) const RATE_LIMIT: &str =
    r#"{"cumVlm":"0.0","nRequestsUsed":0,"nRequestsCap":10000,"nRequestsSurplus":0}"#;

/// The first message of an account's channel, if it has one (PROTOCOL.md §2.4): channel and data.
pub(super) fn snapshot(
    kind: UserKind,
    user: &str,
    dex: &str,
    time: VenueMs,
) -> Option<(&'static str, String)> {
    let rows = |key: &str| format!(r#"{{"isSnapshot":true,"user":"{user}","{key}":[]}}"#);
    let data = match kind {
        // Nothing but the acknowledgement: these tell news only.
        UserKind::OrderUpdates | UserKind::Events | UserKind::Notification => return None,
        UserKind::Fills => rows("fills"),
        UserKind::Fundings => rows("fundings"),
        UserKind::LedgerUpdates => rows("nonFundingLedgerUpdates"),
        UserKind::OpenOrders => format!(r#"{{"dex":"{dex}","user":"{user}","orders":[]}}"#),
        UserKind::ClearinghouseState => {
            let state = clearinghouse_state(time);
            format!(r#"{{"dex":"{dex}","user":"{user}","clearinghouseState":{state}}}"#)
        }
        UserKind::SpotState => format!(r#"{{"user":"{user}","spotState":{{"balances":[]}}}}"#),
    };
    Some((kind.name(), data))
}
