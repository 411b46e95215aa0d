// Checks our log by Go's own checksum-database code, which shares nothing with us.
//
// Reads JSON: {"vkey", "note", "entries": ["…"], "inclusion": [{"index", "path"}],
// "consistency": [{"size", "root", "path"}]}, hashes in base64. Says "ok", or what is wrong.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type given struct {
	Vkey, Note string
	Entries    []string
	Inclusion  []struct {
		Index int64
		Path  []string
	}
	Consistency []struct {
		Size int64
		Root string
		Path []string
	}
}

func main() {
	if err := check(); err != nil {
		fmt.Println("wrong:", err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

func check() error {
	var all given
	if err := json.NewDecoder(os.Stdin).Decode(&all); err != nil {
		return err
	}
	verifier, err := note.NewVerifier(all.Vkey)
	if err != nil {
		return err
	}
	opened, err := note.Open([]byte(all.Note), note.VerifierList(verifier))
	if err != nil {
		return err
	}
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || lines[0] != verifier.Name() {
		return fmt.Errorf("a checkpoint of %q", lines[0])
	}
	root, err := hash(lines[2])
	if err != nil {
		return err
	}
	return tree(all, size, root)
}

func tree(all given, size int64, root tlog.Hash) error {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, at := range indexes {
			found = append(found, stored[at])
		}
		return found, nil
	})
	for n, entry := range all.Entries {
		more, err := tlog.StoredHashes(int64(n), []byte(entry), reader)
		if err != nil {
			return err
		}
		stored = append(stored, more...)
	}
	if found, err := tlog.TreeHash(size, reader); err != nil || found != root {
		return fmt.Errorf("the entries give another root: %v", err)
	}
	for _, one := range all.Inclusion {
		path, err := hashes(one.Path)
		if err != nil {
			return err
		}
		leaf := tlog.RecordHash([]byte(all.Entries[one.Index]))
		if err := tlog.CheckRecord(path, size, root, one.Index, leaf); err != nil {
			return fmt.Errorf("inclusion of %d: %w", one.Index, err)
		}
	}
	for _, one := range all.Consistency {
		path, err := hashes(one.Path)
		if err != nil {
			return err
		}
		old, err := hash(one.Root)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(path, size, root, one.Size, old); err != nil {
			return fmt.Errorf("consistency with %d: %w", one.Size, err)
		}
	}
	return nil
}

func hashes(texts []string) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, text := range texts {
		one, err := hash(text)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

func hash(text string) (tlog.Hash, error) {
	var found tlog.Hash
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != len(found) {
		return found, fmt.Errorf("no hash: %q", text)
	}
	copy(found[:], raw)
	return found, nil
}
