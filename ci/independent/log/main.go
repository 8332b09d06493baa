// Checks a log with x/mod/sumdb: both checkpoint signatures, every tile and entry, inclusion, consistency.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var failed bool

func say(good bool, name string, err error) {
	switch {
	case good:
		fmt.Println("ok  " + name)
	case err != nil:
		failed = true
		fmt.Println("NO  "+name+":", err)
	default:
		failed = true
		fmt.Println("NO  " + name)
	}
}

func accepts(name string, err error) { say(err == nil, "accepts "+name, err) }
func refuses(name string, err error) { say(err != nil, "refuses "+name, nil) }

func main() {
	dir := os.Args[1]
	log, err := readLog(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	checkCheckpoint(log)
	checkTiles(log)
	checkReceipt(log)
	checkConsistency(log)
	if failed {
		os.Exit(1)
	}
}

func checkCheckpoint(log *logFiles) {
	_, err := log.open(log.checkpoint, log.ed25519)
	accepts("the checkpoint's Ed25519 line", err)
	_, err = log.open(log.checkpoint, log.ecdsa)
	accepts("the checkpoint's ECDSA line", err)
	for _, key := range []note.Verifier{log.ed25519, log.ecdsa} {
		kind := map[note.Verifier]string{log.ed25519: "Ed25519", log.ecdsa: "ECDSA"}[key]
		_, err = log.open(replace(log.checkpoint, fmt.Sprintf("\n%d\n", log.tree.N), fmt.Sprintf("\n%d\n", log.tree.N+1)), key)
		refuses("a checkpoint of one leaf more, by "+kind, err)
		_, err = log.open(replace(log.checkpoint, log.origin, "other.example/log"), key)
		refuses("a checkpoint of another log, by "+kind, err)
	}
	_, err = log.open(log.checkpoint)
	refuses("a checkpoint without trusted keys", err)
}

func checkTiles(log *logFiles) {
	count := func(log *logFiles, tree tlog.Tree) error { return log.checkEntries(tree) }
	accepts(fmt.Sprintf("all %d entries and tiles of the checkpoint", log.tree.N), count(log, log.tree))
	accepts(fmt.Sprintf("all %d entries and tiles of the older checkpoint", log.older.N), count(log, log.older))
	refuses("an entry with one byte changed", count(log.flipping("tile/entries/000", 40), log.tree))
	refuses("a level-0 tile with one byte changed", count(log.flipping("tile/0/001", 77), log.tree))
	refuses("a level-1 tile with one byte changed", count(log.flipping(filepath.Dir(log.level1()), 5), log.tree))
	wrong := log.tree
	wrong.Hash[0] ^= 1
	refuses("tiles under another root", count(log, wrong))
	wrong = log.tree
	wrong.N--
	refuses("tiles under another size", count(log, wrong))
}

func checkReceipt(log *logFiles) {
	r := log.receipt
	check := func(change func(r *receipt)) error {
		r := log.receipt
		r.path = append(tlog.RecordProof(nil), r.path...)
		change(&r)
		return tlog.CheckRecord(r.path, r.tree.N, r.tree.Hash, r.index, tlog.RecordHash(r.leaf))
	}
	accepts(fmt.Sprintf("the receipt's inclusion proof (index %d of %d)", r.index, r.tree.N), check(func(r *receipt) {}))
	refuses("the proof at the next index", check(func(r *receipt) { r.index++ }))
	refuses("the proof with a changed hash", check(func(r *receipt) { r.path[0][3] ^= 1 }))
	refuses("the proof with a hash missing", check(func(r *receipt) { r.path = r.path[1:] }))
	refuses("the proof of another leaf", check(func(r *receipt) { r.leaf = append([]byte("x"), r.leaf...) }))
	own, err := tlog.ProveRecord(r.tree.N, r.index, log.hashes(r.tree))
	accepts("the receipt's path as its own, made from the tiles", equal(err, own, r.path))
	leaf, err := log.entry(r.index, r.tree.N)
	accepts("the receipt's leaf as the log's entry", equal(err, leaf, r.leaf))
}

func checkConsistency(log *logFiles) {
	check := func(change func(p tlog.TreeProof, old *tlog.Tree) tlog.TreeProof) error {
		proof, old := append(tlog.TreeProof(nil), log.consistency...), log.older
		proof = change(proof, &old)
		return tlog.CheckTree(proof, log.tree.N, log.tree.Hash, old.N, old.Hash)
	}
	type proof = tlog.TreeProof
	name := fmt.Sprintf("the consistency proof from %d to %d", log.older.N, log.tree.N)
	accepts(name, check(func(p proof, _ *tlog.Tree) proof { return p }))
	refuses("it for another older root", check(func(p proof, old *tlog.Tree) proof { old.Hash[9] ^= 1; return p }))
	refuses("it for another older size", check(func(p proof, old *tlog.Tree) proof { old.N++; return p }))
	refuses("it with a changed hash", check(func(p proof, _ *tlog.Tree) proof { p[0][0] ^= 1; return p }))
	refuses("it with a hash missing", check(func(p proof, _ *tlog.Tree) proof { return p[:len(p)-1] }))
	own, err := tlog.ProveTree(log.tree.N, log.older.N, log.hashes(log.tree))
	accepts("it as its own, made from the tiles", equal(err, own, log.consistency))
}
