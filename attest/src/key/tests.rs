use super::*;

#[test]
fn a_key_survives_its_file() {
    let key = SigningKey::generate().expect("a key");
    for password in [None, Some(&b"correct horse"[..])] {
        let pem = key.to_pem(password).expect("a file");
        let read = SigningKey::from_pem(&pem, password).expect("the same key");
        assert_eq!(read.public(), key.public());
    }
    assert_eq!(
        &PublicKey::from_pem(&key.public().to_pem()).expect("a public key"),
        key.public()
    );
}

#[test]
fn an_encrypted_key_asks_for_its_password() {
    let key = SigningKey::generate().expect("a key");
    let pem = key.to_pem(Some(b"right")).expect("a file");
    assert!(matches!(
        SigningKey::from_pem(&pem, None),
        Err(KeyError::PasswordNeeded)
    ));
    assert!(matches!(
        SigningKey::from_pem(&pem, Some(b"wrong")),
        Err(KeyError::WrongPassword)
    ));
    assert!(!format!("{key:?}").contains(&pem[30..60]));
}

#[test]
fn a_signature_holds_for_its_key_and_message_only() {
    let key = SigningKey::generate().expect("a key");
    let other = SigningKey::generate().expect("a key");
    let signature = key.sign(b"message");
    assert_eq!(key.public().verify(b"message", &signature), Ok(()));
    assert!(matches!(
        key.public().verify(b"massage", &signature),
        Err(SignatureError::Wrong { .. })
    ));
    assert!(matches!(
        other.public().verify(b"message", &signature),
        Err(SignatureError::Wrong { .. })
    ));
}

#[test]
fn a_high_s_is_accepted_and_a_raw_pair_is_not() {
    let key = SigningKey::generate().expect("a key");
    let low = p256::ecdsa::Signature::from_der(&key.sign(b"message")).expect("DER");
    let (r, s) = low.split_scalars();
    let mirrored = p256::ecdsa::Signature::from_scalars(r, -s).expect("r and n - s");
    for signature in [low, mirrored] {
        assert_eq!(
            key.public().verify(b"message", signature.to_der().as_bytes()),
            Ok(())
        );
    }
    assert_eq!(
        key.public().verify(b"message", &low.to_bytes()),
        Err(SignatureError::Raw)
    );
    let mut trailing = low.to_der().as_bytes().to_vec();
    trailing.push(0);
    assert_eq!(
        key.public().verify(b"message", &trailing),
        Err(SignatureError::NotDer)
    );
}

#[test]
fn other_keys_are_refused_by_their_cause() {
    let spki = SigningKey::generate()
        .expect("a key")
        .public()
        .spki_der()
        .to_vec();
    let cause = |der: &[u8]| PublicKey::from_spki_der(der).expect_err("refused");
    assert!(matches!(cause(&spki[1..]), KeyError::WrongLength { bytes: 90 }));
    let mut curve = spki.clone();
    curve[22] ^= 1;
    assert!(matches!(cause(&curve), KeyError::WrongAlgorithm));
    let mut point = spki;
    point[90] ^= 1;
    assert!(matches!(cause(&point), KeyError::NotOnCurve));
    assert!(matches!(
        SigningKey::from_pem(
            "-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n",
            None
        ),
        Err(KeyError::WrongLabel { .. })
    ));
    assert!(matches!(PublicKey::from_pem("no key"), Err(KeyError::NotPem(_))));
}
