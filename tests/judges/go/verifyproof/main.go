// Command verifyproof checks a .tlog-proof of an entry with torchwood: exit code 0 proven, 1 not.
package main

import (
	"fmt"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

func verify(policyFile, entryFile, proofFile string) error {
	var contents [3][]byte
	for at, file := range []string{policyFile, entryFile, proofFile} {
		var err error
		if contents[at], err = os.ReadFile(file); err != nil {
			return err
		}
	}
	policy, err := torchwood.ParsePolicy(contents[0])
	if err != nil {
		return err
	}
	return torchwood.VerifyProof(policy, tlog.RecordHash(contents[1]), contents[2])
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: verifyproof POLICY ENTRY PROOF")
		os.Exit(2)
	}
	if err := verify(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
