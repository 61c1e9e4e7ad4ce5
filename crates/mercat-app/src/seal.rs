//! Secrets at rest: XChaCha20-Poly1305 under the master key, bound to where they belong.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

const MARK: &str = "sealed:1:";

/// A secret cannot be opened: other key, other place, or damaged.
#[derive(Debug, thiserror::Error)]
#[error("the sealed value does not open")]
pub struct SealError;

/// The key under which secrets are kept.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey")
    }
}

impl MasterKey {
    /// A key from its 32 bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A fresh key.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> Result<Self, SealError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| SealError)?;
        Ok(Self(bytes))
    }

    /// The bytes, to be written to the key file.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals a secret for one place, for example `aurora/gateway:leadSecret`.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn seal(&self, place: &str, secret: &str) -> Result<String, SealError> {
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce).map_err(|_| SealError)?;
        let payload = Payload { msg: secret.as_bytes(), aad: place.as_bytes() };
        let cipher = XChaCha20Poly1305::new((&self.0).into());
        let sealed = cipher.encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| SealError)?;
        Ok(format!("{MARK}{}", STANDARD.encode([&nonce[..], &sealed].concat())))
    }

    /// Opens a sealed secret at its place.
    ///
    /// # Errors
    /// When it was sealed under another key or for another place.
    pub fn open(&self, place: &str, sealed: &str) -> Result<String, SealError> {
        let bytes = sealed.strip_prefix(MARK).and_then(|text| STANDARD.decode(text).ok()).ok_or(SealError)?;
        let (nonce, sealed) = bytes.split_at_checked(24).ok_or(SealError)?;
        let payload = Payload { msg: sealed, aad: place.as_bytes() };
        let cipher = XChaCha20Poly1305::new((&self.0).into());
        let secret = cipher.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| SealError)?;
        String::from_utf8(secret).map_err(|_| SealError)
    }
}

/// Whether a stored value is sealed.
pub(crate) fn is_sealed(text: &str) -> bool {
    text.starts_with(MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_at_its_place_and_under_its_key() {
        let key = MasterKey::generate().expect("random");
        let sealed = key.seal("a/b:password", "hunter2").expect("sealed");
        assert!(!sealed.contains("hunter2"));
        assert_eq!(key.open("a/b:password", &sealed).expect("opens"), "hunter2");
        assert!(key.open("a/c:password", &sealed).is_err());
        assert!(MasterKey::generate().expect("random").open("a/b:password", &sealed).is_err());
    }
}
