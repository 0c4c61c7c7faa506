//! `hip3 demo`: what it is told, and where its records go.

use std::fs;
use std::path::Path;

use crate::harness::output;
use crate::store_rows::files;

/// The same for every demo here: short, small, and out of the way of others.
const DEMO: [&str; 9] = [
    "demo",
    "--duration",
    "6s",
    "--markets",
    "8",
    "--set",
    "dashboard.enabled=false",
    "--set",
    "runtime.hot_core=none",
];

/// C7: `--set persistence.data_dir` is obeyed, and a config for mainnet is tried out at the venue of the demo
/// without a connection elsewhere and without a row in its own directories.
#[test]
fn a_demo_of_a_real_config_stays_on_this_machine_and_records_where_it_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = |name: &str| dir.path().join(name).display().to_string();
    let (file, records, real) = (place("real.toml"), place("demo/records"), place("real"));
    let text = format!(
        "mode = \"trading\"\n[venue]\nnetwork = \"mainnet\"\ndexes = [\"flx\"]\n[account]\n\
         user_address = \"0x1111111111111111111111111111111111111111\"\n\
         key_file = \"{real}/agent.key\"\n[persistence]\ndata_dir = \"{real}/signals\"\n\
         [telemetry]\nlatency_dir = \"{real}/latency\"\nlatency_interval_s = 1\n"
    );
    fs::write(&file, text).expect("a config");
    let set = format!("persistence.data_dir={records}");
    let (code, out, errors) =
        output(&[&DEMO[..], &["--config", &file, "--set", &set, "--json"]].concat());
    assert_eq!(code, 0, "{errors}");
    let told: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert!(told["frames"].as_u64().is_some_and(|frames| frames > 0), "{told:#}");
    assert!(told["venue_books"].is_object(), "the mode is the file's: {told:#}");
    assert!(errors.contains("ws_url=\"ws://127.0.0.1:"), "{errors}");
    assert!(!files(Path::new(&records)).is_empty());
    let latencies = fs::read_dir(dir.path().join("demo/latency")).expect("latencies").count();
    assert_eq!(latencies, 1);
    assert!(!Path::new(&real).exists());

    let set = "venue.network=testnet";
    let (code, _, errors) = output(&[&DEMO[..], &["--set", set]].concat());
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("--set venue.network: cannot be obeyed"), "{errors}");
}
