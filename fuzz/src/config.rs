//! The config: any text is refused, or read to what it prints as.

use hip3::types::config::from_text;

/// Begins a line of its own between the file and the overrides, of which each is a line.
const OVERRIDES: &str = "%%\n";

/// `input` is a config file, and overrides behind a line `%%`.
pub fn run(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let (file, overrides) = match text.split_once(OVERRIDES) {
        Some((file, rest)) => (file, rest.lines().map(str::to_owned).collect()),
        None => (text, Vec::new()),
    };
    match from_text(file, "fuzz.toml", &overrides) {
        Ok(config) => {
            let shown = config.to_toml();
            let again = from_text(&shown, "shown.toml", &[]);
            assert_eq!(again.as_ref(), Ok(&config), "of what was printed:\n{shown}");
            assert_eq!(again.expect("read").hash(), config.hash());
        }
        Err(error) => {
            assert!(!error.problems.is_empty(), "refused for no reason");
            assert!(!error.to_string().is_empty());
        }
    }
}
