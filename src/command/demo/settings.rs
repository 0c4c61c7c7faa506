//! The config of a demo: which keys are the user's, and which the demo decides.

use std::path::PathBuf;

use crate::command::demo::{Demo, dense, lively};
use crate::command::{Failure, ModeArg};
use crate::executor::signer::Address;
use crate::types::config::{self, Account, Config};
use crate::types::record::Mode;

/// Where the records go, unless something else is said.
const DATA_DIR: &str = "data/demo/signals";

/// Keys that nobody but the demo sets, and why. What a file says of them is not taken.
const OWN: [(&str, &str); 7] = [
    ("venue.network", "a demo has a venue of its own, on this machine"),
    ("venue.ws_url", "a demo has a venue of its own, on this machine"),
    ("venue.rest_url", "a demo has a venue of its own, on this machine"),
    ("venue.dexes", "a demo has a venue of its own, with one dex"),
    ("account.user_address", "a demo acts for an account of its own"),
    ("account.vault_address", "a demo acts for an account of its own"),
    ("account.key_file", "a demo signs with a key of its own"),
];

/// What goes before a file: a demo's records and latencies do not lie with those of the real venue, and
/// are soon there to look at; nobody is alerted of what a made-up venue does; a hot thread that spins is
/// not for every machine. What `--set` says goes before this.
const BEFORE_A_FILE: [&str; 3] =
    ["persistence.flush_interval_s=5", "alerts.enabled=false", "runtime.busy_poll=false"];

/// The config that a demo runs with, but for the venue's address; in trading for `account`.
///
/// Errors: `--set` of a key that the demo decides, or that a flag sets as well; and all that is wrong with
/// the file and the keys.
pub(super) fn config(args: &Demo, account: &Address) -> Result<Config, Failure> {
    let given = |key: &str| config::is_set(&args.overrides, key);
    if let Some((key, why)) = OWN.iter().find(|(key, _)| given(key)) {
        return Err(Failure::usage(format!("--set {key}: cannot be obeyed: {why}")));
    }
    for (flag, is_given, key) in [
        ("--mode", args.mode.is_some(), "mode"),
        ("--data-dir", args.data_dir.is_some(), "persistence.data_dir"),
        ("--busy-poll", args.busy_poll, "runtime.busy_poll"),
    ] {
        if is_given && given(key) {
            return Err(Failure::usage(format!("{flag} and --set {key}: expected one of them")));
        }
    }
    let mut overrides: Vec<String> = BEFORE_A_FILE.map(str::to_owned).to_vec();
    if args.latency {
        overrides.extend(dense::OVERRIDES.map(str::to_owned));
    }
    if args.lively {
        overrides.extend(lively::OVERRIDES.map(str::to_owned));
    }
    overrides.extend(args.overrides.iter().cloned());
    overrides.extend(args.mode.map(ModeArg::key));
    // Without one a config that trades is refused.
    overrides.push(format!("account.user_address=\"{account}\""));
    let mut config = config::load(args.config.as_deref(), &overrides).map_err(Failure::usage)?;

    let trades = config.mode == Mode::Trading;
    let user_address = trades.then(|| account.to_string());
    config.account = Account { user_address, ..Account::default() };
    if !given("persistence.data_dir") {
        config.persistence.data_dir = args.data_dir.clone().unwrap_or(PathBuf::from(DATA_DIR));
    }
    if !given("telemetry.latency_dir") {
        config.telemetry.latency_dir = config.persistence.data_dir.with_file_name("latency");
    }
    config.runtime.busy_poll |= args.busy_poll;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::*;
    use crate::types::config::Network;
    use crate::types::num::Bps;
    use crate::types::time::Nanos;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        demo: Demo,
    }

    const ACCOUNT: Address = Address([7; 20]);

    fn config_of(args: &[&str]) -> Result<Config, String> {
        let line = Line::try_parse_from([&["demo"], args].concat()).expect("arguments");
        config(&line.demo, &ACCOUNT).map_err(|failure| failure.message)
    }

    /// What somebody trades with on mainnet.
    fn real(dir: &Path) -> String {
        let path = dir.join("real.toml");
        let text = r#"
            mode = "trading"
            [venue]
            network = "mainnet"
            dexes = ["flx", "xyz"]
            [account]
            user_address = "0x1111111111111111111111111111111111111111"
            vault_address = "0x2222222222222222222222222222222222222222"
            key_file = "/etc/hip3/agent.key"
            [detector]
            min_edge_bps = 11
            [persistence]
            data_dir = "/var/lib/hip3/signals"
            flush_interval_s = 60
            [alerts]
            enabled = true
            url_file = "/run/hip3/alert.url"
            [telemetry]
            latency_dir = "/var/lib/hip3/latency"
        "#;
        std::fs::write(&path, text).expect("a config");
        path.display().to_string()
    }

    #[test]
    fn without_anything_said_a_demo_watches_and_keeps_its_records_apart() {
        let config = config_of(&[]).expect("a config");
        assert_eq!(config.mode, Mode::Observation);
        assert_eq!(config.account, Account::default());
        assert_eq!(config.persistence.data_dir, Path::new("data/demo/signals"));
        assert_eq!(config.telemetry.latency_dir, Path::new("data/demo/latency"));
        assert_eq!(config.persistence.flush_interval, Nanos::from_secs(5));
        assert!(!config.runtime.busy_poll);
        assert!(config_of(&["--busy-poll"]).expect("a config").runtime.busy_poll);
    }

    /// C7: what is said by --set is obeyed, or refused with the reason.
    #[test]
    fn what_is_set_is_obeyed_or_refused() {
        let config = config_of(&[
            "--set",
            "persistence.data_dir=X/records",
            "--set",
            "persistence.flush_interval_s=60",
            "--set",
            "runtime.busy_poll=true",
            "--set",
            "mode=trading",
        ])
        .expect("a config");
        assert_eq!(config.persistence.data_dir, Path::new("X/records"));
        assert_eq!(config.telemetry.latency_dir, Path::new("X/latency"));
        assert_eq!(config.persistence.flush_interval, Nanos::from_secs(60));
        assert!(config.runtime.busy_poll);
        assert_eq!(config.mode, Mode::Trading);
        let sets = ["--data-dir", "Y/records", "--set", "telemetry.latency_dir=Z"];
        let config = config_of(&sets).expect("a config");
        assert_eq!(config.persistence.data_dir, Path::new("Y/records"));
        assert_eq!(config.telemetry.latency_dir, Path::new("Z"));
        // As a whole section as well.
        let config = config_of(&["--set", "persistence={data_dir=\"X\"}"]).expect("a config");
        assert_eq!(config.persistence.data_dir, Path::new("X"));

        for (key, _) in OWN {
            let refusal = config_of(&["--set", &format!("{key}=x")]).expect_err(key);
            assert!(refusal.contains(key) && refusal.contains("cannot be obeyed"), "{refusal}");
        }
        let whole = config_of(&["--set", "venue={network=\"testnet\"}"]).expect_err("a network");
        assert!(whole.contains("venue.network"), "{whole}");
        for both in [
            ["--mode", "trading", "--set", "mode=observation"],
            ["--data-dir", "X", "--set", "persistence.data_dir=Y"],
        ] {
            let refusal = config_of(&both).expect_err("two of them");
            assert!(refusal.contains(both[0]) && refusal.contains("expected one"), "{refusal}");
        }
        let spins = ["--busy-poll", "--set", "runtime.busy_poll=false"];
        assert!(config_of(&spins).expect_err("two of them").contains("--busy-poll"));
    }

    /// C7: a file's settings are tried out, without its venue, its account, its places or its alerts.
    #[test]
    fn a_file_is_taken_but_for_what_is_real() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = real(dir.path());
        let config = config_of(&["--config", &file]).expect("a config");
        assert_eq!(config.mode, Mode::Trading);
        assert_eq!(config.detector.min_edge, Bps::from_int(11));
        let user_address = Some(ACCOUNT.to_string());
        assert_eq!(config.account, Account { user_address, ..Account::default() });
        assert_eq!(config.persistence.data_dir, Path::new("data/demo/signals"));
        assert_eq!(config.telemetry.latency_dir, Path::new("data/demo/latency"));
        assert!(!config.alerts.enabled);

        let config = config_of(&["--config", &file, "--mode", "observation"]).expect("a config");
        assert_eq!((config.mode, config.account), (Mode::Observation, Account::default()));
        let sets = ["--set", "alerts.enabled=true", "--set", "persistence.data_dir=X"];
        let config = config_of(&[&["--config", &file], &sets[..]].concat()).expect("a config");
        assert!(config.alerts.enabled);
        assert_eq!(config.persistence.data_dir, Path::new("X"));
        let none = config_of(&["--config", "/nonexistent.toml"]).expect_err("no file");
        assert!(none.contains("/nonexistent.toml"), "{none}");
        // Which venue it is is said once the venue is there.
        assert_eq!(config.venue.network, Network::Mainnet);
    }
}
