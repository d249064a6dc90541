// Command linearizable reads a history of clients, and lets porcupine judge whether each user is a linearizable
// register of its version: exit code 0 it is, 1 not, with a picture in the named HTML file.
//
// A command is one operation from its first attempt to its answer. One that was never answered may have been carried
// out at any later time, or not at all; one that was refused was not.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

const limit = time.Minute

type attempt struct {
	Kind    string  `json:"kind"`
	Command string  `json:"command"`
	Result  string  `json:"result"`
	Began   float64 `json:"began"`
	Ended   float64 `json:"ended"`
	User    string  `json:"user_id"`
	Version int     `json:"version"`
}

type request struct {
	attempt
	known bool
}

func read(path string) ([]attempt, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var found []attempt
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one attempt
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		found = append(found, one)
	}
	return found, lines.Err()
}

// operations joins the attempts of each command.
func operations(attempts []attempt) []porcupine.Operation {
	requests := map[string]*request{}
	var order []string
	for _, one := range attempts {
		known, ok := requests[one.Command]
		if !ok {
			known = &request{attempt: one}
			requests[one.Command] = known
			order = append(order, one.Command)
		}
		known.Began = min(known.Began, one.Began)
		if one.Result == "ok" {
			known.User, known.Version, known.Ended, known.known = one.User, one.Version, one.Ended, true
		} else if one.Result == "unknown" {
			known.Result = "unknown"
		}
	}
	clients := map[string]int{}
	var found []porcupine.Operation
	for _, command := range order {
		one := requests[command]
		if !one.known && (one.Kind == "read" || one.Result != "unknown" || one.User == "") {
			continue
		}
		end := int64(math.MaxInt64)
		if one.known {
			end = int64(one.Ended * 1e9)
		}
		if _, ok := clients[one.User]; !ok {
			clients[one.User] = len(clients)
		}
		found = append(found, porcupine.Operation{
			ClientId: clients[one.User], Input: *one, Call: int64(one.Began * 1e9), Output: one.Version, Return: end,
		})
	}
	return found
}

func step(state, input, output any) []any {
	version, one := state.(int), input.(request)
	switch {
	case !one.known:
		return []any{version, version + 1}
	case one.Kind == "read" && one.Version == version:
		return []any{version}
	case one.Kind != "read" && (one.Version == version || one.Version == version+1):
		return []any{one.Version}
	}
	return nil
}

func byUser(history []porcupine.Operation) [][]porcupine.Operation {
	users := map[string][]porcupine.Operation{}
	for _, one := range history {
		user := one.Input.(request).User
		users[user] = append(users[user], one)
	}
	found := make([][]porcupine.Operation, 0, len(users))
	for _, one := range users {
		found = append(found, one)
	}
	return found
}

func describe(input, output any) string {
	one := input.(request)
	if !one.known {
		return fmt.Sprintf("%s → not answered", one.Kind)
	}
	return fmt.Sprintf("%s → version %d", one.Kind, one.Version)
}

func main() {
	attempts, err := read(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	nondeterministic := porcupine.NondeterministicModel{
		Partition:         byUser,
		Init:              func() []any { return []any{0} },
		Step:              step,
		DescribeOperation: describe,
	}
	model := nondeterministic.ToModel()
	history := operations(attempts)
	result, info := porcupine.CheckOperationsVerbose(model, history, limit)
	fmt.Printf("%d operations of %d users: %s\n", len(history), len(byUser(history)), result)
	if result == porcupine.Ok {
		return
	}
	if err := porcupine.VisualizePath(model, info, os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1)
}
