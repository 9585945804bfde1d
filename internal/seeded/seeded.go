// Package seeded gives random tests a source whose seed is logged, and can be set.
package seeded

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Variable sets the seed of the random tests of the engine.
const Variable = "ENGINE_TEST_SEED"

// Rand is a source of randomness whose seed is logged.
func Rand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(Variable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", Variable, err)
		}
	}
	t.Logf("seed %d (set with %s)", seed, Variable)
	return rand.New(rand.NewPCG(seed, 1))
}
