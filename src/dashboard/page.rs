//! The page: its files, embedded.

/// Path, type, text.
type File = (&'static str, &'static str, &'static str);

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// All files of the page.
pub(super) const FILES: &[File] = &[
    ("/", HTML, include_str!("page/index.html")),
    ("/app.js", SCRIPT, include_str!("page/app.js")),
    ("/chart.js", SCRIPT, include_str!("page/chart.js")),
    ("/control.js", SCRIPT, include_str!("page/control.js")),
    ("/dom.js", SCRIPT, include_str!("page/dom.js")),
    ("/format.js", SCRIPT, include_str!("page/format.js")),
    ("/icon.svg", SVG, include_str!("page/icon.svg")),
    ("/keys.js", SCRIPT, include_str!("page/keys.js")),
    ("/link.js", SCRIPT, include_str!("page/link.js")),
    ("/lists.js", SCRIPT, include_str!("page/lists.js")),
    ("/market_row.js", SCRIPT, include_str!("page/market_row.js")),
    ("/plot.js", SCRIPT, include_str!("page/plot.js")),
    ("/series.js", SCRIPT, include_str!("page/series.js")),
    ("/stats.js", SCRIPT, include_str!("page/stats.js")),
    ("/status.js", SCRIPT, include_str!("page/status.js")),
    ("/store.js", SCRIPT, include_str!("page/store.js")),
    ("/style.css", CSS, include_str!("page/style.css")),
    ("/table.js", SCRIPT, include_str!("page/table.js")),
    ("/theme.js", SCRIPT, include_str!("page/theme.js")),
    ("/words.js", SCRIPT, include_str!("page/words.js")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dashboard/page");
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .map(|name| if name == "index.html" { "/".to_owned() } else { format!("/{name}") })
            .collect();
        let mut served: Vec<String> = FILES.iter().map(|(path, ..)| (*path).to_owned()).collect();
        there.sort();
        served.sort();
        assert_eq!(served, there);
    }
}
