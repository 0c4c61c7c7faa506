//! What signs: the agent's key and its lock, the pool of presigned nonces, the account it acts for.

use std::fmt;

use crate::engine::Wallet;
use crate::executor::encode::Encoder;
use crate::executor::signer::{Address, Key, Presigned, Presigner, Signer, SigningNetwork};
use crate::runtime::os::{
    EntropyError, KeyError, KeyOrigin, LockError, SignerLock, entropy, forbid_core_files, load_key,
};
use crate::runtime::presigner::Pool;
use crate::runtime::ring::{Producer, ring};
use crate::types::config::{Config, Network};

/// Why nothing can be signed for this config.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// The agent's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The lock of the signer.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// There is no account to act for.
    #[error("account.user_address: expected the account to trade for")]
    NoAccount,
    /// The account to act for cannot be named in an action.
    #[error("account.vault_address: expected an address, 0x and 40 hex digits")]
    Vault,
}

/// A signer that is ours alone, ready to sign.
#[derive(Debug)]
pub struct TradingIdentity {
    /// For the engine.
    pub wallet: Wallet,
    /// Where the key was found.
    pub origin: KeyOrigin,
    /// What fills the pool; `None` when presigning is off.
    pub presigning: Option<Presigning>,
    /// To be kept as long as the signer signs.
    pub lock: SignerLock,
}

impl TradingIdentity {
    /// Loads the key (unless it is `given`) and takes the signer's lock.
    ///
    /// Errors: no key, a key that others can read, a signer that another process uses, no account.
    pub fn new(config: &Config, given: Option<Key>) -> Result<Self, WalletError> {
        forbid_core_files();
        let (key, origin) = match given {
            Some(key) => (key, KeyOrigin::Made),
            None => load_key(&config.account)?,
        };
        let lock = SignerLock::acquire(&key.address().to_string())?;
        let (wallet, presigning) = wallet(config, key)?;
        Ok(Self { wallet, origin, presigning, lock })
    }

    /// Address of the signer.
    pub fn signer(&self) -> Address {
        self.wallet.encoder.signer().address()
    }
}

/// The cold end of presigning: for [`presign`](crate::runtime::presigner::presign).
pub struct Presigning {
    /// What makes them.
    pub presigner: Presigner,
    /// The pool's ring.
    pub ring: Producer<Presigned>,
}

impl fmt::Debug for Presigning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presigning(..)")
    }
}

/// A wallet that signs with `key`, and what fills its pool, unless presigning is off.
pub fn wallet(config: &Config, key: Key) -> Result<(Wallet, Option<Presigning>), WalletError> {
    let user = config.account.acting().ok_or(WalletError::NoAccount)?.to_owned();
    let vault = match &config.account.vault_address {
        Some(text) => Some(Address::parse(text).ok_or(WalletError::Vault)?),
        None => None,
    };
    let (signer, presigning) = match config.executor.presign_pool {
        0 => (Signer::new(key, None), None),
        size => {
            let (ring, pool) = ring(size as usize);
            let presigner = Presigner::new(&key);
            let signer = Signer::new(key, Some(Box::new(Pool::new(pool))));
            (signer, Some(Presigning { presigner, ring }))
        }
    };
    let encoder = Encoder::new(signer, network(config.venue.network), vault);
    Ok((Wallet { encoder, user }, presigning))
}

/// A key that nobody has funds with, made of the system's randomness.
pub fn ephemeral_key() -> Result<Key, EntropyError> {
    loop {
        // One in 2^127 is no key.
        if let Ok(key) = Key::from_bytes(&*entropy()?) {
            return Ok(key);
        }
    }
}

/// Which network's signatures. Another venue gets those of the test network, as the venue's own SDK
/// does it: what is signed for it must be worth nothing on the real one.
const fn network(network: Network) -> SigningNetwork {
    match network {
        Network::Mainnet => SigningNetwork::Mainnet,
        Network::Testnet | Network::Custom => SigningNetwork::Testnet,
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::runtime::presigner::presign;
    use crate::types::config::load;

    const USER: &str = "account.user_address=0x00000000000000000000000000000000000000aa";

    fn config(overrides: &[&str]) -> Config {
        let overrides: Vec<String> = overrides.iter().map(|&over| over.to_owned()).collect();
        load(None, &overrides).unwrap()
    }

    #[test]
    fn the_vault_is_who_is_acted_for_and_without_an_account_nothing_is_signed() {
        let user = |overrides: &[&str]| {
            wallet(&config(overrides), ephemeral_key().unwrap()).map(|(wallet, _)| wallet.user)
        };
        let vault = "account.vault_address=0x00000000000000000000000000000000000000bb";
        assert!(user(&[USER]).unwrap().ends_with("aa"));
        assert!(user(&[USER, vault]).unwrap().ends_with("bb"));
        assert!(matches!(user(&[]), Err(WalletError::NoAccount)));
    }

    #[test]
    fn what_is_signed_elsewhere_is_worth_nothing_on_mainnet() {
        assert_eq!(network(Network::Mainnet), SigningNetwork::Mainnet);
        assert_eq!(network(Network::Testnet), SigningNetwork::Testnet);
        assert_eq!(network(Network::Custom), SigningNetwork::Testnet);
    }

    #[test]
    fn the_presigner_fills_the_pool_refills_it_and_ends_with_it() {
        let key = ephemeral_key().unwrap();
        let address = key.address();
        let (ring, pool) = ring(4);
        let presigner = Presigner::new(&key);
        let thread = thread::spawn(move || presign(presigner, ring));
        let filled = |signer: &mut Signer, wanted| {
            // Ordinary signatures serve until enough were presigned.
            (0..10_000_u64).any(|n| {
                let digest = [(n % 255) as u8 + 1; 32];
                let signature = signer.sign(&digest).unwrap();
                assert_eq!(signature.recover(&digest), Some(address));
                thread::sleep(std::time::Duration::from_millis(1));
                signer.counts().0 >= wanted
            })
        };
        let mut signer = Signer::new(key, Some(Box::new(Pool::new(pool))));
        assert!(filled(&mut signer, 12), "more than the ring holds at once");
        drop(signer);
        thread.join().unwrap();
    }

    #[test]
    fn without_a_pool_every_signature_is_ordinary() {
        let config = config(&[USER, "executor.presign_pool=0"]);
        let (_, presigning) = wallet(&config, ephemeral_key().unwrap()).unwrap();
        assert!(presigning.is_none());
    }

    #[test]
    fn nothing_that_holds_a_key_shows_it() {
        let bytes = entropy().unwrap();
        let key = Key::from_bytes(&bytes).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let armed = TradingIdentity::new(&config(&[USER]), Some(key)).unwrap();
        let shown = format!("{armed:?} {:#?}", armed.presigning);
        assert!(!shown.contains(&hex) && !shown.contains(&format!("{:?}", *bytes)), "{shown}");
    }
}
