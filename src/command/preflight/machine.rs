//! This machine: the key, what can be signed with it, its lock, the latch, the disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::{Found, Scene, fail, ok, warn};
use crate::command::release::utc;
use crate::executor::signer::{Presigned, Presigner, Signer};
use crate::persistence::{Disk, Limits, OsDisk};
use crate::runtime::latch::LatchFile;
use crate::runtime::os::{SignerLock, entropy, load_alert_url, load_key};
use crate::types::source::Source;

pub(super) fn key(scene: &mut Scene<'_>) -> Option<Found> {
    Some(match load_key(&scene.config.account) {
        Ok((key, origin)) => {
            let address = key.address().to_string();
            let found = ok(format!("{origin}: signs as {address}"));
            scene.signer = Some(address);
            scene.key = Some(key);
            found
        }
        Err(error) => fail(error.to_string()),
    })
}

/// Where alerts go; whether they are taken there, `hip3 alert` tries.
pub(super) fn alerts(scene: &mut Scene<'_>) -> Option<Found> {
    let alerts = &scene.config.alerts;
    alerts.enabled.then(|| match load_alert_url(alerts) {
        Ok(address) => ok(format!("go to {} as {}", address.host(), alerts.format.name())),
        Err(error) => fail(error.to_string()),
    })
}

/// One presigned nonce.
struct One(Option<Presigned>);

impl Source<Presigned> for One {
    fn take(&mut self) -> Option<Presigned> {
        self.0.take()
    }

    fn closed(&self) -> bool {
        true
    }
}

/// Signs two things that nobody takes, once each way, and recovers who signed.
pub(super) fn signing(scene: &mut Scene<'_>) -> Option<Found> {
    let Some(key) = scene.key.take() else { return Some(fail("without a key nothing is signed")) };
    let signs = || -> Result<(), String> {
        let fresh = || entropy().map_err(|error| error.to_string());
        let address = key.address();
        let presigned = Presigner::new(&key).make(*fresh()?).map_err(|error| error.to_string())?;
        let mut signer = Signer::new(key, Some(Box::new(One(Some(presigned)))));
        for _ in 0..2 {
            let digest = *fresh()?;
            let signature = signer.sign(&digest).map_err(|error| error.to_string())?;
            if signature.recover(&digest) != Some(address) {
                return Err("a signature recovers to another address".to_owned());
            }
        }
        match signer.counts() {
            (1, 1) => Ok(()),
            (presigned, ordinary) => Err(format!(
                "expected one signature of each kind; had {presigned} presigned, {ordinary} ordinary"
            )),
        }
    };
    Some(match signs() {
        Ok(()) => ok("a presigned and an ordinary signature recover to the signer"),
        Err(error) => fail(error),
    })
}

pub(super) fn lock(scene: &mut Scene<'_>) -> Option<Found> {
    let Some(signer) = &scene.signer else { return Some(fail("without a key there is no signer")) };
    Some(match SignerLock::acquire(signer) {
        Ok(lock) => ok(format!("{} is free", lock.path().display())),
        Err(error) => fail(error.to_string()),
    })
}

pub(super) fn latch(scene: &mut Scene<'_>) -> Option<Found> {
    let file = LatchFile::new(&scene.config.persistence.data_dir);
    Some(match file.read() {
        Ok(latch) if latch.active() => {
            let reasons: Vec<String> = latch
                .reasons()
                .map(|(reason, since)| format!("{} since {}", reason.name(), utc(since)))
                .collect();
            fail(format!("holds: {} (see hip3 release)", reasons.join(", ")))
        }
        Ok(_) => ok("released"),
        Err(error) => fail(format!("{error}: a run would begin stopped")),
    })
}

pub(super) fn records(scene: &mut Scene<'_>) -> Option<Found> {
    let dir = &scene.config.persistence.data_dir;
    let shown = dir.display();
    let Limits { room_wanted, room_needed, .. } = Limits::default();
    let looked = || -> io::Result<Found> {
        let Some(_nobody_else) = LatchFile::new(dir).unused()? else {
            return Ok(fail(format!("{shown}: in use by a running engine")));
        };
        write_test(dir)?;
        let free = OsDisk.free_bytes(dir)?;
        let text = format!("{shown}: writable, room for {} MiB", free >> 20);
        Ok(match free {
            free if free < room_needed => {
                fail(format!("{text}; a run needs {} MiB", room_needed >> 20))
            }
            free if free < room_wanted => {
                warn(format!("{text}; {} MiB are advised", room_wanted >> 20))
            }
            _ => ok(text),
        })
    };
    Some(looked().unwrap_or_else(|error| fail(format!("{shown}: {error}"))))
}

/// Writes, syncs and removes a file, under a name that the store would clear away.
fn write_test(dir: &Path) -> io::Result<()> {
    let path = dir.join(".tmp-preflight");
    let mut file = File::create(&path)?;
    let written = file.write_all(&[0; 4096]).and_then(|()| file.sync_all());
    fs::remove_file(&path)?;
    written
}
