// @sigstore/verify on the receipt with our trusted root; canonicalize on the canonical bytes.
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { Verifier, toSignedEntity, toTrustMaterial } from '@sigstore/verify';
import canonicalize from 'canonicalize';

const folder = process.argv[2];
const read = (name) => readFileSync(join(folder, name));
let failed = false;

function say(good, name) {
  failed ||= !good;
  console.log(`${good ? 'ok' : 'NO'}  ${name}`);
}
function accepts(name, check) {
  try {
    check();
    say(true, `accepts ${name}`);
  } catch (error) {
    say(false, `accepts ${name}: ${error}`);
  }
}
function refuses(name, check) {
  try {
    check();
    say(false, `refuses ${name}`);
  } catch {
    say(true, `refuses ${name}`);
  }
}

const signer = createPublicKey(read('signer.pub.pem'));
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
const receiptText = read('receipt.json').toString();
const rootText = read('trusted_root.json').toString();

// Finds the signer by the receipt's hint: SHA-256 of the SubjectPublicKeyInfo.
function keyFinder(publicKey) {
  const hint = createHash('sha256').update(signer.export({ type: 'spki', format: 'der' })).digest('base64');
  return (asked) => {
    if (asked !== hint) throw new Error(`no key has the hint ${asked}`);
    return { publicKey, validFor: () => true };
  };
}

function verify({ receipt = () => {}, root = () => {}, publicKey = signer } = {}) {
  const bundle = JSON.parse(receiptText);
  const trusted = JSON.parse(rootText);
  receipt(bundle, bundle.verificationMaterial.tlogEntries[0]);
  root(trusted);
  const material = toTrustMaterial(TrustedRoot.fromJSON(trusted), keyFinder(publicKey));
  const options = { tlogThreshold: 1, ctlogThreshold: 0, timestampThreshold: 0 };
  return new Verifier(material, options).verify(toSignedEntity(bundleFromJSON(bundle)));
}

// Base64 text with one bit of the byte at `at` changed; a negative place counts from the end.
function flipped(text, at) {
  const bytes = Buffer.from(text, 'base64');
  bytes[at < 0 ? bytes.length + at : at] ^= 1;
  return bytes.toString('base64');
}
const keep = (trusted, details) => {
  trusted.tlogs = trusted.tlogs.filter((log) => log.publicKey.keyDetails === details);
};

accepts('the receipt', () => verify());
accepts("the receipt by the log's ECDSA key alone", () => verify({ root: (t) => keep(t, 'PKIX_ECDSA_P256_SHA_256') }));
refuses("the receipt without the log's ECDSA key", () => verify({ root: (t) => keep(t, 'PKIX_ED25519') }));
refuses('a changed payload', () => verify({ receipt: (b) => { b.dsseEnvelope.payload = flipped(b.dsseEnvelope.payload, 0); } }));
refuses('a changed signature', () => verify({ receipt: (b) => { const s = b.dsseEnvelope.signatures[0]; s.sig = flipped(s.sig, -1); } }));
refuses('a changed leaf', () => verify({ receipt: (_, e) => { e.canonicalizedBody = flipped(e.canonicalizedBody, -9); } }));
refuses('a changed path', () => verify({ receipt: (_, e) => { e.inclusionProof.hashes[0] = flipped(e.inclusionProof.hashes[0], 0); } }));
refuses('a path cut short', () => verify({ receipt: (_, e) => { e.inclusionProof.hashes.pop(); } }));
refuses('another index', () => verify({ receipt: (_, e) => { e.inclusionProof.logIndex = String(Number(e.inclusionProof.logIndex) ^ 1); } }));
refuses('a changed tree size', () => verify({ receipt: (_, e) => { e.inclusionProof.checkpoint.envelope = e.inclusionProof.checkpoint.envelope.replace(/\n(\d+)\n/, '\n1$1\n'); } }));
refuses('an unsigned checkpoint', () => verify({ receipt: (_, e) => { e.inclusionProof.checkpoint.envelope = e.inclusionProof.checkpoint.envelope.replace(/\u2014.*\n/g, ''); } }));
refuses('a receipt without its log entry', () => verify({ receipt: (b) => { b.verificationMaterial.tlogEntries = []; } }));
refuses('another hint', () => verify({ receipt: (b) => { const k = b.verificationMaterial.publicKey; k.hint = flipped(k.hint, 0); } }));
refuses("another signer's key", () => verify({ publicKey: stranger }));
refuses('a log that is not trusted', () => verify({ root: (t) => { t.tlogs = []; } }));
refuses("another log's key", () => verify({ root: (t) => { keep(t, 'PKIX_ECDSA_P256_SHA_256'); t.tlogs[0].publicKey.rawBytes = stranger.export({ type: 'spki', format: 'der' }).toString('base64'); } }));
refuses('a log of another name', () => verify({ root: (t) => { for (const log of t.tlogs) log.baseUrl = 'https://other.example'; } }));

const canonical = (bytes) => {
  if (canonicalize(JSON.parse(bytes)) !== bytes) throw new Error('not canonical');
};
const statement = read('statement.json').toString();
const entry = JSON.parse(receiptText).verificationMaterial.tlogEntries[0];
accepts("the statement's bytes as canonical", () => canonical(statement));
accepts("the leaf's bytes as canonical", () => canonical(Buffer.from(entry.canonicalizedBody, 'base64').toString()));
refuses('a statement with one space more', () => canonical(statement.replace(':', ': ')));
process.exitCode = failed ? 1 : 0;
