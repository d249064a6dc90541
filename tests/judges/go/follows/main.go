// Command follows reads a log over HTTP as an outsider with torchwood and golang.org/x/mod: its newest checkpoint must
// fulfil a policy and be consistent, by tiles of hashes, with one that was seen before: exit code 0 it is, 1 not.
// It prints the newest checkpoint as it was read.
package main

import (
	"context"
	"fmt"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

func consistent(reader tlog.HashReader, seen, newest tlog.Tree) error {
	if newest.N < seen.N {
		return fmt.Errorf("the log has %d entries, and had %d", newest.N, seen.N)
	}
	if seen.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(newest.N, seen.N, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, newest.N, newest.Hash, seen.N, seen.Hash)
}

func follow(address, policyFile, seenFile string) ([]byte, error) {
	text, err := os.ReadFile(policyFile)
	if err != nil {
		return nil, err
	}
	policy, err := torchwood.ParsePolicy(text)
	if err != nil {
		return nil, err
	}
	tiles, err := torchwood.NewTileFetcher(address)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	signed, err := tiles.ReadEndpoint(ctx, "checkpoint")
	if err != nil {
		return nil, err
	}
	newest, _, err := torchwood.VerifyCheckpoint(signed, policy)
	if err != nil || seenFile == "" {
		return signed, err
	}
	before, err := os.ReadFile(seenFile)
	if err != nil {
		return nil, err
	}
	seen, _, err := torchwood.VerifyCheckpoint(before, policy)
	if err != nil {
		return nil, err
	}
	reader := torchwood.TileHashReaderWithContext(ctx, newest.Tree, tiles)
	return signed, consistent(reader, seen.Tree, newest.Tree)
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: follows URL POLICY SEEN, where SEEN is the file of a checkpoint, or empty")
		os.Exit(2)
	}
	signed, err := follow(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Stdout.Write(signed)
}
