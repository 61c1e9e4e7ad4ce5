//! Keys that everybody has: programs carry them to test themselves.

use crate::kind::Class;
use mercat_domain::Digest;
use sha2::{Digest as _, Sha256};

/// SHA-256 of the characters of their bodies.
const OF_SELF_TESTS: [&str; 16] = [
    // GnuTLS 3.7.9 to 3.8.13, `lib/crypto-selftests-pk.c`: in its library, which `apt` and `curl` bring with them.
    "06b37a7e3254992b3ac83f4f08d269fb5c584874360315541ea12bb0b04e92ac",
    "2808649028d2fa88c4432c2961e94af8a8471e29a37f9caa56fc7633e20fd06f",
    "30db3ea6d728b88c03c56388f64efb5bfe5e8d0ed3640482108ac79645304e6f",
    "87e756a2a0abfed9d46c9ee7c796596c78de67bb5d37ffb42ffef3da282fffcb",
    "8f642f0351e1761dd3f7d8934a2da0a5eacd7f8a2c0440d8e2bf58ff2a6e847d",
    "9a5449e68775db802f5b822dabc19c3a3bc86bbabe89e67012cdff361aafba11",
    "9ab6db67523ba6071fdb948b3ce38349ec08fb726f359abbbca33a3a84238ba2",
    "a51b526d181d7219ebcf95e9f1d5f43dc8368274772fee517049ec935e559dc8",
    "bf552d2ff30b20f0b0ee2bcc357a5ab68dbe899ae09a0071b097bee2d2434332",
    "df965cd79ecfbd95da9bc1c3bcd8bbb1ea35b8b506c3542f0eb31c84c4a9136b",
    "e033bc87562a8915b620ab70eb5b968084c587980c12284c3e7adfc27391dc07",
    "f5e42bee7204054c83ce3bb55c8876254ed2a52ddb0cd4ad7b1e8f3b24728053",
    // GnuTLS, `src/benchmark-tls.c`: in `gnutls-cli`.
    "018cf229766ddc025f394475da197c4eed65eff133b87bbbb5c2026e862262da",
    "19f456b866b7ef15e3dedadddc978936d1e503d96eb26edc7bc8d2f92392930f",
    "857ba1c844d476c858757d481a6dc50b519db42d4f04ed4727f853d729333fd1",
    "f3ede7927538f288b6d5e87cfe98db03e5a190e98102f59941a1a33c335ecdde",
];

/// Whether a private key in text is one of those. In a program it says nothing; who uses one has no secret.
pub(crate) fn is_of_self_test(key: &[u8]) -> bool {
    let body: Vec<u8> = key.iter().copied().filter(|byte| Class::Base64.has(*byte)).collect();
    let digest = Digest::from_sha256(&Sha256::digest(&body)).to_string();
    digest.strip_prefix("sha256:").is_some_and(|hex| OF_SELF_TESTS.contains(&hex))
}
