// Checks one attestation in the reader's browser: the signature, the leaf, the inclusion proof, the checkpoint.
// Nothing is taken from the page but the digest and the key id that it names. Without this script the page is complete.
"use strict";

const box = document.getElementById("browser-checks");
if (box && window.crypto && crypto.subtle) main(box);

async function main(box) {
  const { digest, key } = box.dataset;
  const list = box.querySelector("ul");
  box.hidden = false;
  const say = (verdict, text) => {
    const item = document.createElement("li");
    item.className = verdict;
    item.textContent = text;
    list.append(item);
  };
  const base = `/api/v1/attestations/${digest}`;
  try {
    const [entry, envelope, receipt, root] = await Promise.all([
      read(`${base}?key=${key}`), read(`${base}/envelope?key=${key}`),
      read(`${base}/receipt?key=${key}`), read("/trusted_root.json"),
    ]);
    const spki = bytes(entry.publicKey);
    await step(say, "The public key has the key id of this page", async () => hex(await sha256(spki)) === key);
    const pae = preAuthentication(envelope);
    await step(say, "The envelope has the digest of this page", async () => hex(await sha256(pae)) === digest);
    const signature = bytes(envelope.signatures[0].sig);
    await step(say, "The key signed this statement", () => verify(spki, signature, pae));
    const logged = receipt.verificationMaterial.tlogEntries[0];
    const leaf = bytes(logged.canonicalizedBody);
    await step(say, "The log's leaf holds this digest and this key", () => leafHolds(leaf, pae, spki));
    const proof = logged.inclusionProof;
    const note = openNote(proof.checkpoint.envelope);
    await step(say, `The leaf is entry ${proof.logIndex} of the ${note.size} in the checkpoint`, async () =>
      String(note.size) === String(proof.treeSize) &&
      same(await climb(leaf, BigInt(proof.logIndex), BigInt(proof.treeSize), proof.hashes.map(bytes)), note.root));
    await step(say, "The log's key signed the checkpoint", () => checkpointSigned(note, root));
  } catch (error) {
    say("bad", `The check could not be made: ${error.message}`);
  }
}

async function step(say, text, check) {
  const good = await check();
  say(good ? "good" : "bad", good ? text : `${text}: this does NOT hold`);
  if (!good) throw new Error("stopped at the first check that does not hold");
}

async function read(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}

function preAuthentication(envelope) {
  const type = new TextEncoder().encode(envelope.payloadType);
  const payload = bytes(envelope.payload);
  const head = new TextEncoder().encode(`DSSEv1 ${type.length} ${envelope.payloadType} ${payload.length} `);
  return join(head, payload);
}

async function leafHolds(leaf, pae, spki) {
  const record = JSON.parse(new TextDecoder().decode(leaf)).spec.hashedRekordV002;
  return same(bytes(record.data.digest), await sha256(pae)) &&
    same(bytes(record.signature.verifier.publicKey.rawBytes), spki);
}

// RFC 9162, section 2.1.3.2.
async function climb(leaf, index, size, path) {
  let hash = await sha256(join(Uint8Array.of(0), leaf));
  let last = size - 1n;
  if (index > last) throw new Error("the index lies outside the tree");
  for (const sibling of path) {
    if (last === 0n) throw new Error("the proof is too long");
    if (index & 1n || index === last) {
      hash = await sha256(join(Uint8Array.of(1), sibling, hash));
      while (!(index & 1n) && index !== 0n) { index >>= 1n; last >>= 1n; }
    } else {
      hash = await sha256(join(Uint8Array.of(1), hash, sibling));
    }
    index >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) throw new Error("the proof is too short");
  return hash;
}

function openNote(note) {
  const end = note.indexOf("\n\n") + 1;
  const text = note.slice(0, end);
  const [origin, size, root] = text.split("\n");
  const lines = note.slice(end + 1).split("\n").filter((line) => line.startsWith("\u2014 "));
  return { text, origin, size, root: bytes(root), lines };
}

async function checkpointSigned(note, root) {
  const key = root.tlogs.map((log) => log.publicKey).find((k) => k.keyDetails === "PKIX_ECDSA_P256_SHA_256");
  const spki = bytes(key.rawBytes);
  const id = (await sha256(spki)).slice(0, 4);
  for (const line of note.lines) {
    const [, name, signature] = line.split(" ");
    const raw = bytes(signature);
    if (name === note.origin && same(raw.slice(0, 4), id)) {
      return verify(spki, raw.slice(4), new TextEncoder().encode(note.text));
    }
  }
  return false;
}

async function verify(spki, der, message) {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("spki", spki, algorithm, false, ["verify"]);
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, rawSignature(der), message);
}

// WebCrypto takes r and s side by side, 32 bytes each; DER has them as signed integers.
function rawSignature(der) {
  const number = (at) => {
    if (der[at] !== 2) throw new Error("the signature is not DER");
    const value = der.slice(at + 2, at + 2 + der[at + 1]);
    const trimmed = value[0] === 0 ? value.slice(1) : value;
    const padded = new Uint8Array(32);
    padded.set(trimmed, 32 - trimmed.length);
    return [padded, at + 2 + der[at + 1]];
  };
  const [r, next] = number(2);
  const [s] = number(next);
  return join(r, s);
}

async function sha256(data) { return new Uint8Array(await crypto.subtle.digest("SHA-256", data)); }
function bytes(base64) { return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)); }
function hex(data) { return Array.from(data, (b) => b.toString(16).padStart(2, "0")).join(""); }
function same(a, b) { return a.length === b.length && a.every((value, at) => value === b[at]); }
function join(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { all.set(part, at); at += part.length; }
  return all;
}
