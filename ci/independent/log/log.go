package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Leaves under one level-0 tile.
const width = 256

type logFiles struct {
	dir            string
	origin         string
	ed25519, ecdsa note.Verifier
	checkpoint     []byte
	tree, older    tlog.Tree
	consistency    tlog.TreeProof
	receipt        receipt

	// One byte of one file, named by how its path begins, reads changed.
	flipFile string
	flipAt   int
}

type receipt struct {
	index int64
	tree  tlog.Tree
	path  tlog.RecordProof
	leaf  []byte
}

type tlogInstance struct {
	BaseURL   string
	PublicKey struct {
		RawBytes   []byte
		KeyDetails string
	}
}

func readLog(dir string) (*logFiles, error) {
	l := &logFiles{dir: dir}
	var root struct{ Tlogs []tlogInstance }
	if err := readJSON(dir, "trusted_root.json", &root); err != nil {
		return nil, err
	}
	var err error
	if l.checkpoint, err = os.ReadFile(filepath.Join(dir, "checkpoint")); err != nil {
		return nil, err
	}
	l.origin, _, _ = strings.Cut(string(l.checkpoint), "\n")
	for _, instance := range root.Tlogs {
		if instance.BaseURL == "https://"+l.origin {
			if err := l.trust(instance); err != nil {
				return nil, err
			}
		}
	}
	if l.ed25519 == nil || l.ecdsa == nil {
		return nil, errors.New("the trusted root lacks a key of " + l.origin)
	}
	older, err := os.ReadFile(filepath.Join(dir, "checkpoint.older"))
	if err != nil {
		return nil, err
	}
	if l.tree, err = l.open(l.checkpoint, l.ed25519, l.ecdsa); err != nil {
		return nil, err
	}
	if l.older, err = l.open(older, l.ed25519, l.ecdsa); err != nil {
		return nil, err
	}
	if err := l.readConsistency(); err != nil {
		return nil, err
	}
	return l, l.readReceipt()
}

func (l *logFiles) trust(instance tlogInstance) error {
	parsed, err := x509.ParsePKIXPublicKey(instance.PublicKey.RawBytes)
	if err != nil {
		return err
	}
	switch key := parsed.(type) {
	case ed25519.PublicKey:
		line, err := note.NewEd25519VerifierKey(l.origin, key)
		if err != nil {
			return err
		}
		l.ed25519, err = note.NewVerifier(line)
		return err
	case *ecdsa.PublicKey:
		l.ecdsa = &ecdsaVerifier{l.origin, instance.PublicKey.RawBytes, key}
		return nil
	}
	return fmt.Errorf("a key of type %T", parsed)
}

// ecdsaVerifier is note type 0x02: the key id is over the SubjectPublicKeyInfo, the signature over SHA-256 of the text.
type ecdsaVerifier struct {
	name string
	spki []byte
	key  *ecdsa.PublicKey
}

func (v *ecdsaVerifier) Name() string { return v.name }

func (v *ecdsaVerifier) KeyHash() uint32 {
	hash := sha256.Sum256(v.spki)
	return binary.BigEndian.Uint32(hash[:])
}

func (v *ecdsaVerifier) Verify(text, sig []byte) bool {
	hash := sha256.Sum256(text)
	return ecdsa.VerifyASN1(v.key, hash[:], sig)
}

// open wants a signature by each of the keys.
func (l *logFiles) open(checkpoint []byte, keys ...note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(checkpoint, note.VerifierList(keys...))
	if err != nil {
		return tlog.Tree{}, err
	}
	if len(opened.Sigs) != len(keys) {
		return tlog.Tree{}, fmt.Errorf("%d of %d signatures", len(opened.Sigs), len(keys))
	}
	// sumdb's parser knows one origin only, its own.
	rest, found := strings.CutPrefix(opened.Text, l.origin+"\n")
	if !found {
		return tlog.Tree{}, errors.New("another origin")
	}
	return tlog.ParseTree([]byte("go.sum database tree\n" + rest))
}

func (l *logFiles) readConsistency() error {
	lines, err := os.ReadFile(filepath.Join(l.dir, "consistency"))
	for _, line := range strings.Fields(string(lines)) {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		l.consistency = append(l.consistency, hash)
	}
	return err
}

func (l *logFiles) readReceipt() error {
	var bundle struct {
		VerificationMaterial struct {
			TlogEntries []struct {
				LogIndex          string
				CanonicalizedBody []byte
				InclusionProof    struct {
					Hashes     [][]byte
					Checkpoint struct{ Envelope string }
				}
			}
		}
	}
	if err := readJSON(l.dir, "receipt.json", &bundle); err != nil {
		return err
	}
	entry := bundle.VerificationMaterial.TlogEntries[0]
	var err error
	if l.receipt.index, err = strconv.ParseInt(entry.LogIndex, 10, 64); err != nil {
		return err
	}
	for _, bytes := range entry.InclusionProof.Hashes {
		l.receipt.path = append(l.receipt.path, tlog.Hash(bytes))
	}
	l.receipt.leaf = entry.CanonicalizedBody
	l.receipt.tree, err = l.open([]byte(entry.InclusionProof.Checkpoint.Envelope), l.ed25519, l.ecdsa)
	return err
}

// flipping gives the same log with one byte of one file changed.
func (l *logFiles) flipping(file string, at int) *logFiles {
	other := *l
	other.flipFile, other.flipAt = file, at
	return &other
}

// read gives a tile or bundle; where only a wider or full one is left, its beginning.
func (l *logFiles) read(path string) ([]byte, error) {
	bytes, err := os.ReadFile(filepath.Join(l.dir, path))
	if l.flipFile != "" && strings.HasPrefix(path, l.flipFile) && err == nil {
		bytes[l.flipAt] ^= 1
	}
	return bytes, err
}

func (l *logFiles) level1() string {
	return tilePath(tlog.Tile{H: 8, L: 1, N: 0, W: int(l.tree.N / width)})
}

func tilePath(tile tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
}

// Height, ReadTiles and SaveTiles are sumdb's TileReader.
func (l *logFiles) Height() int { return 8 }

func (l *logFiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		bytes, err := l.read(tilePath(tile))
		if err != nil {
			return nil, err
		}
		all = append(all, bytes)
	}
	return all, nil
}

func (l *logFiles) SaveTiles([]tlog.Tile, [][]byte) {}

// hashes reads the tiles of a tree and checks each against its root.
func (l *logFiles) hashes(tree tlog.Tree) tlog.HashReader { return tlog.TileHashReader(tree, l) }

// checkEntries holds every entry to its leaf hash in the tiles.
func (l *logFiles) checkEntries(tree tlog.Tree) error {
	reader := l.hashes(tree)
	for first := int64(0); first < tree.N; first += width {
		entries, err := l.bundle(first/width, tree.N)
		if err != nil {
			return err
		}
		var indexes []int64
		for i := range entries {
			indexes = append(indexes, tlog.StoredHashIndex(0, first+int64(i)))
		}
		hashes, err := reader.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, entry := range entries {
			if tlog.RecordHash(entry) != hashes[i] {
				return fmt.Errorf("entry %d is not the one hashed", first+int64(i))
			}
		}
	}
	return nil
}

func (l *logFiles) entry(index, size int64) ([]byte, error) {
	entries, err := l.bundle(index/width, size)
	if err != nil {
		return nil, err
	}
	return entries[index%width], nil
}

func (l *logFiles) bundle(number, size int64) ([][]byte, error) {
	count := min(size-number*width, width)
	path := tilePath(tlog.Tile{H: 8, L: 0, N: number, W: int(count)})
	rest, err := l.read(strings.Replace(path, "tile/0/", "tile/entries/", 1))
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for range count {
		if len(rest) < 2 || len(rest) < 2+int(binary.BigEndian.Uint16(rest)) {
			return nil, errors.New("the bundle is cut short")
		}
		end := 2 + int(binary.BigEndian.Uint16(rest))
		entries, rest = append(entries, rest[2:end]), rest[end:]
	}
	if len(rest) > 0 {
		return nil, errors.New("the bundle runs on")
	}
	return entries, nil
}

func readJSON(dir, name string, into any) error {
	bytes, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	return json.Unmarshal(bytes, into)
}

func replace(text []byte, from, to string) []byte {
	return bytes.Replace(text, []byte(from), []byte(to), -1)
}

func equal(err error, got, want any) error {
	if err == nil && !reflect.DeepEqual(got, want) {
		err = errors.New("they differ")
	}
	return err
}
