//! Selective disclosure (RFC 9901) of private facts, inside the signed payload and without JWS.
//!
//! A private fact (a host name, a serial number, a place) is not in the statement; a digest of it is. The holder shows
//! the fact later by its *disclosure*: base64url of the JSON array `[salt, name, value]`. The statement's `_sd` lists
//! base64url(SHA-256(disclosure)) sorted, so their order tells nothing, among decoys that no disclosure fits, so their
//! number tells little. A salt of 128 random bits keeps short values from being guessed.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::digest::Sha256;
use crate::json::{self, JsonError};

/// The one digest algorithm, as `_sd_alg` names it.
pub const ALGORITHM: &str = "sha-256";

/// Bytes of a salt: RFC 9901 recommends 128 bits.
const SALT_BYTES: usize = 16;

/// Digests are filled up with decoys to a multiple of this, and never fewer than one decoy.
const PADDED_TO: usize = 8;

/// Largest disclosure that is read.
const MAX_DISCLOSURE_BYTES: usize = 16 << 10;

/// Facts made ready for signing: the digests go into the statement, the disclosures stay with the holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concealed {
    /// The statement's `_sd`.
    pub digests: Vec<String>,
    /// One for each fact, by its name.
    pub disclosures: BTreeMap<String, Disclosure>,
}

/// One fact that can be shown: what is handed to whoever may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure(String);

/// Why facts are not concealed, or a disclosure is not believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisclosureError {
    #[error("the system gives no random bytes: {0}")]
    Random(String),
    #[error("{name:?} cannot name a disclosed fact: RFC 9901 reserves it")]
    ReservedName { name: String },
    #[error("the digest algorithm is {found:?}, not {ALGORITHM:?}")]
    Algorithm { found: String },
    #[error("the statement lists the digest {digest} twice")]
    DuplicateDigest { digest: String },
    #[error("the disclosure is not base64url without padding")]
    NotBase64,
    #[error("the disclosure is not the JSON array [salt, name, value]: {0}")]
    NotJson(#[from] JsonError),
    #[error("the statement has no digest of this disclosure ({digest}): it belongs elsewhere or was altered")]
    NotListed { digest: String },
    #[error("the fact {name:?} is disclosed twice, or stands in the statement openly too")]
    DuplicateName { name: String },
}

/// Salts and hashes facts, and adds decoys. Each call draws fresh salts: equal facts in two statements cannot be linked.
pub fn conceal(facts: &BTreeMap<String, Value>) -> Result<Concealed, DisclosureError> {
    let disclosures = facts
        .iter()
        .map(|(name, value)| Ok((name.clone(), Disclosure::new(name, value)?)))
        .collect::<Result<BTreeMap<_, _>, DisclosureError>>()?;
    let mut digests: Vec<_> = disclosures.values().map(Disclosure::digest).collect();
    let wanted = (digests.len() + 1).next_multiple_of(PADDED_TO);
    while digests.len() < wanted {
        digests.push(encoded_digest(&random::<32>()?));
    }
    digests.sort_unstable();
    Ok(Concealed { digests, disclosures })
}

/// Facts shown by `disclosures`, each held to the statement's `_sd` and `_sd_alg`. `open` are the names that the
/// statement gives openly in the same place.
pub fn reveal(
    digests: &[String],
    algorithm: Option<&str>,
    open: &BTreeSet<&str>,
    disclosures: &[Disclosure],
) -> Result<BTreeMap<String, Value>, DisclosureError> {
    // RFC 9901, section 4.1.1: sha-256 when nothing is said.
    let algorithm = algorithm.unwrap_or(ALGORITHM);
    if algorithm != ALGORITHM {
        return Err(DisclosureError::Algorithm {
            found: algorithm.to_owned(),
        });
    }
    let mut listed = BTreeSet::new();
    for digest in digests {
        if !listed.insert(digest.as_str()) {
            return Err(DisclosureError::DuplicateDigest {
                digest: digest.clone(),
            });
        }
    }
    let mut facts = BTreeMap::new();
    for disclosure in disclosures {
        let digest = disclosure.digest();
        if !listed.contains(digest.as_str()) {
            return Err(DisclosureError::NotListed { digest });
        }
        let (name, value) = disclosure.read()?;
        if open.contains(name.as_str()) || facts.contains_key(&name) {
            return Err(DisclosureError::DuplicateName { name });
        }
        facts.insert(name, value);
    }
    Ok(facts)
}

impl Disclosure {
    fn new(name: &str, value: &Value) -> Result<Self, DisclosureError> {
        check_name(name)?;
        let salt = URL_SAFE_NO_PAD.encode(random::<SALT_BYTES>()?);
        let array = serde_json::to_vec(&(salt, name, value)).expect("a JSON value has a JSON form");
        Ok(Self(URL_SAFE_NO_PAD.encode(array)))
    }

    /// Takes a disclosure as it was handed over; [`reveal`] tells whether it is good.
    pub fn from_text(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its element of `_sd`. The digest is over the very text, so no other spelling of the array fits.
    pub fn digest(&self) -> String {
        encoded_digest(self.0.as_bytes())
    }

    fn read(&self) -> Result<(String, Value), DisclosureError> {
        let array = URL_SAFE_NO_PAD
            .decode(&self.0)
            .map_err(|_| DisclosureError::NotBase64)?;
        let (_salt, name, value): (String, String, Value) = json::from_slice(&array, MAX_DISCLOSURE_BYTES)?;
        check_name(&name)?;
        Ok((name, value))
    }
}

/// `_sd` and `...` would make a fact look like machinery (RFC 9901, section 4.2.1).
fn check_name(name: &str) -> Result<(), DisclosureError> {
    if matches!(name, "_sd" | "_sd_alg" | "...") {
        return Err(DisclosureError::ReservedName {
            name: name.to_owned(),
        });
    }
    Ok(())
}

fn encoded_digest(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::of(bytes).0)
}

fn random<const N: usize>() -> Result<[u8; N], DisclosureError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| DisclosureError::Random(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts() -> BTreeMap<String, Value> {
        [
            ("hostname", json!("gpu-17")),
            ("rack", json!({"row": 4, "unit": 11})),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn shown(concealed: &Concealed) -> Vec<Disclosure> {
        concealed.disclosures.values().cloned().collect()
    }

    fn reveal_all(
        concealed: &Concealed,
        disclosures: &[Disclosure],
    ) -> Result<BTreeMap<String, Value>, DisclosureError> {
        reveal(&concealed.digests, Some(ALGORITHM), &BTreeSet::new(), disclosures)
    }

    #[test]
    fn disclosed_facts_read_back_and_the_rest_stays_hidden() {
        let concealed = conceal(&facts()).unwrap();
        assert_eq!(reveal_all(&concealed, &shown(&concealed)).unwrap(), facts());
        let one = reveal_all(&concealed, &shown(&concealed)[..1]).unwrap();
        assert_eq!(
            one.into_iter().collect::<Vec<_>>(),
            [("hostname".to_owned(), json!("gpu-17"))]
        );
        assert!(!concealed.digests.concat().contains("gpu-17"));
    }

    #[test]
    fn the_digest_of_the_standards_example_is_reproduced() {
        // RFC 9901, section 4.2.3: family_name.
        let text = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0";
        let disclosure = Disclosure::from_text(text);
        assert_eq!(disclosure.digest(), "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0");
        assert_eq!(
            disclosure.read().unwrap(),
            ("family_name".to_owned(), json!("Möbius"))
        );
    }

    #[test]
    fn digests_are_sorted_and_padded_with_decoys() {
        for (count, want) in [(0, 8), (1, 8), (7, 8), (8, 16), (9, 16)] {
            let facts = (0..count).map(|i| (format!("fact{i}"), json!(i))).collect();
            let digests = conceal(&facts).unwrap().digests;
            assert_eq!(digests.len(), want);
            assert!(digests.is_sorted());
        }
    }

    #[test]
    fn equal_facts_have_unequal_digests_in_two_statements() {
        let (a, b) = (conceal(&facts()).unwrap(), conceal(&facts()).unwrap());
        assert!(a.digests.iter().all(|digest| !b.digests.contains(digest)));
    }

    #[test]
    fn an_altered_or_foreign_disclosure_is_refused() {
        let (concealed, other) = (conceal(&facts()).unwrap(), conceal(&facts()).unwrap());
        let foreign = reveal_all(&concealed, &shown(&other));
        assert!(matches!(foreign, Err(DisclosureError::NotListed { .. })));
        let good = shown(&concealed).remove(0).0;
        for at in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[at] ^= 1;
            let altered = Disclosure(String::from_utf8(bytes).unwrap());
            assert!(matches!(
                reveal_all(&concealed, &[altered]),
                Err(DisclosureError::NotListed { .. })
            ));
        }
    }

    #[test]
    fn signed_nonsense_is_refused_by_its_cause() {
        let refused = |array: &str| {
            let text = URL_SAFE_NO_PAD.encode(array);
            let digests = [encoded_digest(text.as_bytes())];
            reveal(&digests, None, &BTreeSet::from(["os"]), &[Disclosure(text)]).unwrap_err()
        };
        assert!(matches!(
            refused(r#"["salt","name"]"#),
            DisclosureError::NotJson(_)
        ));
        assert!(matches!(
            refused(r#"["salt",7,"value"]"#),
            DisclosureError::NotJson(_)
        ));
        assert!(matches!(
            refused(r#"["salt","name",{"a":1,"a":2}]"#),
            DisclosureError::NotJson(_)
        ));
        assert!(matches!(
            refused(r#"["salt","_sd",[]]"#),
            DisclosureError::ReservedName { .. }
        ));
        assert!(matches!(
            refused(r#"["salt","...","x"]"#),
            DisclosureError::ReservedName { .. }
        ));
        assert!(matches!(
            refused(r#"["salt","os","x"]"#),
            DisclosureError::DuplicateName { .. }
        ));
    }

    #[test]
    fn repeats_and_other_algorithms_are_refused() {
        let concealed = conceal(&facts()).unwrap();
        let first = shown(&concealed).remove(0);
        let twice = reveal_all(&concealed, &[first.clone(), first.clone()]);
        assert!(matches!(twice, Err(DisclosureError::DuplicateName { .. })));
        let digests = [first.digest(), first.digest()];
        let listed_twice = reveal(&digests, None, &BTreeSet::new(), &[first]);
        assert!(matches!(
            listed_twice,
            Err(DisclosureError::DuplicateDigest { .. })
        ));
        let weak = reveal(&concealed.digests, Some("md5"), &BTreeSet::new(), &[]);
        assert!(matches!(weak, Err(DisclosureError::Algorithm { .. })));
        let reserved = BTreeMap::from([("_sd".to_owned(), json!(1))]);
        assert!(matches!(
            conceal(&reserved),
            Err(DisclosureError::ReservedName { .. })
        ));
    }
}
