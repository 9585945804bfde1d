package main

import (
	"errors"
	"fmt"
	"os"

	"chargestream/ingest"
)

// guessMap prints a map for a file, as YAML that is to be edited.
func (a *app) guessMap(path string) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return fileError(err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	text, err := ingest.Guess(file)
	if err != nil {
		return &exitError{code: exitInvalid, what: path + " cannot be guessed at", err: err}
	}
	_, err = fmt.Fprint(a.stdout, text)
	return err
}
