//! The files for Grafana and Prometheus name metrics that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::metrics::{Metrics, full_server};

fn tool(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/grafana").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every word in `text` that begins like one of our metrics.
fn names(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("hip3_"))
        .collect()
}

/// What `text` names and nobody serves.
fn unknown(text: &str) -> Vec<String> {
    let server = full_server();
    let metrics = Metrics::read(&server.get("/metrics").body);
    server.end();
    let served = metrics.names();
    names(text).into_iter().filter(|name| !served.contains(name)).map(str::to_owned).collect()
}

#[test]
fn the_alerts_name_what_is_served() {
    let text = tool("alerts.yml");
    assert!(names(&text).len() > 8, "{:?}", names(&text));
    assert_eq!(unknown(&text), [""; 0]);
    assert_eq!(unknown("rate(hip3_none_total[5m]) > hip3_link_up"), ["hip3_none_total"]);
}

#[test]
fn every_alert_says_what_it_means() {
    let text = tool("alerts.yml");
    let count = |what: &str| text.lines().filter(|line| line.trim().starts_with(what)).count();
    let alerts = count("- alert: ");
    assert!(alerts >= 10, "{alerts}");
    for what in ["expr: ", "for: ", "severity: ", "summary: ", "description: "] {
        assert_eq!(count(what), alerts, "{what}");
    }
}

/// The panels of a dashboard, those in rows too.
fn panels<'a>(list: &'a Value, into: &mut Vec<&'a Value>) {
    for panel in list.as_array().expect("a list") {
        into.push(panel);
        if let Some(inner) = panel.get("panels") {
            panels(inner, into);
        }
    }
}

#[test]
fn the_dashboard_names_what_is_served_and_asks_the_chosen_source() {
    let text = tool("hip3.json");
    assert_eq!(unknown(&text), [""; 0]);
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    assert!(
        dashboard["templating"]["list"].as_array().expect("a list").iter().any(|variable| {
            variable["name"] == "datasource" && variable["type"] == "datasource"
        })
    );
    let mut all = Vec::new();
    panels(&dashboard["panels"], &mut all);
    let (mut ids, mut queries, mut rows) = (BTreeSet::new(), 0, 0);
    for panel in &all {
        assert!(ids.insert(panel["id"].as_u64().expect("a number")), "twice: {}", panel["id"]);
        assert!(!panel["title"].as_str().expect("a title").is_empty());
        let place = &panel["gridPos"];
        let (x, w) = (place["x"].as_u64().expect("a place"), place["w"].as_u64().expect("a width"));
        assert!(x + w <= 24 && w > 0, "{panel}");
        if panel["type"] == "row" {
            rows += 1;
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        for target in panel["targets"].as_array().expect("queries") {
            let query = target["expr"].as_str().expect("a query");
            assert!(!names(query).is_empty() || query.starts_with("up{"), "{query}");
            let opened = query.matches(['(', '[', '{']).count();
            assert_eq!(opened, query.matches([')', ']', '}']).count(), "{query}");
            queries += 1;
        }
    }
    assert!(rows >= 7 && queries >= 30, "{rows} rows, {queries} queries");
}

#[test]
fn what_is_served_is_shown_or_alerted_on() {
    let server = full_server();
    let metrics = Metrics::read(&server.get("/metrics").body);
    server.end();
    let (dashboard, alerts) = (tool("hip3.json"), tool("alerts.yml"));
    let used: BTreeSet<&str> = names(&dashboard).union(&names(&alerts)).copied().collect();
    let unused: Vec<&str> = metrics.names().difference(&used).copied().collect();
    assert_eq!(unused, [""; 0]);
}
