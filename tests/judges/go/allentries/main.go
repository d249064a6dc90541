// Command allentries reads every entry of the log in a folder or at a URL with torchwood's client, against the
// checkpoint that fulfils a policy: exit code 0 whole, 1 not.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"filippo.io/torchwood"
)

func source(place string) (torchwood.TileReader, error) {
	if strings.HasPrefix(place, "http") {
		return torchwood.NewTileFetcher(place)
	}
	return torchwood.NewTileFS(os.DirFS(place))
}

func count(place, policyFile string) (int64, error) {
	text, err := os.ReadFile(policyFile)
	if err != nil {
		return 0, err
	}
	policy, err := torchwood.ParsePolicy(text)
	if err != nil {
		return 0, err
	}
	tiles, err := source(place)
	if err != nil {
		return 0, err
	}
	signed, err := tiles.ReadEndpoint(context.Background(), "checkpoint")
	if err != nil {
		return 0, err
	}
	checkpoint, _, err := torchwood.VerifyCheckpoint(signed, policy)
	if err != nil {
		return 0, err
	}
	client, err := torchwood.NewClient(tiles)
	if err != nil {
		return 0, err
	}
	var entries int64
	for range client.AllEntries(context.Background(), checkpoint.Tree, 0) {
		entries++
	}
	if client.Err() == nil && entries != checkpoint.N {
		return 0, fmt.Errorf("%d entries, but the checkpoint has %d", entries, checkpoint.N)
	}
	return entries, client.Err()
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: allentries FOLDER|URL POLICY")
		os.Exit(2)
	}
	entries, err := count(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(entries)
}
