//! Values on the parser's tape, read without a tree.

use std::fmt::{self, Write as _};

use simd_json::{Node, StaticNode};

use super::Why;

/// A value: the first node of the tape it holds. What lies behind it belongs to others.
#[derive(Clone, Copy)]
pub(super) struct Json<'t, 'a>(pub(super) &'t [Node<'a>]);

impl<'t, 'a> Json<'t, 'a> {
    fn node(self) -> Option<Node<'a>> {
        self.0.first().copied()
    }

    pub(super) fn is_null(self) -> bool {
        matches!(self.node(), Some(Node::Static(StaticNode::Null)))
    }

    pub(super) fn is_object(self) -> bool {
        matches!(self.node(), Some(Node::Object { .. }))
    }

    pub(super) fn text(self) -> Option<&'a str> {
        match self.node()? {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number without a sign.
    pub(super) fn integer(self) -> Option<i64> {
        i64::try_from(self.id()?).ok()
    }

    /// As [`Json::integer`], up to the last that 64 bits hold.
    pub(super) fn id(self) -> Option<u64> {
        match self.node()? {
            Node::Static(StaticNode::U64(value)) => Some(value),
            _ => None,
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(self) -> Option<bool> {
        match self.node()? {
            Node::Static(StaticNode::Bool(value)) => Some(value),
            _ => None,
        }
    }

    /// A decimal as string or as JSON number. Of a number only the double is left: up to 15
    /// significant digits its shortest form is the text that was sent, and with more we refuse
    /// to guess.
    pub(super) fn exact<T>(self, parse: fn(&[u8]) -> Option<T>) -> Option<T> {
        self.decimal(parse, 15)
    }

    /// As [`Json::exact`], for values that print a double's noise anyway.
    pub(super) fn noisy<T>(self, parse: fn(&[u8]) -> Option<T>) -> Option<T> {
        self.decimal(parse, usize::MAX)
    }

    /// As [`Json::exact`], for values that may be below zero.
    pub(super) fn signed<T>(self, parse: fn(&[u8]) -> Option<T>) -> Option<T> {
        self.below_zero(parse).or_else(|| self.exact(parse))
    }

    /// As [`Json::noisy`], for values that may be below zero.
    pub(super) fn noisy_signed<T>(self, parse: fn(&[u8]) -> Option<T>) -> Option<T> {
        self.below_zero(parse).or_else(|| self.noisy(parse))
    }

    /// A whole JSON number with a minus; all others are as without a sign.
    fn below_zero<T>(self, parse: fn(&[u8]) -> Option<T>) -> Option<T> {
        let Node::Static(StaticNode::I64(value)) = self.node()? else {
            return None;
        };
        let mut digits = Digits::default();
        write!(digits, "{value}").ok()?;
        parse(digits.text())
    }

    fn decimal<T>(self, parse: fn(&[u8]) -> Option<T>, max_digits: usize) -> Option<T> {
        let mut digits = Digits::default();
        match self.node()? {
            Node::String(text) => return parse(text.as_bytes()),
            Node::Static(StaticNode::U64(value)) => write!(digits, "{value}").ok()?,
            // The shortest decimal that denotes this double, never with an exponent.
            Node::Static(StaticNode::F64(value)) => {
                write!(digits, "{value}").ok()?;
                if digits.significant() > max_digits {
                    return None;
                }
            }
            _ => return None,
        }
        parse(digits.text())
    }

    /// The elements of an array.
    pub(super) fn items(self) -> Option<Elements<'t, 'a>> {
        match self.node()? {
            Node::Array { count, .. } => Some(Elements(self.0.get(1..=count)?)),
            _ => None,
        }
    }

    /// The values of these keys. Of two equal keys JSON does not say which holds, so neither does.
    pub(super) fn fields<const N: usize>(self, keys: [&str; N]) -> Result<[Option<Self>; N], Why> {
        const NO_OBJECT: Why = "an object was expected";
        let Some(Node::Object { count, .. }) = self.node() else {
            return Err(NO_OBJECT);
        };
        let mut members = Elements(self.0.get(1..=count).ok_or(NO_OBJECT)?);
        let mut values = [None; N];
        while let (Some(key), Some(value)) = (members.next(), members.next()) {
            let Some(at) = keys.iter().position(|known| key.text() == Some(known)) else {
                continue;
            };
            if values[at].replace(value).is_some() {
                return Err("a key occurs twice");
            }
        }
        Ok(values)
    }
}

/// Values that follow each other on the tape.
pub(super) struct Elements<'t, 'a>(&'t [Node<'a>]);

impl<'t, 'a> Iterator for Elements<'t, 'a> {
    type Item = Json<'t, 'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let value = Json(self.0);
        let nodes = match value.node()? {
            Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
            Node::String(_) | Node::Static(_) => 1,
        };
        self.0 = self.0.get(nodes..).unwrap_or_default();
        Some(value)
    }
}

/// The text of a number, on the stack. Longer ones fit no type of ours.
#[derive(Default)]
struct Digits {
    text: [u8; 32],
    len: usize,
}

impl Digits {
    fn text(&self) -> &[u8] {
        &self.text[..self.len]
    }

    /// Digits from the first to the last that is not zero.
    fn significant(&self) -> usize {
        let digits = || self.text().iter().filter(|b| b.is_ascii_digit());
        let leading = digits().take_while(|b| **b == b'0').count();
        let trailing = digits().rev().take_while(|b| **b == b'0').count();
        digits().count().saturating_sub(leading + trailing)
    }
}

impl fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.text.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
