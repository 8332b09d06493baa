use super::*;
use crate::key::P256;

fn signed() -> (SigningKey, Envelope) {
    let key = SigningKey::generate().expect("a key");
    let envelope = Envelope::sign(b"{\"_type\":\"x\"}".to_vec(), &key);
    (key, envelope)
}

#[test]
fn an_envelope_survives_its_json() {
    let (key, envelope) = signed();
    let read = Envelope::parse(&envelope.to_json()).expect("an envelope");
    assert_eq!(read, envelope);
    let verified = read.open(key.public(), &P256).expect("the signature holds");
    assert_eq!(verified.payload(), envelope.payload);
    assert_eq!(verified.pae_digest(), Sha256::of(&envelope.pae()));
    assert_eq!(key.public().verify(&envelope.pae(), &envelope.sig), Ok(()));
}

#[test]
fn the_signed_bytes_are_those_of_the_protocol() {
    let envelope = Envelope {
        payload: b"hello world".to_vec(),
        payload_type: "http://example.com/HelloWorld".into(),
        keyid: None,
        sig: Vec::new(),
    };
    // DSSE 1.0.2, protocol.md, test vectors.
    assert_eq!(
        envelope.pae(),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
}
