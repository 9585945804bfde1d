// Package seeded gives random tests a source whose seed is logged, and can be set.
package seeded

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Variable sets the seed of random tests. Those of pgregory.net/rapid read RAPID_SEED.
const Variable = "CHARGESTREAM_TEST_SEED"

// Seed is the seed of a test, which is logged: of Variable, else another each time.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(Variable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", Variable, err)
		}
	}
	t.Logf("seed %d (set with %s)", seed, Variable)
	return seed
}

// Rand is a source of randomness by Seed.
func Rand(t testing.TB) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(Seed(t), 1))
}
