//! Secrets at rest: each under a key of its own, and that key under the master key (envelope encryption).
//!
//! Both with XChaCha20-Poly1305, bound to the place where the secret belongs. Changing the master key changes what
//! wraps the keys and leaves the secrets as they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, PoisonError, RwLock};

/// A secret under a key of its own.
const MARK: &str = "sealed:2:";
/// A secret under the master key itself, as before 0.1.0; still opened.
const FIRST_MARK: &str = "sealed:1:";
const NONCE: usize = 24;
/// A key of 32 bytes with its tag.
const WRAPPED: usize = 48;

/// A secret cannot be opened: other key, other place, or damaged.
#[derive(Debug, thiserror::Error)]
#[error("the sealed value does not open")]
pub struct SealError;

type Bytes32 = [u8; 32];
type Reload = Arc<dyn Fn() -> Vec<Bytes32> + Send + Sync>;

/// The keys under which secrets are kept: the first one seals, the others open what was sealed under them.
#[derive(Clone)]
pub struct MasterKey {
    keys: Arc<RwLock<Vec<Bytes32>>>,
    reload: Option<Reload>,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey")
    }
}

/// Short name of a key; it says nothing about the key.
fn name(key: &Bytes32) -> String {
    let hash = Sha256::new().chain_update(b"mercat master key\0").chain_update(key).finalize();
    crate::leads::hex(&hash[..6])
}

fn random<const N: usize>() -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| SealError)?;
    Ok(bytes)
}

fn encrypt(key: &Bytes32, nonce: &[u8], msg: &[u8], place: &str) -> Result<Vec<u8>, SealError> {
    let payload = Payload { msg, aad: place.as_bytes() };
    XChaCha20Poly1305::new(key.into()).encrypt(XNonce::from_slice(nonce), payload).map_err(|_| SealError)
}

fn decrypt(key: &Bytes32, nonce: &[u8], msg: &[u8], place: &str) -> Result<Vec<u8>, SealError> {
    let payload = Payload { msg, aad: place.as_bytes() };
    XChaCha20Poly1305::new(key.into()).decrypt(XNonce::from_slice(nonce), payload).map_err(|_| SealError)
}

fn text_of(secret: Vec<u8>) -> Result<String, SealError> {
    String::from_utf8(secret).map_err(|_| SealError)
}

/// A sealed value in its parts.
struct Parts {
    name: String,
    /// Nonce and wrapped key.
    wrapped: Vec<u8>,
    /// Nonce and encrypted secret.
    body: Vec<u8>,
}

impl Parts {
    fn read(sealed: &str) -> Option<Self> {
        let (name, coded) = sealed.strip_prefix(MARK)?.split_once(':')?;
        let bytes = STANDARD.decode(coded).ok()?;
        let (wrapped, body) = bytes.split_at_checked(NONCE + WRAPPED)?;
        (body.len() >= NONCE).then(|| Self {
            name: name.to_owned(),
            wrapped: wrapped.to_vec(),
            body: body.to_vec(),
        })
    }

    fn write(&self) -> String {
        format!("{MARK}{}:{}", self.name, STANDARD.encode([&self.wrapped[..], &self.body].concat()))
    }
}

impl MasterKey {
    /// A key from its 32 bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self::with(vec![bytes], None)
    }

    /// Keys, the one that seals first, which are read again when a value names a key that is not among them.
    /// With none, nothing opens.
    pub fn with(keys: Vec<[u8; 32]>, reload: Option<Arc<dyn Fn() -> Vec<[u8; 32]> + Send + Sync>>) -> Self {
        Self { keys: Arc::new(RwLock::new(keys)), reload }
    }

    /// Fresh bytes for a key.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> Result<[u8; 32], SealError> {
        random()
    }

    fn keys(&self) -> Vec<Bytes32> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys as they are now where they come from; those that were read before when that cannot be read.
    fn again(&self) -> Vec<Bytes32> {
        let keys = self.reload.as_ref().map(|reload| reload()).unwrap_or_default();
        if keys.is_empty() {
            return self.keys();
        }
        self.keys.write().unwrap_or_else(PoisonError::into_inner).clone_from(&keys);
        keys
    }

    fn named(&self, wanted: &str) -> Result<Bytes32, SealError> {
        let find = |keys: &[Bytes32]| keys.iter().find(|key| name(key) == wanted).copied();
        if let Some(key) = find(&self.keys()) {
            return Ok(key);
        }
        // Somebody is changing the master key right now.
        find(&self.again()).ok_or(SealError)
    }

    /// Seals a secret for one place, for example `aurora/gateway:leadSecret`.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn seal(&self, place: &str, secret: &str) -> Result<String, SealError> {
        // Under the old key, a secret would be lost with it.
        let master = *self.again().first().ok_or(SealError)?;
        let nonce: [u8; NONCE] = random()?;
        seal_under(&master, &random()?, &nonce, place, secret)
    }

    /// Opens a sealed secret at its place.
    ///
    /// # Errors
    /// When it was sealed under another key or for another place.
    pub fn open(&self, place: &str, sealed: &str) -> Result<String, SealError> {
        if sealed.starts_with(FIRST_MARK) {
            return self.open_first(place, sealed).map(|(_, secret)| secret);
        }
        let parts = Parts::read(sealed).ok_or(SealError)?;
        let own = self.unwrap(place, &parts)?;
        let (nonce, body) = parts.body.split_at(NONCE);
        text_of(decrypt(&own, nonce, body, place)?)
    }

    /// A value under the master key itself, with the key that opens it.
    fn open_first(&self, place: &str, sealed: &str) -> Result<(Bytes32, String), SealError> {
        let coded = sealed.strip_prefix(FIRST_MARK).ok_or(SealError)?;
        let bytes = STANDARD.decode(coded).map_err(|_| SealError)?;
        let (nonce, body) = bytes.split_at_checked(NONCE).ok_or(SealError)?;
        let found =
            self.keys().into_iter().find_map(|key| Some((key, decrypt(&key, nonce, body, place).ok()?)));
        let (key, secret) = found.ok_or(SealError)?;
        Ok((key, text_of(secret)?))
    }

    fn unwrap(&self, place: &str, parts: &Parts) -> Result<Bytes32, SealError> {
        let (nonce, wrapped) = parts.wrapped.split_at(NONCE);
        let own = decrypt(&self.named(&parts.name)?, nonce, wrapped, place)?;
        own.try_into().map_err(|_| SealError)
    }

    /// The value under the key that seals now; `None` when it is already. The same value always becomes the same
    /// one, so that copies of a document stay equal.
    ///
    /// # Errors
    /// When it does not open.
    pub fn rewrap(&self, place: &str, sealed: &str) -> Result<Option<String>, SealError> {
        let master = *self.keys().first().ok_or(SealError)?;
        if sealed.starts_with(FIRST_MARK) {
            // What is drawn for a new secret comes from what opened the old form, so that copies stay equal.
            let (key, secret) = self.open_first(place, sealed)?;
            let drawn = |what: &[u8]| -> Bytes32 {
                Sha256::new().chain_update(what).chain_update(key).chain_update(sealed).finalize().into()
            };
            let nonce = drawn(b"mercat first nonce\0");
            return seal_under(&master, &drawn(b"mercat first key\0"), &nonce[..NONCE], place, &secret)
                .map(Some);
        }
        let parts = Parts::read(sealed).ok_or(SealError)?;
        if parts.name == name(&master) {
            return Ok(None);
        }
        let wrapped = wrap(&master, &self.unwrap(place, &parts)?, place)?;
        Ok(Some(Parts { name: name(&master), wrapped, body: parts.body }.write()))
    }
}

/// A secret's own key under a master key: always the same, by whatever keys it came here.
fn wrap(master: &Bytes32, own: &Bytes32, place: &str) -> Result<Vec<u8>, SealError> {
    // Unique for key and content, and known to nobody without them: a nonce must not be used twice, not be random.
    let hash = Sha256::new().chain_update(b"mercat wrap\0").chain_update(master).chain_update(own);
    let hash = hash.chain_update(place).finalize();
    Ok([&hash[..NONCE], &encrypt(master, &hash[..NONCE], own, place)?].concat())
}

fn seal_under(
    master: &Bytes32,
    own: &Bytes32,
    nonce: &[u8],
    place: &str,
    secret: &str,
) -> Result<String, SealError> {
    let body = [nonce, &encrypt(own, nonce, secret.as_bytes(), place)?].concat();
    Ok(Parts { name: name(master), wrapped: wrap(master, own, place)?, body }.write())
}

/// Whether a stored value is sealed.
pub(crate) fn is_sealed(text: &str) -> bool {
    text.starts_with(MARK) || text.starts_with(FIRST_MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = "a/b:password";

    #[test]
    fn a_secret_opens_only_at_its_place_and_under_its_key() {
        let key = MasterKey::new([1; 32]);
        let sealed = key.seal(PLACE, "hunter2").expect("sealed");
        assert!(!sealed.contains("hunter2") && is_sealed(&sealed));
        assert_ne!(sealed, key.seal(PLACE, "hunter2").expect("sealed"), "equal secrets do not look equal");
        assert_eq!(key.open(PLACE, &sealed).expect("opens"), "hunter2");
        assert!(key.open("a/c:password", &sealed).is_err());
        assert!(MasterKey::new([2; 32]).open(PLACE, &sealed).is_err());
        for at in (MARK.len()..sealed.len()).step_by(7) {
            let mut broken = sealed.clone().into_bytes();
            broken[at] = if broken[at] == b'A' { b'B' } else { b'A' };
            assert!(key.open(PLACE, &String::from_utf8(broken).expect("ASCII")).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_change_of_the_master_key_rewraps_and_leaves_the_secret() {
        let old = MasterKey::new([1; 32]);
        let both = MasterKey::with(vec![[2; 32], [1; 32]], None);
        let sealed = old.seal(PLACE, "hunter2").expect("sealed");
        let moved = both.rewrap(PLACE, &sealed).expect("opens").expect("changed");
        assert_eq!(both.rewrap(PLACE, &sealed).expect("opens").as_ref(), Some(&moved), "always the same");
        assert_eq!(both.rewrap(PLACE, &moved).expect("opens"), None);
        assert_eq!(MasterKey::new([2; 32]).open(PLACE, &moved).expect("opens"), "hunter2");
        assert!(old.open(PLACE, &moved).is_err());
        assert!(both.rewrap("a/c:password", &sealed).is_err());
        // A server that runs meanwhile learns the new key when it meets it.
        let running = MasterKey::with(vec![[1; 32]], Some(Arc::new(|| vec![[1; 32], [2; 32]])));
        assert_eq!(running.open(PLACE, &moved).expect("opens"), "hunter2");
        assert!(running.seal(PLACE, "x").expect("sealed").contains(&name(&[1; 32])));
    }

    #[test]
    fn keys_that_cannot_be_read_again_do_not_take_away_those_that_were_read() {
        let old = MasterKey::new([1; 32]);
        let sealed = old.seal(PLACE, "hunter2").expect("sealed");
        let other = MasterKey::new([3; 32]).seal(PLACE, "x").expect("sealed");
        let running = MasterKey::with(vec![[1; 32]], Some(Arc::new(Vec::new)));
        assert!(running.open(PLACE, &other).is_err());
        assert_eq!(running.open(PLACE, &sealed).expect("opens"), "hunter2");
        assert!(running.seal(PLACE, "x").is_ok());
    }

    #[test]
    fn a_running_server_seals_under_the_new_key_as_soon_as_it_is_in_its_place() {
        let running = MasterKey::with(vec![[1; 32]], Some(Arc::new(|| vec![[2; 32], [1; 32]])));
        assert!(running.seal(PLACE, "x").expect("sealed").contains(&name(&[2; 32])));
    }

    #[test]
    fn a_value_is_the_same_by_whatever_keys_it_came_to_its_last_one() {
        let to = |key: u8| MasterKey::with(vec![[key; 32], [1; 32], [2; 32], [3; 32]], None);
        let nonce = [9; NONCE];
        let body = encrypt(&[1; 32], &nonce, b"hunter2", PLACE).expect("encrypted");
        let first = format!("{FIRST_MARK}{}", STANDARD.encode([&nonce[..], &body].concat()));
        let sealed = MasterKey::new([1; 32]).seal(PLACE, "hunter2").expect("sealed");
        for value in [first, sealed] {
            let straight = to(2).rewrap(PLACE, &value).expect("opens").expect("changed");
            assert_eq!(to(2).rewrap(PLACE, &value).expect("opens").as_ref(), Some(&straight));
            let third = to(3).rewrap(PLACE, &value).expect("opens").expect("changed");
            assert_eq!(to(2).rewrap(PLACE, &third).expect("opens"), Some(straight), "over a third key");
        }
    }

    #[test]
    fn what_was_sealed_by_the_master_key_itself_still_opens() {
        let nonce = [9; NONCE];
        let body = encrypt(&[1; 32], &nonce, b"hunter2", PLACE).expect("encrypted");
        let first = format!("{FIRST_MARK}{}", STANDARD.encode([&nonce[..], &body].concat()));
        let key = MasterKey::new([1; 32]);
        assert_eq!(key.open(PLACE, &first).expect("opens"), "hunter2");
        let moved = key.rewrap(PLACE, &first).expect("opens").expect("changed");
        assert_eq!(key.open(PLACE, &moved).expect("opens"), "hunter2");
    }
}
