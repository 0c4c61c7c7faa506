//! The page of `hip3 report --html`: one file that needs nothing else. Its parts are joined here; what they
//! show is the report's JSON, which the page's own scripts read.

use std::io;

use plotly::Plot;

use super::packed::packed;

const TEMPLATE: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/style.css");

/// The scripts, in the order in which they are read: each may use what stands above it.
const SCRIPTS: [&str; 15] = [
    include_str!("page/dom.js"),
    include_str!("page/unpack.js"),
    include_str!("page/format.js"),
    include_str!("page/words.js"),
    include_str!("page/theme.js"),
    include_str!("page/explain.js"),
    include_str!("page/plot.js"),
    include_str!("page/headline.js"),
    include_str!("page/table.js"),
    include_str!("page/forest.js"),
    include_str!("page/market_figures.js"),
    include_str!("page/time_figures.js"),
    include_str!("page/trading_figures.js"),
    include_str!("page/whole_figures.js"),
    include_str!("page/app.js"),
];

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    /// The crate that brings the plot library has another form than it had.
    #[error("the plot library is not where it was: expected it in the first <script>")]
    PlotLibrary,
    /// A part that the template asks for is not known.
    #[error("the page's template asks for {0:?}: expected style, report, plotly or scripts")]
    Part(String),
    /// The packer gave up.
    #[error("a part of the page cannot be packed: {0}")]
    Packed(#[from] io::Error),
}

/// The page that shows `json`, the report as `--json` prints it.
///
/// Errors tell of defects of this program, never of `json`, which is text whatever it says.
pub(super) fn page(json: &str) -> Result<String, PageError> {
    let sources = Plot::offline_js_sources();
    let plotly = first_script(&sources).ok_or(PageError::PlotLibrary)?;
    let plotly = packed(plotly)?;
    let scripts = SCRIPTS.join("\n");
    let report = packed(json)?;
    fill(TEMPLATE, |part| match part {
        "style" => Some(STYLE),
        "report" => Some(&report),
        "plotly" => Some(&plotly),
        "scripts" => Some(&scripts),
        _ => None,
    })
}

/// What stands in the first script element: the library of plots. The second one sets mathematics, which
/// the page has none of.
fn first_script(html: &str) -> Option<&str> {
    let (_, rest) = html.split_once("<script")?;
    let (_, rest) = rest.split_once('>')?;
    let (script, _) = rest.split_once("</script>")?;
    Some(script).filter(|script| !script.trim().is_empty())
}

/// The template with its `{{parts}}` put in. What is put in is not searched for more: a market may be
/// called `{{style}}`.
fn fill<'a>(template: &str, part: impl Fn(&str) -> Option<&'a str>) -> Result<String, PageError> {
    let mut page = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) =
            after.split_once("}}").ok_or_else(|| PageError::Part(after.to_owned()))?;
        page.push_str(before);
        page.push_str(part(name).ok_or_else(|| PageError::Part(name.to_owned()))?);
        rest = after;
    }
    page.push_str(rest);
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::report::packed::unpacked;

    const HOSTILE: &str = r#"{"market":"</script><!--<script>{{style}}{{plotly}}"}"#;

    /// What the element of that name holds, unpacked.
    fn held(page: &str, id: &str) -> String {
        let (_, rest) = page.split_once(&format!("id=\"{id}\">")).expect("where it begins");
        let (text, _) = rest.split_once("</script>").expect("where it ends");
        unpacked(text)
    }

    #[test]
    fn the_page_is_one_document_whatever_the_report_says() {
        let page = page(HOSTILE).expect("a page");
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
        assert_eq!(page.matches("</script>").count(), 3, "the report, the library, the scripts");
        assert_eq!(page.matches("</html>").count(), 1);
        assert_eq!(page.matches("</body>").count(), 1);
        assert_eq!(held(&page, "report"), HOSTILE);
    }

    #[test]
    fn every_part_is_put_in() {
        let page = page("{}").expect("a page");
        assert!(!page.contains("{{style}}") && !page.contains("{{scripts}}"));
        assert!(!page.contains("{{plotly}}") && !page.contains("{{report}}"));
        assert!(page.contains("new Page("), "our scripts");
        let sources = Plot::offline_js_sources();
        let plots = first_script(&sources).expect("a script");
        assert!(plots.len() > 1_000_000, "the library of plots");
        assert_eq!(held(&page, "plotly"), plots);
        let mathematics = sources.len() - plots.len();
        assert!(mathematics > 2_000_000 && page.len() < mathematics, "mathematics stay out");
    }

    #[test]
    fn a_part_that_is_not_known_is_named() {
        let told = |template: &str| fill(template, |_| None).map_err(|error| error.to_string());
        for template in ["a{{b}}c", "a{{b"] {
            let error = told(template).expect_err("no such part");
            assert!(error.contains("asks for \"b\""), "{error}");
        }
        assert_eq!(told("ab").as_deref(), Ok("ab"));
    }

    #[test]
    fn the_library_is_what_the_first_script_holds() {
        assert_eq!(
            first_script("<script type=\"a\">one</script><script>two</script>"),
            Some("one")
        );
        for none in ["", "<script", "<script>", "<script>open", "<script> </script>"] {
            assert_eq!(first_script(none), None, "{none}");
        }
    }

    #[test]
    fn nothing_that_we_wrote_ends_its_element_or_asks_for_anything_outside() {
        for script in SCRIPTS {
            let low = script.to_ascii_lowercase();
            assert!(!low.contains("</script") && !low.contains("<!--"));
        }
        assert!(!STYLE.to_ascii_lowercase().contains("</style"));
        let ours = SCRIPTS.into_iter().chain([STYLE, TEMPLATE]);
        for text in ours {
            let text = text.replace("http://www.w3.org/2000/svg", ""); // A name, not an address.
            for outside in ["http:", "https:", "//cdn", "@import", "url(", " src=", "innerHTML"] {
                assert!(!text.contains(outside), "{outside}");
            }
        }
    }

    #[test]
    fn every_file_of_the_page_is_in_it() {
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/command/report/page");
        let mut scripts = 0;
        for entry in std::fs::read_dir(folder).expect("the folder") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("text");
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("js") => {
                    scripts += 1;
                    assert!(SCRIPTS.contains(&text.as_str()), "{} is left out", path.display());
                }
                Some("css") => assert_eq!(text, STYLE),
                _ => assert_eq!(text, TEMPLATE, "{}", path.display()),
            }
        }
        assert_eq!(scripts, SCRIPTS.len());
    }
}
