//! What only this registry can make or read: the secrets of webhooks as they are stored, and the tokens in links and
//! challenges. All of it comes from one key, which every replica has and the database does not.

use std::{
    fmt, fs,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use rand::{TryRngCore, rngs::OsRng};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use sha2::{Digest, Sha256};

use crate::error::{Error, Reason, Result};

/// Bytes of a key.
const KEY: usize = 32;
/// Bytes of a token: too many to guess, few enough for a link.
const TOKEN: usize = 20;
/// The form of what is sealed.
const FORM: u8 = 1;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To say that a subscription is wanted.
    Verify,
    /// To end it.
    Unsubscribe,
}

/// Seals and opens secrets, makes and checks tokens. `Debug` shows nothing.
pub struct Sealer {
    seal: LessSafeKey,
    sign: hmac::Key,
}

impl Sealer {
    /// By a key: the Base64 of 32 bytes.
    ///
    /// # Errors
    /// The rule that the text breaks. The text is not repeated.
    pub fn new(key: &str) -> Result<Self, String> {
        let rule = || format!("must be the Base64 of {KEY} bytes, such as `openssl rand -base64 {KEY}` prints");
        let bytes = STANDARD.decode(key.trim()).map_err(|_| rule())?;
        if bytes.len() != KEY {
            return Err(rule());
        }
        // One key for each use: what is learned of one says nothing of the other.
        let root = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let derive = |use_of: &[u8]| hmac::sign(&root, use_of);
        let seal = UnboundKey::new(&CHACHA20_POLY1305, derive(b"seal").as_ref()).map_err(|_| rule())?;
        Ok(Self { seal: LessSafeKey::new(seal), sign: hmac::Key::new(hmac::HMAC_SHA256, derive(b"token").as_ref()) })
    }

    /// By the key in a file, which is made, for this user alone, if it is not there.
    ///
    /// # Errors
    /// If the file cannot be read or made, or holds no key.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let show = path.display();
        match fs::read_to_string(path) {
            Ok(text) => return Self::new(&text).map_err(|rule| format!("{show} {rule}")),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{show}: {error}")),
        }
        let mut bytes = [0; KEY];
        OsRng.try_fill_bytes(&mut bytes).map_err(|error| error.to_string())?;
        let text = STANDARD.encode(bytes);
        let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
            file.write_all(format!("{text}\n").as_bytes())?;
            file.sync_all()
        });
        made.map_err(|error| format!("{show}: {error}"))?;
        Self::new(&text)
    }

    /// Seals a secret of what `name` names.
    ///
    /// # Errors
    /// INTERNAL if there is no randomness.
    pub fn seal(&self, name: &str, secret: &str) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        OsRng.try_fill_bytes(&mut nonce).map_err(Error::internal)?;
        let mut sealed = secret.as_bytes().to_vec();
        self.seal
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name.as_bytes()), &mut sealed)
            .map_err(|_| Error::internal("a secret could not be sealed"))?;
        Ok([&[FORM], nonce.as_slice(), &sealed].concat())
    }

    /// What was sealed for what `name` names.
    ///
    /// # Errors
    /// INTERNAL if it was sealed by another key, or for something else.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<String> {
        let refuse = || {
            let text = format!("a secret of {name} was sealed by another key: is secrets.key the one it was?");
            Error::new(Reason::Internal, text)
        };
        let rest = sealed.strip_prefix(&[FORM]).ok_or_else(refuse)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN).ok_or_else(refuse)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| refuse())?;
        let mut opened = sealed.to_vec();
        let plain = self.seal.open_in_place(nonce, Aad::from(name.as_bytes()), &mut opened).map_err(|_| refuse())?;
        String::from_utf8(plain.to_vec()).map_err(|_| refuse())
    }

    /// The token for a purpose of what `name` names, which leads to `endpoint`.
    pub fn token(&self, purpose: Purpose, name: &str, endpoint: &str) -> String {
        let tag = hmac::sign(&self.sign, &Self::said(purpose, name, endpoint));
        let short = tag.as_ref().get(..TOKEN).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(short)
    }

    /// Whether a token is the one for that.
    pub fn is_token(&self, purpose: Purpose, name: &str, endpoint: &str, token: &str) -> bool {
        // By their digests: how long it takes says nothing of the token.
        Sha256::digest(self.token(purpose, name, endpoint)) == Sha256::digest(token)
    }

    fn said(purpose: Purpose, name: &str, endpoint: &str) -> Vec<u8> {
        let purpose = match purpose {
            Purpose::Verify => "verify",
            Purpose::Unsubscribe => "unsubscribe",
        };
        // None of them has a NUL.
        [purpose, name, endpoint].join("\0").into_bytes()
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(&STANDARD.encode([byte; KEY])).expect("a key")
    }

    #[test]
    fn what_is_sealed_is_opened_by_the_same_key_for_the_same_name_only() {
        let one = sealer(1);
        let sealed = one.seal("organizations/a/subscriptions/b", "whsec_x").expect("sealed");
        assert!(!sealed.windows(5).any(|part| part == b"whsec"));
        assert_ne!(sealed, one.seal("organizations/a/subscriptions/b", "whsec_x").expect("sealed"));
        assert_eq!(one.open("organizations/a/subscriptions/b", &sealed).expect("opened"), "whsec_x");
        assert!(one.open("organizations/a/subscriptions/c", &sealed).is_err());
        assert!(sealer(2).open("organizations/a/subscriptions/b", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[at] ^= 1;
            assert!(one.open("organizations/a/subscriptions/b", &forged).is_err(), "{at}");
            assert!(one.open("organizations/a/subscriptions/b", &sealed[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn a_token_is_good_for_one_purpose_of_one_thing() {
        let one = sealer(1);
        let token = one.token(Purpose::Verify, "s", "a@example.com");
        assert!(one.is_token(Purpose::Verify, "s", "a@example.com", &token));
        assert!(!one.is_token(Purpose::Unsubscribe, "s", "a@example.com", &token));
        assert!(!one.is_token(Purpose::Verify, "t", "a@example.com", &token));
        assert!(!one.is_token(Purpose::Verify, "s", "b@example.com", &token));
        assert!(!one.is_token(Purpose::Verify, "s", "a@example.com", ""));
        assert!(!sealer(2).is_token(Purpose::Verify, "s", "a@example.com", &token));
    }

    #[test]
    fn keys_are_32_bytes_and_made_once() {
        for bad in ["", "x", "AAAA", &STANDARD.encode([1; 31]), &STANDARD.encode([1; 33])] {
            assert!(Sealer::new(bad).is_err_and(|rule| rule.contains("32 bytes")), "{bad}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret.key");
        let sealed = Sealer::from_file(&path).expect("made").seal("n", "s").expect("sealed");
        assert_eq!(Sealer::from_file(&path).expect("read").open("n", &sealed).expect("opened"), "s");
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("there").permissions());
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&path, "nonsense").expect("written");
        assert!(Sealer::from_file(&path).is_err());
    }
}
