//! What the signer promises.
