//! JSON that keeps the order of its keys, which is what an action is hashed by.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A piece of JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// What stands under `key`, if it is a map and holds it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let Node::Map(entries) = self else { return None };
        entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// What stands under `key`, which it must hold.
    pub(crate) fn at(&self, key: &str) -> &Node {
        self.get(key).unwrap_or_else(|| panic!("no {key} in {self:?}"))
    }

    /// The text that stands under `key`.
    pub(crate) fn text(&self, key: &str) -> &str {
        match self.at(key) {
            Node::Text(text) => text,
            other => panic!("{key} is {other:?}"),
        }
    }

    /// The number that stands under `key`.
    pub(crate) fn number(&self, key: &str) -> u64 {
        match self.at(key) {
            Node::Number(number) => *number,
            other => panic!("{key} is {other:?}"),
        }
    }

    /// The truth that stands under `key`.
    pub(crate) fn truth(&self, key: &str) -> bool {
        match self.at(key) {
            Node::Bool(value) => *value,
            other => panic!("{key} is {other:?}"),
        }
    }

    /// The list that stands under `key`.
    pub(crate) fn list(&self, key: &str) -> &[Node] {
        match self.at(key) {
            Node::List(nodes) => nodes,
            other => panic!("{key} is {other:?}"),
        }
    }

    /// The keys, in their order.
    pub(crate) fn keys(&self) -> Vec<&str> {
        match self {
            Node::Map(entries) => entries.iter().map(|(key, _)| key.as_str()).collect(),
            other => panic!("{other:?} has no keys"),
        }
    }

    /// The bytes under `key`, written as `0x` and hex.
    pub(crate) fn bytes(&self, key: &str) -> Vec<u8> {
        unhex(self.text(key))
    }
}

/// The bytes of `0x` and hex.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits = text.strip_prefix("0x").unwrap_or_else(|| panic!("{text} has no 0x"));
    assert_eq!(digits.len() % 2, 0, "{text}");
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("hex"))
        .collect()
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without negative or broken numbers")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = access.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::Null => serializer.serialize_unit(),
            Node::Bool(value) => serializer.serialize_bool(*value),
            Node::Number(value) => serializer.serialize_u64(*value),
            Node::Text(value) => serializer.serialize_str(value),
            Node::List(nodes) => serializer.collect_seq(nodes),
            Node::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, node) in entries {
                    map.serialize_entry(key, node)?;
                }
                map.end()
            }
        }
    }
}
