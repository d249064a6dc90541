// Command fsckexit runs tessera's fsck over the log in a folder or at a URL: exit code 0 whole, 1 not, 3 after a minute
// without a verdict. Tessera's own command exits with 0 whatever it finds.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
)

// Each wrong resource ends one worker: with fewer workers than wrong resources fsck would wait for ever.
const workers = 1024

func leaves(bundle []byte) ([][]byte, error) {
	var read api.EntryBundle
	if err := read.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(read.Entries))
	for _, entry := range read.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

func source(place string) (fsck.Fetcher, error) {
	if !strings.HasPrefix(place, "http") {
		return &client.FileFetcher{Root: place}, nil
	}
	address, err := url.Parse(place)
	if err != nil {
		return nil, err
	}
	return client.NewHTTPFetcher(address, nil)
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: fsckexit FOLDER|URL ORIGIN VKEY")
		os.Exit(2)
	}
	verifier, err := f_note.NewVerifier(os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	log, err := source(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err = fsck.New(os.Args[2], verifier, log, leaves, fsck.Opts{N: workers}).Check(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("whole")
}
