// Command proven checks a .tlog-proof that carries its entry as extra data, with torchwood: exit code 0 proven, 1 not.
// It prints the entry in hexadecimal digits.
package main

import (
	"fmt"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

func verify(policyFile, proofFile string) ([]byte, error) {
	text, err := os.ReadFile(policyFile)
	if err != nil {
		return nil, err
	}
	policy, err := torchwood.ParsePolicy(text)
	if err != nil {
		return nil, err
	}
	proof, err := os.ReadFile(proofFile)
	if err != nil {
		return nil, err
	}
	entry, err := torchwood.ProofExtraData(proof)
	if err != nil {
		return nil, err
	}
	return entry, torchwood.VerifyProof(policy, tlog.RecordHash(entry), proof)
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: proven POLICY PROOF")
		os.Exit(2)
	}
	entry, err := verify(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%x\n", entry)
}
