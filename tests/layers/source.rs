//! A reader of Rust source that is just good enough: tokens with their lines, comments and strings
//! left out, and the paths among them.

use std::iter::Peekable;
use std::str::Chars;

/// A piece of code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Token {
    /// A name or keyword.
    VenueStatus(String),
    /// A number, as written.
    Number(String),
    /// `::`
    Colons,
    /// Any other character that stands for itself.
    Mark(char),
    /// A string, character or lifetime; what it says does not matter.
    Text,
}

/// A token, where it stands, and whether only tests see it.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    /// From 1.
    pub(crate) line: usize,
    pub(crate) in_test: bool,
    /// Inline modules around it.
    depth: usize,
}

impl Placed {
    pub(crate) fn word(&self) -> Option<&str> {
        match &self.token {
            Token::VenueStatus(word) => Some(word),
            _ => None,
        }
    }

    fn is_mark(&self, mark: char) -> bool {
        self.token == Token::Mark(mark)
    }
}

/// A path as code names it, `use` trees written out: `use std::{fs, io::Read}` is two of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Path {
    /// Its parts; a glob ends with `*`.
    pub(crate) parts: Vec<String>,
    /// Line of the last part.
    pub(crate) line: usize,
    /// Inline modules around it.
    pub(crate) depth: usize,
}

/// The tokens of `source`.
pub(crate) fn tokens(source: &str) -> Vec<Placed> {
    let mut reader = Reader { chars: source.chars().peekable(), line: 1, tokens: Vec::new() };
    while reader.step() {}
    mark_modules(&mut reader.tokens);
    reader.tokens
}

/// The paths in `tokens`, single names among them.
pub(crate) fn paths(tokens: &[Placed]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].word().is_some() {
            at = tree(tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads the path that begins with the word at `at`, behind `before`. Returns where it ends.
fn tree(tokens: &[Placed], mut at: usize, before: &[String], found: &mut Vec<Path>) -> usize {
    let mut parts = before.to_vec();
    let (mut line, depth) = (tokens[at].line, tokens[at].depth);
    loop {
        match tokens.get(at).map(|placed| (&placed.token, placed.line)) {
            Some((Token::VenueStatus(word), here)) => {
                parts.push(word.clone());
                line = here;
                at += 1;
            }
            Some((Token::Mark('*'), here)) => {
                found.push(Path {
                    parts: [parts, vec!["*".to_owned()]].concat(),
                    line: here,
                    depth,
                });
                return at + 1;
            }
            Some((Token::Mark('{'), _)) => {
                at += 1;
                while let Some(placed) = tokens.get(at)
                    && !placed.is_mark('}')
                {
                    let starts = placed.word().is_some() || placed.is_mark('*');
                    at = if starts { tree(tokens, at, &parts, found) } else { at + 1 };
                }
                return at + 1;
            }
            _ => break, // `Vec::<u8>`: what is between the brackets is read by itself.
        }
        if tokens.get(at).is_none_or(|next| next.token != Token::Colons) {
            break;
        }
        at += 1;
    }
    found.push(Path { parts, line, depth });
    at
}

/// Notes for every token how many inline modules hold it, and whether one of them, or the item
/// itself, stands under `#[cfg(test)]`.
fn mark_modules(tokens: &mut [Placed]) {
    struct Brace {
        module: bool,
        test: bool,
    }
    let mut open: Vec<Brace> = Vec::new();
    // `#[cfg(test)]` was seen, and its item has not begun its block or ended yet.
    let mut pending = false;
    for at in 0..tokens.len() {
        let in_test = pending || open.iter().any(|brace| brace.test);
        let depth = open.iter().filter(|brace| brace.module).count();
        (tokens[at].in_test, tokens[at].depth) = (in_test, depth);
        match tokens[at].token {
            Token::Mark('#') => pending |= is_cfg_test(&tokens[at..]),
            Token::Mark('{') => {
                let module = at >= 2 && tokens[at - 2].word() == Some("mod");
                open.push(Brace { module, test: std::mem::take(&mut pending) });
            }
            Token::Mark('}') => {
                open.pop();
            }
            Token::Mark(';') => pending = false,
            _ => {}
        }
    }
}

fn is_cfg_test(tokens: &[Placed]) -> bool {
    let word = |text: &str| Token::VenueStatus(text.to_owned());
    let expected = [
        Token::Mark('#'),
        Token::Mark('['),
        word("cfg"),
        Token::Mark('('),
        word("test"),
        Token::Mark(')'),
        Token::Mark(']'),
    ];
    tokens.iter().map(|placed| &placed.token).take(expected.len()).eq(&expected)
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
    tokens: Vec<Placed>,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.chars.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().copied()
    }

    /// The character behind the next.
    fn second(&self) -> Option<char> {
        self.chars.clone().nth(1)
    }

    fn push(&mut self, token: Token, line: usize) {
        self.tokens.push(Placed { token, line, in_test: false, depth: 0 });
    }

    /// Reads one token, comment or blank. False at the end.
    fn step(&mut self) -> bool {
        let line = self.line;
        let Some(first) = self.next() else { return false };
        match (first, self.peek()) {
            (blank, _) if blank.is_whitespace() => {}
            ('/', Some('/')) => while self.next().is_some_and(|c| c != '\n') {},
            ('/', Some('*')) => self.block_comment(),
            ('"', _) => self.string(line),
            ('\'', _) => self.quote(line),
            (':', Some(':')) => {
                self.next();
                self.push(Token::Colons, line);
            }
            (digit, _) if digit.is_ascii_digit() => self.number(digit, line),
            (letter, _) if letter == '_' || letter.is_alphabetic() => self.word(letter, line),
            (mark, _) => self.push(Token::Mark(mark), line),
        }
        true
    }

    fn block_comment(&mut self) {
        self.next();
        let mut open = 1;
        while open > 0 {
            match (self.next(), self.peek()) {
                (Some('/'), Some('*')) => {
                    self.next();
                    open += 1;
                }
                (Some('*'), Some('/')) => {
                    self.next();
                    open -= 1;
                }
                (Some(_), _) => {}
                (None, _) => return,
            }
        }
    }

    fn string(&mut self, line: usize) {
        loop {
            match self.next() {
                Some('\\') => {
                    self.next();
                }
                Some('"') | None => break,
                Some(_) => {}
            }
        }
        self.push(Token::Text, line);
    }

    /// A string between `hashes` and hashes, in which nothing is escaped.
    fn raw_string(&mut self, hashes: usize, line: usize) {
        let mut seen = None;
        while let Some(c) = self.next() {
            seen = match (c, seen) {
                ('"', _) => Some(0),
                ('#', Some(n)) => Some(n + 1),
                _ => None,
            };
            if seen == Some(hashes) {
                break;
            }
        }
        self.push(Token::Text, line);
    }

    /// A character, or a lifetime: the quote is read.
    fn quote(&mut self, line: usize) {
        let lifetime = self.peek().is_some_and(|c| c == '_' || c.is_alphabetic())
            && self.second() != Some('\'');
        if lifetime {
            while self.peek().is_some_and(|c| c == '_' || c.is_alphanumeric()) {
                self.next();
            }
        } else {
            if self.next() == Some('\\') {
                self.next();
            }
            while self.next().is_some_and(|c| c != '\'') {}
        }
        self.push(Token::Text, line);
    }

    fn number(&mut self, first: char, line: usize) {
        let mut text = String::from(first);
        while let Some(c) = self.peek() {
            // `1.5`, but neither `1..5` nor `1.max(2)`.
            let point = c == '.' && self.second().is_some_and(|d| d.is_ascii_digit());
            if !(c == '_' || c.is_alphanumeric() || point) {
                break;
            }
            text.push(c);
            self.next();
        }
        self.push(Token::Number(text), line);
    }

    fn word(&mut self, first: char, line: usize) {
        let mut text = String::from(first);
        while let Some(c) = self.peek()
            && (c == '_' || c.is_alphanumeric())
        {
            text.push(c);
            self.next();
        }
        match (text.as_str(), self.peek()) {
            ("b" | "c", Some('"')) => {
                self.next();
                self.string(line);
            }
            ("b", Some('\'')) => {
                self.next();
                self.quote(line);
            }
            ("r" | "br" | "cr", Some('"' | '#')) => {
                let mut hashes = 0;
                while self.peek() == Some('#') {
                    self.next();
                    hashes += 1;
                }
                if self.peek() == Some('"') {
                    self.next();
                    self.raw_string(hashes, line);
                } // Else a raw name such as `r#type`: the name comes next.
            }
            _ => self.push(Token::VenueStatus(text), line),
        }
    }
}
