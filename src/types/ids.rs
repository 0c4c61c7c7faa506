//! Names of things: markets, assets, signals, crosses.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Position of a market in the engine's arrays; stable for a run.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MarketId(pub u16);

impl MarketId {
    /// As an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The venue's id of an asset (PROTOCOL.md §5.1). Markets are identified by it, never by name.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AssetId(pub u32);

/// A signal, unique across restarts: the run's first id and a count.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignalId(pub u64);

/// A cross, unique across restarts.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CrossId(pub u64);

/// A coin's name as `meta` gives it (`xyz:SILVER`), held inline so that rows stay `Copy`.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Coin {
    text: [u8; Coin::MAX],
    len: u8,
}

impl Coin {
    /// Longest name held, in bytes.
    pub const MAX: usize = 31;

    /// `None` when the name is empty, longer than [`Coin::MAX`], or holds anything but printable
    /// ASCII without quotes and backslashes: such a name cannot be written into a frame as it is.
    pub fn new(name: &str) -> Option<Self> {
        let bytes = name.as_bytes();
        let plain = |b: &u8| matches!(b, b'!'..=b'~') && !matches!(b, b'"' | b'\\');
        if bytes.is_empty() || bytes.len() > Self::MAX || !bytes.iter().all(plain) {
            return None;
        }
        let mut text = [0; Self::MAX];
        text[..bytes.len()].copy_from_slice(bytes);
        Some(Self { text, len: bytes.len() as u8 })
    }

    /// The name's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in, so the default is never taken.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Display for Coin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Coin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Coin({self})")
    }
}

impl Serialize for Coin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Coin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::new(&name).ok_or_else(|| {
            de::Error::invalid_value(
                de::Unexpected::Str(&name),
                &"a coin name of 1 to 31 printable characters",
            )
        })
    }
}

/// The 20 bytes of an account, a vault or an agent; as text `0x` and 40 hex digits.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Address(pub [u8; 20]);

impl Address {
    /// Length of its text.
    pub const TEXT: usize = 42;

    /// Reads `0x` and 40 hex digits, in any case; a checksum in the case of the letters is not
    /// looked at.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x")?.as_bytes();
        let mut bytes = [0; 20];
        if digits.len() != 2 * bytes.len() {
            return None;
        }
        let nibble = |digit: u8| char::from(digit).to_digit(16);
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (nibble(pair[0])? << 4 | nibble(pair[1])?) as u8;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Address {
    /// `0x` and 40 lower-case hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::invalid_value(de::Unexpected::Str(&text), &"0x and 40 hex digits")
        })
    }
}

/// A few bytes of what the network sent, kept for the log.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Excerpt {
    text: [u8; Excerpt::MAX],
    len: u8,
}

impl Excerpt {
    /// Longest sample kept, in bytes.
    pub const MAX: usize = 120;

    /// The first bytes of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let len = bytes.len().min(Self::MAX);
        let mut text = [0; Self::MAX];
        text[..len].copy_from_slice(&bytes[..len]);
        Self { text, len: len as u8 }
    }

    /// The bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }
}

/// Escapes whatever is not printable: the bytes are a stranger's and end up on a terminal.
impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().escape_ascii().fmt(f)
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Excerpt({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coins_are_plain_names() {
        assert_eq!(Coin::new("xyz:SILVER").map(|c| c.to_string()).as_deref(), Some("xyz:SILVER"));
        for name in ["", "a\"b", "a\\b", "a b", "é", "x\n", "12345678901234567890123456789012"] {
            assert_eq!(Coin::new(name), None, "{name:?}");
        }
    }

    #[test]
    fn addresses_are_twenty_bytes_in_hex() {
        let text = "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf";
        let address = Address::parse(text).expect("an address");
        assert_eq!((address.to_string().as_str(), text.len()), (text, Address::TEXT));
        assert_eq!(Address::parse(&format!("0x{}", text[2..].to_uppercase())), Some(address));
        assert_eq!(format!("{address:?}"), format!("Address({text})"));
        for text in
            ["", "0x", &text[2..], &text[..41], "0x7e5f4552091a69125d5dfcb7b8c2659029395bdg"]
        {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }

    #[test]
    fn samples_cannot_drive_a_terminal() {
        assert_eq!(Excerpt::of(b"\x1b[2J\"").to_string(), "\\x1b[2J\\\"");
        assert_eq!(Excerpt::of(&[b'a'; 500]).to_string().len(), Excerpt::MAX);
    }
}
