"""securesystemslib on the envelope, in-toto-attestation on the statement, rfc8785 on the canonical bytes."""

import base64
import copy
import json
import pathlib
import sys

import rfc8785
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

folder = pathlib.Path(sys.argv[1])
failed = False


def say(good, name):
    global failed
    failed = failed or not good
    print(f"{'ok' if good else 'NO'}  {name}")


def accepts(name, check):
    try:
        check()
        say(True, f"accepts {name}")
    except Exception as error:
        say(False, f"accepts {name}: {error!r}")


def refuses(name, check):
    try:
        check()
        say(False, f"refuses {name}")
    except Exception:
        say(True, f"refuses {name}")


envelope = json.loads((folder / "envelope.json").read_bytes())
keyid = envelope["signatures"][0]["keyid"]
signer = load_pem_public_key((folder / "signer.pub.pem").read_bytes())


def verify(document, public=signer):
    Envelope.from_dict(copy.deepcopy(document)).verify([SSlibKey.from_crypto(public, keyid=keyid)], 1)


def edited(path, change):
    document = copy.deepcopy(envelope)
    place = document
    for key in path[:-1]:
        place = place[key]
    raw = bytearray(base64.b64decode(place[path[-1]]))
    change(raw)
    place[path[-1]] = base64.b64encode(bytes(raw)).decode()
    return document


def flip_last(raw):
    raw[-1] ^= 1


accepts("the envelope", lambda: verify(envelope))
refuses("a payload with its last byte changed", lambda: verify(edited(["payload"], flip_last)))
refuses("a signature with its last byte changed", lambda: verify(edited(["signatures", 0, "sig"], flip_last)))
refuses("another payload type", lambda: verify({**envelope, "payloadType": "text/plain"}))
stranger = ec.generate_private_key(ec.SECP256R1()).public_key()
refuses("another key", lambda: verify(envelope, stranger))


def validate(document):
    Statement.copy_from_pb(json_format.ParseDict(document, statement_pb2.Statement())).validate()


statement = (folder / "statement.json").read_bytes()
parsed = json.loads(statement)
accepts("the statement", lambda: validate(parsed))
refuses("a statement without subjects", lambda: validate({**parsed, "subject": []}))
refuses("a statement of another type", lambda: validate({**parsed, "_type": "https://in-toto.io/Statement/v2"}))
without = [{"name": parsed["subject"][0]["name"]}]
refuses("a subject without a digest", lambda: validate({**parsed, "subject": without}))

receipt = json.loads((folder / "receipt.json").read_bytes())
leaf = base64.b64decode(receipt["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"])


def canonical(raw):
    if rfc8785.dumps(json.loads(raw)) != raw:
        raise ValueError("the bytes are not canonical")


accepts("the statement's bytes as canonical", lambda: canonical(statement))
accepts("the leaf's bytes as canonical", lambda: canonical(leaf))
refuses("a statement with one space more", lambda: canonical(statement.replace(b":", b": ", 1)))
refuses("a statement with its members reversed", lambda: canonical(json.dumps(dict(reversed(parsed.items())), separators=(",", ":")).encode()))
sys.exit(failed)
