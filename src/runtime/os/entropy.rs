//! Randomness of the operating system.

use zeroize::Zeroizing;

/// 32 bytes that nobody can guess; wiped when dropped.
///
/// Errors: the system has none to give.
pub fn entropy() -> Result<Zeroizing<[u8; 32]>, EntropyError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| EntropyError(error.to_string()))?;
    Ok(bytes)
}

/// Why there is no randomness.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the system gives no randomness: {0}")]
pub struct EntropyError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_alike() {
        assert_ne!(*entropy().unwrap(), *entropy().unwrap());
    }
}
