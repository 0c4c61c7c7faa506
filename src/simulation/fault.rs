//! What can go wrong outside the venue: on the network, on the machine, at the operator's desk. All
//! of it is chance, each by its own probability, and counted.

use std::ops::{Deref, DerefMut};

use serde::Deserialize;

use crate::venue::{Dice, Odds};

macro_rules! faults {
    ($($(#[$doc:meta])* $field:ident $name:ident,)*) => {
        /// How likely each is; a TOML table with the same keys, all optional.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct HostFaults {
            $($(#[$doc])* pub $field: Odds,)*
        }

        /// Their names.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Fault {
            $($(#[$doc])* $name,)*
        }

        impl Fault {
            /// All faults.
            pub const ALL: &'static [Fault] = &[$(Fault::$name,)*];

            /// As a profile names it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Fault::$name => stringify!($field),)*
                }
            }
        }

        impl HostFaults {
            /// Turns off the fault of this name; `false` when there is none.
            pub(super) fn turn_off(&mut self, name: &str) -> bool {
                match name {
                    $(stringify!($field) => self.$field = Odds::NEVER,)*
                    _ => return false,
                }
                true
            }

            /// Whether the fault of this name can happen.
            pub(super) fn is_on(&self, fault: Fault) -> bool {
                match fault {
                    $(Fault::$name => self.$field != Odds::NEVER,)*
                }
            }
        }
    };
}

faults! {
    /// Of each write of the venue: the connection dies at one of its bytes.
    cut Cut,
    /// Of each write of the engine: the connection dies at one of its bytes.
    cut_up CutUp,
    /// Of each write of the venue: from then on nothing passes either way, and nobody is told.
    half_open HalfOpen,
    /// Of each write of the venue: it takes up to 4 s longer.
    spike Spike,
    /// Of each write of the engine: it takes 2 to 6 s longer, so that what it asks for is late.
    spike_up SpikeUp,
    /// Of each write of the venue: a bit of its first byte changes.
    corrupt Corrupt,
    /// Of each write of the venue: it arrives in pieces.
    split Split,
    /// Of each write of the venue: it waits for what comes behind it.
    merge Merge,
    /// Of each attempt to connect: it fails.
    connect_refused ConnectRefused,
    /// Of each attempt to connect: nobody answers.
    connect_unanswered ConnectUnanswered,
    /// Of each connection: frames of the one before come once more.
    replay Replay,
    /// Of each frame: it is told once more when the link is gone.
    ghost Ghost,
    /// Of each event: the loop stands still for up to 3 s.
    loop_stall LoopStall,
    /// Of each second: the process is paused for 0.5 to 15 s; what arrives meanwhile waits for it.
    pause Pause,
    /// Of each event: the process dies in it, and another starts a while later.
    kill Kill,
    /// Of each second: the host's clock jumps, by up to 2 s or up to an hour.
    clock_step ClockStep,
    /// Of each second: the host's clock begins to run fast or slow, by up to 1 ‰, or right again.
    clock_drift ClockDrift,
    /// Of each second: the recorder takes nothing for up to 60 s.
    recorder_stall RecorderStall,
    /// Of each second: the disk is full for up to 3 minutes.
    disk_full DiskFull,
    /// Of each second: the disk fails at some operations for up to 3 minutes.
    disk_fail DiskFail,
    /// Of each time that HardStop is to be kept: that cannot be done for up to 30 s.
    latch_fail LatchFail,
    /// Of each reading: it is never answered.
    reading_lost ReadingLost,
    /// Of each second: REST does not answer for 5 s to 15 minutes.
    rest_down RestDown,
    /// Of each second in which something is held: link and REST are down for 5 to 90 s, REST for up to
    /// two minutes more. Meanwhile the owner may close what is held, or the venue liquidate it.
    blackout Blackout,
    /// Of each second: the operator halts.
    halt Halt,
    /// Of each second: the operator wants everything closed.
    flatten Flatten,
    /// Of each second: the process is asked to end in order, and another starts.
    restart Restart,
}

impl HostFaults {
    /// Whether frames have to be kept, to come once more.
    pub(super) fn keeps_frames(&self) -> bool {
        self.replay != Odds::NEVER || self.ghost != Odds::NEVER
    }
}

/// How often each happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Injected([u64; Fault::ALL.len()]);

impl Default for Injected {
    fn default() -> Self {
        Self([0; Fault::ALL.len()])
    }
}

impl Injected {
    /// Number of times `fault` was injected.
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }
}

/// Chance that counts what it brings about.
#[derive(Clone, Debug)]
pub(super) struct Chance {
    dice: Dice,
    pub(super) injected: Injected,
}

impl Chance {
    /// Of this stream of the seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        Self { dice: Dice::new(seed, stream), injected: Injected::default() }
    }

    /// Whether `fault` happens this time.
    pub(super) fn hit(&mut self, fault: Fault, odds: Odds) -> bool {
        let hit = self.dice.hit(odds);
        self.injected.0[fault as usize] += u64::from(hit);
        hit
    }
}

impl Deref for Chance {
    type Target = Dice;

    fn deref(&self) -> &Dice {
        &self.dice
    }
}

impl DerefMut for Chance {
    fn deref_mut(&mut self) -> &mut Dice {
        &mut self.dice
    }
}
