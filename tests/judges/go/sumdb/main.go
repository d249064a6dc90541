// Command sumdb checks proofs and notes from a JSON document on its input with golang.org/x/mod/sumdb: exit code 0 all
// hold, 1 not. It prints each that does not hold.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type document struct {
	Vkey      string
	Notes     [][]byte
	Inclusion []struct {
		Index, Size int64
		Leaf, Root  []byte
		Proof       [][]byte
	}
	Consistency []struct {
		Old, New         int64
		OldRoot, NewRoot []byte
		Proof            [][]byte
	}
}

func hashes(proof [][]byte) []tlog.Hash {
	found := make([]tlog.Hash, 0, len(proof))
	for _, each := range proof {
		found = append(found, tlog.Hash(each))
	}
	return found
}

func main() {
	var given document
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	verifier, err := note.NewVerifier(given.Vkey)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	bad := 0
	judge := func(what string, at int, err error) {
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s %d: %v\n", what, at, err)
			bad++
		}
	}
	for at, signed := range given.Notes {
		_, err := note.Open(signed, note.VerifierList(verifier))
		judge("note", at, err)
	}
	for at, each := range given.Inclusion {
		root, leaf := tlog.Hash(each.Root), tlog.Hash(each.Leaf)
		judge("inclusion", at, tlog.CheckRecord(hashes(each.Proof), each.Size, root, each.Index, leaf))
	}
	for at, each := range given.Consistency {
		oldRoot, newRoot := tlog.Hash(each.OldRoot), tlog.Hash(each.NewRoot)
		judge("consistency", at, tlog.CheckTree(hashes(each.Proof), each.New, newRoot, each.Old, oldRoot))
	}
	if bad > 0 {
		os.Exit(1)
	}
	fmt.Println(len(given.Notes), len(given.Inclusion), len(given.Consistency))
}
