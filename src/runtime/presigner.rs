//! Nonces presigned ahead: a cold thread makes what does not depend on the message, a ring carries
//! it to the signer. An empty ring costs time, never an order.

use std::time::Duration;

use tracing::{info, warn};

use crate::executor::signer::{Presigned, Presigner};
use crate::runtime::os::entropy;
use crate::runtime::ring::{Consumer, Producer};
use crate::types::source::Source;

/// Pause when the ring is full. Orders come seconds apart.
const IDLE: Duration = Duration::from_millis(5);
/// Pause after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// The signer's end of the ring.
///
/// After a fork two processes hold the same nonces, and a nonce used twice gives the key away. It
/// needs no look at the process here, which would be a system call on an order's way: only the
/// thread that forks lives on in the child, and the one that signs never does.
#[derive(Debug)]
pub struct Pool {
    ring: Consumer<Presigned>,
}

impl Pool {
    /// Takes what the presigner makes.
    pub fn new(ring: Consumer<Presigned>) -> Self {
        Self { ring }
    }
}

impl Source<Presigned> for Pool {
    fn take(&mut self) -> Option<Presigned> {
        self.ring.pop()
    }

    fn closed(&self) -> bool {
        self.ring.is_closed()
    }
}

/// Keeps the ring full until its other end is gone. A failure is told when it begins and when it
/// ends; meanwhile ordinary signatures serve.
pub fn presign(mut presigner: Presigner, mut ring: Producer<Presigned>) {
    let mut failing = false;
    while !ring.is_abandoned() {
        if ring.free() == 0 {
            std::thread::sleep(IDLE);
            continue;
        }
        let made = entropy()
            .map_err(|error| error.to_string())
            .and_then(|entropy| presigner.make(*entropy).map_err(|error| error.to_string()));
        match made {
            Ok(presigned) => {
                if std::mem::take(&mut failing) {
                    info!("nonces are presigned again");
                }
                // There is room, and nobody else fills it.
                let _ = ring.push(presigned);
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    warn!(error, "no nonce could be presigned; orders are signed the slow way");
                }
                std::thread::sleep(RETRY);
            }
        }
    }
}
