//! The engine on frames and answers that the real venue sent. They are others' recordings and no
//! part of the project: they are read from `HIP3_FRAMES` (by default `../shared/frames`), and
//! without them the tests say so and pass.

use std::fs;
use std::path::PathBuf;

use hip3::account::info::{self, DexAnswers};
use hip3::engine::Engine;
use hip3::types::config::Config;
use hip3::types::event::{Action, Actions, Event};
use hip3::types::market::{Level, Universe};
use hip3::types::num::{Px, Sz};
use hip3::types::time::{Mono, Now, VenueMs, Wall};

fn frames() -> Option<PathBuf> {
    let dir = std::env::var_os("HIP3_FRAMES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/frames"),
        PathBuf::from,
    );
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("skipped: no recorded frames at {}", dir.display());
    None
}

fn level(px: &str, sz: &str) -> Option<Level> {
    Some(Level { px: Px::parse(px.as_bytes())?, sz: Sz::parse(sz.as_bytes())? })
}

#[test]
fn the_engine_takes_in_a_real_dex_and_every_recorded_frame() {
    let Some(dir) = frames() else { return };
    let read = |name: &str| fs::read(dir.join(name)).expect("a recorded answer");
    let dexes = info::perp_dexs(&read("rest_perpDexs_mainnet_2026-09.json"), &["xyz".to_owned()])
        .expect("perpDexs");
    let answers = DexAnswers {
        meta: &read("rest_meta_xyz_2026-09.json"),
        limits: &read("rest_perpDexLimits_xyz.json"),
        at_cap: b"[]",
    };
    let info::Listing { markets, odd } = info::markets(&dexes[0], answers).expect("meta");
    let fees = Some(info::user_fees(&read("rest_userFees.json")).expect("userFees"));
    let universe = Universe { markets, fees, odd };
    assert_eq!(universe.markets.len(), 126);

    let mut engine = Engine::new(&Config::default(), 1, 1);
    let mut out = Actions::new();
    let now = Now { mono: Mono(1), wall: Wall(1_795_348_800_000_000_000) };
    for event in [Event::Tick, Event::Universe(&universe), Event::Connected] {
        engine.on_event(now, event, &mut out);
    }
    let live = universe.markets.iter().filter(|market| !market.delisted).count();
    assert_eq!(engine.markets().len(), live);
    let sent = out.iter().filter(|action| matches!(action, Action::Send(_))).count();
    assert_eq!(sent, 2 * live, "a subscription for each channel of each live market");

    let mut names: Vec<_> = fs::read_dir(&dir)
        .expect("the frames")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("ws_") || name.starts_with("post_"))
        // A piece of a frame, not a frame.
        .filter(|name| name != "ws_orderUpdates_entry_reduceOnlyCanceled.json")
        .collect();
    names.sort();
    for name in &names {
        let malformed = engine.status(now.mono).malformed;
        engine.on_event(now, Event::Frame(&read(name)), &mut out);
        assert_eq!(engine.status(now.mono).malformed, malformed, "{name} is not understood");
    }
    let status = engine.status(now.mono);
    assert_eq!(status.frames, names.len() as u64);
    assert!(names.len() > 40, "{} frames", names.len());
    assert_eq!((status.unknown, status.bbo, status.ctx), (0, 2, 2));

    let market = |coin: &str| {
        engine.markets().iter().find(|m| m.spec.coin.as_str() == coin).expect("a market")
    };
    let aapl = market("xyz:AAPL");
    let bbo = aapl.bbo.expect("a quote").value;
    assert_eq!((bbo.bid, bbo.ask), (level("324.18", "3.085"), level("324.21", "0.58")));
    assert_eq!(bbo.time, VenueMs(1_788_330_949_235));
    let ctx = aapl.ctx.expect("a ctx").value;
    assert_eq!(ctx.oracle, Px::parse(b"312.05"));
    let one_sided = market("xyz:AAOI").bbo.expect("a quote").value;
    assert_eq!((one_sided.bid, one_sided.ask), (None, level("99.9", "1")));
    let index = market("xyz:XYZ100");
    assert_eq!(index.spec.asset.0, 110_000);
    assert_eq!(index.ctx.expect("a ctx").value.mid, Px::parse(b"31248.5"));
    assert_eq!(market("xyz:SILVER").spec.asset.0, 110_026);
}
