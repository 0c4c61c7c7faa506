//! What entries wait for although the flags of READY hold: in all markets, or in some of them.

/// What is waited for. Nothing by default.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Waiting {
    /// The venue has not said whom the signer may act for.
    pub signer: bool,
    /// No more of the address budget is left than is kept for exits.
    pub budget: bool,
    /// The venue takes post-only orders only.
    pub post_only: bool,
    /// Positions are being closed: by the operator's `flatten`, or because the run ends.
    pub closing: bool,
    /// Markets whose leverage is set, of those that trade; `None` when it is set in all of them.
    pub leverage: Option<(u32, u32)>,
    /// Markets in which the venue takes no entries for now.
    pub suspended: u32,
    /// Markets whose position is not certain.
    pub in_doubt: u32,
}

impl Waiting {
    /// Whether nothing is waited for.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Whether entries wait in all markets.
    pub const fn everywhere(self) -> bool {
        self.signer
            || self.budget
            || self.post_only
            || self.closing
            || matches!(self.leverage, Some((0, _)))
    }

    /// The same without its counts: what changes in it is worth a line in the log.
    pub fn kinds(self) -> Self {
        Self {
            leverage: self.leverage.map(|(set, _)| (set.min(1), 1)),
            suspended: self.suspended.min(1),
            in_doubt: self.in_doubt.min(1),
            ..self
        }
    }

    /// Each kind by name, with the markets that wait for it, or 1 where all of them do.
    pub fn counts(self) -> [(&'static str, u32); 7] {
        [
            ("signer", self.signer.into()),
            ("budget", self.budget.into()),
            ("post_only", self.post_only.into()),
            ("closing", self.closing.into()),
            ("leverage", self.leverage.map_or(0, |(set, all)| all.saturating_sub(set))),
            ("suspended", self.suspended),
            ("in_doubt", self.in_doubt),
        ]
    }

    /// Each thing that is waited for, as the log, `/readyz` and the snapshot name it: `leverage 57/109`.
    pub fn reasons(self) -> impl Iterator<Item = String> {
        let flag = |holds: bool, name: &str| holds.then(|| name.to_owned());
        let count = |count: u32, name: &str| (count > 0).then(|| format!("{name} {count}"));
        [
            flag(self.signer, "signer"),
            flag(self.budget, "budget"),
            flag(self.post_only, "post_only"),
            flag(self.closing, "closing"),
            self.leverage.map(|(set, all)| format!("leverage {set}/{all}")),
            count(self.suspended, "suspended"),
            count(self.in_doubt, "in_doubt"),
        ]
        .into_iter()
        .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_name_and_counts_are_no_news() {
        let none = Waiting::default();
        assert!(none.is_none() && !none.everywhere() && none.reasons().next().is_none());
        let some = Waiting { leverage: Some((57, 109)), suspended: 2, ..none };
        assert_eq!(some.reasons().collect::<Vec<_>>(), ["leverage 57/109", "suspended 2"]);
        assert!(!some.everywhere() && !some.is_none());
        assert_eq!(some.kinds(), Waiting { leverage: Some((3, 109)), ..some }.kinds());
        assert_ne!(some.kinds(), Waiting { leverage: Some((0, 109)), ..some }.kinds());
        let all = Waiting {
            signer: true,
            budget: true,
            post_only: true,
            closing: true,
            leverage: Some((0, 1)),
            suspended: 1,
            in_doubt: 1,
        };
        assert_eq!(
            all.reasons().collect::<Vec<_>>().join(", "),
            "signer, budget, post_only, closing, leverage 0/1, suspended 1, in_doubt 1"
        );
        for one in [
            Waiting { signer: true, ..none },
            Waiting { budget: true, ..none },
            Waiting { post_only: true, ..none },
            Waiting { closing: true, ..none },
            Waiting { leverage: Some((0, 2)), ..none },
        ] {
            assert!(one.everywhere(), "{one:?}");
        }
    }
}
